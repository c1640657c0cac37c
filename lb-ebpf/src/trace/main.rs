//! The programs while `shunt trace` looks: twins of those of `shunt-xdp`, of the same code, which also
//! note what becomes of a packet.
//!
//! An object of its own, so that the other pays nothing for it: not an instruction, and no memory for the
//! ring. Where a twin of a stage is missing, because the daemon is ending the trace or was killed, the
//! packet goes on with the ordinary one and is not reported.
#![no_std]
#![no_main]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]

#[path = "../atomic.rs"]
mod atomic;
#[path = "../frame.rs"]
mod frame;
#[path = "../maps.rs"]
mod maps;
#[path = "../new_flows.rs"]
mod new_flows;
mod notes;
#[path = "../route.rs"]
mod route;
#[path = "../services.rs"]
mod services;
#[path = "../tables.rs"]
mod tables;

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};
use lb_common::{
    abi::Verdict,
    decide::{self, Step},
    limits::Stage,
};

use crate::{frame::XdpFrame, notes::Notes};

type MapTables<'a> = tables::MapTables<'a, Notes>;

/// Attached in the place of `shunt`.
#[expect(clippy::needless_pass_by_value, reason = "the macro hands it over")]
#[xdp]
fn shunt_trace(ctx: XdpContext) -> u32 {
    notes::begin(&ctx);
    let mut frame = XdpFrame::<true>::new(&ctx);
    step(&ctx, decide::process(&mut frame, &MapTables::new(&ctx)))
}

macro_rules! stages {
    ($($name:ident: $stage:ident),+) => {$(
        /// Called by the attached program, or the stage before.
        #[xdp]
        fn $name(ctx: XdpContext) -> u32 {
            let mut frame = XdpFrame::<false>::new(&ctx);
            step(&ctx, decide::go_on(Stage::$stage, &mut frame, &MapTables::new(&ctx)))
        }
    )+};
}

stages!(
    shunt_trace_read: Read,
    shunt_trace_balance: Balance,
    shunt_trace_icmp: Icmp,
    shunt_trace_refuse: Refuse
);

/// Called by whichever has decided, in its place: it reports the packet and returns the same. A program of
/// its own, so that the verifier follows the filter once, and not behind each end of each stage.
#[expect(clippy::needless_pass_by_value, reason = "the macro hands it over")]
#[xdp]
fn shunt_trace_end(ctx: XdpContext) -> u32 {
    notes::report(&ctx)
}

#[inline(always)]
fn step(ctx: &XdpContext, step: Step) -> u32 {
    match step {
        Step::Done(verdict) => {
            let action = action(verdict);
            notes::end(ctx, action);
            action
        }
        Step::Next(stage) => {
            notes::hand_over(ctx, stage);
            maps::hand_over(ctx, stage)
        }
    }
}

#[inline(always)]
fn action(verdict: Verdict) -> u32 {
    match verdict {
        Verdict::Pass => xdp_action::XDP_PASS,
        Verdict::Drop => xdp_action::XDP_DROP,
        Verdict::Transmit => xdp_action::XDP_TX,
        Verdict::Redirect { ifindex } => {
            notes::leaves_by(ifindex);
            maps::redirect(ifindex)
        }
    }
}

/// There is no panic path (a test reads the object to be sure); the compiler wants one named.
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
