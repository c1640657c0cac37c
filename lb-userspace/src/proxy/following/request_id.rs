//! The id of a request: 128 random bits, or what a trusted proxy has given it.

use hyper::header::HeaderValue;

use super::Ids;

/// The longest that is taken from a proxy; those in use have 20 to 60 characters.
const LONGEST: usize = 128;

/// Whether an id can stand in a log: visible characters of ASCII, and not too many.
pub(super) fn is_sane(id: &HeaderValue) -> bool {
    (1..=LONGEST).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
}

/// A new one, as 32 hexadecimal digits.
pub(super) fn new(ids: &Ids) -> HeaderValue {
    let digits = format!("{:032x}", ids.draw());
    HeaderValue::try_from(digits).unwrap_or(HeaderValue::from_static("unknown"))
}
