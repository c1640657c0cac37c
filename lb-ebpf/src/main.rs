//! The XDP programs: a thin shell around [`lb_common::decide`].
//!
//! Everything here is about reaching packets and maps in the way that the verifier accepts; no
//! decision is made here.
#![no_std]
#![no_main]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]

mod atomic;
mod frame;
mod maps;
mod new_flows;
mod route;
mod services;
mod tables;

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};
use lb_common::{
    abi::Verdict,
    decide::{self, Step},
    limits::Stage,
};

use crate::{frame::XdpFrame, tables::Nobody};

type MapTables<'a> = tables::MapTables<'a, Nobody>;

/// Attached to every interface that packets for services, or replies of their backends, arrive on.
#[expect(clippy::needless_pass_by_value, reason = "the macro hands it over")]
#[xdp]
fn shunt(ctx: XdpContext) -> u32 {
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

stages!(shunt_read: Read, shunt_balance: Balance, shunt_icmp: Icmp, shunt_refuse: Refuse);

/// Attached nowhere: test runs of it tell which backend a packet would go to.
#[expect(clippy::needless_pass_by_value, reason = "the macro hands it over")]
#[xdp]
fn shunt_explain(ctx: XdpContext) -> u32 {
    let frame = XdpFrame::<true>::new(&ctx);
    let Some(explanation) = maps::EXPLANATION.get_ptr_mut(0) else {
        return xdp_action::XDP_ABORTED;
    };
    // SAFETY: the pointer is into the map; the daemon runs this once at a time.
    decide::explain(&frame, &MapTables::new(&ctx), unsafe { &mut *explanation });
    xdp_action::XDP_PASS
}

#[inline(always)]
fn step(ctx: &XdpContext, step: Step) -> u32 {
    match step {
        Step::Done(verdict) => action(verdict),
        Step::Next(stage) => maps::hand_over(ctx, stage),
    }
}

#[inline(always)]
fn action(verdict: Verdict) -> u32 {
    match verdict {
        Verdict::Pass => xdp_action::XDP_PASS,
        Verdict::Drop => xdp_action::XDP_DROP,
        Verdict::Transmit => xdp_action::XDP_TX,
        Verdict::Redirect { ifindex } => maps::redirect(ifindex),
    }
}

/// There is no panic path (a test reads the object to be sure); the compiler wants one named.
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
