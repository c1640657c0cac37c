//! What a program does with a step of a packet, and the programs of the stages. The ordinary programs and their
//! twins share this; whoever watches is told on the way.

use aya_ebpf::{bindings::xdp_action, programs::XdpContext};
use lb_common::{abi::Verdict, decide::Step};

use crate::{maps, witness::Witness};

/// Ends a program with what was decided, or goes on with the next stage.
#[inline(always)]
pub(crate) fn step<W: Witness>(ctx: &XdpContext, step: Step) -> u32 {
    match step {
        Step::Done(verdict) => {
            let action = action::<W>(verdict);
            W::decided(ctx, action);
            action
        }
        Step::Next(stage) => {
            W::goes_on(ctx, stage);
            maps::hand_over(ctx, stage)
        }
    }
}

#[inline(always)]
fn action<W: Witness>(verdict: Verdict) -> u32 {
    match verdict {
        Verdict::Pass => xdp_action::XDP_PASS,
        Verdict::Drop => xdp_action::XDP_DROP,
        Verdict::Transmit => xdp_action::XDP_TX,
        Verdict::Redirect { ifindex } => {
            W::leaves_by(ifindex);
            maps::redirect(ifindex)
        }
    }
}

/// A program for each stage, that a witness watches.
macro_rules! stages {
    ($witness:ty; $($name:ident: $stage:ident),+) => {$(
        /// Called by the attached program, or the stage before.
        #[aya_ebpf::macros::xdp]
        fn $name(ctx: aya_ebpf::programs::XdpContext) -> u32 {
            let mut frame = $crate::frame::XdpFrame::<false>::new(&ctx);
            let tables = $crate::tables::MapTables::<$witness>::new(&ctx);
            let stage = lb_common::limits::Stage::$stage;
            let step = lb_common::decide::go_on(stage, &mut frame, &tables);
            $crate::stages::step::<$witness>(&ctx, step)
        }
    )+};
}

pub(crate) use stages;
