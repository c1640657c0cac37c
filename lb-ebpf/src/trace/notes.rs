//! What is noted of a packet, and how the daemon gets it.

use aya_ebpf::{
    EbpfContext as _,
    bindings::xdp_action,
    btf_maps::{Array, PerCpuArray, ProgramArray, RingBuf},
    helpers::{self, bpf_xdp_load_bytes},
    macros::btf_map,
    programs::XdpContext,
};
use lb_common::{
    abi::Reason,
    limits::{
        Stage,
        trace::{END, RING_BYTES, SNAP},
    },
    time,
    trace::{Capture, Filter, Record},
    wire::eth,
};

use crate::{maps, witness::Witness};

/// Which packets are wanted, and until when.
#[btf_map]
static TRACE_FILTER: Array<Filter, 1> = Array::new();

/// The packet at hand.
#[btf_map]
static TRACE_CAPTURE: PerCpuArray<Capture, 1> = PerCpuArray::new();

/// Packets on their way to the daemon.
#[btf_map]
static TRACE_RING: RingBuf<Record, RING_BYTES> = RingBuf::new();

/// Packets that found no room there.
#[btf_map]
static TRACE_LOST: PerCpuArray<u64, 1> = PerCpuArray::new();

/// The twins of the stages, and the program that reports.
#[btf_map]
static TRACE_PROGRAMS: ProgramArray<{ END as usize + 1 }> = ProgramArray::new();

/// Notes what becomes of a packet.
pub(crate) struct Notes;

impl Witness for Notes {
    #[inline(always)]
    fn counted(service: u32, reason: Reason) {
        if let Some(capture) = capture() {
            capture.counted(service, reason);
        }
    }

    #[inline(always)]
    fn sent_to(backend: u32) {
        if let Some(capture) = capture() {
            capture.record.backend = backend;
        }
    }

    #[inline(always)]
    fn leaves_by(ifindex: u32) {
        if let Some(capture) = capture() {
            capture.record.egress = ifindex;
        }
    }

    /// Returns if nobody looks.
    #[inline(always)]
    fn decided(ctx: &XdpContext, action: u32) {
        let Some(capture) = capture() else { return };
        if capture.active != 0 {
            capture.action = action;
            // SAFETY: nothing here waits to be dropped.
            unsafe { TRACE_PROGRAMS.tail_call(ctx, END) };
        }
    }

    /// Goes on with the twin of the stage; returns if there is none.
    #[inline(always)]
    fn goes_on(ctx: &XdpContext, stage: Stage) {
        // SAFETY: nothing here waits to be dropped.
        unsafe { TRACE_PROGRAMS.tail_call(ctx, stage as u32) };
    }
}

/// A packet arrives.
#[inline(always)]
pub(crate) fn begin(ctx: &XdpContext) {
    let (Some(capture), Some(filter)) = (capture(), TRACE_FILTER.get(0)) else { return };
    // SAFETY: the helper has no arguments and cannot fail.
    let now = unsafe { helpers::bpf_ktime_get_ns() };
    capture.active = u32::from(!filter.is_over(time::tick(now)));
    if capture.active != 0 {
        let len = copy(ctx, &mut capture.record.before);
        #[expect(clippy::cast_possible_truncation, reason = "the context holds 32 bits")]
        capture.begin(now, ctx.ingress_ifindex() as u32, len);
    }
}

/// Reports the packet, if it is wanted, and returns what was decided.
///
/// Each step asks for the notes anew: a call, behind which nothing of the step before is known any more.
/// The verifier then follows the steps one by one, and not each with each outcome of the one before.
#[inline(always)]
pub(crate) fn report(ctx: &XdpContext) -> u32 {
    let Some(action) = finish(ctx) else { return xdp_action::XDP_PASS };
    if let Some(capture) = capture() {
        capture.read_before();
    }
    if let Some(capture) = capture() {
        let len = copy(ctx, &mut capture.record.after);
        capture.read_after(len);
    }
    if let Some(capture) = capture() {
        let backend = match capture.record.backend {
            0 => None,
            id => maps::BACKENDS.get(id),
        };
        capture.name_backend(backend);
    }
    if let (Some(capture), Some(filter)) = (capture(), TRACE_FILTER.get(0))
        && filter.wants(capture)
    {
        let record: &Record = &capture.record;
        if TRACE_RING.output(record, 0).is_err() {
            lose();
        }
    }
    action
}

/// How the packet ended; what was decided.
#[inline(always)]
fn finish(ctx: &XdpContext) -> Option<u32> {
    let capture = capture()?;
    let action = capture.action;
    let (transmits, redirects) = (action == xdp_action::XDP_TX, action == xdp_action::XDP_REDIRECT);
    if transmits {
        #[expect(clippy::cast_possible_truncation, reason = "the context holds 32 bits")]
        let ingress = ctx.ingress_ifindex() as u32;
        capture.record.egress = ingress;
    } else if !redirects {
        // It was to go there, but the interface has gone.
        capture.record.egress = 0;
    }
    capture.ended(transmits || redirects, action == xdp_action::XDP_DROP);
    Some(action)
}

#[inline(always)]
fn lose() {
    if let Some(lost) = TRACE_LOST.get_ptr_mut(0) {
        // SAFETY: the pointer is to this CPU's own copy of the entry, and the program is not
        // preempted by itself on one CPU.
        unsafe { *lost += 1 };
    }
}

/// Copies the beginning of the packet; how long all of it is.
#[inline(always)]
fn copy(ctx: &XdpContext, to: &mut [u8; SNAP]) -> u32 {
    let len = ctx.data_end() - ctx.data();
    let most = if len > SNAP { SNAP } else { len };
    if most < eth::LEN {
        return 0;
    }
    #[expect(clippy::cast_possible_truncation, reason = "frames have fewer bytes than 2^32")]
    let (len, most) = (len as u32, most as u32);
    // SAFETY: the context is the program's own, and there is room for so many bytes.
    let copied =
        unsafe { bpf_xdp_load_bytes(ctx.as_ptr().cast(), 0, to.as_mut_ptr().cast(), most) };
    if copied == 0 { len } else { 0 }
}

/// This CPU's notes. Nobody keeps them while others are asked for.
#[inline(always)]
fn capture() -> Option<&'static mut Capture> {
    let capture = TRACE_CAPTURE.get_ptr_mut(0)?;
    // SAFETY: the pointer is to this CPU's own copy of the entry, which is made of integers, and the
    // program is not preempted by itself on one CPU.
    Some(unsafe { &mut *capture })
}
