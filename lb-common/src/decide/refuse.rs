//! Packets that cannot be sent on, and whose sender is told why: by ICMP, or a TCP reset.

use super::{Outcome, Step, Tables, rare::finish};
use crate::{
    abi::{AddrBe, Reason, is_v4_mapped},
    parse::{Packet, Wholeness, rare::Work},
    rewrite::{
        icmp::{self, Refusal},
        reset,
    },
    wire::{Frame, transport},
};

/// Tells the sender of a packet to a service that it cannot be sent on. Where nothing may be said, the
/// packet is dropped: to a later fragment, to what is no single host or was for everybody on the link
/// (RFC 1122 section 3.2.2), and when there were too many.
#[inline(always)]
pub(super) fn process<F: Frame, T: Tables>(frame: &mut F, tables: &T, work: &Work) -> Step {
    let packet = &work.network.packet;
    let (service, reason) = (work.service, work.reason);
    let refusal = match reason {
        Reason::TtlExpired => Refusal::TtlExpired,
        Reason::Rejected => Refusal::NoBackend,
        _ => Refusal::TooBig(work.most),
    };
    let may_be = !packet.is_later_fragment() && is_host(&packet.src_be) && is_unicast(frame);
    let outcome = if may_be && tell(frame, tables, packet, refusal).is_some() {
        Outcome::answer(service, reason)
    } else {
        Outcome::drop(service, reason)
    };
    Step::Done(finish(frame, tables, outcome, work))
}

/// A reset is no longer than what it answers, and each answers one: it needs no limit.
#[inline(always)]
fn tell<F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    packet: &Packet,
    refusal: Refusal,
) -> Option<()> {
    if refusal == Refusal::NoBackend && packet.protocol == transport::TCP {
        // Of a fragment it is not known how much of the stream it has.
        return if packet.wholeness == Wholeness::Whole { reset(frame, packet) } else { None };
    }
    if tables.may_answer() { icmp::refuse(frame, packet, refusal) } else { None }
}

/// Whether a frame is for a single host on the link: its answer comes from where it went.
#[inline(always)]
pub(super) fn is_unicast<F: Frame>(frame: &F) -> bool {
    // A word: the compiler leaves out the check of a single byte, which the verifier wants.
    match frame.read::<u32>(0) {
        Some(first) => first.to_ne_bytes()[0] & 1 == 0,
        None => false,
    }
}

/// Whether an address may be that of a single host.
#[inline(always)]
fn is_host(addr: &AddrBe) -> bool {
    if is_v4_mapped(addr) {
        let [first, ..] = addr[3].to_ne_bytes();
        return first != 0 && first != 127 && first < 224;
    }
    let [first, ..] = addr[0].to_ne_bytes();
    // Neither multicast, nor one of the addresses that begin with 96 zero bits: unspecified, loopback.
    first != 0xff && addr[0] | addr[1] | addr[2] != 0
}
