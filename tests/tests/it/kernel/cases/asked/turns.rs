//! Schedulers: turns in their order, and what is left to chance where it has no choice.

use lb_common::abi::FlowState;

use super::{arrives, reaches};
use crate::kernel::{
    case::Case,
    memory::{Flow, WayBack},
    network::Links,
    packet::Packet,
    services::{
        Spec,
        asked::{LEAST_V4, RANDOM_V6, TURNS_DEAD, TURNS_FULL, TURNS_NONE, TURNS_V4, TURNS_V6},
        moving::{EPOCH, OWNER, SETTLED},
    },
};

pub(super) fn cases(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, spec) in
        [("turns, nat", TURNS_V4), ("turns, dsr", TURNS_V6), ("turns, full-nat", TURNS_FULL)]
    {
        let turns = spec.asked.turns.iter().cycle();
        for (before, place) in (0..6).zip(turns) {
            cases.push(turn(
                links,
                &format!("{what}: after {before} flows"),
                &spec,
                before,
                *place,
            ));
        }
    }
    for (what, spec, slot, place) in [
        ("turns, nobody's", TURNS_NONE, 0, 0),
        ("turns, of a dead backend", TURNS_DEAD, SETTLED, OWNER),
        ("random, one backend", RANDOM_V6, 0, 0),
        ("least flows, one backend", LEAST_V4, 0, 0),
    ] {
        let packet = spec.request_in(slot).syn();
        let flow = spec.flow(place, &packet, FlowState::Opening);
        let flow = flow.epoch(if spec.id == TURNS_DEAD.id { EPOCH } else { 4 });
        let draft = arrives(links, what, &packet);
        cases.push(reaches(links, draft, &spec, place, &packet).leaves([flow], []));
    }
    cases
}

/// A new flow after so many others, which have other ports. All fall into the first slot.
fn turn(links: &Links, name: &str, spec: &Spec, before: usize, place: u32) -> Case {
    let ports = (40_000..).filter(|port| spec.slot_of(&spec.request().source_port(*port)) == 0);
    let opens = |port| {
        let packet = spec.request().source_port(port);
        if spec.protocol == 6 { packet.syn() } else { packet }
    };
    let packets: Vec<Packet> = ports.take(before + 1).map(opens).collect();
    let (last, earlier) = packets.split_last().expect("at least one");
    let draft = earlier
        .iter()
        .fold(arrives(links, name, last), |draft, packet| draft.after(links.front, packet.build()));
    let turns = spec.asked.turns.iter().cycle();
    let (flows, ways): (Vec<Flow>, Vec<Option<WayBack>>) =
        packets.iter().zip(turns).map(|(packet, place)| remembered(spec, *place, packet)).unzip();
    reaches(links, draft, spec, place, last).leaves(flows, ways.into_iter().flatten())
}

fn remembered(spec: &Spec, place: u32, packet: &Packet) -> (Flow, Option<WayBack>) {
    let state = if spec.protocol == 6 { FlowState::Opening } else { FlowState::Open };
    if spec.source_prefix().is_none() {
        return (spec.flow(place, packet, state).epoch(4), None);
    }
    let source = spec.translated_source(packet);
    let (flow, way) = spec.translation(place, packet, source, state);
    (flow, Some(way))
}
