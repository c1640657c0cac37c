//! TCP whose flows are all remembered. What is not remembered, and does not open a flow, goes by the ring.

use lb_common::abi::{FlowState, Reason};

use super::{arrives, reaches};
use crate::kernel::{
    case::{Case, Draft},
    memory::Flow,
    network::Links,
    packet::{Flags, Packet},
    services::{
        IDLE, Spec,
        asked::{TRACKED_TCP_V4, TRACKED_TCP_V6},
        moving::{
            BETWEEN, DEAD, EPOCH, FROM_DEAD, LEAVING, MOVED, OWNER, PREVIOUS, SETTLED, TO_NOBODY,
        },
    },
};

const OPENING: FlowState = FlowState::Opening;
const OPEN: FlowState = FlowState::Open;
const CLOSING: FlowState = FlowState::Closing;

pub(super) fn cases(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, spec) in
        [("tracked TCP, IPv4", TRACKED_TCP_V4), ("tracked TCP, IPv6", TRACKED_TCP_V6)]
    {
        let scene = Scene { links, what, spec };
        cases.extend(scene.opening());
        cases.extend(scene.known());
        cases.extend(scene.unknown());
    }
    cases
}

struct Scene<'a> {
    links: &'a Links,
    what: &'static str,
    spec: Spec,
}

impl Scene<'_> {
    fn draft(&self, name: &str, packet: &Packet) -> Draft {
        arrives(self.links, format!("{}: {name}", self.what), packet)
    }

    fn reaches(&self, draft: Draft, place: u32, packet: &Packet) -> Case {
        reaches(self.links, draft, &self.spec, place, packet)
    }

    fn flow(&self, place: u32, packet: &Packet, state: FlowState) -> Flow {
        self.spec.flow(place, packet, state).epoch(EPOCH)
    }

    fn opening(&self) -> Vec<Case> {
        let opens = |name: &str, slot: u32, before: Option<(u32, FlowState, u32)>, place: u32| {
            let packet = self.spec.request_in(slot).syn();
            let flow = |(place, state, age)| self.flow(place, &packet, state).age(age);
            let draft = self.draft(name, &packet).with_flows(before.map(flow));
            let case = self.reaches(draft, place, &packet);
            case.leaves([self.flow(place, &packet, OPENING)], [])
        };
        let kept = |name: &str, state: FlowState| {
            let packet = self.spec.request_in(SETTLED).syn();
            let before = self.flow(BETWEEN, &packet, state).age(8);
            let after = self.flow(BETWEEN, &packet, state);
            let draft = self.draft(name, &packet).with_flows([before]);
            self.reaches(draft, BETWEEN, &packet).leaves([after], [])
        };
        let nobody = self.spec.request_in(TO_NOBODY).syn();
        let full = self.spec.request_in(SETTLED).syn();
        vec![
            opens("SYN", SETTLED, None, OWNER),
            opens("SYN in a moving slot", MOVED, None, OWNER),
            opens("SYN of a closed flow", SETTLED, Some((BETWEEN, CLOSING, 3)), OWNER),
            opens("SYN, the backend is dead", SETTLED, Some((DEAD, OPEN, 3)), OWNER),
            opens("SYN, the flow is over", SETTLED, Some((BETWEEN, OPEN, IDLE.into())), OWNER),
            kept("SYN once more", OPENING),
            kept("SYN of an open flow", OPEN),
            self.draft("SYN, nobody owns the slot", &nobody).drops(&self.spec, Reason::NoBackend),
            self.draft("SYN, the table is full", &full)
                .with_flows(crate::kernel::cases::others(&self.spec))
                .drops(&self.spec, Reason::FlowTableFull),
        ]
    }

    fn known(&self) -> Vec<Case> {
        let known = |name: &str, flags: Flags, place: u32, before: FlowState, after: FlowState| {
            let packet = self.spec.request_in(SETTLED).flags(flags);
            let draft = self.draft(name, &packet);
            let draft = draft.with_flows([self.flow(place, &packet, before).age(5)]);
            let case = self.reaches(draft, place, &packet);
            case.leaves([self.flow(place, &packet, after)], [])
        };
        let data = Flags::Continues;
        vec![
            known("data", data, BETWEEN, OPENING, OPEN),
            known("more data", data, BETWEEN, OPEN, OPEN),
            known("data, the backend leaves", data, LEAVING, OPEN, OPEN),
            known("FIN", Flags::Closes, BETWEEN, OPEN, CLOSING),
            known("RST", Flags::Resets, BETWEEN, OPENING, CLOSING),
            known("data of a closed flow", data, BETWEEN, CLOSING, CLOSING),
        ]
    }

    fn unknown(&self) -> Vec<Case> {
        let unknown = |name: &str, slot: u32, before: Option<(u32, u32)>, place: u32| {
            let packet = self.spec.request_in(slot);
            let flow = |(place, age)| self.flow(place, &packet, OPEN).age(age);
            let draft = self.draft(name, &packet).with_flows(before.map(flow));
            self.reaches(draft, place, &packet)
        };
        vec![
            unknown("unknown", SETTLED, None, OWNER),
            unknown("unknown, in a moving slot", MOVED, None, PREVIOUS).stamps(&self.spec, MOVED),
            unknown("unknown, the previous owner is dead", FROM_DEAD, None, OWNER),
            unknown("known, the backend is dead", SETTLED, Some((DEAD, 4)), OWNER),
            unknown("known, the flow is over", SETTLED, Some((BETWEEN, IDLE.into())), OWNER),
        ]
    }
}
