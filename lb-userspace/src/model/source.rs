//! Source addresses and ports that the balancer gives to packets.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::names::unusable;

/// Longest host part of a prefix in bits: the last word of an address.
const MAX_HOST_BITS: u8 = 32;

/// Addresses that a flow's hash picks from.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SourcePrefix {
    address: IpAddr,
    length: u8,
}

/// Why a text is no source prefix.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
pub enum SourceError {
    /// Not an address with an optional length.
    #[error(
        "`{text}` is no source address; write an address, such as `198.51.100.1`, or a prefix, such as `198.51.100.64/28`"
    )]
    Text {
        /// The text.
        text: String,
    },
    /// Not an address that packets can come from.
    #[error("{address} cannot be a source address: {why}")]
    Address {
        /// The address.
        address: IpAddr,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Bits are set behind the prefix.
    #[error("{address}/{length} has bits set behind its prefix; write {first}/{length}")]
    HostBits {
        /// The address.
        address: IpAddr,
        /// The length given.
        length: u8,
        /// The address without them.
        first: IpAddr,
    },
    /// Too short or too long.
    #[error("the prefix length of {address}/{length} must be from {least} to {most}")]
    Length {
        /// The address.
        address: IpAddr,
        /// The length given.
        length: u8,
        /// The shortest.
        least: u8,
        /// The longest.
        most: u8,
    },
}

impl SourcePrefix {
    /// Its first address.
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// Its last address.
    pub fn last(self) -> IpAddr {
        match self.address {
            IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() | self.spread()).into()),
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() | u128::from(self.spread())).into()),
        }
    }

    /// Bits that all its addresses share.
    pub const fn length(self) -> u8 {
        self.length
    }

    /// Whether it is an IPv4 prefix.
    pub const fn is_ipv4(self) -> bool {
        self.address.is_ipv4()
    }

    /// Whether an address belongs to it.
    pub fn contains(self, address: IpAddr) -> bool {
        self.is_ipv4() == address.is_ipv4() && masked(address, self.length) == self.address
    }

    /// The bits of the last word, in host order, that the flow's hash picks.
    pub const fn spread(self) -> u32 {
        let bits = if self.is_ipv4() { 32 } else { 128 };
        match (bits - self.length).checked_sub(MAX_HOST_BITS) {
            Some(_) => u32::MAX,
            None => (1_u32 << (bits - self.length)) - 1,
        }
    }
}

/// A number in digits alone: no sign.
fn number<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// An address with the bits behind a prefix cleared.
pub(super) fn masked(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

impl FromStr for SourcePrefix {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let wrong = || SourceError::Text { text: text.to_owned() };
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most: u8 = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            Some(length) => number(length).ok_or_else(wrong)?,
            None => most,
        };
        if let Some(why) = unusable(address) {
            return Err(SourceError::Address { address, why });
        }
        // An IPv4 prefix wider than this would take half of a private network.
        let least = if address.is_ipv4() { 8 } else { most - MAX_HOST_BITS };
        if !(least..=most).contains(&length) {
            return Err(SourceError::Length { address, length, least, most });
        }
        let first = masked(address, length);
        if first != address {
            return Err(SourceError::HostBits { address, length, first });
        }
        Ok(Self { address, length })
    }
}

impl TryFrom<String> for SourcePrefix {
    type Error = SourceError;

    fn try_from(text: String) -> Result<Self, SourceError> {
        text.parse()
    }
}

impl From<SourcePrefix> for String {
    fn from(value: SourcePrefix) -> Self {
        value.to_string()
    }
}

impl fmt::Display for SourcePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// Fewest ports of a range: fewer would make every second flow look for a free one.
const LEAST_PORTS: u16 = 256;

/// Ports that translated flows get.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// Why a text is no port range.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
pub enum PortRangeError {
    /// Not two ports.
    #[error("`{text}` is no port range; write two ports, such as `1024-32767`")]
    Text {
        /// The text.
        text: String,
    },
    /// Turned round, or from 0.
    #[error("the port range {first}-{last} is empty or begins at 0; write the lower port first")]
    Order {
        /// The first port.
        first: u16,
        /// The last port.
        last: u16,
    },
    /// Too few ports.
    #[error(
        "the port range {first}-{last} is too small ({ports} of at least {LEAST_PORTS} ports): a source address holds one flow a port to each backend; give a wider one"
    )]
    Small {
        /// The first port.
        first: u16,
        /// The last port.
        last: u16,
        /// How many there are.
        ports: u16,
    },
}

impl PortRange {
    /// The lowest port.
    pub const fn first(self) -> u16 {
        self.first
    }

    /// The highest port.
    pub const fn last(self) -> u16 {
        self.last
    }
}

impl Default for PortRange {
    /// Below the ports that Linux gives to its own connections (`net.ipv4.ip_local_port_range`).
    fn default() -> Self {
        Self { first: 1024, last: 32_767 }
    }
}

impl FromStr for PortRange {
    type Err = PortRangeError;

    fn from_str(text: &str) -> Result<Self, PortRangeError> {
        let wrong = || PortRangeError::Text { text: text.to_owned() };
        let (first, last) = text.split_once('-').ok_or_else(wrong)?;
        let port = |text: &str| number::<u16>(text.trim()).ok_or_else(wrong);
        let (first, last) = (port(first)?, port(last)?);
        if first == 0 || last < first {
            return Err(PortRangeError::Order { first, last });
        }
        match last - first {
            ports if ports < LEAST_PORTS - 1 => {
                Err(PortRangeError::Small { first, last, ports: ports + 1 })
            }
            _ => Ok(Self { first, last }),
        }
    }
}

impl TryFrom<String> for PortRange {
    type Error = PortRangeError;

    fn try_from(text: String) -> Result<Self, PortRangeError> {
        text.parse()
    }
}

impl From<PortRange> for String {
    fn from(value: PortRange) -> Self {
        value.to_string()
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}
