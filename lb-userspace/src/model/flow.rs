//! A question about a flow: from which client, to which service.

use std::net::{IpAddr, SocketAddr};

use thiserror::Error;

use super::{Protocol, Vip};

/// Which packet is asked about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FlowQuery {
    from: SocketAddr,
    to: Vip,
    opening: bool,
}

/// Why nothing can be asked about a flow.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
pub enum FlowError {
    /// Its ends are of two families.
    #[error(
        "{from} and {to} are of two address families, and no packet has both; give the client's {family} address"
    )]
    Families {
        /// The client.
        from: SocketAddr,
        /// The service.
        to: Vip,
        /// The family of the service.
        family: &'static str,
    },
    /// A range is many addresses.
    #[error("{to} is a range of ports, and a flow has one of them; give one")]
    Range {
        /// The range.
        to: Vip,
    },
    /// UDP flows have no beginning.
    #[error("{to} is UDP, which has no packet that opens a flow; ask without `opening`")]
    Opening {
        /// The service.
        to: Vip,
    },
}

impl FlowQuery {
    /// Asks about the packet that opens a flow, or about one of an open flow.
    pub fn new(from: SocketAddr, to: Vip, opening: bool) -> Result<Self, FlowError> {
        let family = match (from.ip(), to.address.ip()) {
            (IpAddr::V4(_), IpAddr::V6(_)) => Some("IPv6"),
            (IpAddr::V6(_), IpAddr::V4(_)) => Some("IPv4"),
            _ => None,
        };
        if let Some(family) = family {
            return Err(FlowError::Families { from, to, family });
        }
        if to.is_range() {
            return Err(FlowError::Range { to });
        }
        if opening && to.protocol == Protocol::Udp {
            return Err(FlowError::Opening { to });
        }
        Ok(Self { from, to, opening })
    }

    /// The client.
    pub fn from(&self) -> SocketAddr {
        self.from
    }

    /// The address that it sends to, of the same family.
    pub fn to(&self) -> Vip {
        self.to
    }

    /// Whether the packet opens the flow, which only TCP has.
    pub fn opening(&self) -> bool {
        self.opening
    }
}
