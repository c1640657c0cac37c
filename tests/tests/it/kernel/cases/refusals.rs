//! Packets that cannot be sent on, and what their senders are told.

use lb_common::abi::Reason;

use super::of_open_flow;
use crate::kernel::{
    case::{Case, case},
    network::{CLIENT_MAC, Links},
    packet::Packet,
    services::{
        DSR_V4_UDP, DSR_V6_TCP, DSR_V6_UDP_SMALL, NAT_V4_TCP, NAT_V4_TCP_SMALL, NAT_V4_UDP,
        NAT_V6_TCP, NAT_V6_UDP, Spec, address,
        full_nat::{FULL_V4_TCP, FULL_V4_UDP, FULL_V6_TCP, FULL_V6_UDP},
        icmp::{expired, too_big},
        tunnels::{GUE_44, GUE_46, GUE_64, GUE_66, IPIP_44, IPIP_46, IPIP_64, IPIP_66},
    },
};

const EACH: [(&str, Spec); 18] = [
    ("nat, IPv4, TCP", NAT_V4_TCP),
    ("nat, IPv4, UDP", NAT_V4_UDP),
    ("nat, IPv6, TCP", NAT_V6_TCP),
    ("nat, IPv6, UDP", NAT_V6_UDP),
    ("dsr, IPv4", DSR_V4_UDP),
    ("dsr, IPv6", DSR_V6_TCP),
    ("ipip, 4 in 4", IPIP_44),
    ("ipip, 4 in 6", IPIP_46),
    ("ipip, 6 in 4", IPIP_64),
    ("ipip, 6 in 6", IPIP_66),
    ("gue, 4 in 4", GUE_44),
    ("gue, 4 in 6", GUE_46),
    ("gue, 6 in 4", GUE_64),
    ("gue, 6 in 6", GUE_66),
    ("full-nat, IPv4, TCP", FULL_V4_TCP),
    ("full-nat, IPv4, UDP", FULL_V4_UDP),
    ("full-nat, IPv6, TCP", FULL_V6_TCP),
    ("full-nat, IPv6, UDP", FULL_V6_UDP),
];

pub(crate) fn cases(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, spec) in EACH {
        let scene = Scene { links, what, spec };
        cases.extend(scene.sizes());
        cases.extend(scene.quotes());
        cases.extend(scene.silence());
    }
    for (what, spec) in
        [("small way, IPv4", NAT_V4_TCP_SMALL), ("small way, IPv6", DSR_V6_UDP_SMALL)]
    {
        cases.extend(Scene { links, what, spec }.sizes());
    }
    cases
}

struct Scene<'a> {
    links: &'a Links,
    what: &'static str,
    spec: Spec,
}

impl Scene<'_> {
    fn told(&self, name: &str, packet: &Packet, reason: Reason) -> Case {
        let is_v4 = packet.is_v4();
        let message = match reason {
            Reason::TtlExpired => expired(is_v4),
            _ => too_big(is_v4, self.spec.largest().into()),
        };
        let draft = of_open_flow(self.links, format!("{}: {name}", self.what), &self.spec, packet);
        draft.answers(&self.spec, reason, packet.refused(message).build())
    }

    /// Whether it may be fragmented does not matter: that is nothing for a program without memory.
    fn sizes(&self) -> Vec<Case> {
        let large = |more: u16| self.spec.request().ip_len((self.spec.largest() + more).into());
        let fragile = Packet { dont_fragment: false, ..large(1) };
        let padded = Packet { padding: 30, ..large(7) };
        let both = large(1).ttl(1);
        vec![
            self.told("one byte too large", &large(1), Reason::TooBig),
            self.told("two bytes too large", &large(2), Reason::TooBig),
            self.told("much too large", &large(1000), Reason::TooBig),
            self.told("too large, may be fragmented", &fragile, Reason::TooBig),
            self.told("too large, padding", &padded, Reason::TooBig),
            self.told("too large, and the last hop", &both, Reason::TtlExpired),
        ]
    }

    /// Whole words up to 128 bytes.
    fn quotes(&self) -> Vec<Case> {
        let headers = self.spec.request().payload([]).network().len();
        let of = |ip_len: usize| {
            let packet = self.spec.request().ip_len(ip_len).ttl(1);
            self.told(&format!("{ip_len} bytes, TTL 1"), &packet, Reason::TtlExpired)
        };
        let mut cases: Vec<_> = (0..5).map(|more| of(headers + more)).collect();
        cases.extend([126, 127, 128, 129, 132, 1500].map(of));
        let padded = Packet { padding: 200, ..self.spec.request().ttl(1).payload(*b"odd") };
        let zero = self.spec.request().ttl(0);
        cases.push(self.told("padding, TTL 1", &padded, Reason::TtlExpired));
        cases.push(self.told("TTL 0, 52 bytes or so", &zero, Reason::TtlExpired));
        cases
    }

    /// Where nothing may be said.
    fn silence(&self) -> Vec<Case> {
        let last = self.spec.request().ttl(1);
        let large = self.spec.request().ip_len(usize::from(self.spec.largest()) + 1);
        let drops = |name: &str, packet: &Packet, reason| {
            let draft =
                of_open_flow(self.links, format!("{}: {name}", self.what), &self.spec, packet);
            draft.drops(&self.spec, reason)
        };
        let limited = |name: &str, packet: &Packet, reason| {
            let name = format!("{}: {name}, limited", self.what);
            let draft = of_open_flow(self.links, name, &self.spec, packet);
            draft.silent().drops(&self.spec, reason)
        };
        let to_all = last.clone().link([0xff; 6], CLIENT_MAC);
        let to_many = large.clone().link([0x33, 0x33, 0, 0, 0, 1], CLIENT_MAC);
        let mut cases = vec![
            limited("TTL 1", &last, Reason::TtlExpired),
            limited("too large", &large, Reason::TooBig),
            drops("TTL 1, to everybody on the link", &to_all, Reason::TtlExpired),
            drops("too large, to many on the link", &to_many, Reason::TooBig),
        ];
        let nobody: &[&str] = if last.is_v4() {
            &[
                "0.0.0.0",
                "0.1.2.3",
                "127.0.0.1",
                "224.0.0.1",
                "239.1.2.3",
                "240.0.0.1",
                "255.255.255.255",
            ]
        } else {
            &["[::]", "[::1]", "[::1.2.3.4]", "[ff02::1]", "[ff0e::1]"]
        };
        let hosts: &[&str] = if last.is_v4() {
            &["1.0.0.1", "126.255.255.255", "128.0.0.1", "223.255.255.255"]
        } else {
            &["[::1:0:0]", "[fe80::1]", "[fe00::1]", "[0:1::]"]
        };
        for host in nobody {
            let from = address(&format!("{host}:40000"));
            let name = format!("TTL 1, from {host}");
            cases.push(drops(&name, &last.clone().from(from), Reason::TtlExpired));
        }
        for host in hosts {
            let from = address(&format!("{host}:40000"));
            let name = format!("TTL 1, from {host}");
            cases.push(self.told(&name, &last.clone().from(from), Reason::TtlExpired));
        }
        // Nothing is known of the room in front but by trying.
        let need = if last.is_v4() { 28 } else { 48 };
        let name = format!("{}: TTL 1, {need} bytes of headroom", self.what);
        let enough = case(name, self.links.front, last.build()).headroom(need);
        let (flow, way) = super::open_flow(&self.spec, &last).unzip();
        let told = last.refused(expired(last.is_v4())).build();
        let enough = enough.with_flows(flow).with_ways(way);
        cases.push(
            enough
                .answers(&self.spec, Reason::TtlExpired, told)
                .host_only("a test run leaves room in front of the frame"),
        );
        cases
    }
}
