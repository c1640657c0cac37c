//! Replies to the sources of `full-nat`: they go to the client that is remembered.

use std::net::SocketAddr;

use lb_common::abi::{FlowState, Reason, Verdict};

use super::EACH;
use crate::kernel::{
    case::{Case, Draft, case},
    memory::WayBack,
    network::{
        BACK_CLIENT, BACK_CLIENT_MAC, BACK_MAC, CLIENT_MAC, FAR, Links, NOWHERE, OWN, ROUTER_MAC,
        SMALL, SMALL_FITS, UNREACHABLE, UNRESOLVED,
    },
    packet::{Flags, Mac, Packet, patched},
    services::{
        IDLE, Spec, address,
        full_nat::{FULL_V4_TCP, FULL_V4_UDP, FULL_V6_TCP, FULL_V6_UDP},
        icmp::too_big,
    },
};

pub(super) fn cases(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, spec) in EACH {
        let scene = Scene { links, what, spec };
        cases.extend(scene.known());
        cases.extend(scene.lifetimes());
        cases.extend(scene.others());
        cases.extend(scene.too_large());
    }
    for (what, spec) in [("full-nat, IPv4, TCP", FULL_V4_TCP), ("full-nat, IPv6, TCP", FULL_V6_TCP)]
    {
        cases.extend(Scene { links, what, spec }.states());
    }
    for (what, spec) in [("full-nat, IPv4, UDP", FULL_V4_UDP), ("full-nat, IPv6, UDP", FULL_V6_UDP)]
    {
        cases.extend(Scene { links, what, spec }.damaged());
    }
    for (what, spec) in [("full-nat, IPv4, TCP", FULL_V4_TCP), ("full-nat, IPv6, UDP", FULL_V6_UDP)]
    {
        cases.push(Scene { links, what, spec }.to_the_backend());
    }
    cases
}

struct Scene<'a> {
    links: &'a Links,
    what: &'static str,
    spec: Spec,
}

impl Scene<'_> {
    /// A client, and its flow's way back and source.
    fn way(&self, client: SocketAddr) -> (WayBack, SocketAddr) {
        let request = self.spec.request().from(client);
        let source = self.spec.translated_source(&request);
        let (_, way) = self.spec.translation(0, &request, source, FlowState::Open);
        (way.age(6), source)
    }

    fn client(&self, clients: [&str; 2]) -> SocketAddr {
        let [v4, v6] = clients.map(address);
        if self.spec.vip().is_ipv4() { v4 } else { v6 }
    }

    fn case(&self, name: &str, packet: &Packet) -> Draft {
        case(format!("{}: {name}", self.what), self.links.back, packet.build())
    }

    fn returned(&self, packet: &Packet, client: SocketAddr, hop: Mac) -> Vec<u8> {
        self.spec.returned(packet, hop).to(client).build()
    }

    fn returns(&self, draft: Draft, packet: &Packet, client: SocketAddr, hop: Mac) -> Case {
        let front = Verdict::Redirect { ifindex: self.links.front };
        let expected = self.returned(packet, client, hop);
        let (way, _) = self.way(client);
        draft.returns(front, &self.spec, expected).leaves([], [way.age(0)])
    }

    fn known(&self) -> Vec<Case> {
        let one = |name: &str, client: SocketAddr, hop: Mac, change: fn(Packet) -> Packet| {
            let (way, source) = self.way(client);
            let packet = change(self.spec.reply(source));
            self.returns(self.case(name, &packet).with_ways([way]), &packet, client, hop)
        };
        let near = self.spec.request().from;
        let far = self.client(FAR);
        let small = self.client(SMALL_FITS);
        vec![
            one("reply", near, CLIENT_MAC, |packet| packet),
            one("reply of odd length", near, CLIENT_MAC, |packet| packet.payload(*b"odd")),
            one("reply with padding", near, CLIENT_MAC, |packet| Packet { padding: 5, ..packet }),
            one("reply through a router", far, ROUTER_MAC, |packet| packet),
            one("reply that just fits", small, ROUTER_MAC, |packet| packet.ip_len(1280)),
            one("reply of 1500 bytes", near, CLIENT_MAC, |packet| packet.ip_len(1500)),
        ]
    }

    fn lifetimes(&self) -> Vec<Case> {
        let client = self.spec.request().from;
        let (way, source) = self.way(client);
        let one = |ttl: u8| {
            let packet = self.spec.reply(source).ttl(ttl);
            let draft = self.case(&format!("reply, TTL {ttl}"), &packet).with_ways([way.clone()]);
            if ttl < 2 {
                let dropped = draft.drops(&self.spec, Reason::TtlExpired);
                return dropped.leaves([], [way.clone().age(0)]);
            }
            self.returns(draft, &packet, client, CLIENT_MAC)
        };
        [0, 1, 2, 255].map(one).into()
    }

    /// What is not remembered is nobody's reply; what is cannot always be sent.
    fn others(&self) -> Vec<Case> {
        let client = self.spec.request().from;
        let (way, source) = self.way(client);
        let other_port = SocketAddr::from((source.ip(), source.port() ^ 1));
        let stranger = self.spec.reply(other_port);
        let own = self.client(["203.0.113.1:9", "[2001:db8:2::1]:9"]);
        let to_client = self.spec.reply(client);
        let other_backend = self.spec.reply_of(100, source);
        let passes = |name: &str, packet: &Packet| {
            self.case(name, packet).with_ways([way.clone()]).passes(Reason::NotOurs)
        };
        let late = self.spec.reply(source);
        let behind = self.client(BACK_CLIENT);
        let (behind_way, behind_source) = self.way(behind);
        let to_behind = self.spec.reply(behind_source);
        vec![
            passes("reply to another port", &stranger),
            passes("reply to the balancer", &self.spec.reply(own)),
            passes("packet to the client itself", &to_client),
            passes("packet of another backend", &other_backend),
            passes("reply of another port", &late.clone().source_port(9)),
            self.returns(
                self.case("reply long after", &late)
                    .with_ways([way.clone().age(u32::from(IDLE) + 50)]),
                &late,
                client,
                CLIENT_MAC,
            ),
            self.case("reply to a client behind the same interface", &to_behind)
                .with_ways([behind_way.clone()])
                .returns(
                    Verdict::Transmit,
                    &self.spec,
                    self.spec
                        .returned(&to_behind, BACK_CLIENT_MAC)
                        .link(BACK_CLIENT_MAC, BACK_MAC)
                        .to(behind)
                        .build(),
                )
                .leaves([], [behind_way.age(0)]),
            self.unsent("reply to a new neighbour", UNRESOLVED, 100, Reason::ReplyUnresolved),
            self.unsent("reply not allowed", UNREACHABLE, 100, Reason::ReplyUnroutable),
            self.unsent("reply to a client at the balancer", OWN, 100, Reason::ReplyToBalancer),
            self.unsent("reply to a client that is nowhere", NOWHERE, 100, Reason::ReplyToBalancer),
        ]
    }

    /// The backend is told by the program, as the kernel would tell the VIP. What may be cut into
    /// fragments, the kernel cuts.
    fn too_large(&self) -> Vec<Case> {
        let (way, source) = self.way(self.client(SMALL));
        let packet = self.spec.reply(source).ip_len(1281);
        let told = packet.refused(too_big(packet.is_v4(), 1280)).build();
        let mut cases = vec![
            self.case("reply too large", &packet)
                .with_ways([way.clone()])
                .answers(&self.spec, Reason::TooBig, told)
                .leaves([], [way.age(0)]),
        ];
        if packet.is_v4() {
            let cut = Packet { dont_fragment: false, ..packet };
            cases.push(self.unsent_as("reply to cut", SMALL, &cut, Reason::ReplyTooBig));
        }
        cases
    }

    /// What cannot be sent is handed to the kernel as the client would get it: as it came, it would
    /// be for the balancer itself.
    fn unsent(&self, name: &str, clients: [&str; 2], ip_len: usize, reason: Reason) -> Case {
        let client = self.client(clients);
        let (_, source) = self.way(client);
        self.unsent_as(name, clients, &self.spec.reply(source).ip_len(ip_len), reason)
    }

    fn unsent_as(&self, name: &str, clients: [&str; 2], packet: &Packet, reason: Reason) -> Case {
        let client = self.client(clients);
        let (way, _) = self.way(client);
        let expected = packet.clone().from(self.spec.vip()).to(client).build();
        self.case(name, packet)
            .with_ways([way.clone()])
            .passes_as(&self.spec, reason, expected)
            .leaves([], [way.age(0)])
    }

    fn states(&self) -> Vec<Case> {
        let client = self.spec.request().from;
        let (way, source) = self.way(client);
        let step = |name: &str, flags: Flags, before: FlowState, after: FlowState| {
            let packet = self.spec.reply(source).flags(flags);
            let draft = self.case(name, &packet).with_ways([way.clone().state(before)]);
            let case = self.returns(draft, &packet, client, CLIENT_MAC);
            case.leaves([], [way.clone().age(0).state(after)])
        };
        let (opening, open, closing) = (FlowState::Opening, FlowState::Open, FlowState::Closing);
        vec![
            step("SYN and ACK of the backend", Flags::Accepts, opening, open),
            step("RST of the backend", Flags::Resets, opening, closing),
            step("FIN of the backend", Flags::Closes, open, closing),
            step("reply after FIN", Flags::Continues, closing, closing),
        ]
    }

    fn damaged(&self) -> Vec<Case> {
        let client = self.spec.request().from;
        let (way, source) = self.way(client);
        let packet = self.spec.reply(source);
        let at = if client.is_ipv4() { 14 + 20 + 6 } else { 14 + 40 + 6 };
        let front = Verdict::Redirect { ifindex: self.links.front };
        let zeros = |frame: Vec<u8>| patched(frame, at, &[0, 0]);
        let name = format!("{}: reply without UDP checksum", self.what);
        vec![
            case(name, self.links.back, zeros(packet.build()))
                .with_ways([way.clone()])
                .returns(front, &self.spec, zeros(self.returned(&packet, client, CLIENT_MAC)))
                .leaves([], [way.age(0)]),
        ]
    }

    /// The client is the backend: the reply goes back to it, from the service.
    fn to_the_backend(&self) -> Case {
        let client = (self.spec.backend(0).ip(), 40_000).into();
        let (way, source) = self.way(client);
        let packet = self.spec.reply(source);
        let mac = self.spec.backend_mac(0);
        let expected = self.spec.returned(&packet, mac).link(mac, BACK_MAC).to(client).build();
        self.case("reply to the backend itself", &packet)
            .with_ways([way.clone()])
            .returns(Verdict::Transmit, &self.spec, expected)
            .leaves([], [way.age(0)])
    }
}
