//! What `shunt flow` is told.

/// Which backend a packet would go to, and why.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Explanation {
    /// Counter row of the service; 0 if it is for none.
    pub service: u32,
    /// Backend id; 0 if it would go to none.
    pub backend: u32,
    /// Slot of its flow, by its place in the ring.
    pub place: u32,
    /// A [`Reason`](super::Reason) code: what it would be counted under, as far as the way and the size of the packet
    /// do not matter.
    pub reason: u8,
    /// A [`Why`] code.
    pub why: u8,
    /// Unused.
    pub _pad: u16,
    /// Word of that slot.
    pub slot: u64,
}

/// Why a packet goes to a backend.
#[repr(u8)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Why {
    /// It owns the slot of the flow.
    Owner = 0,
    /// The flow is remembered as its.
    Remembered = 1,
    /// The flow is older than a change of the slot, whose previous owner it is.
    Previous = 2,
    /// A QUIC connection id names it.
    Named = 3,
    /// The scheduler would give it the next new flow.
    Scheduled = 4,
}

impl Why {
    /// All of them, in the order of the codes.
    pub const ALL: [Self; 5] =
        [Self::Owner, Self::Remembered, Self::Previous, Self::Named, Self::Scheduled];
}

const _: () = assert!(size_of::<Explanation>() == 24);
