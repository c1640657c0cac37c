//! The packets that few are: tagged, fragmented, with options or extension headers, too large, or with
//! an expired time to live.
//!
//! VLAN tags are taken off first, and put on last: those of the way to the backend or client if the
//! packet is sent on, and its own if it is passed or answered.

use super::{Fate, Outcome, Step, Tables, decide};
use crate::{
    abi::{FragmentKey, Ports, Reason, Verdict},
    limits::{FRAGMENT_TICKS, Stage},
    parse::{
        Packet, Wholeness,
        rare::{Work, network},
    },
    vlan::{self, Tags},
    wire::Frame,
};

/// Takes the tags off and reads the headers, up to the ports.
#[inline(always)]
pub(super) fn read<F: Frame, T: Tables>(frame: &mut F, tables: &T, work: &mut Work) -> Step {
    work.bytes = frame.len() as u64;
    let Some(tags) = vlan::take_off(frame) else {
        tables.count(0, Reason::Truncated, work.bytes);
        return Step::Done(Verdict::Pass);
    };
    work.tags = tags;
    match headers(frame, tables, work) {
        Ok(stage) => Step::Next(stage),
        Err(outcome) => Step::Done(finish(frame, tables, outcome, work)),
    }
}

#[inline(always)]
fn headers<F: Frame, T: Tables>(frame: &F, tables: &T, work: &mut Work) -> Result<Stage, Outcome> {
    let pass = |reason| Outcome::pass(0, reason);
    network(frame, &mut work.network).map_err(pass)?;
    let network = &mut work.network;
    if network.is_icmp() && network.packet.wholeness == Wholeness::Whole {
        return Ok(Stage::Icmp);
    }
    if !network.is_balanced() {
        return Err(pass(Reason::OtherProtocol));
    }
    if !network.packet.is_later_fragment() {
        network.read_transport(frame).map_err(pass)?;
        return Ok(Stage::Balance);
    }
    let Some(ports) = ports(tables, &network.packet, network.id_be) else {
        return Err(match tables.vip(&network.packet.dst_be) {
            Some(service) => Outcome::drop(service, Reason::FragmentUnknown),
            None => pass(Reason::Fragment),
        });
    };
    network.packet.src_port_be = ports.src_port_be;
    network.packet.dst_port_be = ports.dst_port_be;
    Ok(Stage::Balance)
}

/// Decides on a packet that was read, and rewrites it accordingly.
#[inline(always)]
pub(super) fn balance<F: Frame, T: Tables>(frame: &mut F, tables: &T, work: &mut Work) -> Step {
    let outcome = decide::<true, F, T>(frame, tables, &work.network.packet, work.bytes);
    if outcome.fate == Fate::Refuse {
        (work.service, work.reason, work.most) = (outcome.service, outcome.reason, outcome.egress);
        return Step::Next(Stage::Refuse);
    }
    Step::Done(finish(frame, tables, outcome, work))
}

/// Puts tags on a frame that has none any more, and counts it.
#[inline(always)]
pub(super) fn finish<F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    mut outcome: Outcome,
    work: &Work,
) -> Verdict {
    let tags = match outcome.fate {
        Fate::Send => Tags::of_word(outcome.tags),
        Fate::Pass | Fate::Answer => work.tags,
        Fate::Drop | Fate::Refuse | Fate::Rare => Tags::default(),
    };
    if vlan::put_on(frame, &tags).is_none() {
        outcome = Outcome::drop(outcome.service, Reason::NoHeadroom);
    }
    tables.count(outcome.service, outcome.reason, work.bytes);
    outcome.verdict(frame.ingress())
}

/// Remembers the ports of a first fragment for the later ones, which have none.
#[inline(always)]
pub(super) fn teach<T: Tables>(tables: &T, packet: &Packet) {
    if let Wholeness::First(id_be) = packet.wholeness
        && let Some(mut scratch) = tables.scratch()
    {
        let (src_port_be, dst_port_be) = (packet.src_port_be, packet.dst_port_be);
        scratch.fragment = key(packet, id_be);
        let ports = Ports { src_port_be, dst_port_be, seen: tables.now() };
        tables.remember_fragment(&scratch.fragment, &ports);
    }
}

/// The ports of a later fragment.
#[inline(always)]
fn ports<T: Tables>(tables: &T, packet: &Packet, id_be: u32) -> Option<Ports> {
    let mut scratch = tables.scratch()?;
    scratch.fragment = key(packet, id_be);
    let ports = tables.fragment(&scratch.fragment)?;
    // Identifications are used again.
    (tables.now().wrapping_sub(ports.seen) <= FRAGMENT_TICKS).then_some(ports)
}

#[inline(always)]
const fn key(packet: &Packet, id_be: u32) -> FragmentKey {
    FragmentKey {
        src_be: packet.src_be,
        dst_be: packet.dst_be,
        id_be,
        protocol: packet.protocol,
        _pad: [0; 3],
    }
}
