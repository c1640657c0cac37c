//! ICMP about services: echo requests to their addresses, and errors about their flows.
//!
//! An error quotes the packet that it is about, and so names the flow. From the client's side that is a
//! packet of the service, or of a backend that answered for it: the error belongs to the backend. From
//! the side of the backends it is a translated request: the error belongs to the client.

use super::{
    Outcome, Step, Tables,
    choose::{is_alive, owner_of},
    find,
    forward::{carry, flow_hash, sent, slot_hash, too_big, tunnel},
    rare::finish,
    refuse::is_unicast,
    reply::{ends, leave, way},
};
use crate::{
    abi::{AddrBe, BACKEND_RESOLVED, ForwardMode, Origin, Reason, Service},
    parse::{
        Family, Packet,
        rare::{Network, Quoted, Work, quoted},
    },
    rewrite::{
        Hop,
        icmp::{Ends, echo_reply, translate},
    },
    wire::{Frame, icmp},
};

/// What an ICMP message is.
enum Kind {
    Echo,
    Error,
    Other,
}

#[inline(always)]
fn kind(family: Family, kind: u8) -> Kind {
    match (family, kind) {
        (Family::V4, icmp::v4::ECHO) | (Family::V6, icmp::v6::ECHO) => Kind::Echo,
        (
            Family::V4,
            icmp::v4::UNREACHABLE | icmp::v4::TIME_EXCEEDED | icmp::v4::PARAMETER_PROBLEM,
        ) => Kind::Error,
        (Family::V6, kind) if icmp::v6::ERRORS.contains(&kind) => Kind::Error,
        _ => Kind::Other,
    }
}

/// Decides on a whole packet of ICMP that was read, and rewrites it accordingly.
#[inline(always)]
pub(super) fn process<F: Frame, T: Tables>(frame: &mut F, tables: &T, work: &mut Work) -> Step {
    let outcome = of_packet(frame, tables, work);
    Step::Done(finish(frame, tables, outcome, work))
}

#[inline(always)]
fn of_packet<F: Frame, T: Tables>(frame: &mut F, tables: &T, work: &mut Work) -> Outcome {
    let packet = &work.network.packet;
    let Some(first) = frame.read::<u16>(packet.transport() + icmp::TYPE) else {
        return Outcome::pass(0, Reason::Truncated);
    };
    let [first, _] = first.to_ne_bytes();
    match kind(packet.family, first) {
        Kind::Echo => echo(frame, tables, packet),
        Kind::Error => match quoted(frame, packet, &mut work.quoted) {
            Ok(()) => error(frame, tables, work),
            Err(reason) => Outcome::pass(0, reason),
        },
        Kind::Other => Outcome::pass(0, Reason::OtherProtocol),
    }
}

/// Requests with options, or to everybody on the link, are left to the kernel, which answers those for
/// addresses that it has.
#[inline(always)]
fn echo<F: Frame, T: Tables>(frame: &mut F, tables: &T, packet: &Packet) -> Outcome {
    let Some(service) = tables.vip(&packet.dst_be) else {
        return Outcome::pass(0, Reason::NotOurs);
    };
    if !is_unicast(frame)
        || packet.extra != 0
        || (packet.ip_len as usize) < packet.transport() - 14 + icmp::LEN
    {
        return Outcome::pass(0, Reason::OtherProtocol);
    }
    if !tables.may_answer() {
        return Outcome::drop(service, Reason::EchoLimited);
    }
    match echo_reply(frame, packet) {
        Some(()) => Outcome::answer(service, Reason::EchoAnswered),
        None => Outcome::drop(service, Reason::Truncated),
    }
}

#[inline(always)]
fn error<F: Frame, T: Tables>(frame: &mut F, tables: &T, work: &mut Work) -> Outcome {
    let Work { network, quoted, flow, .. } = work;
    // Whom it is addressed to sent the packet that it quotes; anything else is none of ours.
    if network.packet.dst_be != quoted.source.addr_be {
        return Outcome::pass(0, Reason::NotOurs);
    }
    // As if the quoted packet's receiver had sent one back.
    *flow = network.packet;
    flow.protocol = quoted.source.protocol;
    (flow.src_be, flow.src_port_be) = (quoted.destination.addr_be, quoted.destination.port_be);
    (flow.dst_be, flow.dst_port_be) = (quoted.source.addr_be, quoted.source.port_be);
    if let Some(service) = find::service(tables, &quoted.source) {
        return to_backend(frame, tables, work, service)
            .unwrap_or(Outcome::drop(service.id, Reason::Truncated));
    }
    if let Some(origin) = find::origin(tables, &quoted.destination) {
        return to_client(frame, tables, work, origin)
            .unwrap_or(Outcome::drop(origin.service, Reason::Truncated));
    }
    Outcome::pass(0, Reason::NotOurs)
}

/// An error about a packet from a service to a client, to the backend that the flow belongs to.
#[inline(always)]
fn to_backend<F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    work: &Work,
    service: &Service,
) -> Option<Outcome> {
    let Work { network: Network { packet, .. }, quoted, flow, .. } = work;
    let hash = flow_hash(flow, service);
    let mut client = (flow.src_be, flow.src_port_be);
    let id = if service.mode == ForwardMode::FullNat as u8 {
        let mut scratch = tables.scratch()?;
        scratch.key = flow.flow();
        match tables.flow(&scratch.key) {
            Some((known, _)) if is_alive(tables, known.backend) => {
                client = (known.source_be, known.source_port_be);
                known.backend
            }
            _ => return Some(Outcome::drop(service.id, Reason::UnknownFlow)),
        }
    } else {
        owner_of(tables, flow, service, slot_hash(flow, service, hash))?
    };
    let backend = match tables.backend(id) {
        Some(backend) if id != 0 => backend,
        _ => return Some(Outcome::drop(service.id, Reason::NoBackend)),
    };
    if packet.ttl <= 1 {
        return Some(Outcome::drop(service.id, Reason::TtlExpired));
    }
    if backend.flags & BACKEND_RESOLVED == 0 {
        return Some(Outcome::drop(service.id, Reason::NoNextHop));
    }
    let tunnel = tunnel(service, backend);
    if too_big(packet, backend, tunnel).is_some() {
        return Some(Outcome::drop(service.id, Reason::TooBig));
    }
    if service.mode == ForwardMode::Nat as u8 || service.mode == ForwardMode::FullNat as u8 {
        let port_be = find::backend_port(service, backend, quoted.source.port_be);
        let client = (&client.0, client.1);
        as_backend_knows_it(frame, packet, quoted, (&backend.addr_be, port_be), client)?;
    } else if !carry(frame, packet, service, backend, tunnel, hash)? {
        return Some(Outcome::drop(service.id, Reason::NoHeadroom));
    }
    let to = (id, backend);
    sent::<true, F, T>(frame, tables, service, to, Reason::ErrorForwarded, work.bytes)
}

/// The backend sent the quoted packet from its own address, and to whom it knows as its client.
#[inline(always)]
fn as_backend_knows_it<F: Frame>(
    frame: &mut F,
    packet: &Packet,
    quoted: &Quoted,
    backend: (&AddrBe, u16),
    client: (&AddrBe, u16),
) -> Option<()> {
    let ends = Ends {
        source: &packet.src_be,
        destination: backend.0,
        quoted_source: backend,
        quoted_destination: client,
    };
    translate(frame, packet, quoted, &ends, Hop::Here)
}

/// An error about a packet to a backend, to the client that sent it.
#[inline(always)]
fn to_client<F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    work: &Work,
    origin: &Origin,
) -> Option<Outcome> {
    let Work { network: Network { packet, .. }, quoted, flow: reply, .. } = work;
    let flow = match ends::<false, T>(tables, reply, origin) {
        Ok(ends) => ends,
        Err(reason) => return Some(Outcome::pass(0, reason)),
    };
    // The client does not know the backend; a router on the way may speak for itself.
    let from_backend = packet.src_be == quoted.destination.addr_be;
    let source = if from_backend { flow.vip_be } else { packet.src_be };
    let way = match way::<true, F, T>(frame, tables, packet, &flow, &source, packet.dst_be) {
        Ok(way) => way,
        Err(outcome) => return Some(outcome),
    };
    let ends = Ends {
        source: &source,
        destination: &flow.client_be,
        quoted_source: (&flow.client_be, flow.client_port_be),
        quoted_destination: (&flow.vip_be, flow.vip_port_be),
    };
    translate(frame, packet, quoted, &ends, way.hop)?;
    leave(frame, &way, Reason::ErrorReturned)
}
