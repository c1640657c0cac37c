//! About packets to backends: to the clients that sent them, as they know the flow.

use std::net::{IpAddr, SocketAddr};

use lb_common::abi::{FlowState, Reason, Verdict};

use super::{errors, headers, kinds, quotes, to_front, usual};
use crate::kernel::{
    case::{Case, Draft, case},
    memory::WayBack,
    network::{
        BACK_CLIENT, BACK_CLIENT_MAC, BACK_MAC, CLIENT_MAC, FAR, FRONT_MAC, IN_VLAN, IN_VLANS,
        Links, NOWHERE, OWN, ROUTER_MAC, SMALL, UNREACHABLE, UNRESOLVED, VLAN, VLAN_CLIENT_MAC,
        VLAN_MAC, VLANS,
    },
    packet::{Mac, Packet, Tag, patched},
    services::{
        NAT_V4_TCP, NAT_V4_UDP, NAT_V6_TCP, NAT_V6_UDP, Spec, address,
        full_nat::{FULL_V4_TCP, FULL_V4_UDP, FULL_V6_TCP, FULL_V6_UDP},
        icmp::Report,
        shared::{MIXED_FULL, MIXED_NAT, SHARED_V4_TCP, SHARED_V4_TCP_2, SHARED_V6_UDP_2},
    },
};

pub(super) fn cases(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, spec, remembered) in [
        ("nat, IPv4, TCP", NAT_V4_TCP, false),
        ("nat, IPv4, UDP", NAT_V4_UDP, false),
        ("nat, IPv6, TCP", NAT_V6_TCP, false),
        ("nat, IPv6, UDP", NAT_V6_UDP, false),
        ("shared nat, IPv4", SHARED_V4_TCP_2, true),
        ("shared nat, IPv6", SHARED_V6_UDP_2, true),
        ("shared nat, not remembered", SHARED_V4_TCP, false),
        ("nat beside full-nat", MIXED_NAT, false),
        ("full-nat beside nat", MIXED_FULL, true),
        ("full-nat, IPv4, TCP", FULL_V4_TCP, true),
        ("full-nat, IPv4, UDP", FULL_V4_UDP, true),
        ("full-nat, IPv6, TCP", FULL_V6_TCP, true),
        ("full-nat, IPv6, UDP", FULL_V6_UDP, true),
    ] {
        let scene = Scene { links, what, spec, remembered };
        cases.extend(scene.kinds());
        cases.extend(scene.changes());
        cases.extend(scene.ways());
        cases.extend(scene.unsent());
        cases.extend(scene.damaged());
        // Of an address that a `nat` service has, too, it would be for that one.
        if remembered && spec.ports != (0, 0) && spec.id != MIXED_FULL.id {
            cases.push(scene.unknown());
        }
    }
    cases.extend(direct(links));
    cases
}

struct Scene<'a> {
    links: &'a Links,
    what: &'static str,
    spec: Spec,
    /// The way back of its flows is remembered.
    remembered: bool,
}

impl Scene<'_> {
    /// The way back of a flow, and whom the backend knows as its client.
    fn way(&self, request: &Packet) -> (Option<WayBack>, SocketAddr) {
        if !self.remembered {
            return (None, request.from);
        }
        let is_full_nat = self.spec.ports != (0, 0);
        let source = if is_full_nat { self.spec.translated_source(request) } else { request.from };
        let (_, way) = self.spec.translation(0, request, source, FlowState::Opening);
        (Some(way.age(5)), source)
    }

    fn draft(&self, name: &str, report: &Report) -> Draft {
        let (way, source) = self.way(&report.request);
        let input = report.to_balancer(&self.spec, 0, source).build();
        case(format!("error from {}: {name}", self.what), self.links.back, input).with_ways(way)
    }

    fn given_back(&self, name: &str, report: &Report) -> Case {
        self.given_back_by(name, report, CLIENT_MAC)
    }

    fn given_back_by(&self, name: &str, report: &Report, hop: Mac) -> Case {
        let expected = self.expected(report).link(hop, FRONT_MAC);
        self.draft(name, report).gives_back(to_front(self.links), &self.spec, expected.build())
    }

    /// The client does not know the backend, but may know a router.
    fn expected(&self, report: &Report) -> Packet {
        let error = self.as_the_client_knows_it(report);
        let ttl = error.ttl - 1;
        error.tags(&[]).ttl(ttl)
    }

    fn as_the_client_knows_it(&self, report: &Report) -> Packet {
        let by_backend = report.from == self.spec.backend(0).ip();
        let from = if by_backend { self.spec.vip().ip() } else { report.from };
        report.to_client(&self.spec, from)
    }

    /// Each kind, by a router and by the backend itself.
    fn kinds(&self) -> Vec<Case> {
        let request = self.spec.request();
        let mut cases = Vec::new();
        for (kind, message) in kinds(request.is_v4()) {
            let router = Report { message, ..usual(request.clone()) };
            cases.push(self.given_back(kind, &router));
            let backend = Report { from: self.spec.backend(0).ip(), ..router };
            cases.push(self.given_back(&format!("{kind}, by the backend"), &backend));
        }
        cases
    }

    fn changes(&self) -> Vec<Case> {
        let usual = usual(self.spec.request());
        let is_v4 = usual.request.is_v4();
        let errors = errors(is_v4)
            .into_iter()
            .map(|(what, error)| self.given_back(what, &Report { error, ..usual.clone() }));
        let abouts = quotes(is_v4, self.spec.protocol)
            .into_iter()
            .map(|(what, about)| self.given_back(what, &Report { about, ..usual.clone() }));
        let lengths = [4, 8, 16, 18].into_iter().map(|bytes| {
            let quoted = headers(is_v4) + bytes;
            self.given_back(&format!("{bytes} bytes quoted"), &Report { quoted, ..usual.clone() })
        });
        errors.chain(abouts).chain(lengths).collect()
    }

    fn client(&self, [v4, v6]: [&str; 2]) -> Report {
        let client = address(if self.spec.vip().is_ipv4() { v4 } else { v6 });
        usual(self.spec.request().from(client))
    }

    /// To other clients than the one next to `front`.
    fn ways(&self) -> Vec<Case> {
        let in_vlan = |name: &str, clients: [&str; 2], tags: &[Tag]| {
            let report = self.client(clients);
            let expected = self.expected(&report).link(VLAN_CLIENT_MAC, VLAN_MAC).tags(tags);
            let front = to_front(self.links);
            self.draft(name, &report).gives_back(front, &self.spec, expected.build())
        };
        let behind = self.client(BACK_CLIENT);
        let expected = self.expected(&behind).link(BACK_CLIENT_MAC, BACK_MAC);
        vec![
            self.given_back_by("through a router", &self.client(FAR), ROUTER_MAC),
            in_vlan("client in a VLAN", IN_VLAN, &VLAN),
            in_vlan("client in two VLANs", IN_VLANS, &VLANS),
            self.draft("out of the same interface", &behind).gives_back(
                Verdict::Transmit,
                &self.spec,
                expected.build(),
            ),
        ]
    }

    /// As with replies, the kernel gets what cannot be sent: of `full-nat` as the client would.
    fn unsent(&self) -> Vec<Case> {
        let is_full_nat = self.spec.ports != (0, 0);
        let left = |name: &str, report: &Report, reason| {
            let draft = self.draft(name, report);
            if is_full_nat {
                let expected = self.as_the_client_knows_it(report).build();
                return draft.passes_as(&self.spec, reason, expected);
            }
            if reason == Reason::ReplyToBalancer {
                return draft.passes(reason);
            }
            draft.passes_for(&self.spec, reason)
        };
        let new = self.client(UNRESOLVED);
        let expected = self.as_the_client_knows_it(&new).build();
        let last = Report { error: |error| error.ttl(1), ..usual(self.spec.request()) };
        let mut large = self.client(SMALL);
        large.about = |about| about.ip_len(1300);
        vec![
            self.draft("new neighbour", &new).passes_as(
                &self.spec,
                Reason::ReplyUnresolved,
                expected,
            ),
            left("not allowed", &self.client(UNREACHABLE), Reason::ReplyUnroutable),
            left("too large", &large, Reason::ReplyTooBig),
            left("to the balancer", &self.client(OWN), Reason::ReplyToBalancer),
            left("to nowhere", &self.client(NOWHERE), Reason::ReplyToBalancer),
            self.draft("TTL 1", &last).drops(&self.spec, Reason::TtlExpired),
        ]
    }

    /// What is damaged arrives as damaged as it was.
    fn damaged(&self) -> Vec<Case> {
        let report = usual(self.spec.request());
        let (way, source) = self.way(&report.request);
        let input = report.to_balancer(&self.spec, 0, source).build();
        let expected = self.expected(&report).link(CLIENT_MAC, FRONT_MAC).build();
        let last = input.len() - 1;
        let name = format!("error from {}: damaged", self.what);
        vec![case(name, self.links.back, patched(input, last, b"?")).with_ways(way).gives_back(
            to_front(self.links),
            &self.spec,
            patched(expected, last, b"?"),
        )]
    }

    /// Nobody knows whose flow it was.
    fn unknown(&self) -> Case {
        let report = usual(self.spec.request());
        let (_, source) = self.way(&report.request);
        let input = report.to_balancer(&self.spec, 0, source).build();
        let name = format!("error from {}: unknown flow", self.what);
        case(name, self.links.back, input).passes(Reason::NotOurs)
    }
}

/// The client speaks to the backend past the service, and hears of it the same way.
fn direct(links: &Links) -> Vec<Case> {
    [("IPv4", NAT_V4_TCP), ("IPv6", NAT_V6_UDP)]
        .map(|(what, spec)| {
            let request = spec.request().to(spec.backend(0));
            let report = usual(request.clone());
            let from: IpAddr = spec.backend(0).ip();
            let error = Report { from, ..report }.to_balancer(&spec, 0, request.from);
            case(format!("error, direct, {what}"), links.back, error.build())
                .after(links.front, request.build())
                .passes(Reason::ReplyDirect)
        })
        .into()
}
