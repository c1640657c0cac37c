//! How the backends of a pool are probed.
//!
//! Only what a configuration says; who probes and what becomes of the results is the business of
//! the module [`health`](crate::health). All that can be wrong with a value is found when it is
//! made.

mod target;
#[cfg(test)]
mod tests;

use std::{fmt, net::SocketAddr, num::NonZeroU16, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use self::target::{Host, Path, Statuses, TargetError};
use super::duration::{self, DurationError, duration_within};

/// Bounds of an interval: shorter is an attack, longer is no health check.
const INTERVALS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_hours(1));
/// The shortest timeout: below it, the balancer's own scheduling would fail backends.
const LEAST_TIMEOUT: Duration = Duration::from_millis(10);
/// Most results in a row that may be asked for.
const MOST_RUNS: u8 = 100;

/// The active health check of a pool.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// What is done to find out.
    #[serde(flatten)]
    pub probe: Probe,
    /// Time from the beginning of a probe to that of the next.
    #[serde(rename = "interval_ms", with = "duration::as_milliseconds")]
    pub interval: Duration,
    /// A probe that has not succeeded by then has failed; at most the interval.
    #[serde(rename = "timeout_ms", with = "duration::as_milliseconds")]
    pub timeout: Duration,
    /// So many successes in a row bring a backend that is down up again.
    pub rise: Runs,
    /// So many failures in a row take a backend down.
    pub fall: Runs,
    /// Whether a pool of which every backend is down is used as if none were.
    pub fail_open: bool,
    /// The port to probe, if it is not the one that serves.
    pub port: Option<NonZeroU16>,
}

/// What is done to find out how a backend is.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Probe {
    /// A connection is opened.
    Tcp,
    /// A request is answered.
    Http(HttpProbe),
    /// A request is answered over TLS.
    Https(HttpsProbe),
}

/// A request, and what answers are good.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct HttpProbe {
    /// What is asked for.
    pub path: Path,
    /// The `Host` of the request; the address that is probed where none is given.
    pub host: Option<Host>,
    /// Status codes that are a success.
    pub status: Statuses,
}

/// A request over TLS.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct HttpsProbe {
    /// The request. Its host is also the server name that TLS asks for.
    #[serde(flatten)]
    pub request: HttpProbe,
    /// Certificates, in a PEM file, of which one must have signed the backend's. Without it any
    /// certificate will do: a health check tells whether a server works, not who it is.
    pub ca: Option<PathBuf>,
}

/// How many results in a row: 1 to 100.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Runs(u8);

/// Why a setting of a health check was refused.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
pub enum HealthError {
    /// `rise` or `fall`.
    #[error("{given} is out of range; use 1 to {MOST_RUNS} results in a row")]
    Runs {
        /// What was given.
        given: i64,
    },
    /// A timeout that reaches into the next probe.
    #[error(
        "the timeout {} is longer than the interval {}, so a probe would still wait when the next is due; shorten the one or lengthen the other",
        duration::text(*timeout), duration::text(*interval)
    )]
    Timeout {
        /// The timeout.
        timeout: Duration,
        /// The interval.
        interval: Duration,
    },
    /// No port.
    #[error("{given} is not a port; use 1 to 65535")]
    Port {
        /// What was given.
        given: i64,
    },
}

impl Health {
    /// The interval unless one is given.
    pub const INTERVAL: Duration = Duration::from_secs(1);
    /// The timeout unless one is given; a shorter interval shortens it.
    pub const TIMEOUT: Duration = Duration::from_millis(500);

    /// A check of which only the probe is given.
    pub fn new(probe: Probe) -> Self {
        Self {
            probe,
            interval: Self::INTERVAL,
            timeout: Self::TIMEOUT,
            rise: Runs(2),
            fall: Runs(3),
            fail_open: true,
            port: None,
        }
    }

    /// This check with other times. Without a timeout it is the default, or the interval if that is
    /// shorter.
    pub fn timed(self, interval: Duration, timeout: Option<Duration>) -> Result<Self, HealthError> {
        let timeout = timeout.unwrap_or(Self::TIMEOUT.min(interval));
        if timeout > interval {
            return Err(HealthError::Timeout { timeout, interval });
        }
        Ok(Self { interval, timeout, ..self })
    }

    /// What is probed for a backend.
    pub fn target(&self, backend: SocketAddr) -> SocketAddr {
        let port = self.port.map_or(backend.port(), NonZeroU16::get);
        SocketAddr::new(backend.ip(), port)
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = duration::text;
        match &self.probe {
            Probe::Tcp => f.write_str("tcp")?,
            Probe::Http(request) => write!(f, "http {}", request.path)?,
            Probe::Https(HttpsProbe { request, .. }) => write!(f, "https {}", request.path)?,
        }
        let (interval, timeout) = (text(self.interval), text(self.timeout));
        write!(f, " every {interval}, timeout {timeout}, rise {}, fall {}", self.rise, self.fall)?;
        if let Probe::Http(request) | Probe::Https(HttpsProbe { request, .. }) = &self.probe {
            write!(f, ", status {}", request.status)?;
            if let Some(host) = &request.host {
                write!(f, ", host {host}")?;
            }
        }
        if let Probe::Https(HttpsProbe { ca: Some(ca), .. }) = &self.probe {
            write!(f, ", ca {}", ca.display())?;
        }
        if let Some(port) = self.port {
            write!(f, ", port {port}")?;
        }
        f.write_str(if self.fail_open { ", fails open" } else { ", fails closed" })
    }
}

impl Runs {
    /// The number.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<i64> for Runs {
    type Error = HealthError;

    fn try_from(given: i64) -> Result<Self, HealthError> {
        match u8::try_from(given) {
            Ok(runs @ 1..=MOST_RUNS) => Ok(Self(runs)),
            _ => Err(HealthError::Runs { given }),
        }
    }
}

impl From<Runs> for i64 {
    fn from(runs: Runs) -> Self {
        runs.0.into()
    }
}

impl fmt::Display for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Reads an interval.
pub fn interval(given: &str) -> Result<Duration, DurationError> {
    duration_within(given, INTERVALS.0, INTERVALS.1)
}

/// Reads a timeout; whether it suits the interval is for [`Health::timed`] to say.
pub fn timeout(given: &str) -> Result<Duration, DurationError> {
    duration_within(given, LEAST_TIMEOUT, INTERVALS.1)
}

/// Takes a number as a port to probe.
pub fn port(given: i64) -> Result<NonZeroU16, HealthError> {
    let port = u16::try_from(given).ok().and_then(NonZeroU16::new);
    port.ok_or(HealthError::Port { given })
}
