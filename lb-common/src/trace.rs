//! What `shunt trace` is told of a packet, and of which packets it is told.
//!
//! While somebody looks, twins of the programs are attached that do what the programs do and note it in a
//! [`Capture`]. A last one reads the addresses of the packet as it came and as it leaves, asks the
//! [`Filter`], and sends the [`Record`] to the daemon. All of it reads memory of the program's own, never
//! the packet: what is decided on a packet is the same whether it is traced or not.

mod ends;
mod filter;
#[cfg(test)]
mod tests;

pub use self::{
    ends::Ends,
    filter::{ANY_REASON, BOTH, DESTINATION, EndFilter, Filter, SOURCE},
};
use crate::{
    abi::{AddrBe, Backend, Reason},
    limits::trace::SNAP,
};

/// How a packet ended, as people ask for it. The code of none is 0.
#[repr(u8)]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Ending {
    /// It was discarded. Its sender may have been told.
    Dropped = 1,
    /// It was left to the kernel.
    Passed = 2,
    /// It was sent: to a backend, to a client, or back as an answer.
    Forwarded = 3,
}

impl Ending {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Dropped, Self::Passed, Self::Forwarded];

    /// Its name in commands and listings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Passed => "passed",
            Self::Forwarded => "forwarded",
        }
    }
}

/// A packet as it came and as it left.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Record {
    /// When it arrived, in nanoseconds of the monotonic clock.
    pub time: u64,
    /// Interface that it arrived on.
    pub ingress: u32,
    /// Interface that it left by; 0 if it was not sent.
    pub egress: u32,
    /// Counter row of the service; 0 if it was for none.
    pub service: u32,
    /// Id of the backend that it was sent to; 0 if it was sent to none.
    pub backend: u32,
    /// Bytes of the frame that arrived, of which [`before`](Self::before) has the first.
    pub before_len: u32,
    /// Bytes of the frame afterwards, of which [`after`](Self::after) has the first.
    pub after_len: u32,
    /// Address of the backend that it was sent to or came from; zero if there is none.
    pub backend_be: AddrBe,
    /// Port of that backend.
    pub backend_port_be: u16,
    /// A [`Reason`] code.
    pub reason: u8,
    /// An [`Ending`] code.
    pub ending: u8,
    /// Unused.
    pub _pad: u32,
    /// The frame that arrived. Behind its end, bytes are of an earlier one.
    pub before: [u8; SNAP],
    /// The frame afterwards, likewise. It means nothing if the packet was dropped without an answer.
    pub after: [u8; SNAP],
}

/// What is noted of the packet at hand.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Capture {
    /// What the daemon is sent.
    pub record: Record,
    /// Between whom the packet travelled before.
    pub before: Ends,
    /// Between whom it travels afterwards.
    pub after: Ends,
    /// Whether anybody looks: 1, or 0.
    pub active: u32,
    /// What the program that decided returns.
    pub action: u32,
    /// Whether its reason is one of those that end in a drop: 1, or 0.
    pub drops: u32,
    /// Unused.
    pub _pad: u32,
}

impl Capture {
    /// Another packet arrives, whose bytes are in [`Record::before`].
    #[inline(always)]
    pub fn begin(&mut self, time: u64, ingress: u32, len: u32) {
        let record = &mut self.record;
        (record.time, record.ingress, record.before_len) = (time, ingress, len);
        (record.egress, record.service, record.backend) = (0, 0, 0);
        (record.reason, record.ending) = (Reason::NotOurs as u8, 0);
        self.drops = 0;
    }

    /// What it is counted under.
    #[inline(always)]
    pub fn counted(&mut self, service: u32, reason: Reason) {
        (self.record.service, self.record.reason) = (service, reason as u8);
        self.drops = u32::from(reason.is_drop());
    }

    /// Reads between whom it travelled before.
    #[inline(always)]
    pub fn read_before(&mut self) {
        self.before.read(&self.record.before, self.record.before_len);
    }

    /// Reads between whom it travels now that nothing happens to it any more; its bytes are in
    /// [`Record::after`].
    #[inline(always)]
    pub fn read_after(&mut self, len: u32) {
        self.record.after_len = len;
        self.after.read(&self.record.after, len);
    }

    /// Names the backend: `sent_to` is the entry of the one that it was sent to, if it was sent to one.
    #[inline(always)]
    pub fn name_backend(&mut self, sent_to: Option<&Backend>) {
        let (mut addr_be, mut port_be) = ([0; 4], 0);
        if let Some(backend) = sent_to {
            (addr_be, port_be) = (backend.addr_be, backend.port_be);
        } else if is_reply(self.record.reason) {
            (addr_be, port_be) = (self.before.src_be, self.before.src_port_be);
        }
        (self.record.backend_be, self.record.backend_port_be) = (addr_be, port_be);
    }

    /// How it ended: `sent` and `dropped` are what the program said last.
    #[inline(always)]
    pub fn ended(&mut self, sent: bool, dropped: bool) {
        let ending = if dropped || self.drops != 0 {
            Ending::Dropped
        } else if sent {
            Ending::Forwarded
        } else {
            Ending::Passed
        };
        self.record.ending = ending as u8;
    }
}

/// Whether packets that are counted under a reason come from a backend.
#[inline(always)]
const fn is_reply(reason: u8) -> bool {
    const FIRST: u8 = Reason::ReplyToBalancer as u8;
    const LAST: u8 = Reason::ReplyUnresolved as u8;
    reason == Reason::Returned as u8 || (FIRST <= reason && reason <= LAST)
}

impl Record {
    /// The record in bytes that the program sent.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        use core::mem::offset_of;
        if bytes.len() < size_of::<Self>() {
            return None;
        }
        let word = |at: usize| Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?));
        let addr = |at| Some([word(at)?, word(at + 4)?, word(at + 8)?, word(at + 12)?]);
        let frame = |at: usize| bytes.get(at..)?.first_chunk::<SNAP>().copied();
        let port = bytes.get(offset_of!(Self, backend_port_be)..)?.first_chunk()?;
        Some(Self {
            time: u64::from_ne_bytes(*bytes.get(offset_of!(Self, time)..)?.first_chunk()?),
            ingress: word(offset_of!(Self, ingress))?,
            egress: word(offset_of!(Self, egress))?,
            service: word(offset_of!(Self, service))?,
            backend: word(offset_of!(Self, backend))?,
            before_len: word(offset_of!(Self, before_len))?,
            after_len: word(offset_of!(Self, after_len))?,
            backend_be: addr(offset_of!(Self, backend_be))?,
            backend_port_be: u16::from_ne_bytes(*port),
            reason: *bytes.get(offset_of!(Self, reason))?,
            ending: *bytes.get(offset_of!(Self, ending))?,
            _pad: 0,
            before: frame(offset_of!(Self, before))?,
            after: frame(offset_of!(Self, after))?,
        })
    }

    /// The frame that arrived, as far as it was copied.
    pub fn before(&self) -> &[u8] {
        captured(&self.before, self.before_len)
    }

    /// The frame afterwards, as far as it was copied.
    pub fn after(&self) -> &[u8] {
        captured(&self.after, self.after_len)
    }
}

fn captured(bytes: &[u8; SNAP], len: u32) -> &[u8] {
    bytes.get(..len as usize).unwrap_or(bytes)
}

const _: () = {
    use core::mem::offset_of;
    assert!(size_of::<Record>() == 56 + 2 * SNAP && offset_of!(Record, before) == 56);
    assert!(size_of::<Ends>() == 40 && size_of::<EndFilter>() == 36);
    assert!(size_of::<Capture>() == size_of::<Record>() + 2 * size_of::<Ends>() + 16);
    assert!(offset_of!(Filter, ends) == 32);
};

#[cfg(feature = "user")]
#[expect(unsafe_code, reason = "aya::Pod is an unsafe trait")]
mod pod {
    // SAFETY: repr(C), made of integers only, and the assertions above leave no room for padding that
    // is not a named field.
    unsafe impl aya::Pod for super::Filter {}
}
