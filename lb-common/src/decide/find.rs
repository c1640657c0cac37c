//! Which service a packet is for, and which it may be a reply of.
//!
//! An exact port comes first. Only where there are services with ranges of ports at all is more asked.

use core::hint::cold_path;

use super::Tables;
use crate::abi::{
    Backend, Endpoint, META_RANGES, META_WIDE_ORIGINS, Origin, SERVICE_RANGE, Service,
};

/// The service that packets to an end are for.
#[inline(always)]
pub(super) fn service<'t, T: Tables>(tables: &'t T, end: &Endpoint) -> Option<&'t Service> {
    if let Some(service) = tables.service(end) {
        return Some(service);
    }
    if tables.meta() & META_RANGES == 0 {
        return None;
    }
    cold_path();
    let ranges = tables.service(&end.any_port())?.id;
    tables.service_by_id(tables.service_in_range(ranges, u16::from_be(end.port_be))?)
}

/// The service whose replies may come from an end.
#[inline(always)]
pub(super) fn origin<'t, T: Tables>(tables: &'t T, end: &Endpoint) -> Option<&'t Origin> {
    if let Some(origin) = tables.origin(end) {
        return Some(origin);
    }
    if tables.meta() & META_WIDE_ORIGINS == 0 {
        return None;
    }
    cold_path();
    tables.origin(&end.any_port())
}

/// The port of a backend that a packet to a port of the VIP goes to.
#[inline(always)]
pub(super) fn backend_port(service: &Service, backend: &Backend, vip_port_be: u16) -> u16 {
    if service.flags & SERVICE_RANGE != 0 { vip_port_be } else { backend.port_be }
}
