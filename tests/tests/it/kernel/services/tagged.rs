//! Services whose backends are in VLANs. The words tell how many tags frames to them have.

use lb_common::{
    abi::{ForwardMode, Tracking},
    wire::transport::{TCP, UDP},
};

use super::{Spec, Tag, Way};

const ONE: &[Tag] = &[Tag::of(0x123)];
const PRIORITY: &[Tag] = &[Tag { provider: false, priority: 5, id: 0xffe }];
const TWO: &[Tag] = &[Tag::of_provider(0x456), Tag::of(0x789)];

const fn tagged(spec: Spec, tags: &'static [Tag]) -> Spec {
    Spec { tags, ..spec }
}

pub(crate) const NAT_V4_ONE: Spec =
    tagged(Spec::nat(75, "192.0.2.200:80", TCP, "203.0.113.200:8080"), ONE);
pub(crate) const NAT_V6_TWO: Spec =
    tagged(Spec::nat(76, "[2001:db8:10::200]:53", UDP, "[2001:db8:2::200]:5353"), TWO);
pub(crate) const DSR_V4_TWO: Spec =
    tagged(Spec::dsr(77, "192.0.2.201:53", UDP, "203.0.113.201:53"), TWO);
pub(crate) const DSR_V6_ONE: Spec =
    tagged(Spec::dsr(78, "[2001:db8:10::201]:80", TCP, "[2001:db8:2::201]:80"), PRIORITY);
pub(crate) const IPIP_44_ONE: Spec = tagged(
    Spec::nat(79, "192.0.2.202:80", TCP, "203.0.113.202:80").mode(ForwardMode::Ipip),
    PRIORITY,
);
pub(crate) const GUE_66_TWO: Spec = tagged(
    Spec::nat(80, "[2001:db8:10::202]:53", UDP, "[2001:db8:2::202]:53").mode(ForwardMode::Gue),
    TWO,
);
pub(crate) const FULL_V4_TWO: Spec = tagged(
    Spec::nat(81, "192.0.2.203:53", UDP, "203.0.113.203:5353")
        .mode(ForwardMode::FullNat)
        .source("203.0.113.1", 32)
        .ports(1024, 65_535),
    TWO,
);
pub(crate) const FULL_V6_ONE: Spec = tagged(
    Spec::nat(82, "[2001:db8:10::203]:80", TCP, "[2001:db8:2::203]:8080")
        .mode(ForwardMode::FullNat)
        .source("2001:db8:2::1", 128)
        .ports(1024, 65_535),
    ONE,
);

/// In a VLAN next to `front`.
pub(crate) const NAT_V4_ONE_FRONT: Spec =
    tagged(Spec::nat(83, "192.0.2.204:80", TCP, "198.51.100.204:8080").way(Way::Front), ONE);
pub(crate) const DSR_V6_TWO_FRONT: Spec = tagged(
    Spec::dsr(84, "[2001:db8:10::204]:53", UDP, "[2001:db8:1::204]:53").way(Way::Front),
    TWO,
);

/// Services that share a backend, and remember all flows.
pub(crate) const SHARED: Spec = Spec {
    shared: true,
    ..tagged(
        Spec::nat(85, "192.0.2.205:53", UDP, "203.0.113.205:5353")
            .tracking(Tracking::All)
            .first_backend(900),
        ONE,
    )
};
pub(crate) const SHARED_2: Spec = Spec {
    shared: true,
    ..tagged(
        Spec::nat(86, "192.0.2.206:53", UDP, "203.0.113.205:5353")
            .tracking(Tracking::All)
            .first_backend(900),
        ONE,
    )
};

pub(super) const ALL: [Spec; 12] = [
    NAT_V4_ONE,
    NAT_V6_TWO,
    DSR_V4_TWO,
    DSR_V6_ONE,
    IPIP_44_ONE,
    GUE_66_TWO,
    FULL_V4_TWO,
    FULL_V6_ONE,
    NAT_V4_ONE_FRONT,
    DSR_V6_TWO_FRONT,
    SHARED,
    SHARED_2,
];
