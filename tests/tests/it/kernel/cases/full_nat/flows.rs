//! Flows that are remembered: how they go on, end, and make place.

use std::net::SocketAddr;

use lb_common::{
    abi::{FlowState, Reason, Verdict},
    time::{CLOSING_TICKS, OPENING_TICKS},
    wire::transport::TCP,
};

use super::{EACH, both, opened, opening, opens};
use crate::kernel::{
    case::{Case, Draft, case},
    memory::{Flow, WayBack},
    network::Links,
    packet::{Flags, Packet},
    services::{
        IDLE, Spec,
        full_nat::{FULL_V4_TCP, FULL_V6_TCP, FULL_V6_UDP},
    },
};

const OPENING: FlowState = FlowState::Opening;
const OPEN: FlowState = FlowState::Open;
const CLOSING: FlowState = FlowState::Closing;

pub(super) fn cases(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, spec) in EACH {
        let scene = Scene { links, what, spec };
        cases.extend(scene.going_on());
        if spec.protocol == TCP {
            cases.extend(scene.ending());
        }
    }
    let tcp = Scene { links, what: "full-nat, IPv4, TCP", spec: FULL_V4_TCP };
    cases.extend(tcp.over());
    cases.extend(tcp.full_tables());
    let udp = Scene { links, what: "full-nat, IPv6, UDP", spec: FULL_V6_UDP };
    cases.extend(udp.over_udp());
    cases.extend(udp.full_tables());
    let tcp6 = Scene { links, what: "full-nat, IPv6, TCP", spec: FULL_V6_TCP };
    cases.extend(tcp6.over());
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

    /// Not the source that a new flow would get.
    fn other_source(&self) -> SocketAddr {
        let source = self.spec.translated_source(&self.spec.request());
        (source.ip(), 4321).into()
    }

    /// Both ways of the flow of the client, from the other source.
    fn known(&self, state: FlowState) -> (Flow, WayBack) {
        self.spec.translation(0, &self.spec.request(), self.other_source(), state)
    }

    /// The packet goes where its flow goes, which is only seen and in a state afterwards.
    fn follows(&self, name: &str, packet: &Packet, before: FlowState, after: FlowState) -> Case {
        let (flow, way) = self.known(before);
        let (flow, way) = (flow.age(8), way.age(9));
        let draft = self.case(name, packet).with_flows([flow.clone()]).with_ways([way.clone()]);
        self.reaches(draft, packet).leaves([flow.age(0).state(after)], [way])
    }

    fn reaches(&self, draft: Draft, packet: &Packet) -> Case {
        let back = Verdict::Redirect { ifindex: self.links.back };
        let expected = self.spec.delivered(packet).from(self.other_source()).build();
        draft.forwards(back, &self.spec, expected)
    }

    fn going_on(&self) -> Vec<Case> {
        let data = self.spec.request();
        vec![
            self.follows("second packet", &data, OPENING, OPEN),
            self.follows("later packet", &data, OPEN, OPEN),
            self.follows("later packet of a flow that closes", &data, CLOSING, CLOSING),
        ]
    }

    fn ending(&self) -> Vec<Case> {
        let (syn, data) = (self.spec.request().syn(), self.spec.request());
        let (flow, way) = self.known(CLOSING);
        let again = self.case("the port is used again", &syn).with_flows([flow]).with_ways([way]);
        let (flow, way) = (self.known(OPEN).0, self.known(CLOSING).1);
        let half = self.case("used again, the backend closed", &syn);
        let half = half.with_flows([flow]).with_ways([way]);
        let alone = self.known(CLOSING).0;
        let alone = self.case("used again, without a way back", &syn).with_flows([alone]);
        vec![
            self.follows("FIN", &data.clone().flags(Flags::Closes), OPEN, CLOSING),
            self.follows("FIN at once", &data.clone().flags(Flags::Closes), OPENING, CLOSING),
            self.follows("RST", &data.flags(Flags::Resets), OPEN, CLOSING),
            self.follows("SYN once more", &syn, OPENING, OPENING),
            self.follows("SYN of an open flow", &syn, OPEN, OPEN),
            opens(self.links, again, &self.spec, 0, &syn),
            opens(self.links, half, &self.spec, 0, &syn),
            opens(self.links, alone, &self.spec, 0, &syn),
        ]
    }

    /// A flow is over when both ends have been silent for its time.
    fn over(&self) -> Vec<Case> {
        let data = self.spec.request();
        let idle = u32::from(IDLE);
        let aged = |state, flow_age, way_age| {
            let (flow, way) = self.known(state);
            (flow.age(flow_age), way.age(way_age))
        };
        let alive = |name: &str, (flow, way): (Flow, WayBack), after: FlowState| {
            let draft = self.case(name, &data).with_flows([flow.clone()]).with_ways([way.clone()]);
            self.reaches(draft, &data).leaves([flow.age(0).state(after)], [way])
        };
        let over = |name: &str, (flow, way): (Flow, WayBack)| {
            self.case(name, &data)
                .with_flows([flow])
                .with_ways([way])
                .drops(&self.spec, Reason::UnknownFlow)
                .leaves([], [])
        };
        let syn = data.clone().syn();
        let (flow, way) = aged(OPEN, idle, idle);
        let again =
            self.case("SYN of a flow that is over", &syn).with_flows([flow]).with_ways([way]);
        let lonely =
            self.case("over, without a way back", &data).with_flows([aged(OPEN, idle, 0).0]);
        vec![
            alive("just not over", aged(OPEN, idle - 1, idle), OPEN),
            alive("over, but the backend sends", aged(OPEN, idle, idle - 1), OPEN),
            alive("just not over, opening", aged(OPENING, OPENING_TICKS - 1, 900), OPEN),
            alive("just not over, closing", aged(CLOSING, CLOSING_TICKS - 1, 900), CLOSING),
            over("over", aged(OPEN, idle, idle)),
            over("over, opening", aged(OPENING, OPENING_TICKS, OPENING_TICKS)),
            over("over, closing", aged(CLOSING, CLOSING_TICKS, CLOSING_TICKS)),
            opens(self.links, again, &self.spec, 0, &syn),
            lonely.drops(&self.spec, Reason::UnknownFlow).leaves([], []),
        ]
    }

    fn over_udp(&self) -> Vec<Case> {
        let packet = self.spec.request();
        let idle = u32::from(IDLE);
        let (flow, way) = self.known(OPEN);
        let draft = |name, flow_age, way_age| {
            self.case(name, &packet)
                .with_flows([flow.clone().age(flow_age)])
                .with_ways([way.clone().age(way_age)])
        };
        vec![
            self.reaches(draft("just not over", idle - 1, idle), &packet)
                .leaves([flow.clone()], [way.clone().age(idle)]),
            opens(self.links, draft("over", idle, idle), &self.spec, 0, &packet),
        ]
    }

    /// Nothing is left of a flow for which one of the tables has no room.
    fn full_tables(&self) -> Vec<Case> {
        let packet = opening(&self.spec);
        let flows = || super::super::others(&self.spec);
        let ways = || {
            let way = |flow: Flow| WayBack {
                from: self.spec.backend(0),
                to: (self.other_source().ip(), flow.from.port()).into(),
                protocol: flow.protocol,
                backend: flow.backend,
                service: flow.service,
                age: flow.age,
                state: flow.state,
                client: flow.from,
                vip: flow.to,
            };
            flows().into_iter().map(way)
        };
        // What is known already needs no room.
        let (flow, way) = both(&self.spec, 0, &packet, opened(&self.spec));
        let known = |others: Vec<Flow>| {
            let rest = others.into_iter().skip(1);
            std::iter::once(flow.clone()).chain(rest).collect::<Vec<_>>()
        };
        let back = Verdict::Redirect { ifindex: self.links.back };
        vec![
            self.case("no room for the flow", &packet)
                .with_flows(flows())
                .drops(&self.spec, Reason::FlowTableFull),
            self.case("no room for the way back", &packet)
                .with_ways(ways())
                .drops(&self.spec, Reason::FlowTableFull),
            self.case("a known flow, both tables full", &packet)
                .with_flows(known(flows()))
                .with_ways(std::iter::once(way.clone()).chain(ways().skip(1)))
                .forwards(back, &self.spec, self.spec.delivered(&packet).build()),
        ]
    }
}
