//! The kernel's routing table, through its helper.

use core::mem::{self, offset_of};

use aya_ebpf::{
    EbpfContext,
    bindings::{
        BPF_FIB_LKUP_RET_FRAG_NEEDED, BPF_FIB_LKUP_RET_NO_NEIGH, BPF_FIB_LKUP_RET_NOT_FWDED,
        BPF_FIB_LKUP_RET_SUCCESS, bpf_fib_lookup,
    },
    helpers,
    programs::XdpContext,
};
use lb_common::{
    decide::{Route, RouteQuery},
    parse::Family,
};

/// `bpf_fib_lookup` (net/core/filter.c). Without flags it obeys policy rules, and answers for a
/// packet that arrived on the interface.
#[inline(always)]
pub(crate) fn look_up(ctx: &XdpContext, query: &RouteQuery) -> Route {
    const AF_INET: u8 = 2;
    const AF_INET6: u8 = 10;

    // SAFETY: all of it is integers, and unions of integers.
    let mut fib: bpf_fib_lookup = unsafe { mem::zeroed() };
    fib.l4_protocol = query.protocol;
    fib.__bindgen_anon_1.tot_len = query.ip_len;
    fib.ifindex = query.ingress;
    match query.family {
        Family::V4 => {
            fib.family = AF_INET;
            fib.__bindgen_anon_3.ipv4_src = query.src_be[3];
            fib.__bindgen_anon_4.ipv4_dst = query.dst_be[3];
        }
        Family::V6 => {
            fib.family = AF_INET6;
            fib.__bindgen_anon_3.ipv6_src = query.src_be;
            fib.__bindgen_anon_4.ipv6_dst = query.dst_be;
        }
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "the structure has 64 bytes"
    )]
    let size = size_of::<bpf_fib_lookup>() as i32;
    // SAFETY: the context is the program's own, and the structure is as large as we say.
    let answer = unsafe { helpers::bpf_fib_lookup(ctx.as_ptr(), &raw mut fib, size, 0) };
    match u32::try_from(answer) {
        Ok(BPF_FIB_LKUP_RET_SUCCESS) => Route::Via { ifindex: fib.ifindex, link: link(&fib) },
        Ok(BPF_FIB_LKUP_RET_NO_NEIGH) => Route::Unresolved,
        Ok(BPF_FIB_LKUP_RET_NOT_FWDED) => Route::Local,
        Ok(BPF_FIB_LKUP_RET_FRAG_NEEDED) => {
            // SAFETY: all members of the union are one integer; with this answer, the kernel has
            // written the room there.
            Route::TooBig(u32::from(unsafe { fib.__bindgen_anon_1.mtu_result }))
        }
        _ => Route::None,
    }
}

/// The first 12 bytes of the frame: destination, then source.
///
/// The answer lies on the stack, where the verifier wants every access aligned, and there the MAC
/// addresses are aligned to two bytes. Volatile, because the compiler would make larger accesses of
/// neighbouring ones.
#[inline(always)]
#[expect(clippy::cast_ptr_alignment, reason = "asserted below")]
fn link(fib: &bpf_fib_lookup) -> [u32; 3] {
    let half = |mac: &[u8; 6], at: usize| {
        // SAFETY: `at` is below 3, and both addresses begin at an even offset of the structure.
        let half = unsafe { mac.as_ptr().cast::<u16>().add(at).read_volatile() };
        half.to_ne_bytes()
    };
    let word = |[a, b]: [u8; 2], [c, d]: [u8; 2]| u32::from_ne_bytes([a, b, c, d]);
    let (to, from) = (&fib.dmac, &fib.smac);
    [
        word(half(to, 0), half(to, 1)),
        word(half(to, 2), half(from, 0)),
        word(half(from, 1), half(from, 2)),
    ]
}

const _: () = {
    assert!(offset_of!(bpf_fib_lookup, dmac) % 2 == 0 && offset_of!(bpf_fib_lookup, smac) % 2 == 0);
};
