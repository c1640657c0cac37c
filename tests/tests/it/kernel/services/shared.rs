//! Services that share their backend. The first of each pair had it first.

use lb_common::{
    abi::ForwardMode,
    wire::transport::{TCP, UDP},
};

use super::Spec;

const fn shared(spec: Spec, first: &Spec) -> Spec {
    Spec { first_backend: first.first_backend, shared: true, ..spec }
}

const FIRST_V4: Spec =
    Spec::nat(61, "192.0.2.140:80", TCP, "203.0.113.140:8080").first_backend(700);
const FIRST_V6: Spec =
    Spec::nat(63, "[2001:db8:10::140]:53", UDP, "[2001:db8:2::140]:5353").first_backend(702);

pub(crate) const SHARED_V4_TCP: Spec = shared(FIRST_V4, &FIRST_V4);
pub(crate) const SHARED_V4_TCP_2: Spec =
    shared(Spec::nat(62, "192.0.2.141:8000", TCP, "203.0.113.140:8080"), &FIRST_V4);
pub(crate) const SHARED_V6_UDP: Spec = shared(FIRST_V6, &FIRST_V6);
pub(crate) const SHARED_V6_UDP_2: Spec =
    shared(Spec::nat(64, "[2001:db8:10::141]:53", UDP, "[2001:db8:2::140]:5353"), &FIRST_V6);

/// A `nat` and a `full-nat` service with one backend: only the latter's flows are remembered.
pub(crate) const MIXED_NAT: Spec =
    Spec::nat(65, "192.0.2.142:80", TCP, "203.0.113.142:8080").first_backend(704);
pub(crate) const MIXED_FULL: Spec = Spec::nat(66, "192.0.2.143:80", TCP, "203.0.113.142:8080")
    .mode(ForwardMode::FullNat)
    .source("203.0.113.1", 32)
    .ports(1024, 65_535)
    .first_backend(704);

pub(super) const ALL: [Spec; 6] =
    [SHARED_V4_TCP, SHARED_V4_TCP_2, SHARED_V6_UDP, SHARED_V6_UDP_2, MIXED_NAT, MIXED_FULL];
