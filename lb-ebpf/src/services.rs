//! Services by address and by id, without a call into the kernel for nearly all.

use core::{borrow::Borrow, hint::cold_path};

use lb_common::{
    abi::{Endpoint, Service, ServiceRow},
    hash,
    limits::SERVICE_HASHES,
    wire::pair,
};

use crate::maps;

/// The service at an address.
#[inline(always)]
pub(crate) fn at(vip: &Endpoint) -> Option<&'static Service> {
    let row = service_row(hash::vip(vip))?;
    if is_same(&row.vip, vip) {
        return Some(&row.service);
    }
    // Another service has the same hash.
    cold_path();
    // SAFETY: only the daemon writes services; an entry that it replaces under our eyes is made of
    // integers, each old or new.
    let service = unsafe { maps::SERVICES.get(Key(*vip)) }?;
    by_id(service.id)
}

/// A service by its id.
#[inline(always)]
pub(crate) fn by_id(id: u32) -> Option<&'static Service> {
    Some(&service_row(SERVICE_HASHES.wrapping_add(id))?.service)
}

/// A copy of a key, made where a map is asked: so the common path, which asks none, need not keep the
/// key on the stack. There the verifier wants accesses aligned, and the compiler writes neighbouring
/// constants as one word.
#[repr(align(8))]
pub(crate) struct Key(pub(crate) Endpoint);

impl Borrow<Endpoint> for Key {
    #[inline(always)]
    fn borrow(&self) -> &Endpoint {
        &self.0
    }
}

/// The row that a word of the service index names.
#[inline(always)]
fn service_row(word: u32) -> Option<&'static ServiceRow> {
    match *maps::SERVICE_INDEX.get(word)? {
        0 => None,
        row => maps::SERVICE_ROWS.get(row),
    }
}

/// Compares by words as wide as can be; the derived comparison calls a function that compares by bytes.
#[inline(always)]
const fn is_same(one: &Endpoint, other: &Endpoint) -> bool {
    let ([one0, one1, one2, one3], [other0, other1, other2, other3]) = (one.addr_be, other.addr_be);
    pair(one0, one1) == pair(other0, other1)
        && pair(one2, one3) == pair(other2, other3)
        && one.port_be == other.port_be
        && one.protocol == other.protocol
        && one.wide == other.wide
}
