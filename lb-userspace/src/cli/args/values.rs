//! Reads the values of arguments, each error a line that says what to write instead.

use std::{net::IpAddr, num::NonZeroU64, time::Duration};

use crate::model::{
    AttachMode, Weight,
    duration::{DurationError, duration_within},
    names,
};

/// How long the interval of rates may be. A reading costs the daemon a look at all its tables.
const INTERVALS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_hours(24));

pub(super) fn weight(given: &str) -> Result<Weight, String> {
    let number: i64 = given.parse().map_err(|_| {
        format!("`{given}` is not a weight: give a whole number, such as 2 for twice the share")
    })?;
    number.try_into().map_err(|error: names::ValueError| error.to_string())
}

pub(super) fn attach_mode(given: &str) -> Result<AttachMode, String> {
    let modes = [AttachMode::Auto, AttachMode::Native, AttachMode::Generic];
    let found = modes.into_iter().find(|mode| mode.name() == given);
    found.ok_or_else(|| format!("`{given}` is no mode; write `auto`, `native` or `generic`"))
}

pub(super) fn tunnel_end(given: &str) -> Result<IpAddr, String> {
    let address: IpAddr = given.parse().map_err(|_| {
        format!("`{given}` is no address; write one of this host, such as 192.0.2.4")
    })?;
    let address = address.to_canonical();
    if address.is_unspecified() || address.is_multicast() || address.is_loopback() {
        return Err(format!(
            "{address} is no address that the balancer could send to; name a unicast address of this host"
        ));
    }
    Ok(address)
}

pub(super) fn interval(given: &str) -> Result<Duration, DurationError> {
    duration_within(given, INTERVALS.0, INTERVALS.1)
}

pub(super) fn times(given: &str) -> Result<NonZeroU64, String> {
    given.parse().map_err(|_| {
        format!("`{given}` is not how many times: give a whole number that is not 0, such as 10")
    })
}
