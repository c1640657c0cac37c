//! Packets put into other packets: `ipip` and `gue`, in all pairs of families.

use lb_common::{
    abi::{Reason, Verdict},
    wire::transport::TCP,
};

use crate::kernel::{
    case::{Case, case},
    network::Links,
    packet::{Flags, Packet, patched},
    services::{
        Spec,
        icmp::{expired, too_big},
        tunnels::{
            GUE_44, GUE_44_VARIED, GUE_46, GUE_46_SOURCE, GUE_64, GUE_64_JUMBO, GUE_66,
            GUE_66_FRONT, GUE_66_NEW, GUE_66_VARIED, IPIP_44, IPIP_44_FRONT, IPIP_44_NEW,
            IPIP_44_VARIED, IPIP_46, IPIP_46_JUMBO, IPIP_64, IPIP_64_SOURCE, IPIP_66,
            IPIP_66_VARIED,
        },
    },
};

/// The largest frame of a test run: see `sizes`.
const LARGEST: usize = 4096 - 256 - 320;

const EACH: [(&str, Spec); 8] = [
    ("ipip, 4 in 4, TCP", IPIP_44),
    ("ipip, 6 in 6, UDP", IPIP_66),
    ("ipip, 4 in 6, UDP", IPIP_46),
    ("ipip, 6 in 4, TCP", IPIP_64),
    ("gue, 4 in 4, UDP", GUE_44),
    ("gue, 6 in 6, TCP", GUE_66),
    ("gue, 4 in 6, TCP", GUE_46),
    ("gue, 6 in 4, UDP", GUE_64),
];

pub(crate) fn cases(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, spec) in EACH {
        cases.extend(packets(links, what, &spec));
        cases.extend(lifetimes(links, what, &spec));
        cases.extend(sizes(links, what, &spec));
        cases.extend(headroom(links, what, &spec));
    }
    cases.extend(sources(links));
    cases.extend(ways(links));
    cases.extend(damaged(links));
    cases
}

fn forwarded(links: &Links, name: String, spec: &Spec, packet: &Packet) -> Case {
    let back = Verdict::Redirect { ifindex: links.back };
    let expected = spec.delivered(packet).build();
    case(name, links.front, packet.build()).forwards(back, spec, expected)
}

/// Whatever is in a packet, it arrives; the traffic class is copied.
fn packets(links: &Links, what: &str, spec: &Spec) -> Vec<Case> {
    let forward =
        |name: &str, packet: Packet| forwarded(links, format!("{what}: {name}"), spec, &packet);
    let mut cases = vec![
        forward("usual", spec.request()),
        forward("no payload", spec.request().payload([])),
        forward("odd payload", spec.request().payload(*b"odd")),
        forward("padding", Packet { padding: 17, ..spec.request().payload(*b"!") }),
        forward("no traffic class", spec.request().class(0)),
        forward("congestion experienced", spec.request().class(0x03)),
        forward("all of the traffic class", spec.request().class(0xff)),
        forward("another identification", Packet { id: 0xffff, ..spec.request() }),
    ];
    if spec.protocol == TCP {
        cases.push(forward("SYN", spec.request().syn()));
        cases.push(forward("RST", spec.request().flags(Flags::Resets)));
    }
    cases
}

/// The inner time to live counts down; the outer one is always 64.
fn lifetimes(links: &Links, what: &str, spec: &Spec) -> Vec<Case> {
    let one = |ttl: u8| {
        let (name, packet) = (format!("{what}: TTL {ttl}"), spec.request().ttl(ttl));
        if ttl < 2 {
            let told = packet.refused(expired(packet.is_v4())).build();
            let draft = case(name, links.front, packet.build());
            return draft.answers(spec, Reason::TtlExpired, told);
        }
        forwarded(links, name, spec, &packet)
    };
    [0, 1, 2, 255].map(one).into()
}

/// What is behind the outer headers must fit the way, too.
fn sizes(links: &Links, what: &str, spec: &Spec) -> [Case; 2] {
    let most = spec.largest();
    let largest = usize::from(most);
    let packet = spec.request().ip_len(largest);
    let one_more = spec.request().ip_len(largest + 1);
    let told = one_more.refused(too_big(one_more.is_v4(), most.into())).build();
    [
        forwarded(links, format!("{what}: it just fits"), spec, &packet),
        case(format!("{what}: a byte too large"), links.front, one_more.build()).answers(
            spec,
            Reason::TooBig,
            told,
        ),
    ]
}

/// The time to live has been counted down before the room is asked for; nobody sees it.
fn headroom(links: &Links, what: &str, spec: &Spec) -> Vec<Case> {
    // Metadata would take some of it, but this kernel takes too little for that.
    let why = "a test run leaves room in front of the frame";
    let packet = spec.request();
    let refused = |bytes: usize| {
        let name = format!("{what}: {bytes} bytes of headroom");
        let dropped = packet.clone().ttl(packet.ttl - 1).build();
        let draft = case(name, links.front, packet.build()).headroom(bytes);
        draft.drops_as(spec, Reason::NoHeadroom, dropped)
    };
    let enough = |bytes: usize| {
        let back = Verdict::Redirect { ifindex: links.back };
        let name = format!("{what}: {bytes} bytes of headroom");
        let draft = case(name, links.front, packet.build()).headroom(bytes);
        draft.forwards(back, spec, spec.delivered(&packet).build())
    };
    let exact = spec.overhead();
    vec![refused(0).host_only(why), refused(exact - 1).host_only(why), enough(exact).host_only(why)]
}

/// The source is the balancer's own, or one of the service's by the hash of the flow.
fn sources(links: &Links) -> Vec<Case> {
    let mut cases = vec![
        forwarded(links, "ipip, a source".into(), &IPIP_64_SOURCE, &IPIP_64_SOURCE.request()),
        forwarded(links, "gue, a source".into(), &GUE_46_SOURCE, &GUE_46_SOURCE.request()),
    ];
    for (what, spec) in [
        ("ipip, 4 in 4, sources", IPIP_44_VARIED),
        ("ipip, 6 in 6, sources", IPIP_66_VARIED),
        ("gue, 4 in 4, sources", GUE_44_VARIED),
        ("gue, 6 in 6, sources", GUE_66_VARIED),
    ] {
        for port in 40_000..40_004 {
            let packet = spec.request().source_port(port);
            cases.push(forwarded(links, format!("{what}: port {port}"), &spec, &packet));
        }
    }
    cases
}

/// Out of the same interface, and where no way is known.
fn ways(links: &Links) -> Vec<Case> {
    let transmit = |name: &str, spec: &Spec, packet: &Packet| {
        let expected = spec.delivered(packet).build();
        case(name, links.front, packet.build()).forwards(Verdict::Transmit, spec, expected)
    };
    let unknown = |name: &str, spec: &Spec, packet: &Packet| {
        case(name, links.front, packet.build()).drops(spec, Reason::NoNextHop)
    };
    vec![
        transmit("ipip, out of the same interface", &IPIP_44_FRONT, &IPIP_44_FRONT.request()),
        transmit("gue, out of the same interface", &GUE_66_FRONT, &GUE_66_FRONT.request()),
        unknown("ipip, next hop unknown", &IPIP_44_NEW, &IPIP_44_NEW.request()),
        unknown("gue, next hop unknown", &GUE_66_NEW, &GUE_66_NEW.request()),
        unknown("ipip, next hop unknown, large", &IPIP_44_NEW, &IPIP_44_NEW.request().ip_len(1500)),
        large(links, "ipip: largest frame", &IPIP_46_JUMBO, LARGEST),
        large(links, "gue: largest frame", &GUE_64_JUMBO, LARGEST),
        large(links, "ipip: 9000 bytes on the way", &IPIP_46_JUMBO, 9014 - 40)
            .host_only("a test run takes no frame beyond a page"),
    ]
}

fn large(links: &Links, name: &str, spec: &Spec, frame: usize) -> Case {
    forwarded(links, name.into(), spec, &spec.request().ip_len(frame - 14))
}

/// An error in the packet stays for its receiver to see.
fn damaged(links: &Links) -> Vec<Case> {
    let back = Verdict::Redirect { ifindex: links.back };
    let patch = |name: &str, spec: &Spec, at: usize, bytes: &[u8]| {
        let input = patched(spec.request().build(), at, bytes);
        let expected =
            patched(spec.delivered(&spec.request()).build(), at + spec.overhead(), bytes);
        case(name, links.front, input).forwards(back, spec, expected)
    };
    vec![
        patch("ipip, 4 in 4: wrong TCP checksum", &IPIP_44, 14 + 20 + 16, &[0x12, 0x34]),
        patch("ipip, 6 in 6: no UDP checksum", &IPIP_66, 14 + 40 + 6, &[0, 0]),
        patch("gue, 4 in 4: no UDP checksum", &GUE_44, 14 + 20 + 6, &[0, 0]),
    ]
}
