//! A packet from the address of a backend: a reply, perhaps.

use super::{
    Outcome, Tables,
    tables::{Route, RouteQuery},
};
use crate::{
    abi::{AddrBe, ORIGIN_STATELESS, ORIGIN_TRACKED, Origin, Reason},
    flow::next_state,
    parse::{Family, Packet},
    rewrite::{self, End, Hop, icmp::Refusal},
    wire::{Frame, ipv4, write_link},
};

/// Whom a reply is from and for, as its client knows them.
pub(super) struct Ends {
    service: u32,
    pub(super) vip_be: AddrBe,
    pub(super) vip_port_be: u16,
    pub(super) client_be: AddrBe,
    pub(super) client_port_be: u16,
}

/// `None` if the frame ends before a header does, which parsing has ruled out.
#[inline(always)]
pub(super) fn to_client<const RARE: bool, F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    packet: &Packet,
    origin: &Origin,
) -> Option<Outcome> {
    let ends = match ends::<true, T>(tables, packet, origin) {
        Ok(ends) => ends,
        Err(reason) => return Some(Outcome::pass(0, reason)),
    };
    let way = match way::<RARE, F, T>(frame, tables, packet, &ends, &ends.vip_be, packet.dst_be) {
        Ok(way) => way,
        Err(outcome) => return Some(outcome),
    };
    // The kernel would tell the VIP, which sent nothing.
    if way.room != 0 && !may_be_cut(frame, packet) {
        return Some(Outcome::refuse(way.service, Refusal::TooBig(way.room)));
    }
    if origin.flags & ORIGIN_TRACKED == 0 {
        rewrite::end(frame, packet, End::Source, &ends.vip_be, ends.vip_port_be, way.hop)?;
    } else {
        let source = (&ends.vip_be, ends.vip_port_be);
        let destination = (&ends.client_be, ends.client_port_be);
        rewrite::both(frame, packet, source, destination, way.hop)?;
    }
    leave(frame, &way, Reason::Returned)
}

/// Whom a reply is from and for, or why it is left alone. `ALIVE` says whether it shows that its flow
/// is alive.
#[inline(always)]
pub(super) fn ends<const ALIVE: bool, T: Tables>(
    tables: &T,
    packet: &Packet,
    origin: &Origin,
) -> Result<Ends, Reason> {
    if let Some(ends) = remembered::<ALIVE, T>(tables, packet, origin) {
        return Ok(ends);
    }
    if origin.flags & ORIGIN_STATELESS == 0 {
        return Err(Reason::NotOurs);
    }
    if tables.direct_seen(origin.backend) && tables.is_direct(&packet.reverse_flow()) {
        return Err(Reason::ReplyDirect);
    }
    Ok(Ends {
        service: origin.service,
        vip_be: origin.vip_be,
        vip_port_be: origin.port_be,
        client_be: packet.dst_be,
        client_port_be: packet.dst_port_be,
    })
}

/// How a packet gets to the client. No enums with fields: the compiler would compute with those of
/// another variant, which the verifier refuses.
pub(super) struct Way {
    service: u32,
    pub(super) hop: Hop,
    /// Interface that it leaves by; 0 if the kernel must send it.
    ifindex: u32,
    link: [u32; 3],
    /// The word of the VLAN tags that it is sent with.
    tags: u32,
    /// What it is counted under if the kernel must send it.
    unsent: Reason,
    /// Bytes that the way has room for, if it is too large for it; 0 otherwise.
    room: u32,
}

/// The way to a client for a packet that will come from an address, and is addressed to another now;
/// or what becomes of it instead. The route is looked up before anything is rewritten: what is for the
/// balancer itself must reach its sockets as it was sent.
#[inline(always)]
pub(super) fn way<const RARE: bool, F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    packet: &Packet,
    ends: &Ends,
    source_be: &AddrBe,
    addressed_be: AddrBe,
) -> Result<Way, Outcome> {
    let route = tables.route(&RouteQuery {
        ingress: frame.ingress(),
        family: packet.family,
        protocol: packet.protocol,
        ip_len: packet.ip_len,
        src_be: *source_be,
        dst_be: ends.client_be,
    });
    let service = ends.service;
    // What is addressed to an address of the balancer (`full-nat`) must not reach its sockets, which
    // would refuse it: the kernel gets it as the client would.
    let is_translated = ends.client_be != addressed_be;
    // Nor could the client tell whose fragments those of the backend's own packet are.
    let is_cut = matches!(route, Route::TooBig(_)) && may_be_cut(frame, packet);
    let (hop, unsent) = match route {
        Route::Via { .. } if packet.ttl <= 1 => {
            return Err(Outcome::drop(service, Reason::TtlExpired));
        }
        Route::Via { .. } => (Hop::Here, Reason::ReplyUnresolved),
        Route::Unresolved => (Hop::Later, Reason::ReplyUnresolved),
        Route::TooBig(_) => (Hop::Later, Reason::ReplyTooBig),
        Route::None => (Hop::Later, Reason::ReplyUnroutable),
        Route::Local => (Hop::Later, Reason::ReplyToBalancer),
    };
    if !is_translated && !is_cut && hop == Hop::Later && unsent != Reason::ReplyUnresolved {
        let service = if unsent == Reason::ReplyToBalancer { 0 } else { service };
        return Err(Outcome::pass(service, unsent));
    }
    let mut way = Way { service, hop, ifindex: 0, link: [0; 3], tags: 0, unsent, room: 0 };
    match route {
        Route::Via { ifindex, link } => {
            (way.ifindex, way.link) = (ifindex, link);
            if let Some(vlan) = tables.vlan(ifindex) {
                if !RARE {
                    return Err(Outcome::rare());
                }
                (way.ifindex, way.tags) = (vlan.ifindex, vlan.tags);
            }
        }
        Route::TooBig(most) => way.room = most,
        Route::Unresolved | Route::Local | Route::None => {}
    }
    Ok(way)
}

/// Whether the kernel may cut a packet into fragments.
#[inline(always)]
fn may_be_cut<F: Frame>(frame: &F, packet: &Packet) -> bool {
    packet.family == Family::V4
        && frame
            .read::<u16>(ipv4::FRAGMENT)
            .is_some_and(|fragment| fragment & ipv4::DONT_FRAGMENT_BE == 0)
}

/// Sends a packet that has its client's view of the ends now, or has the kernel do so.
#[inline(always)]
pub(super) fn leave<F: Frame>(frame: &mut F, way: &Way, sent: Reason) -> Option<Outcome> {
    if way.ifindex == 0 {
        return Some(Outcome::pass(way.service, way.unsent));
    }
    write_link(frame, &way.link)?;
    Some(Outcome::send(way.service, sent, way.ifindex).tagged(way.tags))
}

/// The ends of a flow whose way back is remembered.
#[inline(always)]
fn remembered<const ALIVE: bool, T: Tables>(
    tables: &T,
    packet: &Packet,
    origin: &Origin,
) -> Option<Ends> {
    if origin.flags & ORIGIN_TRACKED == 0 {
        return None;
    }
    let mut scratch = tables.scratch()?;
    scratch.key = packet.flow();
    let (way, at) = tables.way_back(&scratch.key)?;
    let now = tables.now();
    let state = next_state(way.state, packet.closes_flow);
    // A flow that is over by its own limits is revived by a reply: nobody has taken its place.
    if ALIVE && (way.seen != now || way.state != state) {
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
