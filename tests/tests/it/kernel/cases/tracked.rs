//! UDP whose flows are all remembered: from their first packet on they keep their backend.

use lb_common::abi::{FlowState, Reason, Verdict};

use crate::kernel::{
    case::{Case, Draft, case},
    memory::Flow,
    network::Links,
    packet::Packet,
    services::{
        IDLE, Spec,
        icmp::expired,
        moving::{
            BETWEEN, DEAD, EPOCH, LEAVING, MOVED, OWNER, SETTLED, TO_DEAD, TO_NOBODY, TRACKED_V4,
            TRACKED_V6,
        },
    },
};

pub(crate) fn cases(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, spec) in [("tracked, IPv4", TRACKED_V4), ("tracked, IPv6", TRACKED_V6)] {
        let scene = Scene { links, what, spec };
        cases.extend(scene.first_packets());
        cases.extend(scene.later_packets());
        cases.extend(scene.full_table());
    }
    cases
}

struct Scene<'a> {
    links: &'a Links,
    what: &'static str,
    spec: Spec,
}

impl Scene<'_> {
    fn case(&self, name: &str, packet: &Packet) -> Draft {
        case(format!("{}: {name}", self.what), self.links.front, packet.build())
    }

    fn reaches(&self, draft: Draft, place: u32, packet: &Packet) -> Case {
        let back = Verdict::Redirect { ifindex: self.links.back };
        let expected = self.spec.delivered_to(place, packet).build();
        draft.forwards_to(place, back, &self.spec, expected)
    }

    fn flow(&self, place: u32, packet: &Packet) -> Flow {
        self.spec.flow(place, packet, FlowState::Open).epoch(EPOCH)
    }

    /// Whether its slot moves does not matter.
    fn first_packets(&self) -> Vec<Case> {
        let first = |name: &str, slot: u32, owner: u32| {
            let packet = self.spec.request_in(slot);
            let case = self.reaches(self.case(name, &packet), owner, &packet);
            case.leaves([self.flow(owner, &packet)], [])
        };
        let nobody = self.spec.request_in(TO_NOBODY);
        let last = self.spec.request_in(SETTLED).ttl(1);
        vec![
            first("first packet", SETTLED, OWNER),
            first("first packet in a moving slot", MOVED, OWNER),
            first("first packet, the owner is dead", TO_DEAD, DEAD),
            self.case("first packet, nobody owns the slot", &nobody)
                .drops(&self.spec, Reason::NoBackend),
            self.case("first packet, TTL 1", &last).answers(
                &self.spec,
                Reason::TtlExpired,
                last.refused(expired(last.is_v4())).build(),
            ),
        ]
    }

    fn later_packets(&self) -> Vec<Case> {
        let packet = self.spec.request_in(SETTLED);
        let flow = |place: u32, age: u32| self.flow(place, &packet).age(age);
        let limit = u32::from(IDLE);
        let known = |name: &str, flow: Flow, reached: u32| {
            let left = self.flow(reached, &packet).epoch(if reached == OWNER {
                EPOCH
            } else {
                flow.epoch
            });
            self.reaches(self.case(name, &packet).with_flows([flow]), reached, &packet)
                .leaves([left], [])
        };
        vec![
            known("later packet", flow(OWNER, 8), OWNER),
            known("later packet in the same tick", flow(OWNER, 0), OWNER),
            known("the owner has changed", flow(BETWEEN, 8), BETWEEN),
            known("the slot has moved since", flow(BETWEEN, 8).epoch(EPOCH - 2), BETWEEN),
            known("the backend leaves", flow(LEAVING, 8), LEAVING),
            known("the backend is dead", flow(DEAD, 8), OWNER),
            known("just not over", flow(BETWEEN, limit - 1), BETWEEN),
            known("just over", flow(BETWEEN, limit), OWNER),
            known("long over", flow(BETWEEN, limit + 50_000), OWNER),
        ]
    }

    fn full_table(&self) -> Vec<Case> {
        let packet = self.spec.request_in(SETTLED);
        let others = || super::others(&self.spec);
        let mut over = others();
        over.splice(..1, [self.flow(BETWEEN, &packet).age(u32::from(IDLE))]);
        let mut after = over.clone();
        after.splice(..1, [self.flow(OWNER, &packet)]);
        vec![
            self.case("first packet, the table is full", &packet)
                .with_flows(others())
                .drops(&self.spec, Reason::FlowTableFull),
            self.reaches(
                self.case("it was over, the table is full", &packet).with_flows(over),
                OWNER,
                &packet,
            )
            .leaves(after, []),
        ]
    }
}
