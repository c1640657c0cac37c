//! Durations as they are written, for JSON: `#[serde(with = "as_text")]`.

use std::{borrow::Cow, time::Duration};

use serde::{Deserialize, Deserializer, Serializer, de::Error};

pub(crate) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&super::text(*value))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    super::duration(&Cow::<'_, str>::deserialize(from)?).map_err(D::Error::custom)
}
