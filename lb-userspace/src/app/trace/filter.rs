//! From the words of a filter to what the program compares.

use std::net::SocketAddr;

use lb_common::{
    trace::{ANY_REASON, BOTH, DESTINATION, EndFilter, Filter, SOURCE},
    wire::{icmp, transport},
};

use crate::{
    admin::{
        RequestError,
        trace::{TraceEnd, TraceIs, TraceProtocol, TraceQuery, TraceSide},
    },
    model::{Desired, Prefix},
    reconcile::{
        Image,
        compile::{address_be, vip_endpoint},
    },
};

/// What is wanted until some tick. A service must exist; a backend may be one that has left.
pub(in crate::app) fn filter(
    query: &TraceQuery,
    image: &Image,
    desired: &Desired,
    until: u32,
) -> Result<Filter, RequestError> {
    let mut filter = Filter::all(until);
    if let Some(name) = &query.service {
        let service = desired.services.get(name);
        let entry = service.and_then(|it| image.services.get(&vip_endpoint(it.listen)));
        filter.service = entry.map(|entry| entry.id).ok_or_else(|| {
            RequestError::NotFound(format!(
                "there is no service `{name}`; `shunt service list` shows those there are"
            ))
        })?;
    }
    if let Some(backend) = query.backend {
        (filter.backend_be, filter.backend_port_be) = address_be(backend);
    }
    filter.reason = query.reason.map_or(ANY_REASON, |reason| reason as u8);
    filter.ending = query.ending.map_or(0, |ending| ending as u8);
    filter.protocol = query.protocol.map_or(0, number);
    // Reading the query made sure that there are not too many.
    for (place, end) in filter.ends.iter_mut().zip(&query.ends) {
        *place = condition(end);
    }
    Ok(filter)
}

const fn number(protocol: TraceProtocol) -> u8 {
    match protocol {
        TraceProtocol::Tcp => transport::TCP,
        TraceProtocol::Udp => transport::UDP,
        TraceProtocol::Icmp => icmp::V4,
    }
}

fn condition(end: &TraceEnd) -> EndFilter {
    let sides = match end.side {
        TraceSide::Either => BOTH,
        TraceSide::Source => SOURCE,
        TraceSide::Destination => DESTINATION,
    };
    match end.is {
        TraceIs::Port(port) => EndFilter { port_be: port.to_be(), sides, ..EndFilter::default() },
        TraceIs::Of(prefix) => EndFilter { sides, ..of(prefix) },
    }
}

fn of(prefix: Prefix) -> EndFilter {
    let (addr_be, _) = address_be(SocketAddr::new(prefix.address(), 0));
    let is_v6 = prefix.address().is_ipv6();
    // An IPv4 address stands behind 96 other bits.
    let length = u32::from(prefix.length()) + if is_v6 { 0 } else { 96 };
    let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
    let mut octets = mask.to_be_bytes().into_iter();
    let mask_be = std::array::from_fn(|_| {
        u32::from_ne_bytes(std::array::from_fn(|_| octets.next().unwrap_or(0)))
    });
    EndFilter { mask_be, addr_be, is_v6: is_v6.into(), ..EndFilter::default() }
}
