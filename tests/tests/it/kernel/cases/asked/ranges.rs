//! Ranges of ports: whose a port is, that packets keep it, and whose replies are whose.

use lb_common::{
    abi::{FlowState, Reason, Verdict},
    wire::transport::TCP,
};

use super::{arrives, reaches, way_out};
use crate::kernel::{
    case::{Case, case},
    memory::{Flow, WayBack},
    network::{CLIENT_MAC, FRONT_MAC, Links},
    packet::Packet,
    services::{
        Spec,
        asked::{
            ANY_DSR_V4, ANY_GUE_V6, EXACT_V4, EXACT_V6, RANGE_DSR_V4, RANGE_FULL_V4, RANGE_FULL_V6,
            RANGE_IPIP_V6, RANGE_NAT_V4, RANGE_NAT_V6,
        },
        icmp::{Report, no_port},
    },
};

const OPEN: FlowState = FlowState::Open;

pub(super) fn cases(links: &Links) -> Vec<Case> {
    let mut cases = ports(links);
    for (what, spec, ports) in [
        ("range, nat, IPv4", RANGE_NAT_V4, [8000, 8042, 8099]),
        ("range, nat, IPv6", RANGE_NAT_V6, [5000, 5999, 6000]),
        ("range, full-nat, IPv4", RANGE_FULL_V4, [2000, 2001, 2001]),
        ("range, full-nat, IPv6", RANGE_FULL_V6, [2000, 2001, 2001]),
    ] {
        cases.extend(there_and_back(links, what, &spec, &ports[..2]));
        cases.extend(errors(links, what, &spec, ports[1]));
        cases.extend(strangers(links, what, &spec));
    }
    cases
}

/// Whose a port is.
fn ports(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    let of_v4 = [
        (1, &ANY_DSR_V4),
        (7999, &ANY_DSR_V4),
        (8000, &RANGE_NAT_V4),
        (8049, &RANGE_NAT_V4),
        (8050, &EXACT_V4),
        (8051, &RANGE_NAT_V4),
        (8099, &RANGE_NAT_V4),
        (8100, &ANY_DSR_V4),
        (8999, &ANY_DSR_V4),
        (9000, &RANGE_DSR_V4),
        (9001, &ANY_DSR_V4),
        (65_535, &ANY_DSR_V4),
    ];
    let of_v6 = [
        (1, &ANY_GUE_V6),
        (4999, &ANY_GUE_V6),
        (5000, &RANGE_NAT_V6),
        (5353, &EXACT_V6),
        (6000, &RANGE_NAT_V6),
        (6001, &ANY_GUE_V6),
        (7000, &RANGE_IPIP_V6),
        (7999, &RANGE_IPIP_V6),
        (8000, &ANY_GUE_V6),
        (65_535, &ANY_GUE_V6),
    ];
    for (family, all) in [("IPv4", &of_v4[..]), ("IPv6", &of_v6[..])] {
        for (port, spec) in all {
            let packet = spec.request().destination_port(*port);
            let draft = arrives(links, format!("ports, {family}: {port}"), &packet);
            let remembers = [RANGE_NAT_V4.id, RANGE_NAT_V6.id].contains(&spec.id);
            let way = remembers.then(|| spec.way_back(0, &packet, OPEN));
            cases.push(reaches(links, draft, spec, 0, &packet).leaves([], way));
        }
        let to_zero = all[0].1.request().destination_port(0);
        let name = format!("ports, {family}: 0 is none");
        cases.push(arrives(links, name, &to_zero).passes(Reason::NotOurs));
    }
    // Another protocol at the same address, and a range without others.
    for (name, spec, port) in [
        ("the port before", RANGE_FULL_V4, 1999),
        ("the port behind", RANGE_FULL_V4, 2002),
        ("the port before, IPv6", RANGE_FULL_V6, 1999),
        ("the port behind, IPv6", RANGE_FULL_V6, 2002),
    ] {
        let packet = spec.request().destination_port(port);
        cases.push(arrives(links, format!("ports: {name}"), &packet).passes(Reason::NotOurs));
    }
    cases
}

/// What is remembered of the flow of a request.
fn remembered(spec: &Spec, request: &Packet, state: FlowState) -> (Option<Flow>, WayBack) {
    if spec.source_prefix().is_none() {
        return (None, spec.way_back(0, request, state));
    }
    let (flow, way) = spec.translation(0, request, spec.translated_source(request), state);
    (Some(flow), way)
}

/// A request to each port, and the reply that it remembers.
fn there_and_back(links: &Links, what: &str, spec: &Spec, ports: &[u16]) -> Vec<Case> {
    let front = Verdict::Redirect { ifindex: links.front };
    let mut cases = Vec::new();
    for port in ports {
        let packet = spec.request().destination_port(*port).syn();
        let state = if spec.protocol == TCP { FlowState::Opening } else { OPEN };
        let (flow, way) = remembered(spec, &packet, state);
        let draft = arrives(links, format!("{what}: to port {port}"), &packet);
        let opens = reaches(links, draft, spec, 0, &packet);
        cases.push(opens.leaves(flow.clone(), [way.clone()]));

        let reply = spec.reply(way.to).from(way.from);
        let expected = spec.returned(&reply, CLIENT_MAC).to(way.client).from(way.vip);
        let open = WayBack { state: OPEN, ..way.clone() };
        cases.push(
            case(format!("{what}: from port {port}"), links.back, reply.build())
                .with_flows(flow.clone())
                .with_ways([way])
                .returns(front, spec, expected.build())
                .leaves(flow, [open]),
        );
    }
    cases
}

/// An ICMP error about a packet of a flow, from either side.
fn errors(links: &Links, what: &str, spec: &Spec, port: u16) -> Vec<Case> {
    let request = spec.request().destination_port(port);
    let (flow, way) = remembered(spec, &request, OPEN);
    let by = |from| Report::new(request.clone(), from, no_port(request.is_v4()));
    let (by_client, by_backend) = (by(request.from.ip()), by(spec.backend(0).ip()));
    let to_backend = by_client.to_backend(spec, 0, way.to);
    let to_client = by_backend.to_client(spec, request.to.ip());
    let to_client = to_client.link(CLIENT_MAC, FRONT_MAC).ttl(63);
    let arrives = |name: &str, ingress, error: Packet| {
        case(format!("{what}: {name}"), ingress, error.build())
            .with_flows(flow.clone())
            .with_ways([way.clone()])
    };
    vec![
        arrives("error of the client", links.front, by_client.to_service()).relays_to(
            0,
            way_out(links, spec),
            spec,
            to_backend.build(),
        ),
        arrives("error of the backend", links.back, by_backend.to_balancer(spec, 0, way.to))
            .gives_back(Verdict::Redirect { ifindex: links.front }, spec, to_client.build()),
    ]
}

/// What a backend sends of its own accord is none of the service's.
fn strangers(links: &Links, what: &str, spec: &Spec) -> Vec<Case> {
    let client = spec.request().from;
    let from = |packet: Packet, port: u16| packet.source_port(port);
    let reply = spec.reply(client);
    let of_flow = spec.way_back(0, &spec.request(), OPEN);
    vec![
        case(
            format!("{what}: opened by the backend"),
            links.back,
            from(reply.clone().syn(), 8042).build(),
        )
        .passes(Reason::NotOurs),
        case(format!("{what}: from another port"), links.back, from(reply, 8043).build())
            .with_ways([of_flow])
            .passes(Reason::NotOurs),
    ]
}
