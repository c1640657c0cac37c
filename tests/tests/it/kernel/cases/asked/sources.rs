//! Lists of sources: the longest prefix counts, and without one the kind of the list.

use lb_common::abi::Reason;

use super::{arrives, reaches};
use crate::kernel::{
    case::Case,
    network::Links,
    packet::{Extension, Tag},
    services::{
        Spec, address,
        asked::{ALLOWS_V4, ALLOWS_V6, DENIES_V4, DENIES_V6, SHORT, SHORT_V6},
    },
};

/// Clients, and whether they are served.
type Clients = &'static [(&'static str, bool)];

const DENIES: (Clients, Clients) = (
    &[
        ("198.51.99.255", true),
        ("198.51.100.0", false),
        ("198.51.100.63", false),
        ("198.51.100.64", true),
        ("198.51.100.76", true),
        ("198.51.100.77", false),
        ("198.51.100.127", true),
        ("198.51.100.128", false),
        ("198.51.101.0", true),
    ],
    &[
        ("[2001:db8:0:ffff::1]", true),
        ("[2001:db8:1::7]", false),
        ("[2001:db8:1:7::76]", true),
        ("[2001:db8:1:7::77]", false),
        ("[2001:db8:1:8::77]", false),
        ("[2001:db8:2::1]", true),
    ],
);

const ALLOWS: (Clients, Clients) = (
    &[
        ("198.51.100.31", true),
        ("198.51.100.32", false),
        ("198.51.100.63", false),
        ("198.51.100.64", true),
        ("198.51.100.127", true),
        ("198.51.100.128", false),
        ("203.0.113.77", false),
    ],
    &[
        ("[2001:db8:1::7]", true),
        ("[2001:db8:1::8]", false),
        ("[2001:db8:1::f]", false),
        ("[2001:db8:1::10]", true),
        ("[2001:db8:1::1:0]", false),
        ("[2001:db8:2::1]", false),
    ],
);

const SHORTS: (Clients, Clients) = (
    &[("127.255.255.255", true), ("128.0.0.0", false), ("223.1.2.3", false), ("9.8.7.6", true)],
    &[
        ("[2001:db8:1::7]", true),
        ("[2001:db8:1:7::7]", false),
        ("[3fff:ffff::1]", true),
        ("[4000::1]", false),
        ("[1fff::1]", false),
    ],
);

pub(super) fn cases(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, spec, clients) in [
        ("deny, IPv4", DENIES_V4, DENIES.0),
        ("deny, IPv6", DENIES_V6, DENIES.1),
        ("allow, IPv4", ALLOWS_V4, ALLOWS.0),
        ("allow, IPv6", ALLOWS_V6, ALLOWS.1),
        ("short prefixes, IPv4", SHORT, SHORTS.0),
        ("short prefixes, IPv6", SHORT_V6, SHORTS.1),
    ] {
        for (client, served) in clients {
            cases.extend(of_client(links, &format!("{what}: {client}"), &spec, client, *served));
        }
    }
    cases
}

/// In the midst of a flow, at its beginning where it has one, and by the stages.
fn of_client(links: &Links, name: &str, spec: &Spec, client: &str, served: bool) -> Vec<Case> {
    let data = spec.request().from(address(&format!("{client}:40000")));
    let rare = if data.is_v4() {
        data.clone().options(1)
    } else {
        data.clone().extensions(&[Extension::destination(1)])
    };
    let packets = [
        ("data", data.clone()),
        ("opening", if spec.protocol == 6 { data.clone().syn() } else { data.clone() }),
        ("options", rare),
        ("tagged", data.tags(&[Tag::of(7)])),
    ];
    let case = |(kind, packet): (&str, crate::kernel::packet::Packet)| {
        let draft = arrives(links, format!("{name}: {kind}"), &packet);
        if served {
            reaches(links, draft, spec, 0, &packet)
        } else if packet.tags.is_empty() {
            draft.drops(spec, Reason::SourceDenied)
        } else {
            draft.drops_as(spec, Reason::SourceDenied, packet.tags(&[]).build())
        }
    };
    packets.into_iter().map(case).collect()
}
