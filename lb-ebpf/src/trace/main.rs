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
#[path = "../stages.rs"]
mod stages;
#[path = "../tables.rs"]
mod tables;
#[path = "../witness.rs"]
mod witness;

use aya_ebpf::{macros::xdp, programs::XdpContext};
use lb_common::decide;

use crate::{
    frame::XdpFrame,
    notes::Notes,
    stages::{stages, step},
    tables::MapTables,
};

/// Attached in the place of `shunt`.
#[expect(clippy::needless_pass_by_value, reason = "the macro hands it over")]
#[xdp]
fn shunt_trace(ctx: XdpContext) -> u32 {
    notes::begin(&ctx);
    let mut frame = XdpFrame::<true>::new(&ctx);
    let tables = MapTables::<Notes>::new(&ctx);
    step::<Notes>(&ctx, decide::process(&mut frame, &tables))
}

stages!(
    Notes;
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

/// There is no panic path (a test reads the object to be sure); the compiler wants one named.
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
