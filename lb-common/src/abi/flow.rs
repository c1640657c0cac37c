//! What is remembered of flows, and of their ways back.

use super::{AddrBe, FragmentKey, SourceBucket};

/// One direction of a flow.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct FlowKey {
    /// Source address.
    pub src_be: AddrBe,
    /// Destination address.
    pub dst_be: AddrBe,
    /// Source port.
    pub src_port_be: u16,
    /// Destination port.
    pub dst_port_be: u16,
    /// IP protocol number.
    pub protocol: u8,
    /// Zero, because it is part of the key.
    pub _pad: [u8; 3],
}

/// A flow towards a service that is remembered, by its [`FlowKey`] from client to VIP.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Flow {
    /// Backend that it belongs to.
    pub backend: u32,
    /// Counter row of the service.
    pub service: u32,
    /// Tick of its last packet from the client.
    pub seen: u32,
    /// Epoch of its slot when it was opened.
    pub epoch: u16,
    /// A [`FlowState`] code.
    pub state: u8,
    /// Unused.
    pub _pad: u8,
    /// Address that replaces the client's, in `full-nat`.
    pub source_be: AddrBe,
    /// Port that replaces the client's, in `full-nat`.
    pub source_port_be: u16,
    /// Port of the backend, in `full-nat`.
    pub backend_port_be: u16,
    /// Address of the backend, in `full-nat`: with the two above it is the key of the return entry.
    pub backend_be: AddrBe,
}

impl Flow {
    /// A flow of which only the backend and the time are known.
    #[inline(always)]
    pub const fn new(backend: u32, service: u32, seen: u32, epoch: u16, state: FlowState) -> Self {
        Self {
            backend,
            service,
            seen,
            epoch,
            state: state as u8,
            _pad: 0,
            source_be: [0; 4],
            source_port_be: 0,
            backend_port_be: 0,
            backend_be: [0; 4],
        }
    }
}

/// The way back of a flow, by its [`FlowKey`] from backend to client, or to the address that
/// replaces the client's.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Return {
    /// Backend id.
    pub backend: u32,
    /// Counter row of the service.
    pub service: u32,
    /// Tick of its last packet, in either direction.
    pub seen: u32,
    /// A [`FlowState`] code.
    pub state: u8,
    /// Unused.
    pub _pad: [u8; 3],
    /// Address of the client.
    pub client_be: AddrBe,
    /// Address of the VIP.
    pub vip_be: AddrBe,
    /// Port of the client.
    pub client_port_be: u16,
    /// Port of the VIP.
    pub vip_port_be: u16,
}

/// Memory of a packet's own for what the program's 512 bytes of stack have no room for.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Scratch {
    /// Key of the flow, or of a way back.
    pub key: FlowKey,
    /// Key of the way back of the flow.
    pub way_key: FlowKey,
    /// What is remembered, or shall be, of the flow.
    pub flow: Flow,
    /// What is remembered, or shall be, of its way back.
    pub way: Return,
    /// Key of the fragments of a packet.
    pub fragment: FragmentKey,
    /// Key of the client, where flows are limited.
    pub source: SourceBucket,
}

/// How far a remembered flow has come. It decides when the entry is over.
#[repr(u8)]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum FlowState {
    /// Only its opening packet was seen.
    #[default]
    Opening = 0,
    /// More than that was seen.
    Open = 1,
    /// One end has closed it, or both.
    Closing = 2,
}

const _: () = {
    use core::mem::offset_of;
    assert!(size_of::<FlowKey>() == 40);
    assert!(size_of::<Flow>() == 52 && offset_of!(Flow, source_be) == 16);
    assert!(size_of::<Return>() == 52 && offset_of!(Return, client_be) == 16);
};
