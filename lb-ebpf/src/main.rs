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
mod stages;
mod tables;
mod witness;

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};
use lb_common::decide;

use crate::{
    frame::XdpFrame,
    stages::{stages, step},
    tables::MapTables,
    witness::Nobody,
};

/// Attached to every interface that packets for services, or replies of their backends, arrive on.
#[expect(clippy::needless_pass_by_value, reason = "the macro hands it over")]
#[xdp]
fn shunt(ctx: XdpContext) -> u32 {
    let mut frame = XdpFrame::<true>::new(&ctx);
    let tables = MapTables::<Nobody>::new(&ctx);
    step::<Nobody>(&ctx, decide::process(&mut frame, &tables))
}

stages!(Nobody; shunt_read: Read, shunt_balance: Balance, shunt_icmp: Icmp, shunt_refuse: Refuse);

/// Attached nowhere: test runs of it tell which backend a packet would go to.
#[expect(clippy::needless_pass_by_value, reason = "the macro hands it over")]
#[xdp]
fn shunt_explain(ctx: XdpContext) -> u32 {
    let frame = XdpFrame::<true>::new(&ctx);
    let Some(explanation) = maps::EXPLANATION.get_ptr_mut(0) else {
        return xdp_action::XDP_ABORTED;
    };
    // SAFETY: the pointer is into the map; the daemon runs this once at a time.
    decide::explain(&frame, &MapTables::<Nobody>::new(&ctx), unsafe { &mut *explanation });
    xdp_action::XDP_PASS
}

/// There is no panic path (a test reads the object to be sure); the compiler wants one named.
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
