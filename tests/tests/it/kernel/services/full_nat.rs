//! Services that replace both ends.

use lb_common::{
    abi::{ForwardMode, Tracking},
    wire::transport::{TCP, UDP},
};

use super::{Ring, Spec, Way};

const fn full(id: u32, vip: &'static str, protocol: u8, backend: &'static str) -> Spec {
    Spec::nat(id, vip, protocol, backend).mode(ForwardMode::FullNat).ports(1024, 65_535)
}

/// One source address.
pub(crate) const FULL_V4_TCP: Spec =
    full(47, "192.0.2.120:80", TCP, "203.0.113.120:8080").source("203.0.113.1", 32);
pub(crate) const FULL_V6_UDP: Spec =
    full(48, "[2001:db8:10::120]:53", UDP, "[2001:db8:2::120]:5353").source("2001:db8:2::1", 128);

/// Several of them.
pub(crate) const FULL_V4_UDP: Spec =
    full(49, "192.0.2.121:53", UDP, "203.0.113.121:5353").source("198.51.100.16", 28);
pub(crate) const FULL_V6_TCP: Spec =
    full(50, "[2001:db8:10::121]:80", TCP, "[2001:db8:2::121]:8080").source("2001:db8:5::", 124);

/// More ports than are tried, but not many; and fewer.
pub(crate) const FULL_V4_TCP_FEW: Spec = full(51, "192.0.2.122:80", TCP, "203.0.113.122:8080")
    .source("203.0.113.2", 32)
    .ports(50_000, 50_019);
pub(crate) const FULL_V6_UDP_FEW: Spec =
    full(52, "[2001:db8:10::122]:53", UDP, "[2001:db8:2::122]:5353")
        .source("2001:db8:2::2", 128)
        .ports(65_532, 65_535);

/// One port.
pub(crate) const FULL_V4_UDP_ONE: Spec = full(53, "192.0.2.123:53", UDP, "203.0.113.123:5353")
    .source("203.0.113.3", 32)
    .ports(4000, 4000);

/// Backends whose next hop is not known, next to `front`, or not there.
pub(crate) const FULL_V4_TCP_NEW: Spec = full(54, "192.0.2.124:80", TCP, "203.0.113.124:8080")
    .source("203.0.113.1", 32)
    .way(Way::Unknown);
pub(crate) const FULL_V6_UDP_NEW: Spec =
    full(55, "[2001:db8:10::124]:53", UDP, "[2001:db8:2::124]:5353")
        .source("2001:db8:2::1", 128)
        .way(Way::Unknown);
pub(crate) const FULL_V4_UDP_FRONT: Spec = full(56, "192.0.2.125:53", UDP, "198.51.100.125:5353")
    .source("198.51.100.1", 32)
    .way(Way::Front);
pub(crate) const FULL_V6_TCP_FRONT: Spec =
    full(57, "[2001:db8:10::125]:80", TCP, "[2001:db8:1::125]:8080")
        .source("2001:db8:1::1", 128)
        .way(Way::Front);
pub(crate) const FULL_V4_TCP_EMPTY: Spec =
    full(58, "192.0.2.126:80", TCP, "203.0.113.126:8080").ring(0, Ring::Even(1));

/// Backends of all kinds, in a ring whose slots move.
pub(crate) const FULL_V4_TCP_MOVING: Spec = full(59, "192.0.2.127:80", TCP, "203.0.113.130:8080")
    .source("203.0.113.1", 32)
    .ring(5, Ring::Moving);
pub(crate) const FULL_V6_UDP_MOVING: Spec =
    full(60, "[2001:db8:10::127]:53", UDP, "[2001:db8:2::130]:5353")
        .source("2001:db8:2::1", 128)
        .tracking(Tracking::All)
        .ring(5, Ring::Moving);

pub(super) const ALL: [Spec; 14] = [
    FULL_V4_TCP,
    FULL_V6_UDP,
    FULL_V4_UDP,
    FULL_V6_TCP,
    FULL_V4_TCP_FEW,
    FULL_V6_UDP_FEW,
    FULL_V4_UDP_ONE,
    FULL_V4_TCP_NEW,
    FULL_V6_UDP_NEW,
    FULL_V4_UDP_FRONT,
    FULL_V6_TCP_FRONT,
    FULL_V4_TCP_EMPTY,
    FULL_V4_TCP_MOVING,
    FULL_V6_UDP_MOVING,
];
