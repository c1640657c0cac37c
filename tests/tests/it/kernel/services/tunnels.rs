//! Services that put packets into other packets. The digits are the families of the inner and of
//! the outer packet.

use lb_common::{
    abi::ForwardMode,
    wire::transport::{TCP, UDP},
};

use super::{Spec, Way};

const fn ipip(id: u32, vip: &'static str, protocol: u8, backend: &'static str) -> Spec {
    Spec::nat(id, vip, protocol, backend).mode(ForwardMode::Ipip)
}

const fn gue(id: u32, vip: &'static str, protocol: u8, backend: &'static str) -> Spec {
    Spec::nat(id, vip, protocol, backend).mode(ForwardMode::Gue)
}

pub(crate) const IPIP_44: Spec = ipip(27, "192.0.2.100:80", TCP, "203.0.113.100:80");
pub(crate) const IPIP_66: Spec = ipip(28, "[2001:db8:10::100]:53", UDP, "[2001:db8:2::100]:53");
pub(crate) const IPIP_46: Spec = ipip(29, "192.0.2.101:53", UDP, "[2001:db8:2::101]:53");
pub(crate) const IPIP_64: Spec = ipip(30, "[2001:db8:10::101]:80", TCP, "203.0.113.101:80");
pub(crate) const GUE_44: Spec = gue(31, "192.0.2.102:53", UDP, "203.0.113.102:53");
pub(crate) const GUE_66: Spec = gue(32, "[2001:db8:10::102]:80", TCP, "[2001:db8:2::102]:80");
pub(crate) const GUE_46: Spec = gue(33, "192.0.2.103:80", TCP, "[2001:db8:2::103]:80");
pub(crate) const GUE_64: Spec = gue(34, "[2001:db8:10::103]:53", UDP, "203.0.113.103:53");

/// Sources out of a prefix, by the hash of the flow.
pub(crate) const IPIP_44_VARIED: Spec =
    ipip(35, "192.0.2.104:53", UDP, "203.0.113.104:53").source("198.51.100.128", 26);
pub(crate) const IPIP_66_VARIED: Spec =
    ipip(36, "[2001:db8:10::104]:80", TCP, "[2001:db8:2::104]:80").source("2001:db8:5::", 120);
pub(crate) const GUE_44_VARIED: Spec =
    gue(37, "192.0.2.105:80", TCP, "203.0.113.105:80").source("198.51.100.64", 31);
pub(crate) const GUE_66_VARIED: Spec =
    gue(38, "[2001:db8:10::105]:53", UDP, "[2001:db8:2::105]:53").source("2001:db8:5::100", 121);

/// One source that is not the balancer's own.
pub(crate) const IPIP_64_SOURCE: Spec =
    ipip(39, "[2001:db8:10::106]:53", UDP, "203.0.113.106:53").source("198.51.100.200", 32);
pub(crate) const GUE_46_SOURCE: Spec =
    gue(40, "192.0.2.106:53", UDP, "[2001:db8:2::106]:53").source("2001:db8:5::7", 128);

/// Backends next to `front`.
pub(crate) const IPIP_44_FRONT: Spec =
    ipip(41, "192.0.2.107:80", TCP, "198.51.100.107:80").way(Way::Front);
pub(crate) const GUE_66_FRONT: Spec =
    gue(42, "[2001:db8:10::107]:53", UDP, "[2001:db8:1::107]:53").way(Way::Front);

/// Backends whose next hop is not known.
pub(crate) const IPIP_44_NEW: Spec =
    ipip(43, "192.0.2.108:80", TCP, "203.0.113.108:80").way(Way::Unknown);
pub(crate) const GUE_66_NEW: Spec =
    gue(44, "[2001:db8:10::108]:53", UDP, "[2001:db8:2::108]:53").way(Way::Unknown);

/// The way to the backend is wide.
pub(crate) const IPIP_46_JUMBO: Spec =
    ipip(45, "192.0.2.109:80", TCP, "[2001:db8:2::109]:80").mtu(9000);
pub(crate) const GUE_64_JUMBO: Spec =
    gue(46, "[2001:db8:10::109]:53", UDP, "203.0.113.109:53").mtu(9000);

pub(super) const ALL: [Spec; 20] = [
    IPIP_44,
    IPIP_66,
    IPIP_46,
    IPIP_64,
    GUE_44,
    GUE_66,
    GUE_46,
    GUE_64,
    IPIP_44_VARIED,
    IPIP_66_VARIED,
    GUE_44_VARIED,
    GUE_66_VARIED,
    IPIP_64_SOURCE,
    GUE_46_SOURCE,
    IPIP_44_FRONT,
    GUE_66_FRONT,
    IPIP_44_NEW,
    GUE_66_NEW,
    IPIP_46_JUMBO,
    GUE_64_JUMBO,
];
