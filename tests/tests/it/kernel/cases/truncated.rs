//! Frames cut off before, at and behind the end of each header. The lengths in the headers are
//! those of the whole packet.

use lb_common::abi::Reason;

use crate::kernel::{
    case::{Case, case},
    network::Links,
    packet::{cut, patched, resummed},
    services::{DSR_V4_UDP, NAT_V4_TCP, NAT_V4_UDP, NAT_V6_TCP, NAT_V6_UDP, Spec},
};

const TOO_SHORT: &str = "a test run takes no frame without a whole Ethernet header";

pub(crate) fn cases(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, spec, ip, transport) in [
        ("IPv4, TCP", NAT_V4_TCP, 20, 20),
        ("IPv4, UDP", NAT_V4_UDP, 20, 8),
        ("IPv6, TCP", NAT_V6_TCP, 40, 20),
        ("IPv6, UDP", NAT_V6_UDP, 40, 8),
    ] {
        let (payload, data) = (14 + ip, 14 + ip + transport);
        for length in [14, 15, 14 + ip / 2, payload - 1] {
            cases.push(truncated(links, what, &spec, length, Reason::Truncated));
        }
        for length in [payload, payload + 1, payload + 4, data - 1, data, data + 11] {
            cases.push(truncated(links, what, &spec, length, Reason::BadLength));
        }
    }
    for length in [0, 1, 12, 13] {
        let case = truncated(links, "Ethernet", &DSR_V4_UDP, length, Reason::Truncated);
        cases.push(case.host_only(TOO_SHORT));
    }
    cases.extend(consistent(links));
    cases
}

fn truncated(links: &Links, what: &str, spec: &Spec, length: usize, reason: Reason) -> Case {
    let name = format!("{what}: cut to {length} bytes");
    case(name, links.front, cut(spec.request().build(), length)).passes(reason)
}

/// Cut inside the transport header, and the IP header agrees.
fn consistent(links: &Links) -> Vec<Case> {
    let one = |what: &str, spec: &Spec, at: usize, counted: u8, length: usize| {
        let frame = cut(spec.request().build(), length);
        let ip_len = u8::try_from(length - 14).expect("a small number") - counted;
        let name = format!("{what}: a packet of {length} bytes in all");
        let frame = patched(frame, at, &[0, ip_len]);
        let frame = if spec.vip().is_ipv4() { resummed(frame) } else { frame };
        case(name, links.front, frame).passes(Reason::BadLength)
    };
    let mut cases = Vec::new();
    for length in [34, 38, 53] {
        cases.push(one("IPv4, TCP", &NAT_V4_TCP, 16, 0, length));
        cases.push(one("IPv6, TCP", &NAT_V6_TCP, 18, 40, length + 20));
    }
    for length in [34, 38, 41] {
        cases.push(one("IPv4, UDP", &NAT_V4_UDP, 16, 0, length));
        cases.push(one("IPv6, UDP", &NAT_V6_UDP, 18, 40, length + 20));
    }
    cases
}
