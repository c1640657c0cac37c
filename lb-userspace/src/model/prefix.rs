//! Prefixes of addresses that something may come from.

mod set;

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use self::set::PrefixSet;
use super::source::masked;

/// An address with the number of its bits that count.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

/// Why a text is no prefix.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
pub enum PrefixError {
    /// Not an address with an optional length.
    #[error(
        "`{text}` is no address or prefix; write an address, such as `192.0.2.1`, or a prefix, such as `192.0.2.0/24`"
    )]
    Text {
        /// The text.
        text: String,
    },
    /// Longer than the address.
    #[error("the prefix length of {address}/{length} must be from 0 to {most}")]
    Length {
        /// The address.
        address: IpAddr,
        /// The length given.
        length: u8,
        /// The longest.
        most: u8,
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
}

impl Prefix {
    /// A prefix of its own.
    pub fn new(address: IpAddr, length: u8) -> Result<Self, PrefixError> {
        let most = if address.is_ipv4() { 32 } else { 128 };
        if length > most {
            return Err(PrefixError::Length { address, length, most });
        }
        let first = masked(address, length);
        if first != address {
            return Err(PrefixError::HostBits { address, length, first });
        }
        Ok(Self { address, length })
    }

    /// Its first address.
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// Bits that all its addresses share.
    pub const fn length(self) -> u8 {
        self.length
    }

    /// Whether an address belongs to it.
    pub fn contains(self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4() && masked(address, self.length) == self.address
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let wrong = || PrefixError::Text { text: text.to_owned() };
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        match length {
            Some(length) => Self::new(address, length.parse().map_err(|_| wrong())?),
            None => Self::new(address, if address.is_ipv4() { 32 } else { 128 }),
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl TryFrom<String> for Prefix {
    type Error = PrefixError;

    fn try_from(text: String) -> Result<Self, PrefixError> {
        text.parse()
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> Self {
        prefix.to_string()
    }
}
