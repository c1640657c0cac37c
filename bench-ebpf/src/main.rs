//! The programs of `cargo xtask bench l4`.
//!
//! [`make`] writes the next packet over what became of the last one. The programs `again_*` then
//! jump to the program that is measured, within one test run; the programs `send_*` send the packet
//! into a veth pair, on whose other end it is attached. [`edits`] are the bare programs that it is
//! compared with.
#![no_std]
#![no_main]

mod edits;
mod frame;
mod make;
mod shared;

use aya_ebpf::{
    bindings::xdp_action,
    btf_maps::{Array, DevMap, ProgramArray},
    macros::{btf_map, xdp},
    programs::XdpContext,
};

use crate::{make::Family, shared::Recipe};

/// The packets to make.
#[btf_map]
static RECIPE: Array<Recipe, 1> = Array::new();

/// The program that is measured.
#[btf_map]
static MEASURED: ProgramArray<1> = ProgramArray::new();

/// The veth end that packets are sent into.
#[btf_map]
static OUT: DevMap<1> = DevMap::new();

/// Packets that came back.
#[btf_map]
static ARRIVED: Array<u64, 1> = Array::new();

macro_rules! makers {
    ($($again:ident, $send:ident, $family:expr);+) => {$(
        /// Makes a packet and jumps to the program that is measured.
        #[xdp]
        fn $again(ctx: XdpContext) -> u32 {
            if make::next(&ctx, &RECIPE, $family).is_some() {
                // SAFETY: nothing here waits to be dropped.
                unsafe { MEASURED.tail_call(&ctx, 0) };
            }
            xdp_action::XDP_ABORTED
        }

        /// Makes a packet and sends it.
        #[xdp]
        fn $send(ctx: XdpContext) -> u32 {
            if make::next(&ctx, &RECIPE, $family).is_none() {
                return xdp_action::XDP_ABORTED;
            }
            match OUT.redirect(0, u64::from(xdp_action::XDP_ABORTED)) {
                Ok(action) | Err(action) => action,
            }
        }
    )+};
}

makers!(again_v4, send_v4, Family::V4; again_v6, send_v6, Family::V6);

/// Counts what comes back, and drops it.
#[xdp]
fn arrived(_ctx: XdpContext) -> u32 {
    if let Some(count) = ARRIVED.get_ptr_mut(0) {
        // SAFETY: the pointer is into the map, and packets arrive on one CPU.
        unsafe { *count += 1 };
    }
    xdp_action::XDP_DROP
}

/// Leaves packets to the kernel.
#[xdp]
fn pass(_ctx: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

/// Sends packets back as they are.
#[xdp]
fn bare_tx(_ctx: XdpContext) -> u32 {
    xdp_action::XDP_TX
}

macro_rules! edits {
    ($($name:ident),+) => {$(
        /// Makes the changes of the forwarding mode of this name, with constants.
        #[xdp]
        fn $name(ctx: XdpContext) -> u32 {
            match edits::$name(&ctx) {
                Some(()) => xdp_action::XDP_TX,
                None => xdp_action::XDP_ABORTED,
            }
        }
    )+};
}

edits!(nat_v4, nat_v6, full_nat_v4, full_nat_v6, dsr_v4, dsr_v6, ipip_v4, ipip_v6, gue_v4, gue_v6);

/// There is no panic path; the compiler wants one named.
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
