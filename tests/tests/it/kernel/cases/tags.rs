//! VLAN tags: taken off what is sent on, and put on what goes where tags are wanted. What passes, and
//! what is answered, keeps its own.

use std::net::SocketAddr;

use lb_common::{
    abi::{Counter, FlowState, Reason, Verdict},
    wire::transport::TCP,
};

use crate::kernel::{
    case::{Case, case},
    memory::{Flow, WayBack},
    network::{
        CLIENT_MAC, FRONT_MAC, IN_VLAN, IN_VLANS, Links, OWN, UNRESOLVED, VLAN, VLAN_CLIENT_MAC,
        VLAN_MAC, VLANS,
    },
    packet::{Packet, Tag, cut, patched},
    services::{
        CLIENT_V4, CLIENT_V6, DSR_V4_TCP, DSR_V6_UDP, NAT_V4_TCP, NAT_V4_TCP_FRONT, NAT_V4_TCP_NEW,
        NAT_V4_UDP, NAT_V6_TCP, NAT_V6_UDP, Spec, address,
        full_nat::{FULL_V4_TCP, FULL_V6_UDP},
        icmp::{expired, too_big},
        tagged,
        tunnels::{GUE_46, GUE_66, IPIP_44, IPIP_64},
    },
};

const PRIORITY: [Tag; 1] = [Tag { provider: false, priority: 7, id: 0 }];
const CUSTOMERS: [Tag; 2] = [Tag::of(8), Tag::of(9)];
const PROVIDER: [Tag; 1] = [Tag::of_provider(0xfff)];

/// Tags that a frame may come with.
const EACH: [(&str, &[Tag]); 6] = [
    ("no tag", &[]),
    ("one tag", &VLAN),
    ("two tags", &VLANS),
    ("a priority", &PRIORITY),
    ("two customers' tags", &CUSTOMERS),
    ("a provider's tag", &PROVIDER),
];

pub(crate) fn cases(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, spec) in [
        ("tags, nat, IPv4, TCP", NAT_V4_TCP),
        ("tags, nat, IPv6, UDP", NAT_V6_UDP),
        ("tags, dsr, IPv4, TCP", DSR_V4_TCP),
        ("tags, dsr, IPv6, UDP", DSR_V6_UDP),
        ("tags, ipip, 4 in 4", IPIP_44),
        ("tags, ipip, 6 in 4", IPIP_64),
        ("tags, gue, 6 in 6", GUE_66),
        ("tags, gue, 4 in 6", GUE_46),
        ("tags, full-nat, IPv4", FULL_V4_TCP),
        ("tags, full-nat, IPv6", FULL_V6_UDP),
        ("tags, out of the same interface", NAT_V4_TCP_FRONT),
        ("tagged backend, nat, IPv4", tagged::NAT_V4_ONE),
        ("tagged backend, nat, IPv6", tagged::NAT_V6_TWO),
        ("tagged backend, dsr, IPv4", tagged::DSR_V4_TWO),
        ("tagged backend, dsr, IPv6", tagged::DSR_V6_ONE),
        ("tagged backend, ipip", tagged::IPIP_44_ONE),
        ("tagged backend, gue", tagged::GUE_66_TWO),
        ("tagged backend, full-nat, IPv4", tagged::FULL_V4_TWO),
        ("tagged backend, full-nat, IPv6", tagged::FULL_V6_ONE),
        ("tagged backend, same interface, IPv4", tagged::NAT_V4_ONE_FRONT),
        ("tagged backend, same interface, IPv6", tagged::DSR_V6_TWO_FRONT),
    ] {
        cases.extend(requests(links, what, &spec));
    }
    for (what, spec, client) in [
        ("tags, reply, IPv4, TCP", NAT_V4_TCP, CLIENT_V4),
        ("tags, reply, IPv4, UDP", NAT_V4_UDP, CLIENT_V4),
        ("tags, reply, IPv6, TCP", NAT_V6_TCP, CLIENT_V6),
        ("tags, reply, IPv6, UDP", NAT_V6_UDP, CLIENT_V6),
    ] {
        cases.extend(replies(links, what, &spec, client));
    }
    for (what, spec) in
        [("tags, full-nat reply, IPv4", FULL_V4_TCP), ("tags, full-nat reply, IPv6", FULL_V6_UDP)]
    {
        cases.extend(full_nat_replies(links, what, &spec));
    }
    cases.extend(untouched(links));
    cases.extend(refused(links));
    cases.extend(cut_off(links));
    cases.extend(shared(links));
    cases.extend(headroom(links));
    cases
}

/// A packet that gets through, and the entries of its flow if its mode remembers it.
fn opening(spec: &Spec) -> (Packet, Option<(Flow, WayBack)>) {
    if spec.ports == (0, 0) {
        return (spec.request(), None);
    }
    let (packet, state) = if spec.protocol == TCP {
        (spec.request().syn(), FlowState::Opening)
    } else {
        (spec.request(), FlowState::Open)
    };
    let ways = spec.translation(0, &packet, spec.translated_source(&packet), state);
    (packet, Some(ways))
}

fn requests(links: &Links, what: &str, spec: &Spec) -> Vec<Case> {
    let (packet, ways) = opening(spec);
    let verdict = if spec.own_mac() == FRONT_MAC {
        Verdict::Transmit
    } else {
        Verdict::Redirect { ifindex: links.back }
    };
    let one = |(with, tags): (&str, &[Tag])| {
        let input = packet.clone().tags(tags).build();
        let case = case(format!("{what}: {with}"), links.front, input);
        let case = case.forwards(verdict, spec, spec.delivered(&packet).build());
        let (flows, ways) = ways.clone().unzip();
        case.leaves(flows, ways)
    };
    EACH.map(one).into()
}

/// Those of a client next to `front`, and of clients in its VLANs.
fn replies(links: &Links, what: &str, spec: &Spec, client: &str) -> Vec<Case> {
    let front = Verdict::Redirect { ifindex: links.front };
    let mut cases = Vec::new();
    for (with, tags) in EACH {
        let packet = spec.reply(address(client)).tags(tags);
        let expected = spec.returned(&packet, CLIENT_MAC).build();
        let draft = case(format!("{what}: {with}"), links.back, packet.build());
        cases.push(draft.returns(front, spec, expected));
        for (to, clients, vlan) in [("one", IN_VLAN, &VLAN[..]), ("two", IN_VLANS, &VLANS)] {
            let packet = spec.reply(in_family(spec, clients)).tags(tags);
            let name = format!("{what}: {with}, to a client with {to}");
            let expected = in_vlan(spec.returned(&packet, VLAN_CLIENT_MAC), vlan).build();
            cases.push(case(name, links.back, packet.build()).returns(front, spec, expected));
            // Where it came in.
            let name = format!("{what}: {with}, from a neighbour to a client with {to}");
            let expected = in_vlan(spec.returned(&packet, VLAN_CLIENT_MAC), vlan).build();
            let draft = case(name, links.front, packet.build());
            cases.push(draft.returns(Verdict::Transmit, spec, expected));
        }
    }
    cases
}

fn in_vlan(packet: Packet, tags: &[Tag]) -> Packet {
    packet.link(VLAN_CLIENT_MAC, VLAN_MAC).tags(tags)
}

fn in_family(spec: &Spec, [v4, v6]: [&str; 2]) -> SocketAddr {
    address(if spec.vip().is_ipv4() { v4 } else { v6 })
}

fn full_nat_replies(links: &Links, what: &str, spec: &Spec) -> Vec<Case> {
    let front = Verdict::Redirect { ifindex: links.front };
    let one = |with: &str, tags: &[Tag], clients: [&str; 2], vlan: &[Tag]| {
        let client = in_family(spec, clients);
        let request = spec.request().from(client);
        let source = spec.translated_source(&request);
        let (_, way) = spec.translation(0, &request, source, FlowState::Open);
        let packet = spec.reply(source).tags(tags);
        let expected = in_vlan(spec.returned(&packet, VLAN_CLIENT_MAC).to(client), vlan).build();
        case(format!("{what}: {with}"), links.back, packet.build())
            .with_ways([way.clone()])
            .returns(front, spec, expected)
            .leaves([], [way])
    };
    vec![
        one("to a client with one", &[], IN_VLAN, &VLAN),
        one("to a client with two", &[], IN_VLANS, &VLANS),
        one("one, to a client with two", &VLAN, IN_VLANS, &VLANS),
        one("two, to a client with one", &VLANS, IN_VLAN, &VLAN),
    ]
}

/// What is not sent on keeps its tags.
fn untouched(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    let (v4, v6) = (NAT_V4_TCP.request(), NAT_V6_TCP.request());
    let new = NAT_V4_TCP_NEW.request();
    for (with, tags) in EACH {
        let name = |what: &str| format!("tags, {what}: {with}");
        let pass = |what: &str, packet: &Packet, reason| {
            let packet = packet.clone().tags(tags);
            case(name(what), links.front, packet.build()).passes(reason)
        };
        cases.extend([
            pass("another port, IPv4", &v4.clone().destination_port(81), Reason::NotOurs),
            pass("another port, IPv6", &v6.clone().destination_port(81), Reason::NotOurs),
            case(
                name("wrong IPv4 header checksum"),
                links.front,
                patched(v4.clone().tags(tags).build(), 18 + 4 * tags.len(), &[0x43, 0x21]),
            )
            .passes(Reason::BadChecksum),
            pass("GRE", &v4.clone().protocol(47), Reason::OtherProtocol),
            case(
                name("reply to the balancer"),
                links.back,
                NAT_V4_TCP.reply(address(OWN[0])).tags(tags).build(),
            )
            .passes(Reason::ReplyToBalancer),
            // Rewritten, and with its tags: the kernel knows the VLAN by them.
            case(name("next hop unknown"), links.front, new.clone().tags(tags).build()).passes_as(
                &NAT_V4_TCP_NEW,
                Reason::BackendUnresolved,
                new.clone().to(NAT_V4_TCP_NEW.backend(0)).tags(tags).build(),
            ),
            case(
                name("reply to a new neighbour"),
                links.back,
                NAT_V4_TCP.reply(address(UNRESOLVED[0])).tags(tags).build(),
            )
            .passes_as(
                &NAT_V4_TCP,
                Reason::ReplyUnresolved,
                NAT_V4_TCP.reply(address(UNRESOLVED[0])).from(v4.to).tags(tags).build(),
            ),
        ]);
    }
    let third = [Tag::of(1), Tag::of(2), Tag::of(3)];
    let third = v4.clone().tags(&third).build();
    cases.push(case("tags, three of them", links.front, third).passes(Reason::NotIp));
    let arp = patched(v6.tags(&VLANS).build(), 20, &[0x08, 0x06]);
    cases.push(case("tags, ARP behind two", links.front, arp).passes(Reason::NotIp));
    cases
}

/// The error has the tags of what it is about; what is dropped has lost them.
fn refused(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, spec) in [("IPv4", NAT_V4_TCP), ("IPv6", DSR_V6_UDP)] {
        let is_v4 = spec.vip().is_ipv4();
        for (with, tags) in EACH {
            let name = |what: &str| format!("tags, {what}: {with}, {}", spec.vip());
            let last = spec.request().tags(tags).ttl(1);
            let large = spec.request().tags(tags).ip_len(1501);
            cases.extend([
                case(name("TTL 1"), links.front, last.build()).answers(
                    &spec,
                    Reason::TtlExpired,
                    last.refused(expired(is_v4)).build(),
                ),
                case(name("too large"), links.front, large.build()).answers(
                    &spec,
                    Reason::TooBig,
                    large.refused(too_big(is_v4, 1500)).build(),
                ),
                case(name("too large, limited"), links.front, large.build()).silent().drops_as(
                    &spec,
                    Reason::TooBig,
                    large.tags(&[]).build(),
                ),
            ]);
        }
        let other_family = if is_v4 { [0x86, 0xdd] } else { [0x08, 0x00] };
        let wrong = patched(spec.request().tags(&VLAN).build(), 16, &other_family);
        let wrong = case(format!("tags, wrong type, {what}"), links.front, wrong);
        cases.push(wrong.passes(Reason::BadVersion));
    }
    cases
}

/// Frames that end within their tags, or right behind.
fn cut_off(links: &Links) -> Vec<Case> {
    let frame = NAT_V4_TCP.request().tags(&VLANS).build();
    let one = |length: usize, reason| {
        let name = format!("tags, cut to {length} bytes");
        case(name, links.front, cut(frame.clone(), length)).passes(reason)
    };
    let mut cases: Vec<_> =
        [14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 30].map(|at| one(at, Reason::Truncated)).into();
    cases.push(one(42, Reason::BadLength));
    cases
}

/// A flow that is refused is not remembered, though it is decided on twice.
fn shared(links: &Links) -> Vec<Case> {
    let back = Verdict::Redirect { ifindex: links.back };
    let (first, second) = (tagged::SHARED, tagged::SHARED_2);
    let packet = second.request();
    let other = first.way_back(0, &first.request(), FlowState::Open);
    let flow = second.flow(0, &packet, FlowState::Open).epoch(4);
    vec![
        case("tagged backend, shared: new flow", links.front, packet.build())
            .forwards(back, &second, second.delivered(&packet).build())
            .leaves([flow], [second.way_back(0, &packet, FlowState::Open)]),
        case("tagged backend, shared: conflict", links.front, packet.build())
            .with_ways([other.clone()])
            .drops(&second, Reason::FlowConflict)
            .leaves([], [other]),
    ]
}

/// Tags need room, too. The backend has been counted before they are put on.
fn headroom(links: &Links) -> Vec<Case> {
    let why = "a test run leaves room in front of the frame";
    let spec = tagged::DSR_V4_TWO;
    let packet = spec.request();
    let refused = |bytes: usize, tags: &[Tag]| {
        let name = format!("tagged backend: {bytes} bytes of headroom, {} tags", tags.len());
        let draft = case(name, links.front, packet.clone().tags(tags).build()).headroom(bytes);
        let dropped = spec.delivered(&packet).tags(&[]).build();
        let mut case = draft.drops_as(&spec, Reason::NoHeadroom, dropped).host_only(why);
        let counter = Counter { packets: 1, bytes: case.input.len() as u64 };
        case.expected.backends = vec![(spec.first_backend, counter)];
        case
    };
    let enough = |bytes: usize, tags: &[Tag]| {
        let name = format!("tagged backend: {bytes} bytes of headroom, {} tags", tags.len());
        let back = Verdict::Redirect { ifindex: links.back };
        let draft = case(name, links.front, packet.clone().tags(tags).build()).headroom(bytes);
        draft.forwards(back, &spec, spec.delivered(&packet).build()).host_only(why)
    };
    vec![refused(7, &[]), refused(3, &VLAN), enough(8, &[]), enough(4, &VLAN), enough(0, &VLANS)]
}
