//! Services whose rings have slots of every kind, and backends of every kind.

use lb_common::{
    abi::{BACKEND_DEAD, BACKEND_LEAVING, ForwardMode, Tracking},
    slot::Slot,
    wire::transport::{TCP, UDP},
};

use super::{Ring, Spec};

/// Backends by their place.
pub(crate) const OWNER: u32 = 0;
pub(crate) const PREVIOUS: u32 = 1;
pub(crate) const DEAD: u32 = 2;
pub(crate) const LEAVING: u32 = 3;
/// Neither owner nor previous owner of any slot: it was the owner for a while.
pub(crate) const BETWEEN: u32 = 4;

/// Slots by their place in the ring.
pub(crate) const SETTLED: u32 = 0;
pub(crate) const MOVED: u32 = 1;
pub(crate) const FROM_DEAD: u32 = 2;
pub(crate) const FROM_NOBODY: u32 = 3;
pub(crate) const TO_NOBODY: u32 = 4;
pub(crate) const THERE_AND_BACK: u32 = 5;
pub(crate) const FROM_LEAVING: u32 = 6;
pub(crate) const TO_DEAD: u32 = 7;
/// How many there are.
pub(crate) const SLOTS: u32 = 8;

/// Epoch of every slot.
pub(crate) const EPOCH: u16 = 5;

/// The slots of a ring whose first backend has this id.
pub(crate) fn slot(place: u32, first_backend: u32) -> Slot {
    let moving =
        |owner, previous| Slot::moving(first_backend + owner, first_backend + previous, EPOCH, 0);
    match place {
        MOVED => moving(OWNER, PREVIOUS),
        FROM_DEAD => moving(OWNER, DEAD),
        FROM_NOBODY => Slot::moving(first_backend + OWNER, 0, EPOCH, 0),
        TO_NOBODY => Slot::moving(0, first_backend + PREVIOUS, EPOCH, 0),
        THERE_AND_BACK => moving(OWNER, OWNER),
        FROM_LEAVING => moving(OWNER, LEAVING),
        TO_DEAD => moving(DEAD, PREVIOUS),
        _ => Slot::settled(first_backend + OWNER, EPOCH),
    }
}

/// Flags of a backend.
pub(crate) fn flags(place: u32) -> u16 {
    match place {
        DEAD => BACKEND_DEAD,
        LEAVING => BACKEND_LEAVING,
        _ => 0,
    }
}

/// Server id of a backend, as it stands in a connection id.
pub(crate) fn server(first_backend: u32, place: u32) -> [u8; 4] {
    let [.., high, low] = (first_backend + place).to_be_bytes();
    [0xa7, high, 0x5c, low]
}

const fn moving(spec: Spec) -> Spec {
    spec.first_backend(100 + spec.id * 8).ring(5, Ring::Moving)
}

pub(crate) const MOVING_V4_TCP: Spec =
    moving(Spec::nat(67, "192.0.2.160:80", TCP, "203.0.113.150:8080"));
pub(crate) const MOVING_V6_TCP: Spec =
    moving(Spec::dsr(68, "[2001:db8:10::160]:80", TCP, "[2001:db8:2::150]:80"));
pub(crate) const MOVING_V4_IPIP: Spec =
    moving(Spec::nat(69, "192.0.2.161:80", TCP, "203.0.113.155:80").mode(ForwardMode::Ipip));
pub(crate) const MOVING_V6_GUE: Spec = moving(
    Spec::nat(70, "[2001:db8:10::161]:80", TCP, "[2001:db8:2::155]:80").mode(ForwardMode::Gue),
);

/// UDP whose flows are all remembered.
pub(crate) const TRACKED_V4: Spec =
    moving(Spec::nat(71, "192.0.2.162:53", UDP, "203.0.113.160:5353").tracking(Tracking::All));
pub(crate) const TRACKED_V6: Spec = moving(
    Spec::dsr(72, "[2001:db8:10::162]:53", UDP, "[2001:db8:2::160]:53").tracking(Tracking::All),
);

/// QUIC.
pub(crate) const QUIC_V4: Spec =
    moving(Spec::nat(73, "192.0.2.163:443", UDP, "203.0.113.165:8443").tracking(Tracking::Quic));
/// Its ring ends with the table.
pub(crate) const QUIC_V6: Spec = moving(
    Spec::dsr(74, "[2001:db8:10::163]:443", UDP, "[2001:db8:2::165]:443").tracking(Tracking::Quic),
);

pub(super) const ALL: [Spec; 8] = [
    MOVING_V4_TCP,
    MOVING_V6_TCP,
    MOVING_V4_IPIP,
    MOVING_V6_GUE,
    TRACKED_V4,
    TRACKED_V6,
    QUIC_V4,
    QUIC_V6,
];
