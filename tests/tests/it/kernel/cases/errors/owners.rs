//! Which backend an error belongs to: the one that packets of its flow go to. It is no packet of the
//! flow, so that it neither opens nor keeps one, and stamps no slot.

use lb_common::abi::{FlowState, Reason, Verdict};

use super::usual;
use crate::kernel::{
    case::{Case, Draft, case},
    memory::Flow,
    network::Links,
    packet::Packet,
    services::{
        IDLE, SPREAD_V4, SPREAD_V6, Spec,
        full_nat::{FULL_V4_TCP_MOVING, FULL_V6_UDP_MOVING},
        moving::{
            BETWEEN, DEAD, EPOCH, FROM_DEAD, FROM_LEAVING, FROM_NOBODY, LEAVING, MOVED,
            MOVING_V4_IPIP, MOVING_V4_TCP, MOVING_V6_GUE, MOVING_V6_TCP, OWNER, PREVIOUS, QUIC_V4,
            QUIC_V6, SETTLED, THERE_AND_BACK, TO_DEAD, TO_NOBODY, TRACKED_V4, TRACKED_V6,
        },
    },
};

pub(super) fn cases(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, spec) in [
        ("nat, IPv4", MOVING_V4_TCP),
        ("dsr, IPv6", MOVING_V6_TCP),
        ("ipip", MOVING_V4_IPIP),
        ("gue", MOVING_V6_GUE),
        ("quic, IPv4", QUIC_V4),
        ("quic, IPv6", QUIC_V6),
    ] {
        cases.extend(Scene { links, what, spec }.moving());
    }
    for (what, spec) in [("tracked, IPv4", TRACKED_V4), ("tracked, IPv6", TRACKED_V6)] {
        cases.extend(Scene { links, what, spec }.tracked());
    }
    for (what, spec) in
        [("full-nat, IPv4", FULL_V4_TCP_MOVING), ("full-nat, IPv6", FULL_V6_UDP_MOVING)]
    {
        cases.extend(Scene { links, what, spec }.full_nat());
    }
    for (what, spec, ports) in [
        ("IPv4", SPREAD_V4, [(40_000, 0), (40_008, 1), (40_002, 2), (40_001, 3)]),
        ("IPv6", SPREAD_V6, [(40_000, 0), (40_004, 1), (40_001, 2), (40_002, 3)]),
    ] {
        for (port, place) in ports {
            let packet = spec.request().source_port(port);
            let scene = Scene { links, what, spec };
            let draft = scene.case(&format!("port {port}"), &packet);
            cases.push(scene.reaches(draft, place, &packet));
        }
    }
    cases
}

struct Scene<'a> {
    links: &'a Links,
    what: &'static str,
    spec: Spec,
}

impl Scene<'_> {
    /// An error about the flow of a request.
    fn case(&self, name: &str, packet: &Packet) -> Draft {
        let name = format!("error, {}: {name}", self.what);
        case(name, self.links.front, usual(packet.clone()).to_service().build())
    }

    fn reaches(&self, draft: Draft, place: u32, packet: &Packet) -> Case {
        let back = Verdict::Redirect { ifindex: self.links.back };
        let expected = usual(packet.clone()).to_backend(&self.spec, place, packet.from).build();
        draft.relays_to(place, back, &self.spec, expected)
    }

    fn moving(&self) -> Vec<Case> {
        let new = |name: &str, slot: u32, place: u32| {
            let packet = self.spec.request_in(slot);
            self.reaches(self.case(name, &packet), place, &packet)
        };
        let known = |name: &str, slot: u32, flow: fn(Flow) -> Flow, of: u32, place: u32| {
            let packet = self.spec.request_in(slot);
            let entry = self.spec.flow(of, &packet, FlowState::Opening).epoch(EPOCH).age(9);
            let draft = self.case(name, &packet).with_flows([flow(entry)]);
            self.reaches(draft, place, &packet)
        };
        let same = |flow| flow;
        vec![
            new("settled slot", SETTLED, OWNER),
            new("moved slot", MOVED, PREVIOUS),
            new("from a dead backend", FROM_DEAD, OWNER),
            new("from nobody", FROM_NOBODY, OWNER),
            new("to nobody", TO_NOBODY, PREVIOUS),
            new("there and back", THERE_AND_BACK, OWNER),
            new("from a leaving backend", FROM_LEAVING, LEAVING),
            new("to a dead backend", TO_DEAD, PREVIOUS),
            known("flow of the owner", MOVED, same, OWNER, OWNER),
            known("flow of one between", MOVED, same, BETWEEN, BETWEEN),
            known("flow of a dead backend", MOVED, same, DEAD, OWNER),
            known("flow of another epoch", MOVED, |flow| flow.epoch(EPOCH - 1), BETWEEN, PREVIOUS),
            known("flow in a settled slot", SETTLED, same, BETWEEN, OWNER),
        ]
    }

    fn tracked(&self) -> Vec<Case> {
        let packet = self.spec.request_in(MOVED);
        let known = |name: &str, of: u32, place: u32, age: u32| {
            let flow = self.spec.flow(of, &packet, FlowState::Open).age(age);
            self.reaches(self.case(name, &packet).with_flows([flow]), place, &packet)
        };
        vec![
            self.reaches(self.case("unknown flow", &packet), OWNER, &packet),
            known("flow of the owner", OWNER, OWNER, 1),
            known("flow of another", BETWEEN, BETWEEN, 1),
            known("flow of a leaving backend", LEAVING, LEAVING, 1),
            known("flow of a dead backend", DEAD, OWNER, 1),
            known("flow that is over", BETWEEN, BETWEEN, u32::from(IDLE) + 10),
        ]
    }

    fn full_nat(&self) -> Vec<Case> {
        let back = Verdict::Redirect { ifindex: self.links.back };
        let packet = self.spec.request_in(MOVED);
        let source = self.spec.translated_source(&packet);
        let known = |name: &str, of: u32| {
            let (flow, way) = self.spec.translation(of, &packet, source, FlowState::Opening);
            self.case(name, &packet).with_flows([flow.age(3)]).with_ways([way.age(4)])
        };
        let reaches = |name: &str, of: u32| {
            let expected = usual(packet.clone()).to_backend(&self.spec, of, source).build();
            known(name, of).relays_to(of, back, &self.spec, expected)
        };
        vec![
            reaches("flow of the owner", OWNER),
            reaches("flow of the previous owner", PREVIOUS),
            reaches("flow of one between", BETWEEN),
            reaches("flow of a leaving backend", LEAVING),
            known("flow of a dead backend", DEAD).drops(&self.spec, Reason::UnknownFlow),
            self.case("unknown flow", &packet).drops(&self.spec, Reason::UnknownFlow),
        ]
    }
}
