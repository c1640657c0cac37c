//! What is none of the decapsulator's business.

use etherparse::{EtherType, ip_number};
use lb_common::{decap::Reason, wire::transport::UDP};

use super::super::{
    case::Case,
    packet::{Family, bare, frame, framed, outer, request},
};

pub(super) fn cases() -> Vec<Case> {
    [ends(), fragments_and_options(), other_traffic(), other_frames()]
        .into_iter()
        .flatten()
        .collect()
}

/// To or from somewhere else.
fn ends() -> Vec<Case> {
    let inner = bare(&request(Family::V4));
    let (v4, v6) = (outer(Family::V4), outer(Family::V6));
    let mapped = "::ffff:192.0.2.4";
    let not_local = |name, input| Case::passes(name, Reason::NotLocal, input);
    let not_allowed = |name, input| Case::passes(name, Reason::SourceNotAllowed, input);
    vec![
        not_local("ipip to another address", v4.clone().to("192.0.2.5").ipip(&inner)),
        not_local("ipip to another address of IPv6", v6.clone().to("2001:db8:2::5").ipip(&inner)),
        not_local("gue to another address", v4.clone().to("192.0.2.5").gue1(&inner)),
        not_local("gue to another address of IPv6", v6.clone().to("2001:db8:2::5").gue1(&inner)),
        not_local("ipip to everybody", v4.clone().to("255.255.255.255").ipip(&inner)),
        not_local("ipip to everybody of the network", v4.clone().to("192.0.2.255").ipip(&inner)),
        not_local("ipip to everybody who listens", v4.clone().to("233.252.0.1").ipip(&inner)),
        not_local("ipip to everybody of the link", v6.clone().to("ff02::1").ipip(&inner)),
        not_local("ipip to the VIP", v4.clone().to("198.51.100.10").ipip(&inner)),
        not_local("ipip to an IPv4-mapped address", v6.clone().to(mapped).ipip(&inner)),
        not_local(
            "ipip from a strange source to another address",
            v4.clone().from("203.0.113.1").to("192.0.2.5").ipip(&inner),
        ),
        not_allowed("ipip from before the prefix", v4.clone().from("192.0.1.255").ipip(&inner)),
        not_allowed("ipip from behind the prefix", v4.clone().from("192.0.2.16").ipip(&inner)),
        not_allowed("gue from elsewhere", v4.from("203.0.113.1").gue1(&inner)),
        not_allowed("ipip from elsewhere, IPv6", v6.clone().from("2001:db8:3::1").ipip(&inner)),
        not_allowed("gue from elsewhere, IPv6", v6.clone().from("2001:db8:1:ffff::").gue1(&inner)),
        not_allowed("ipip from an IPv4-mapped address", v6.from("::ffff:192.0.2.1").ipip(&inner)),
    ]
}

fn fragments_and_options() -> Vec<Case> {
    let inner = bare(&request(Family::V4));
    let (v4, v6) = (outer(Family::V4), outer(Family::V6));
    let options = v4.clone().options(&[1, 1, 1, 0]);
    let later = |protocol| [&[protocol, 0, 0, 0x10, 0, 0, 0, 1], &inner[..]].concat();
    // Tunnel encapsulation limit (RFC 2473 section 4.1.1), as ip6_tunnel of Linux sends it.
    let limited = [&[ip_number::IPV4.0, 0, 4, 1, 4, 1, 1, 0], &inner[..]].concat();
    let fragment = |name, input| Case::passes(name, Reason::Fragment, input);
    let option = |name, input| Case::passes(name, Reason::OuterOptions, input);
    let not_tunnelled = |name, input| Case::passes(name, Reason::NotTunnelled, input);
    vec![
        fragment("the first fragment of ipip", v4.clone().fragment(true, 0).ipip(&inner)),
        fragment("a later fragment of ipip", v4.clone().fragment(true, 2).ipip(&inner)),
        fragment("the last fragment of ipip", v4.clone().fragment(false, 2).ipip(&inner)),
        fragment("the first fragment of gue", v4.clone().fragment(true, 0).gue1(&inner)),
        fragment("the last fragment of gue", v4.clone().fragment(false, 2).gue1(&inner)),
        fragment("a fragment of IPv6", v6.with(44, &later(ip_number::IPV4.0))),
        fragment("a fragment of UDP of IPv6", v6.with(44, &later(UDP))),
        option("ipip behind options", options.ipip(&inner)),
        option("gue behind options", options.gue1(&inner)),
        not_tunnelled("ipip behind an extension header", v6.with(60, &limited)),
        not_tunnelled("ipip behind hop-by-hop options", v6.with(0, &limited)),
        not_tunnelled("TCP behind options", options.with(6, &inner)),
        not_tunnelled("a fragment of TCP", v4.fragment(true, 0).with(6, &inner)),
    ]
}

/// Ordinary packets to the backend.
fn other_traffic() -> Vec<Case> {
    let mut cases = Vec::new();
    for family in Family::ALL {
        let to_backend = outer(family);
        let passes = |what: &str, input| {
            Case::passes(format!("{what} over {family:?}"), Reason::NotTunnelled, input)
        };
        cases.extend([
            passes("TCP", frame(&bare(&request(family)))),
            passes("UDP to the backend", to_backend.udp(53, b"a question")),
            passes("UDP without payload", to_backend.udp(9, &[])),
            passes("ICMP", to_backend.with(1, &[8, 0, 0, 0, 0, 0, 0, 0])),
            passes("ICMPv6", to_backend.with(58, &[128, 0, 0, 0, 0, 0, 0, 0])),
            passes("GRE", to_backend.with(47, &[0, 0, 8, 0])),
            passes("ESP", to_backend.with(50, &[0; 24])),
        ]);
    }
    cases
}

/// Frames of other types.
fn other_frames() -> Vec<Case> {
    let tunnelled = outer(Family::V4).ipip(&bare(&request(Family::V4))).split_off(12);
    let tagged = [&[0x00, 0x64], &tunnelled[..]].concat();
    let twice = [&[0x00, 0x64, 0x81, 0x00], &tagged[..]].concat();
    let passes = |name, ether_type: u16, payload: &[u8]| {
        Case::passes(name, Reason::NotIp, framed(ether_type, payload))
    };
    vec![
        passes("ARP", EtherType::ARP.0, &[0, 1, 8, 0, 6, 4, 0, 1]),
        passes("ipip with a VLAN tag", EtherType::VLAN_TAGGED_FRAME.0, &tagged),
        passes("ipip with two VLAN tags", EtherType::PROVIDER_BRIDGING.0, &twice),
        passes("LLDP", 0x88cc, &[2, 7, 4]),
        passes("a length in place of a type", 60, &tunnelled),
    ]
}
