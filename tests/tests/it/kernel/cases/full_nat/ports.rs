//! Source ports: one after the other is tried, and the first is taken from a flow that is over.

use std::net::SocketAddr;

use lb_common::{
    abi::{FlowState, Reason, Verdict},
    time::CLOSING_TICKS,
};

use super::{opened, opening};
use crate::kernel::{
    case::{Case, Draft, case},
    memory::{Flow, WayBack},
    network::Links,
    packet::Packet,
    services::{
        IDLE, Spec,
        full_nat::{FULL_V4_TCP_FEW, FULL_V4_UDP_ONE, FULL_V6_UDP_FEW},
    },
};

/// Ports that are tried.
const TRIES: u16 = 16;

pub(super) fn cases(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    let few = Scene { links, what: "full-nat, 20 ports", spec: FULL_V4_TCP_FEW };
    for port in 40_000..40_003 {
        for taken in [0, 1, TRIES - 1, TRIES] {
            cases.push(few.with_taken(port, taken));
        }
    }
    let fewer = Scene { links, what: "full-nat, 4 ports", spec: FULL_V6_UDP_FEW };
    for port in 40_000..40_003 {
        for taken in [1, 3, 4] {
            cases.push(fewer.with_taken(port, taken));
        }
    }
    cases.extend(Scene { links, what: "full-nat, 1 port", spec: FULL_V4_UDP_ONE }.reclaimed());
    cases.push(skipped(links));
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

    /// So many ports, from the first that is tried on, are taken by other clients.
    fn with_taken(&self, client_port: u16, taken: u16) -> Case {
        let spec = &self.spec;
        let packet = opening(spec).source_port(client_port);
        let name = format!("port {client_port}, {taken} taken");
        let others = (0..taken).map(|tries| self.other(&packet, tries));
        let (flows, ways): (Vec<_>, Vec<_>) = others.unzip();
        let draft = self.case(&name, &packet).with_flows(flows.clone()).with_ways(ways.clone());
        let ports = spec.ports.1 - spec.ports.0 + 1;
        if taken >= TRIES.min(ports) {
            return draft.drops(spec, Reason::PortsExhausted);
        }
        self.opens(draft, &packet, taken, flows, ways)
    }

    /// Source that is tried after so many others.
    fn source(&self, packet: &Packet, tries: u16) -> SocketAddr {
        let first = self.spec.translated_source(packet);
        (first.ip(), self.spec.port_after(first.port(), tries)).into()
    }

    /// Another client's flow with a source that the packet's flow would try.
    fn other(&self, packet: &Packet, tries: u16) -> (Flow, WayBack) {
        let request = self.spec.request().source_port(5000 + tries);
        let (flow, way) =
            self.spec.translation(0, &request, self.source(packet, tries), FlowState::Open);
        (flow.age(3), way.age(4))
    }

    fn opens(
        &self,
        draft: Draft,
        packet: &Packet,
        tries: u16,
        mut flows: Vec<Flow>,
        mut ways: Vec<WayBack>,
    ) -> Case {
        let spec = &self.spec;
        let source = self.source(packet, tries);
        let (flow, way) = spec.translation(0, packet, source, opened(spec));
        flows.push(flow);
        ways.push(way);
        let back = Verdict::Redirect { ifindex: self.links.back };
        draft.forwards(back, spec, spec.delivered(packet).from(source).build()).leaves(flows, ways)
    }

    /// The only port has an entry; whether somebody uses it is the question.
    fn reclaimed(&self) -> Vec<Case> {
        let packet = opening(&self.spec);
        let idle = u32::from(IDLE);
        let (flow, way) = self.other(&packet, 0);
        let aged = |flow_age, way_age| (flow.clone().age(flow_age), way.clone().age(way_age));
        let closing = |flow_age, way_age| {
            let (flow, way) = aged(flow_age, way_age);
            (flow.state(FlowState::Closing), way.state(FlowState::Closing))
        };
        let draft = |name: &str, (flow, way): (Flow, WayBack)| {
            self.case(name, &packet).with_flows([flow]).with_ways([way])
        };
        let freed = |name: &str, other| self.opens(draft(name, other), &packet, 0, vec![], vec![]);
        let taken =
            |name: &str, other| draft(name, other).drops(&self.spec, Reason::PortsExhausted);
        // The client has opened another flow since, with another source.
        let source = (self.source(&packet, 0).ip(), 4001).into();
        let (moved_on, _) = self.spec.translation(
            0,
            &self.spec.request().source_port(5000),
            source,
            FlowState::Open,
        );
        vec![
            taken("in use", aged(0, 0)),
            taken("just not over", aged(idle, idle - 1)),
            taken("over for the backend alone", aged(idle - 1, idle)),
            taken("just not over, closing", closing(CLOSING_TICKS, CLOSING_TICKS - 1)),
            freed("over", aged(idle, idle)),
            freed("over, closing", closing(CLOSING_TICKS, CLOSING_TICKS)),
            self.opens(
                self.case("over, the flow is gone", &packet).with_ways([way.clone().age(idle)]),
                &packet,
                0,
                vec![],
                vec![],
            ),
            self.opens(
                draft("over, its client has moved on", (moved_on.clone(), way.age(idle))),
                &packet,
                0,
                vec![moved_on],
                vec![],
            ),
        ]
    }
}

/// Only the first port is taken from a flow that is over; those behind it wait for the sweep.
fn skipped(links: &Links) -> Case {
    let scene = Scene { links, what: "full-nat, 20 ports", spec: FULL_V4_TCP_FEW };
    let packet = opening(&scene.spec);
    let others = (0..4).map(|tries| scene.other(&packet, tries));
    let (mut flows, mut ways): (Vec<_>, Vec<_>) = others.unzip();
    let over = |index: usize, flows: &mut Vec<Flow>, ways: &mut Vec<WayBack>| {
        if let (Some(flow), Some(way)) = (flows.get_mut(index), ways.get_mut(index)) {
            (flow.age, way.age) = (u32::from(IDLE), u32::from(IDLE));
        }
    };
    over(2, &mut flows, &mut ways);
    over(3, &mut flows, &mut ways);
    let draft = scene
        .case("two are in use, two are over", &packet)
        .with_flows(flows.clone())
        .with_ways(ways.clone());
    scene.opens(draft, &packet, 4, flows, ways)
}
