//! Who watches what becomes of a packet: `shunt trace`, or nobody.

use aya_ebpf::programs::XdpContext;
use lb_common::{abi::Reason, limits::Stage};

/// Is told what becomes of a packet.
pub(crate) trait Witness {
    /// A packet was counted.
    #[inline(always)]
    fn counted(_service: u32, _reason: Reason) {}

    /// A packet was sent to a backend.
    #[inline(always)]
    fn sent_to(_backend: u32) {}

    /// The packet is about to be redirected.
    #[inline(always)]
    fn leaves_by(_ifindex: u32) {}

    /// The packet was decided on; the program returns this. May end with another program, which does.
    #[inline(always)]
    fn decided(_ctx: &XdpContext, _action: u32) {}

    /// The packet goes on with a stage. May do so with another program than the ordinary one.
    #[inline(always)]
    fn goes_on(_ctx: &XdpContext, _stage: Stage) {}
}

/// Nobody is told.
pub(crate) struct Nobody;

impl Witness for Nobody {}
