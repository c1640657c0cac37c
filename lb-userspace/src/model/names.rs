//! The small validated types: names, weights and protocols.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use lb_common::limits::MAX_WEIGHT;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Bytes of a name in the kernel (`IFNAMSIZ`), less the NUL that ends it.
const LONGEST_INTERFACE_NAME: usize = 15;

/// The name of an interface as a BPF file system takes it: without dots.
pub fn pin_name(interface: &str) -> String {
    interface.replace('%', "%25").replace('.', "%2e")
}

/// The interface behind a [`pin_name`].
pub fn pinned_interface(name: &str) -> String {
    name.replace("%2e", ".").replace("%25", "%")
}

/// Why a small value was refused.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
pub enum ValueError {
    /// A name.
    #[error(
        "`{given}` is not a name: use 1 to 63 letters, digits, `-`, `_` or `.`, beginning with a letter or digit"
    )]
    Name {
        /// What was given.
        given: String,
    },
    /// A weight.
    #[error(
        "weight {given} is out of range: use 1 to {MAX_WEIGHT}; to stop new flows to a backend, drain it"
    )]
    Weight {
        /// What was given.
        given: i64,
    },
    /// An address that no packet can be balanced to or from.
    #[error("`{given}` cannot be used: {why}")]
    Address {
        /// What was given.
        given: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The address of a backend.
    #[error(
        "`{given}` is not a backend address: write IP:PORT, such as `172.17.0.4:1001` or `[2001:db8::4]:1001` (host names are not looked up)"
    )]
    Backend {
        /// What was given.
        given: String,
    },
    /// The address of a listener.
    #[error(
        "`{given}` is not an address to listen on: write IP:PORT, such as `192.0.2.10:8080` or `[::]:8080`; a [[listener]] is always TCP, so the protocol is left out"
    )]
    Listen {
        /// What was given.
        given: String,
    },
    /// The name of a server in TLS.
    #[error(
        "`{given}` is not the name of a server; write a host name or an IP address, without a port"
    )]
    Server {
        /// What was given.
        given: String,
    },
    /// The address of a client.
    #[error(
        "`{given}` is not the address of a client: write IP:PORT, such as `198.51.100.7:40000` or `[2001:db8:1::7]:40000` (host names are not looked up)"
    )]
    Client {
        /// What was given.
        given: String,
    },
    /// The name of an interface.
    #[error(
        "`{given}` is not the name of an interface: use 1 to {LONGEST_INTERFACE_NAME} bytes without `/`, `:` and white space, as `ip link` shows it"
    )]
    Interface {
        /// What was given.
        given: String,
    },
}

/// Name of a pool, service or interface section.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = ValueError;

    fn from_str(given: &str) -> Result<Self, ValueError> {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let starts_well = given.starts_with(|c: char| c.is_ascii_alphanumeric());
        if starts_well && given.len() <= 63 && given.chars().all(legal) {
            Ok(Self(given.to_owned()))
        } else {
            Err(ValueError::Name { given: given.to_owned() })
        }
    }
}

impl TryFrom<String> for Name {
    type Error = ValueError;

    fn try_from(given: String) -> Result<Self, ValueError> {
        given.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Share of a backend, relative to the others of its pool: 1 to [`MAX_WEIGHT`].
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Weight(u16);

impl Weight {
    /// The number.
    pub fn get(self) -> u32 {
        self.0.into()
    }
}

impl Default for Weight {
    fn default() -> Self {
        Self(1)
    }
}

impl TryFrom<i64> for Weight {
    type Error = ValueError;

    fn try_from(given: i64) -> Result<Self, ValueError> {
        match u16::try_from(given) {
            Ok(weight @ 1..) if u32::from(weight) <= MAX_WEIGHT => Ok(Self(weight)),
            _ => Err(ValueError::Weight { given }),
        }
    }
}

impl From<Weight> for i64 {
    fn from(weight: Weight) -> Self {
        weight.0.into()
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Transport protocol of a service.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// TCP, RFC 9293.
    Tcp,
    /// UDP, RFC 768.
    Udp,
}

impl Protocol {
    /// Its number in the IP header.
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// Reads the address of a backend.
pub fn backend_address(given: &str) -> Result<SocketAddr, ValueError> {
    let address: SocketAddr =
        given.parse().map_err(|_| ValueError::Backend { given: given.to_owned() })?;
    // A listener can reach a server on this host; that a service cannot is a rule of its own.
    if address.ip().is_loopback() && address.port() != 0 { Ok(address) } else { usable(address) }
}

/// Reads the address of a client.
pub fn client_address(given: &str) -> Result<SocketAddr, ValueError> {
    let address: SocketAddr =
        given.parse().map_err(|_| ValueError::Client { given: given.to_owned() })?;
    if address.port() == 0 {
        let why = "port 0 is not a port; give the port that the client sends from";
        return Err(ValueError::Address { given: given.to_owned(), why });
    }
    usable(address)
}

/// Reads the name of an interface, by the rules of the kernel (`dev_valid_name`).
pub fn interface_name(given: &str) -> Result<String, ValueError> {
    let legal = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '/' | ':');
    let fits = (1..=LONGEST_INTERFACE_NAME).contains(&given.len());
    if fits && given.chars().all(legal) && !matches!(given, "." | "..") {
        Ok(given.to_owned())
    } else {
        Err(ValueError::Interface { given: given.to_owned() })
    }
}

pub(super) fn usable(address: SocketAddr) -> Result<SocketAddr, ValueError> {
    let why = match address {
        _ if address.port() == 0 => Some("port 0 is not a port; give the port that is listened on"),
        SocketAddr::V6(v6) if v6.scope_id() != 0 => {
            Some("only link-local addresses have a zone (`%...`); give it without one")
        }
        _ => unusable(address.ip()),
    };
    match why {
        Some(why) => Err(ValueError::Address { given: address.to_string(), why }),
        None => Ok(address),
    }
}

/// Why nothing is forwarded to a loopback address.
pub(super) const LOOPBACK: &str =
    "loopback addresses never reach an interface; give the host's own address";

/// Why packets cannot be balanced to or from an address, and what to do, if they cannot.
pub(super) fn unusable(ip: IpAddr) -> Option<&'static str> {
    if ip.is_unspecified() || ip.is_multicast() || ip == IpAddr::from([255, 255, 255, 255]) {
        return Some("it is not the address of one host; give a unicast address");
    }
    if ip.is_loopback() {
        return Some(LOOPBACK);
    }
    match ip {
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => {
            Some("it is an IPv4 address in IPv6 clothes; write it as IPv4")
        }
        IpAddr::V6(v6) if v6.is_unicast_link_local() => {
            Some("link-local addresses mean nothing without an interface; give a routable one")
        }
        _ => None,
    }
}
