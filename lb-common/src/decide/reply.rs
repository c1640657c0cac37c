//! A packet from the address of a backend: a reply, perhaps.

use super::{
    Outcome, Tables,
    tables::{Route, RouteQuery},
};
use crate::{
    abi::{AddrBe, ORIGIN_STATELESS, ORIGIN_TRACKED, Origin, Reason},
    flow::next_state,
    parse::Packet,
    rewrite::{self, End, Hop},
    wire::Frame,
};

/// Whom a reply is from and for, as its client knows them.
struct Ends {
    service: u32,
    vip_be: AddrBe,
    vip_port_be: u16,
    client_be: AddrBe,
    client_port_be: u16,
}

/// `None` if the frame ends before a header does, which parsing has ruled out.
#[inline(always)]
pub(super) fn to_client<F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    packet: &Packet,
    origin: &Origin,
) -> Option<Outcome> {
    let ends = match remembered(tables, packet, origin) {
        Some(ends) => ends,
        None if origin.flags & ORIGIN_STATELESS == 0 => {
            return Some(Outcome::pass(0, Reason::NotOurs));
        }
        None => {
            if tables.direct_seen(origin.backend) && tables.is_direct(&packet.reverse_flow()) {
                return Some(Outcome::pass(0, Reason::ReplyDirect));
            }
            Ends {
                service: origin.service,
                vip_be: origin.vip_be,
                vip_port_be: origin.port_be,
                client_be: packet.dst_be,
                client_port_be: packet.dst_port_be,
            }
        }
    };
    // The route is looked up before anything is rewritten: what is for the balancer itself must
    // reach its sockets as it was sent.
    let route = tables.route(&RouteQuery {
        ingress: frame.ingress(),
        family: packet.family,
        protocol: packet.protocol,
        ip_len: packet.ip_len,
        src_be: ends.vip_be,
        dst_be: ends.client_be,
    });
    let service = ends.service;
    // What is addressed to an address of the balancer (`full-nat`) must not reach its sockets, which
    // would refuse it: the kernel gets it as the client would.
    let is_translated = ends.client_be != packet.dst_be;
    let (hop, unsent) = match route {
        Route::Via { .. } if packet.ttl <= 1 => {
            return Some(Outcome::drop(service, Reason::TtlExpired));
        }
        Route::Via { .. } => (Hop::Here, Reason::ReplyUnresolved),
        Route::Unresolved => (Hop::Later, Reason::ReplyUnresolved),
        Route::TooBig => (Hop::Later, Reason::ReplyTooBig),
        Route::None => (Hop::Later, Reason::ReplyUnroutable),
        Route::Local => (Hop::Later, Reason::ReplyToBalancer),
    };
    if !is_translated && hop == Hop::Later && unsent != Reason::ReplyUnresolved {
        let service = if unsent == Reason::ReplyToBalancer { 0 } else { service };
        return Some(Outcome::pass(service, unsent));
    }
    if origin.flags & ORIGIN_TRACKED == 0 {
        rewrite::end(frame, packet, End::Source, &ends.vip_be, ends.vip_port_be, hop)?;
    } else {
        let source = (&ends.vip_be, ends.vip_port_be);
        let destination = (&ends.client_be, ends.client_port_be);
        rewrite::both(frame, packet, source, destination, hop)?;
    }
    let Route::Via { ifindex, link } = route else {
        return Some(Outcome::pass(service, unsent));
    };
    rewrite::link(frame, &link)?;
    Some(Outcome::send(service, Reason::Returned, ifindex))
}

/// The ends of a flow whose way back is remembered.
#[inline(always)]
fn remembered<T: Tables>(tables: &T, packet: &Packet, origin: &Origin) -> Option<Ends> {
    if origin.flags & ORIGIN_TRACKED == 0 {
        return None;
    }
    let mut scratch = tables.scratch()?;
    scratch.key = packet.flow();
    let (way, at) = tables.way_back(&scratch.key)?;
    let now = tables.now();
    let state = next_state(way.state, packet.closes_flow);
    // A flow that is over by its own limits is revived by a reply: nobody has taken its place.
    if way.seen != now || way.state != state {
        tables.refresh_way_back(at, now, state);
    }
    Some(Ends {
        service: way.service,
        vip_be: way.vip_be,
        vip_port_be: way.vip_port_be,
        client_be: way.client_be,
        client_port_be: way.client_port_be,
    })
}
