//! Addresses of services: one port, a range of ports, or all of them.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    Protocol,
    names::{ValueError, usable},
};

/// The address, port and protocol of a service, written `192.0.2.10:80/tcp`; with a range of ports
/// `192.0.2.10:8000-8099/tcp`, with all of them `192.0.2.10:*/tcp`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Vip {
    /// Address, and the first port.
    pub address: SocketAddr,
    /// The last port: the first once more, if there is only one.
    pub last_port: u16,
    /// Protocol.
    pub protocol: Protocol,
}

/// Why a text is no address of a service.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
pub enum VipError {
    /// Not in the form of one.
    #[error(
        "`{given}` is not a service address: write ADDRESS:PORT/PROTOCOL, such as `192.0.2.10:80/tcp` or `[2001:db8::10]:53/udp`; PORT may be a range (`8000-8099`) or `*`"
    )]
    Form {
        /// What was given.
        given: String,
    },
    /// The ports are no range.
    #[error(
        "the ports {first}-{last} of `{given}` are no range of ports above 0; write the lower port first, and a single port alone"
    )]
    Ports {
        /// What was given.
        given: String,
        /// The first port.
        first: u16,
        /// The last port.
        last: u16,
    },
    /// The address cannot be a VIP.
    #[error(transparent)]
    Address(#[from] ValueError),
}

impl Vip {
    /// One port of an address.
    pub const fn exact(address: SocketAddr, protocol: Protocol) -> Self {
        Self { address, last_port: address.port(), protocol }
    }

    /// Whether there are several ports.
    pub const fn is_range(self) -> bool {
        self.last_port != self.address.port()
    }

    /// Whether that is all there are.
    pub const fn is_all(self) -> bool {
        self.address.port() == 1 && self.last_port == u16::MAX
    }

    /// The address alone, with the protocol: what ranges of ports belong to.
    pub const fn host(self) -> (IpAddr, Protocol) {
        (self.address.ip(), self.protocol)
    }

    /// Whether packets to some ports of the host may be for this one.
    pub const fn meets(self, first_port: u16, last_port: u16) -> bool {
        self.address.port() <= last_port && first_port <= self.last_port
    }
}

impl FromStr for Vip {
    type Err = VipError;

    fn from_str(given: &str) -> Result<Self, VipError> {
        let malformed = || VipError::Form { given: given.to_owned() };
        let (address, protocol) = given.split_once('/').ok_or_else(malformed)?;
        let protocol = match protocol {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            _ => return Err(malformed()),
        };
        let (host, ports) = address.rsplit_once(':').ok_or_else(malformed)?;
        let (first, last) = match ports.split_once('-') {
            _ if ports == "*" => (1, u16::MAX),
            None => {
                let address = address.parse().map_err(|_| malformed())?;
                return Ok(Self::exact(usable(address)?, protocol));
            }
            Some((first, last)) => {
                (port(first).ok_or_else(malformed)?, port(last).ok_or_else(malformed)?)
            }
        };
        if first == 0 || last <= first {
            return Err(VipError::Ports { given: given.to_owned(), first, last });
        }
        let address = format!("{host}:{first}").parse().map_err(|_| malformed())?;
        Ok(Self { address: usable(address)?, last_port: last, protocol })
    }
}

/// A port in digits alone: no sign.
fn port(text: &str) -> Option<u16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

impl TryFrom<String> for Vip {
    type Error = VipError;

    fn try_from(given: String) -> Result<Self, VipError> {
        given.parse()
    }
}

impl From<Vip> for String {
    fn from(vip: Vip) -> Self {
        vip.to_string()
    }
}

impl fmt::Display for Vip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, last_port, protocol } = *self;
        let host = match address.ip() {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => format!("[{v6}]"),
        };
        f.pad(&if self.is_all() {
            format!("{host}:*/{protocol}")
        } else if self.is_range() {
            format!("{host}:{}-{last_port}/{protocol}", address.port())
        } else {
            format!("{address}/{protocol}")
        })
    }
}
