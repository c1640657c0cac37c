//! The XDP program: a thin shell around [`lb_common::decide`].
//!
//! Everything here is about reaching packets and maps in the way that the verifier accepts; no
//! decision is made here.
#![no_std]
#![no_main]

mod frame;
mod maps;
mod tables;

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};
use lb_common::{abi::Verdict, decide};

use crate::{frame::XdpFrame, tables::MapTables};

/// Attached to every interface that packets for services, or replies of their backends, arrive on.
#[expect(clippy::needless_pass_by_value, reason = "the macro hands it over")]
#[xdp]
fn shunt(ctx: XdpContext) -> u32 {
    let mut frame = XdpFrame::new(&ctx);
    match decide::process(&mut frame, &MapTables::new(&ctx)) {
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
