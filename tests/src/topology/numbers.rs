//! Which address a host has.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Address family.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The flag of `ip` for it.
    pub fn flag(self) -> &'static str {
        match self {
            Self::V4 => "-4",
            Self::V6 => "-6",
        }
    }

    /// Bits of an address.
    pub fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }

    pub(crate) fn prefix(self) -> u8 {
        match self {
            Self::V4 => 24,
            Self::V6 => 64,
        }
    }

    pub(crate) fn nodad(self) -> &'static str {
        match self {
            Self::V4 => "",
            Self::V6 => " nodad",
        }
    }
}

/// One of the two networks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Net {
    /// Where clients and VIPs are.
    Front,
    /// Where backends are.
    Back,
}

/// Whose address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Host {
    /// The client.
    Client,
    /// The client, where it receives what does not come by the balancer.
    ClientBack,
    /// Where the client may move to.
    ClientAway,
    /// The balancer, in the clients' network.
    BalancerFront,
    /// The balancer, in the backends' network.
    BalancerBack,
    /// One of several balancers, counted from 1, in the backends' network.
    Balancer(u8),
    /// The VIP.
    Vip,
    /// A backend, counted from 1.
    Backend(u8),
}

impl Host {
    fn place(self) -> (Net, u8) {
        match self {
            Self::Client => (Net::Front, 2),
            Self::ClientAway => (Net::Front, 3),
            Self::ClientBack => (Net::Back, 254),
            Self::BalancerFront => (Net::Front, 1),
            Self::BalancerBack => (Net::Back, 1),
            Self::Balancer(n) => (Net::Back, n),
            Self::Vip => (Net::Front, 10),
            Self::Backend(n) => (Net::Back, 3 + n),
        }
    }
}

/// Numbers of the networks: the first three bytes of each in IPv4. In IPv6 they are
/// `2001:db8:1::/64` and `2001:db8:2::/64`.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    /// The clients' network.
    pub front: [u8; 3],
    /// The backends' network.
    pub back: [u8; 3],
}

impl Default for Numbers {
    fn default() -> Self {
        Self { front: [198, 51, 100], back: [192, 0, 2] }
    }
}

impl Numbers {
    /// Address of a host.
    pub fn address(self, host: Host, family: Family) -> IpAddr {
        let (net, number) = host.place();
        self.at(net, family, number)
    }

    /// A network with its prefix length.
    pub fn network(self, net: Net, family: Family) -> String {
        format!("{}/{}", self.at(net, family, 0), family.prefix())
    }

    fn at(self, net: Net, family: Family, number: u8) -> IpAddr {
        let ([a, b, c], third) = match net {
            Net::Front => (self.front, 1),
            Net::Back => (self.back, 2),
        };
        match family {
            Family::V4 => Ipv4Addr::new(a, b, c, number).into(),
            Family::V6 => Ipv6Addr::new(0x2001, 0xdb8, third, 0, 0, 0, 0, number.into()).into(),
        }
    }
}
