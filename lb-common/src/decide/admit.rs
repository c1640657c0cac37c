//! Who is served, and how many flows may begin.

use core::hint::cold_path;

use super::Tables;
use crate::{
    abi::{
        AddrBe, Reason, SERVICE_ALLOWS, SERVICE_LIMITED, SERVICE_LIST_V4, SERVICE_LIST_V6,
        SERVICE_LISTED, Scratch, Service, SourceBucket, SourceRule, is_v4_mapped,
    },
    hash,
    parse::Packet,
};

/// Whether a service is there for a source. Nearly always a bit of the filter says that the list has
/// nothing of it; only then is the list itself not asked.
#[inline(always)]
pub(super) fn serves<T: Tables>(tables: &T, service: &Service, source_be: &AddrBe) -> bool {
    if service.flags & SERVICE_LISTED == 0 {
        return true;
    }
    let serves_others = service.flags & SERVICE_ALLOWS == 0;
    let always = if is_v4_mapped(source_be) { SERVICE_LIST_V4 } else { SERVICE_LIST_V6 };
    if service.flags & always == 0
        && !tables.may_be_listed(hash::source_bit(service.list, source_be))
    {
        return serves_others;
    }
    cold_path();
    match tables.source_rule(service.list, source_be) {
        Some(rule) => rule == SourceRule::Allow as u32,
        None => serves_others,
    }
}

/// Takes leave to open a flow: `Forwarded`, or why there is none. A source that has no leave takes
/// none from the others.
#[inline(always)]
pub(super) fn leave_to_open<T: Tables>(
    tables: &T,
    service: &Service,
    packet: &Packet,
    scratch: &mut Scratch,
) -> Reason {
    if service.flags & SERVICE_LIMITED == 0 {
        return Reason::Forwarded;
    }
    cold_path();
    let Some(limits) = tables.limits(service.id) else { return Reason::Forwarded };
    if limits.source.interval != 0 {
        scratch.source = source(service.id, &packet.src_be);
        if !tables.take_of_source(&scratch.source, limits.source) {
            return Reason::SourceLimit;
        }
    }
    if limits.service.interval != 0 && !tables.take_of_service(service.id, limits.service) {
        return Reason::NewFlowLimit;
    }
    Reason::Forwarded
}

/// One client, as far as limits go: of IPv6 a whole /64, which any host can have.
#[inline(always)]
const fn source(service: u32, addr_be: &AddrBe) -> SourceBucket {
    let [a, b, c, d] = *addr_be;
    let addr_be = if is_v4_mapped(addr_be) { [a, b, c, d] } else { [a, b, 0, 0] };
    SourceBucket { addr_be, service }
}
