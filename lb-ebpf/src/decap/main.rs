//! The XDP program of `shunt decap`: a thin shell around [`lb_common::decap`].
#![no_std]
#![no_main]

#[path = "../frame.rs"]
mod frame;
mod maps;

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};
use lb_common::{abi::Verdict, decap};

use crate::{frame::XdpFrame, maps::MapTables};

/// Attached to the interface of a backend that tunnelled packets arrive on.
#[expect(clippy::needless_pass_by_value, reason = "the macro hands it over")]
#[xdp]
fn shunt_decap(ctx: XdpContext) -> u32 {
    match decap::process(&mut XdpFrame::<false>::new(&ctx), &MapTables) {
        Verdict::Drop => xdp_action::XDP_DROP,
        _ => xdp_action::XDP_PASS,
    }
}

/// There is no panic path (a test reads the object to be sure); the compiler wants one named.
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
