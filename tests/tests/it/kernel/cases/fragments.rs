//! Fragments: the first one tells the ports, and the later ones follow it.

use std::net::SocketAddr;

use lb_common::{
    abi::{FlowState, Reason, Verdict},
    limits::FRAGMENT_TICKS,
};

use super::{of_open_flow, open_flow, way_out};
use crate::kernel::{
    case::{Case, Draft, case},
    network::{CLIENT_MAC, Links, VLAN},
    packet::{Extension, Packet},
    services::{
        CLIENT_V4, CLIENT_V6, DSR_V4_TCP, DSR_V6_UDP, NAT_V4_TCP, NAT_V4_TCP_FRONT, NAT_V4_UDP,
        NAT_V6_TCP, NAT_V6_UDP, Spec, address, first_at,
        full_nat::{FULL_V4_TCP, FULL_V4_UDP, FULL_V6_UDP},
        icmp::{expired, too_big},
        moving::{MOVED, MOVING_V4_TCP, MOVING_V6_TCP, OWNER, PREVIOUS, TRACKED_V4},
        shared::SHARED_V6_UDP_2,
        tagged,
        tunnels::{GUE_44, GUE_66, IPIP_46, IPIP_64},
    },
};

const EACH: [(&str, Spec); 16] = [
    ("nat, IPv4, TCP", NAT_V4_TCP),
    ("nat, IPv4, UDP", NAT_V4_UDP),
    ("nat, IPv6, TCP", NAT_V6_TCP),
    ("nat, IPv6, UDP", NAT_V6_UDP),
    ("nat, same interface", NAT_V4_TCP_FRONT),
    ("dsr, IPv4", DSR_V4_TCP),
    ("dsr, IPv6", DSR_V6_UDP),
    ("ipip, 4 in 6", IPIP_46),
    ("ipip, 6 in 4", IPIP_64),
    ("gue, 4 in 4", GUE_44),
    ("gue, 6 in 6", GUE_66),
    ("full-nat, IPv4, TCP", FULL_V4_TCP),
    ("full-nat, IPv4, UDP", FULL_V4_UDP),
    ("full-nat, IPv6, UDP", FULL_V6_UDP),
    ("nat, tagged", tagged::NAT_V6_TWO),
    ("full-nat, tagged", tagged::FULL_V4_TWO),
];

pub(crate) fn cases(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, spec) in EACH {
        cases.extend(requests(links, what, &spec));
        cases.extend(refused(links, what, &spec));
    }
    for (what, spec) in [
        ("nat, IPv4, TCP", NAT_V4_TCP),
        ("nat, IPv4, UDP", NAT_V4_UDP),
        ("nat, IPv6, TCP", NAT_V6_TCP),
        ("nat, IPv6, UDP", NAT_V6_UDP),
        ("full-nat, IPv4, UDP", FULL_V4_UDP),
        ("full-nat, IPv6, UDP", FULL_V6_UDP),
    ] {
        cases.extend(replies(links, what, &spec));
    }
    for (what, spec) in [("IPv4", NAT_V4_UDP), ("IPv6", DSR_V6_UDP)] {
        cases.extend(unknown(links, what, &spec));
        cases.extend(unusual(links, what, &spec));
    }
    cases.extend(options_behind(links));
    cases.extend(direct(links));
    cases.extend(remembered(links));
    cases
}

fn forwards(links: &Links, draft: Draft, spec: &Spec, packet: &Packet) -> Case {
    draft.forwards(way_out(links, spec), spec, spec.delivered(packet).build())
}

fn requests(links: &Links, what: &str, spec: &Spec) -> Vec<Case> {
    let [first, middle, last] = spec.request().fragments();
    let draft =
        |name: &str, packet: &Packet| of_open_flow(links, format!("{name}, {what}"), spec, packet);
    let known = |draft: Draft| draft.with_fragments([first.known()]);
    let tagged = last.clone().tags(&VLAN);
    let [optional] = [&last].map(|last| {
        if last.is_v4() {
            last.clone().options(2)
        } else {
            last.clone().extensions(&[Extension::hop_by_hop(1)])
        }
    });
    vec![
        forwards(links, draft("first fragment", &first), spec, &first).teaches([first.known()]),
        forwards(links, known(draft("middle fragment", &middle)), spec, &middle),
        forwards(links, known(draft("last fragment", &last)), spec, &last),
        forwards(links, known(draft("last fragment, tagged", &tagged)), spec, &last),
        forwards(links, known(draft("last fragment, options", &optional)), spec, &optional),
        forwards(
            links,
            draft("last fragment after the first", &last).after(links.front, first.build()),
            spec,
            &last,
        )
        .teaches([first.known()]),
        draft("last fragment before the first", &last)
            .drops(&first_at(spec), Reason::FragmentUnknown),
    ]
}

/// A sender is told by the first fragment alone: what would be quoted of others says nothing.
fn refused(links: &Links, what: &str, spec: &Spec) -> Vec<Case> {
    let [first, _, last] = spec.request().fragments();
    let is_v4 = first.is_v4();
    let known = |name: &str, packet: &Packet| {
        let draft = of_open_flow(links, format!("{name}, {what}"), spec, packet);
        draft.with_fragments([first.known()])
    };
    let dying = first.clone().ttl(1);
    let last_dying = last.clone().ttl(1);
    let most = spec.largest();
    let [large, _, large_last] = spec.request().fragments().map(|piece| piece.stretched(most + 1));
    vec![
        known("first fragment, TTL 1", &dying).answers(
            spec,
            Reason::TtlExpired,
            dying.refused(expired(is_v4)).build(),
        ),
        known("last fragment, TTL 1", &last_dying).drops(spec, Reason::TtlExpired),
        known("first fragment, too large", &large).answers(
            spec,
            Reason::TooBig,
            large.refused(too_big(is_v4, most.into())).build(),
        ),
        known("last fragment, too large", &large_last).drops(spec, Reason::TooBig),
    ]
}

fn replies(links: &Links, what: &str, spec: &Spec) -> Vec<Case> {
    let client = address(if spec.vip().is_ipv4() { CLIENT_V4 } else { CLIENT_V6 });
    let request = spec.request();
    let way = open_flow(spec, &request).map(|(_, way)| way);
    let known_as = way.as_ref().map_or(client, |way| way.to);
    let [first, middle, last] = spec.reply(known_as).fragments();
    let front = Verdict::Redirect { ifindex: links.front };
    let draft = |name: &str, packet: &Packet| {
        let name = format!("reply, {name}, {what}");
        case(name, links.back, packet.build()).with_ways(way.clone())
    };
    let returns = |draft: Draft, packet: &Packet| {
        let expected = spec.returned(packet, CLIENT_MAC).to(client).build();
        draft.returns(front, spec, expected)
    };
    let known = |draft: Draft| draft.with_fragments([first.known()]);
    vec![
        returns(draft("first fragment", &first), &first).teaches([first.known()]),
        returns(known(draft("middle fragment", &middle)), &middle),
        returns(known(draft("last fragment", &last)), &last),
        returns(draft("last after first", &last).after(links.back, first.build()), &last)
            .teaches([first.known()]),
        draft("last before first", &last).passes(Reason::Fragment),
        known(draft("last fragment, TTL 1", &last.clone().ttl(1))).drops(spec, Reason::TtlExpired),
    ]
}

/// A later fragment whose first one is not known: nobody can tell whose it is.
fn unknown(links: &Links, what: &str, spec: &Spec) -> Vec<Case> {
    let [first, middle, last] = spec.request().fragments();
    let named = |name: &str| format!("fragments, {name}, {what}");
    let drops = |name: &str, packet: &Packet, told: &Packet, age: u32| {
        case(named(name), links.front, packet.build())
            .with_fragments([told.known().age(age)])
            .drops(&first_at(spec), Reason::FragmentUnknown)
    };
    let follows = |name: &str, age: u32| {
        let draft = case(named(name), links.front, last.build());
        forwards(links, draft.with_fragments([first.known().age(age)]), spec, &last)
    };
    let passes = |name: &str, packet: &Packet, reason| {
        case(named(name), links.front, packet.build()).passes(reason)
    };
    let stranger = Packet { id: 0x1235, ..first.clone() };
    let neighbour = other_host(&first, first.from);
    let client = first.from;
    let to_other = first.clone().to(other_host(&first, first.to));
    let [other_first, other_middle, other_last] =
        spec.request().to(other_host(&first, first.to)).fragments();
    vec![
        follows("as old as can be", FRAGMENT_TICKS),
        drops("too old", &last, &first, FRAGMENT_TICKS + 1),
        drops("very old", &last, &first, u32::MAX / 2),
        drops("another identification", &last, &stranger, 0),
        drops("another sender", &last, &first.clone().from(neighbour), 0),
        drops("another receiver", &last, &to_other, 0),
        drops("another protocol", &last, &first.clone().protocol(6), 0),
        drops("middle one", &middle, &stranger, 0),
        passes("first of another address", &other_first, Reason::NotOurs),
        passes("middle of another address", &other_middle, Reason::Fragment),
        passes("last of another address", &other_last, Reason::Fragment),
        passes("last of another protocol", &last.clone().protocol(132), Reason::OtherProtocol),
        // The identification has been used again, by another flow.
        {
            let again = first.clone().source_port(1);
            let [.., now] = spec.request().source_port(1).fragments();
            let draft = case(named("used again"), links.front, now.build())
                .with_fragments([first.known().age(3)])
                .after(links.front, again.build());
            forwards(links, draft, spec, &now).teaches([again.known()])
        },
        // What is told is of the flow, whoever takes it.
        case(named("first of another port"), links.front, {
            first.clone().destination_port(9).build()
        })
        .passes(Reason::NotOurs),
        case(named("last of another port"), links.front, last.build())
            .with_fragments([first.clone().destination_port(9).known()])
            .passes(Reason::NotOurs),
        case(named("last of another sender's flow"), links.front, {
            last.clone().from(neighbour).build()
        })
        .with_fragments([first.clone().from(client).known()])
        .drops(&first_at(spec), Reason::FragmentUnknown),
    ]
}

fn other_host(packet: &Packet, at: SocketAddr) -> SocketAddr {
    let other = if packet.is_v4() { "192.0.2.11:9" } else { "[2001:db8:10::11]:9" };
    let mut other = address(other);
    other.set_port(at.port());
    other
}

fn unusual(links: &Links, what: &str, spec: &Spec) -> Vec<Case> {
    let named = |name: &str| format!("fragments, {name}, {what}");
    let [first, ..] = spec.request().fragments();
    let short = spec.request().protocol(6).fragments().map(|piece| piece.cut(8));
    let [too_short, ..] = short;
    let atomic = spec.request().atomic();
    let alone = forwards(links, case(named("atomic"), links.front, atomic.build()), spec, &atomic);
    let few = first.clone().cut(8);
    let ports = first.clone().cut(4);
    vec![
        alone,
        // A UDP header, and nothing else.
        forwards(links, case(named("first of 8 bytes"), links.front, few.build()), spec, &few)
            .teaches([few.known()]),
        case(named("first of 4 bytes"), links.front, ports.build()).passes(Reason::BadLength),
        case(named("first without all of TCP"), links.front, too_short.build())
            .passes(Reason::BadLength),
    ]
}

/// Extension headers behind the fragment header are in the first fragment alone. The later ones say by
/// their fragment headers that they follow, and so not that the packet is one of UDP: they pass.
fn options_behind(links: &Links) -> [Case; 2] {
    let spec = DSR_V6_UDP;
    let behind = [Extension::Fragment(0, true), Extension::destination(1)];
    let first = spec.request().extensions(&behind);
    let last = spec.request().protocol(60).fragments()[2].clone();
    [
        forwards(
            links,
            case("fragments, first with options behind", links.front, first.build()),
            &spec,
            &first,
        )
        .teaches([first.known()]),
        case("fragments, last of one with options behind", links.front, last.build())
            .with_fragments([first.known()])
            .passes(Reason::OtherProtocol),
    ]
}

/// A flow past the service is one in pieces, too.
fn direct(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, spec, client) in
        [("IPv4", NAT_V4_UDP, address(CLIENT_V4)), ("IPv6", NAT_V6_TCP, address(CLIENT_V6))]
    {
        let [first, _, last] = spec.request().to(spec.backend(0)).fragments();
        let [reply, _, last_reply] = spec.reply(client).fragments();
        let request = |name: &str, packet: &Packet| {
            case(format!("fragments, direct, {name}, {what}"), links.front, packet.build())
        };
        let answer = |name: &str, packet: &Packet| {
            case(format!("fragments, direct, {name}, {what}"), links.back, packet.build())
                .after(links.front, first.build())
        };
        cases.extend([
            request("first", &first).passes(Reason::NotOurs).teaches([first.known()]),
            request("last", &last).with_fragments([first.known()]).passes(Reason::NotOurs),
            request("last alone", &last).passes(Reason::Fragment),
            answer("first reply", &reply)
                .passes(Reason::ReplyDirect)
                .teaches([first.known(), reply.known()]),
            answer("last reply", &last_reply)
                .after(links.back, reply.build())
                .passes(Reason::ReplyDirect)
                .teaches([first.known(), reply.known()]),
        ]);
    }
    cases
}

/// Later fragments belong to the backend of their flow, and keep it alive.
fn remembered(links: &Links) -> Vec<Case> {
    let back = Verdict::Redirect { ifindex: links.back };
    let mut cases = Vec::new();
    for (what, spec) in [("IPv4", MOVING_V4_TCP), ("IPv6", MOVING_V6_TCP)] {
        let [first, _, last] = spec.request_in(MOVED).fragments();
        let flow = spec.flow(OWNER, &last, FlowState::Open).epoch(5);
        let older = case(format!("fragments, older flow, {what}"), links.front, last.build())
            .with_fragments([first.known()])
            .forwards_to(PREVIOUS, back, &spec, spec.delivered_to(PREVIOUS, &last).build())
            .stamps(&spec, MOVED);
        let newer = case(format!("fragments, newer flow, {what}"), links.front, last.build())
            .with_fragments([first.known()])
            .with_flows([flow.clone().state(FlowState::Opening).age(9)])
            .forwards_to(OWNER, back, &spec, spec.delivered_to(OWNER, &last).build())
            .leaves([flow], []);
        cases.extend([older, newer]);
    }
    let spec = TRACKED_V4;
    let [first, _, last] = spec.request_in(MOVED).fragments();
    let flow = spec.flow(OWNER, &last, FlowState::Open).epoch(5);
    cases.push(
        case("fragments, tracked", links.front, last.build())
            .with_fragments([first.known()])
            .forwards_to(OWNER, back, &spec, spec.delivered_to(OWNER, &last).build())
            .leaves([flow], []),
    );
    let spec = SHARED_V6_UDP_2;
    let [first, _, last] = spec.request().fragments();
    cases.push(
        case("fragments, shared", links.front, last.build())
            .with_fragments([first.known()])
            .forwards(back, &spec, spec.delivered(&last).build())
            .leaves([], [spec.way_back(0, &last, FlowState::Open)]),
    );
    cases
}
