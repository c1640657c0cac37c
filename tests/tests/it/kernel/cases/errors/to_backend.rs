//! About packets of services to clients: to the backends that sent them.

use lb_common::{abi::Reason, wire::transport::TCP};

use super::{errors, headers, kinds, of_open_flow, quotes, relayed, usual};
use crate::kernel::{
    case::{Case, case},
    network::Links,
    packet::patched,
    services::{
        DSR_V4_TCP, DSR_V4_TCP_NEW, DSR_V4_UDP, DSR_V6_TCP, DSR_V6_TCP_FRONT, DSR_V6_UDP,
        DSR_V6_UDP_NEW, DSR_V6_UDP_SMALL, EMPTY_V4_TCP, EMPTY_V6_UDP, NAT_V4_TCP, NAT_V4_TCP_FRONT,
        NAT_V4_TCP_NEW, NAT_V4_TCP_SMALL, NAT_V4_UDP, NAT_V6_TCP, NAT_V6_UDP, NAT_V6_UDP_FRONT,
        NAT_V6_UDP_NEW, Spec,
        full_nat::{FULL_V4_TCP, FULL_V4_UDP, FULL_V4_UDP_FRONT, FULL_V6_TCP, FULL_V6_UDP},
        icmp::Report,
        tagged,
        tunnels::{
            GUE_44, GUE_44_VARIED, GUE_46, GUE_64, GUE_66, GUE_66_NEW, IPIP_44, IPIP_46, IPIP_64,
            IPIP_66, IPIP_66_VARIED,
        },
    },
};

const EACH: [(&str, Spec); 20] = [
    ("nat, IPv4, TCP", NAT_V4_TCP),
    ("nat, IPv4, UDP", NAT_V4_UDP),
    ("nat, IPv6, TCP", NAT_V6_TCP),
    ("nat, IPv6, UDP", NAT_V6_UDP),
    ("dsr, IPv4, TCP", DSR_V4_TCP),
    ("dsr, IPv4, UDP", DSR_V4_UDP),
    ("dsr, IPv6, TCP", DSR_V6_TCP),
    ("dsr, IPv6, UDP", DSR_V6_UDP),
    ("full-nat, IPv4, TCP", FULL_V4_TCP),
    ("full-nat, IPv4, UDP", FULL_V4_UDP),
    ("full-nat, IPv6, TCP", FULL_V6_TCP),
    ("full-nat, IPv6, UDP", FULL_V6_UDP),
    ("ipip, 4 in 4", IPIP_44),
    ("ipip, 4 in 6", IPIP_46),
    ("ipip, 6 in 4", IPIP_64),
    ("ipip, 6 in 6", IPIP_66),
    ("gue, 4 in 4", GUE_44),
    ("gue, 4 in 6", GUE_46),
    ("gue, 6 in 4", GUE_64),
    ("gue, 6 in 6", GUE_66),
];

const OTHER_WAYS: [(&str, Spec); 12] = [
    ("nat, same interface, IPv4", NAT_V4_TCP_FRONT),
    ("nat, same interface, IPv6", NAT_V6_UDP_FRONT),
    ("dsr, same interface", DSR_V6_TCP_FRONT),
    ("full-nat, same interface", FULL_V4_UDP_FRONT),
    ("ipip, a source by the hash", IPIP_66_VARIED),
    ("gue, a source by the hash", GUE_44_VARIED),
    ("nat, one tag", tagged::NAT_V4_ONE),
    ("nat, two tags", tagged::NAT_V6_TWO),
    ("dsr, tagged", tagged::DSR_V6_ONE),
    ("ipip, tagged", tagged::IPIP_44_ONE),
    ("gue, tagged", tagged::GUE_66_TWO),
    ("full-nat, tagged", tagged::FULL_V4_TWO),
];

pub(super) fn cases(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, spec) in EACH {
        let scene = Scene { links, what, spec };
        cases.extend(scene.kinds());
        cases.extend(scene.changes());
        cases.extend(scene.lengths());
        cases.extend(scene.refused());
    }
    for (what, spec) in OTHER_WAYS {
        cases.push(Scene { links, what, spec }.relayed("usual", &usual(spec.request())));
    }
    cases.extend(no_way(links));
    cases
}

struct Scene<'a> {
    links: &'a Links,
    what: &'static str,
    spec: Spec,
}

impl Scene<'_> {
    fn name(&self, name: &str) -> String {
        format!("error to {}: {name}", self.what)
    }

    fn relayed(&self, name: &str, report: &Report) -> Case {
        relayed(self.links, self.name(name), &self.spec, report)
    }

    /// Each kind, by a router and by the client itself.
    fn kinds(&self) -> Vec<Case> {
        let request = self.spec.request();
        let mut cases = Vec::new();
        for (kind, message) in kinds(request.is_v4()) {
            let router = Report { message, ..usual(request.clone()) };
            cases.push(self.relayed(kind, &router));
            let client = Report { from: request.from.ip(), ..router };
            cases.push(self.relayed(&format!("{kind}, by the client"), &client));
        }
        cases
    }

    fn changes(&self) -> Vec<Case> {
        let usual = usual(self.spec.request());
        let is_v4 = usual.request.is_v4();
        let errors = errors(is_v4)
            .into_iter()
            .map(|(what, error)| self.relayed(what, &Report { error, ..usual.clone() }));
        let quotes = quotes(is_v4, self.spec.protocol)
            .into_iter()
            .map(|(what, about)| self.relayed(what, &Report { about, ..usual.clone() }));
        errors.chain(quotes).collect()
    }

    /// So much of the quoted packet's transport header, and with options in front of it. A checksum that
    /// is cut in two is beyond help.
    fn lengths(&self) -> Vec<Case> {
        let usual = usual(self.spec.request());
        let is_v4 = usual.request.is_v4();
        let checksum = if self.spec.protocol == TCP { 18 } else { 8 };
        let of = |bytes: usize| {
            let quoted = headers(is_v4) + bytes;
            self.relayed(&format!("{bytes} bytes quoted"), &Report { quoted, ..usual.clone() })
        };
        let mut bytes = vec![4, 5, 8, 9, checksum - 2, checksum, checksum + 1];
        bytes.sort_unstable();
        bytes.dedup();
        let mut cases: Vec<_> = bytes.into_iter().map(of).collect();
        if is_v4 {
            let about: fn(_) -> _ = |about: crate::kernel::packet::Packet| about.options(10);
            for more in [4, 8, 18] {
                let report = Report { quoted: 60 + more, about, ..usual.clone() };
                cases.push(self.relayed(&format!("{more} bytes quoted behind options"), &report));
            }
        }
        cases
    }

    fn refused(&self) -> Vec<Case> {
        let usual = usual(self.spec.request());
        let last = Report { error: |error| error.ttl(1), ..usual.clone() };
        // One byte larger than the way to the backend can carry.
        let around = usual.to_service().payload([]).network().len();
        let quote = Report { about: |about| about.ip_len(2000), ..usual.clone() };
        let length = usize::from(self.spec.largest()) + 1 - around;
        let too_large = Report { quoted: length, ..quote.clone() };
        let fits = Report { quoted: length - 1, ..quote };
        let drops = |name: &str, report: &Report, reason| {
            let packet = &report.request;
            let (flow, way) = super::open_flow(&self.spec, packet).unzip();
            case(self.name(name), self.links.front, report.to_service().build())
                .with_flows(flow)
                .with_ways(way)
                .drops(&self.spec, reason)
        };
        let mut cases = vec![
            drops("TTL 1", &last, Reason::TtlExpired),
            drops("too large", &too_large, Reason::TooBig),
            self.relayed("it just fits", &fits),
        ];
        cases.extend(self.damaged(&usual));
        cases
    }

    /// What is damaged arrives as damaged as it was.
    fn damaged(&self, usual: &Report) -> Vec<Case> {
        let client = super::open_flow(&self.spec, &usual.request)
            .map_or(usual.request.from, |(_, way)| way.to);
        let (input, expected) = (usual.to_service(), usual.to_backend(&self.spec, 0, client));
        // The last byte of the quoted payload, which no checksum in the quote covers any more.
        let at = input.build().len() - 1;
        let moved = expected.build().len() - 1;
        let (flow, way) = super::open_flow(&self.spec, &usual.request).unzip();
        vec![
            case(self.name("damaged"), self.links.front, patched(input.build(), at, b"?"))
                .with_flows(flow)
                .with_ways(way)
                .relays_to(
                    0,
                    super::way_out(self.links, &self.spec),
                    &self.spec,
                    patched(expected.build(), moved, b"?"),
                ),
        ]
    }
}

/// Where no backend can be reached, nobody is told: there are no errors about errors.
fn no_way(links: &Links) -> Vec<Case> {
    let drops = |name: &str, spec: &Spec, report: &Report, reason| {
        let draft = of_open_flow(links, format!("error, {name}"), spec, &report.to_service());
        draft.drops(spec, reason)
    };
    let plain = |name: &str, spec: &Spec, reason| {
        let report = usual(spec.request());
        case(format!("error, {name}"), links.front, report.to_service().build()).drops(spec, reason)
    };
    let large = |name: &str, spec: &Spec| {
        let report = Report { about: |about| about.ip_len(1400), ..usual(spec.request()) };
        drops(name, spec, &report, Reason::TooBig)
    };
    vec![
        plain("no backend", &EMPTY_V4_TCP, Reason::NoBackend),
        plain("a slot that names no backend", &EMPTY_V6_UDP, Reason::NoBackend),
        plain("nat, next hop unknown, IPv4", &NAT_V4_TCP_NEW, Reason::NoNextHop),
        plain("nat, next hop unknown, IPv6", &NAT_V6_UDP_NEW, Reason::NoNextHop),
        plain("dsr, next hop unknown, IPv4", &DSR_V4_TCP_NEW, Reason::NoNextHop),
        plain("dsr, next hop unknown, IPv6", &DSR_V6_UDP_NEW, Reason::NoNextHop),
        plain("gue, next hop unknown", &GUE_66_NEW, Reason::NoNextHop),
        large("small way, IPv4", &NAT_V4_TCP_SMALL),
        large("small way, IPv6", &DSR_V6_UDP_SMALL),
        plain("full-nat, unknown flow, IPv4, TCP", &FULL_V4_TCP, Reason::UnknownFlow),
        plain("full-nat, unknown flow, IPv4, UDP", &FULL_V4_UDP, Reason::UnknownFlow),
        plain("full-nat, unknown flow, IPv6, TCP", &FULL_V6_TCP, Reason::UnknownFlow),
        plain("full-nat, unknown flow, IPv6, UDP", &FULL_V6_UDP, Reason::UnknownFlow),
    ]
}
