//! `nat` backends that several services share: whose reply is whose is remembered.

use lb_common::abi::{FlowState, Reason, Verdict};

use crate::kernel::{
    case::{Case, Draft, case},
    memory::WayBack,
    network::{CLIENT_MAC, Links, OWN},
    packet::{Flags, Packet},
    services::{
        IDLE, Spec, address,
        icmp::{expired, too_big},
        shared::{
            MIXED_FULL, MIXED_NAT, SHARED_V4_TCP, SHARED_V4_TCP_2, SHARED_V6_UDP, SHARED_V6_UDP_2,
        },
    },
};

const OPENING: FlowState = FlowState::Opening;
const OPEN: FlowState = FlowState::Open;
const CLOSING: FlowState = FlowState::Closing;

pub(crate) fn cases(links: &Links) -> Vec<Case> {
    let tcp = Pair { links, what: "shared, IPv4", first: SHARED_V4_TCP, second: SHARED_V4_TCP_2 };
    let udp = Pair { links, what: "shared, IPv6", first: SHARED_V6_UDP, second: SHARED_V6_UDP_2 };
    let mut cases = Vec::new();
    for pair in [&tcp, &udp] {
        cases.extend(pair.requests());
        cases.extend(pair.conflicts());
        cases.extend(pair.replies());
        cases.extend(pair.exceptions());
    }
    cases.extend(tcp.states());
    cases.extend(direct(&tcp));
    cases.extend(mixed(links));
    cases
}

struct Pair<'a> {
    links: &'a Links,
    what: &'static str,
    first: Spec,
    second: Spec,
}

impl Pair<'_> {
    fn request(&self, name: &str, packet: &Packet) -> Draft {
        case(format!("{}: {name}", self.what), self.links.front, packet.build())
    }

    fn forwards(&self, draft: Draft, spec: &Spec, packet: &Packet) -> Case {
        let back = Verdict::Redirect { ifindex: self.links.back };
        draft.forwards(back, spec, spec.delivered(packet).build())
    }

    fn way(spec: &Spec, state: FlowState) -> WayBack {
        spec.way_back(0, &spec.request(), state)
    }

    fn requests(&self) -> Vec<Case> {
        let new = |name: &str, spec: &Spec| {
            let packet = spec.request();
            let case = self.forwards(self.request(name, &packet), spec, &packet);
            case.leaves([], [Self::way(spec, OPEN)])
        };
        let known = |name: &str, spec: &Spec, before: FlowState, age: u32| {
            let packet = spec.request();
            let way = Self::way(spec, before).age(age);
            let case = self.forwards(self.request(name, &packet).with_ways([way]), spec, &packet);
            case.leaves([], [Self::way(spec, OPEN)])
        };
        // Of another client.
        let other = {
            let packet = self.second.request();
            let theirs = self.first.request().source_port(40_001);
            let theirs = self.first.way_back(0, &theirs, OPEN).age(1);
            let draft = self.request("to the second, another uses the first", &packet);
            self.forwards(draft.with_ways([theirs.clone()]), &self.second, &packet)
                .leaves([], [theirs, Self::way(&self.second, OPEN)])
        };
        vec![
            new("to the first", &self.first),
            new("to the second", &self.second),
            known("known, to the first", &self.first, OPEN, 8),
            known("known, to the second", &self.second, OPENING, 8),
            known("over, to the second", &self.second, OPEN, u32::from(IDLE)),
            other,
        ]
    }

    fn conflicts(&self) -> Vec<Case> {
        let idle = u32::from(IDLE);
        let conflict = |name: &str, packet: &Packet, spec: &Spec, way: WayBack| {
            self.request(name, packet).with_ways([way]).drops(spec, Reason::FlowConflict)
        };
        let (first, second) = (&self.first, &self.second);
        let packet = second.request();
        let gone = Self::way(first, OPEN).age(idle);
        vec![
            conflict("conflict", &packet, second, Self::way(first, OPEN).age(3)),
            conflict("conflict, the other way", &first.request(), first, Self::way(second, OPEN)),
            conflict("conflict, just", &packet, second, Self::way(first, OPEN).age(idle - 1)),
            self.forwards(
                self.request("no conflict, it is over", &packet).with_ways([gone]),
                second,
                &packet,
            )
            .leaves([], [Self::way(second, OPEN)]),
        ]
    }

    fn replies(&self) -> Vec<Case> {
        let front = Verdict::Redirect { ifindex: self.links.front };
        let reply = self.first.reply(self.first.request().from);
        let draft =
            |name: &str| case(format!("{}: {name}", self.what), self.links.back, reply.build());
        let known = |name: &str, spec: &Spec, before: FlowState| {
            draft(name)
                .with_ways([Self::way(spec, before).age(7)])
                .returns(front, spec, spec.returned(&reply, CLIENT_MAC).build())
                .leaves([], [Self::way(spec, OPEN)])
        };
        vec![
            known("reply of the first", &self.first, OPEN),
            known("reply of the second", &self.second, OPEN),
            known("first reply of the second", &self.second, OPENING),
            // Older than the second service.
            draft("reply that nobody remembers").returns(
                front,
                &self.first,
                self.first.returned(&reply, CLIENT_MAC).build(),
            ),
        ]
    }

    fn exceptions(&self) -> Vec<Case> {
        let spec = &self.second;
        let [v4, v6] = OWN.map(address);
        let own = if spec.vip().is_ipv4() { v4 } else { v6 };
        let packet = spec.request();
        let last = packet.clone().ttl(1);
        let large = packet.clone().ip_len(1501);
        let ways = || {
            super::others(spec).into_iter().map(|flow| {
                let request = packet.clone().from(flow.from);
                spec.way_back(0, &request, OPEN).age(1)
            })
        };
        let reply = case(
            format!("{}: reply to the balancer", self.what),
            self.links.back,
            spec.reply(own).build(),
        );
        vec![
            reply.passes(Reason::ReplyToBalancer),
            self.request("TTL 1", &last).answers(
                spec,
                Reason::TtlExpired,
                last.refused(expired(last.is_v4())).build(),
            ),
            self.request("too large", &large).answers(
                spec,
                Reason::TooBig,
                large.refused(too_big(large.is_v4(), 1500)).build(),
            ),
            self.request("no room", &packet).with_ways(ways()).drops(spec, Reason::FlowTableFull),
        ]
    }

    /// Of TCP, as the client and the backend change them.
    fn states(&self) -> Vec<Case> {
        let front = Verdict::Redirect { ifindex: self.links.front };
        let spec = &self.second;
        let request = |name: &str, flags: Flags, before: FlowState, after: FlowState| {
            let packet = spec.request().flags(flags);
            let way = Self::way(spec, before).age(4);
            let case = self.forwards(self.request(name, &packet).with_ways([way]), spec, &packet);
            case.leaves([], [Self::way(spec, after)])
        };
        let reply = |name: &str, flags: Flags, before: FlowState, after: FlowState| {
            let packet = spec.reply(spec.request().from).flags(flags);
            case(format!("{}: {name}", self.what), self.links.back, packet.build())
                .with_ways([Self::way(spec, before).age(4)])
                .returns(front, spec, spec.returned(&packet, CLIENT_MAC).build())
                .leaves([], [Self::way(spec, after)])
        };
        let syn = spec.request().syn();
        let new = self.forwards(self.request("SYN", &syn), spec, &syn);
        let closed = Self::way(&self.first, CLOSING);
        let freed = self.request("SYN, the other flow closes", &syn).with_ways([closed.clone()]);
        let data = self.request("data, the other flow closes", &spec.request());
        vec![
            new.leaves([], [Self::way(spec, OPENING)]),
            request("SYN once more", Flags::Opens, OPENING, OPENING),
            request("SYN of an open flow", Flags::Opens, OPEN, OPEN),
            request("SYN of a flow that closes", Flags::Opens, CLOSING, OPENING),
            request("FIN", Flags::Closes, OPEN, CLOSING),
            request("RST", Flags::Resets, OPENING, CLOSING),
            request("data after FIN", Flags::Continues, CLOSING, CLOSING),
            reply("SYN and ACK of the backend", Flags::Accepts, OPENING, OPEN),
            reply("FIN of the backend", Flags::Closes, OPEN, CLOSING),
            reply("data of the backend after FIN", Flags::Continues, CLOSING, CLOSING),
            self.forwards(freed, spec, &syn).leaves([], [Self::way(spec, OPENING)]),
            data.with_ways([closed]).drops(spec, Reason::FlowConflict),
        ]
    }
}

/// Clients that speak to the shared backend past the services.
fn direct(pair: &Pair<'_>) -> Vec<Case> {
    let Pair { links, first, second, .. } = pair;
    let opening = first.request().syn().to(first.backend(0));
    let reply = first.reply(first.request().from);
    let front = Verdict::Redirect { ifindex: links.front };
    let service = second.request().syn();
    vec![
        case("shared: reply to a direct flow", links.back, reply.build())
            .after(links.front, opening.build())
            .passes(Reason::ReplyDirect),
        case("shared: reply to a flow that was direct before", links.back, reply.build())
            .after(links.front, opening.build())
            .after(links.front, service.build())
            .returns(front, second, second.returned(&reply, CLIENT_MAC).build())
            .leaves([], [Pair::way(second, OPEN)]),
    ]
}

/// `nat` and `full-nat` to one backend: the destination tells the replies apart.
fn mixed(links: &Links) -> Vec<Case> {
    let front = Verdict::Redirect { ifindex: links.front };
    let back = Verdict::Redirect { ifindex: links.back };
    let client = MIXED_NAT.request().from;
    let request = MIXED_FULL.request().syn();
    let source = MIXED_FULL.translated_source(&request);
    let (flow, way) = MIXED_FULL.translation(0, &request, source, OPENING);
    let (to_client, to_source) = (MIXED_NAT.reply(client), MIXED_FULL.reply(source));
    let plain = MIXED_NAT.request();
    vec![
        case("mixed: to the nat service", links.front, plain.build()).forwards(
            back,
            &MIXED_NAT,
            MIXED_NAT.delivered(&plain).build(),
        ),
        case("mixed: to the full-nat service", links.front, request.build())
            .forwards(back, &MIXED_FULL, MIXED_FULL.delivered(&request).build())
            .leaves([flow], [way.clone()]),
        case("mixed: reply to a client", links.back, to_client.build())
            .with_ways([way.clone()])
            .returns(front, &MIXED_NAT, MIXED_NAT.returned(&to_client, CLIENT_MAC).build()),
        case("mixed: reply to a source", links.back, to_source.build())
            .with_ways([way.clone()])
            .returns(
                front,
                &MIXED_FULL,
                MIXED_FULL.returned(&to_source, CLIENT_MAC).to(client).build(),
            )
            .leaves([], [way.state(OPEN)]),
    ]
}
