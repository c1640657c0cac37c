//! Errors about what is none of our business, and those that cannot be read. All pass untouched.

use std::net::SocketAddr;

use lb_common::{
    abi::Reason,
    wire::transport::{TCP, UDP},
};

use super::{headers, kinds, router, usual};
use crate::kernel::{
    case::{Case, case},
    network::{CLIENT_MAC, FRONT_MAC, Links, OWN, OWN_BACK},
    packet::{Extension, Message, Packet},
    services::{
        NAT_V4_TCP, NAT_V6_TCP, Spec, address,
        icmp::Report,
        tunnels::{GUE_44, GUE_66, IPIP_44, IPIP_66},
    },
};

pub(super) fn cases(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, spec) in [("IPv4", NAT_V4_TCP), ("IPv6", NAT_V6_TCP)] {
        let scene = Scene { links, what, spec };
        cases.extend(scene.others());
        cases.extend(scene.unreadable());
        cases.extend(scene.other_messages());
    }
    for (what, spec) in [
        ("ipip, IPv4", IPIP_44),
        ("ipip, IPv6", IPIP_66),
        ("gue, IPv4", GUE_44),
        ("gue, IPv6", GUE_66),
    ] {
        cases.push(about_a_tunnel(links, what, &spec));
    }
    cases
}

struct Scene<'a> {
    links: &'a Links,
    what: &'static str,
    spec: Spec,
}

impl Scene<'_> {
    fn passes(&self, name: &str, error: &Packet, reason: Reason) -> Case {
        let name = format!("error, {name}, {}", self.what);
        let error = error.clone().link(FRONT_MAC, CLIENT_MAC);
        case(name, self.links.front, error.build()).passes(reason)
    }

    /// An error to an address, about a packet.
    fn error(&self, to: SocketAddr, about: &Packet) -> Packet {
        let is_v4 = self.spec.vip().is_ipv4();
        let (_, message) = kinds(is_v4)[0];
        Packet::error(router(is_v4), to.ip(), message, about, usize::MAX)
    }

    fn address(&self, [v4, v6]: [&str; 2]) -> SocketAddr {
        address(if self.spec.vip().is_ipv4() { v4 } else { v6 })
    }

    fn others(&self) -> Vec<Case> {
        let (vip, client) = (self.spec.vip(), self.spec.request().from);
        let own = self.address(OWN);
        let other = self.address(["192.0.2.11:80", "[2001:db8:10::11]:80"]);
        let server = self.address(["192.0.2.99:443", "[2001:db8:99::1]:443"]);
        let other_port = SocketAddr::from((vip.ip(), 81));
        let backend = self.spec.backend(0);
        let other_backend_port = SocketAddr::from((backend.ip(), 9));
        let about = |from, to| Packet::new(from, to, TCP);
        let not_ours = |name: &str, to: SocketAddr, about: &Packet| {
            self.passes(name, &self.error(to, about), Reason::NotOurs)
        };
        vec![
            not_ours("another port of the VIP", vip, &about(other_port, client)),
            not_ours("another protocol", vip, &about(vip, client).protocol(UDP)),
            not_ours("another address", other, &about(other, client)),
            not_ours("quotes another sender", vip, &about(other, client)),
            not_ours("quotes the service, but is for another", other, &about(vip, client)),
            // Of a packet to the service only the balancer itself, or a backend, can have been told.
            not_ours("about a packet to the service", client, &about(client, vip)),
            not_ours("the balancer's own", own, &about(own, server)),
            not_ours("about a packet of a backend's own", backend, &about(backend, client)),
            not_ours("to a backend's other port", client, &about(client, other_backend_port)),
            // The balancer's health check, or a proxied request.
            self.passes(
                "the balancer's own, to a backend",
                &self.error(own, &about(own, backend)),
                Reason::ReplyToBalancer,
            ),
        ]
    }

    fn unreadable(&self) -> Vec<Case> {
        let request = self.spec.request();
        let is_v4 = request.is_v4();
        let usual = usual(request);
        let short = |bytes: usize, reason| {
            let report = Report { quoted: bytes, ..usual.clone() };
            self.passes(&format!("{bytes} bytes quoted"), &report.to_service(), reason)
        };
        let about = |name: &str, about: fn(Packet) -> Packet, reason| {
            self.passes(name, &Report { about, ..usual.clone() }.to_service(), reason)
        };
        // A byte of the quoted packet that is another.
        let patched = |name: &str, at: usize, byte: u8, reason| {
            let mut error = usual.to_service();
            error.payload.splice(at..=at, [byte]);
            self.passes(name, &error, reason)
        };
        let all = headers(is_v4);
        let mut cases: Vec<_> = [0, 1, 8, all - 1, all, all + 1, all + 3]
            .map(|bytes| short(bytes, Reason::BadLength))
            .into();
        let padded =
            Packet { padding: 60, ..Report { quoted: all + 3, ..usual.clone() }.to_service() };
        cases.extend([
            // What is behind the packet is no part of it.
            self.passes("padding in place of ports", &padded, Reason::BadLength),
            about("quotes ICMP", |about| about.protocol(1), Reason::OtherProtocol),
            about("quotes SCTP", |about| about.protocol(132), Reason::OtherProtocol),
            about(
                "quotes a last fragment",
                |about| {
                    let [.., last] = about.fragments();
                    last
                },
                Reason::OtherProtocol,
            ),
        ]);
        if is_v4 {
            cases.extend([
                patched("quotes version 6", 0, 0x65, Reason::OtherProtocol),
                patched("quotes a header of 16 bytes", 0, 0x44, Reason::OtherProtocol),
            ]);
            let report = Report { about: |about| about.options(10), quoted: 63, ..usual.clone() };
            let cut = self.passes("quotes options, cut", &report.to_service(), Reason::BadLength);
            cases.push(cut);
        } else {
            // Extension headers are not followed in a quote.
            cases.push(about(
                "quotes extensions",
                |about| about.extensions(&[Extension::hop_by_hop(1)]),
                Reason::OtherProtocol,
            ));
            cases.push(patched("quotes a mapped sender", 8, 0, Reason::NotOurs));
        }
        cases
    }

    /// Only errors are looked into.
    fn other_messages(&self) -> Vec<Case> {
        let request = self.spec.request();
        let kinds: &[u8] = if request.is_v4() {
            &[0, 4, 5, 9, 10, 13, 14, 40]
        } else {
            &[0, 5, 100, 127, 129, 130, 133, 137]
        };
        let usual = usual(request);
        let one = |kind: &u8| {
            let message = Message { kind: *kind, ..usual.message };
            let error = Report { message, ..usual.clone() }.to_service();
            self.passes(&format!("type {kind}"), &error, Reason::OtherProtocol)
        };
        let mut cases: Vec<_> = kinds.iter().map(one).collect();
        let [first, _, last] = usual.to_service().fragments();
        let fragment = |name: &str, piece: Packet| self.passes(name, &piece, Reason::OtherProtocol);
        cases.push(fragment("first fragment", first));
        cases.push(fragment("last fragment", last));
        cases
    }
}

/// The balancer itself is told that an outer packet was lost; the kernel gets it.
fn about_a_tunnel(links: &Links, what: &str, spec: &Spec) -> Case {
    let delivered = spec.delivered(&spec.request());
    let about = delivered.build().split_off(14);
    let [v4, v6] = OWN_BACK;
    let own = if spec.vip().is_ipv4() { v4 } else { v6 }.parse().expect("an address");
    let is_v4 = spec.vip().is_ipv4();
    let (_, message) = kinds(is_v4)[2];
    let error = Packet::of_icmp(router(is_v4), own, message, &about[..100.min(about.len())]);
    let error = error.link(spec.own_mac(), spec.backend_mac(0)).build();
    let reason = if what.starts_with("gue") { Reason::NotOurs } else { Reason::OtherProtocol };
    case(format!("error, {what}: about an outer packet"), links.back, error).passes(reason)
}
