//! Lengths and versions that contradict the frame or each other, and frames cut short.

use lb_common::decap::Reason;

use super::super::{
    super::packet::{cut, patched},
    case::Case,
    packet::{Family, bare, outer, request},
};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for family in Family::ALL {
        cases.extend(inner(family));
        cases.extend(truncated(family));
    }
    cases.extend(outer_ipv4());
    cases.extend(outer_ipv6());
    cases.extend(datagram());
    cases
}

/// Of the outer packet, in the frame.
const OUTER: usize = 14;

fn outer_ipv4() -> Vec<Case> {
    let inner = bare(&request(Family::V4));
    let sent = outer(Family::V4).ipip(&inner);
    let length = u16::try_from(sent.len() - OUTER).expect("short");
    // The checksum has to fit, or it is what is found to be wrong.
    let with = |at: usize, bytes: &[u8]| with_checksum(patched(sent.clone(), OUTER + at, bytes));
    let case =
        |name: &str, reason, frame| Case::passes(format!("outer IPv4: {name}"), reason, frame);
    vec![
        case("longer than the frame", Reason::BadLength, with(2, &(length + 1).to_be_bytes())),
        case("shorter than its header", Reason::BadLength, with(2, &19_u16.to_be_bytes())),
        case("a header and nothing else", Reason::BadLength, with(2, &20_u16.to_be_bytes())),
        case("one byte too short", Reason::BadLength, with(2, &(length - 1).to_be_bytes())),
        case("a header of 16 bytes", Reason::BadLength, with(0, &[0x44])),
        case("version 5", Reason::BadVersion, with(0, &[0x55])),
        case("version 6", Reason::BadVersion, with(0, &[0x65])),
        case("a wrong checksum", Reason::BadChecksum, patched(sent.clone(), OUTER + 10, &[1, 2])),
        case(
            "a wrong checksum, with GUE",
            Reason::BadChecksum,
            patched(outer(Family::V4).gue1(&inner), OUTER + 8, &[63]),
        ),
    ]
}

fn outer_ipv6() -> Vec<Case> {
    let sent = outer(Family::V6).ipip(&bare(&request(Family::V6)));
    let length = u16::try_from(sent.len() - OUTER - 40).expect("short");
    let with = |at: usize, bytes: &[u8]| patched(sent.clone(), OUTER + at, bytes);
    let case =
        |name: &str, reason, frame| Case::passes(format!("outer IPv6: {name}"), reason, frame);
    vec![
        case("longer than the frame", Reason::BadLength, with(4, &(length + 1).to_be_bytes())),
        case("no payload, as jumbograms have", Reason::BadLength, with(4, &[0, 0])),
        case("one byte too short", Reason::BadLength, with(4, &(length - 1).to_be_bytes())),
        case("version 4", Reason::BadVersion, with(0, &[0x45])),
        case("version 7", Reason::BadVersion, with(0, &[0x70])),
    ]
}

fn datagram() -> Vec<Case> {
    let inner = bare(&request(Family::V4));
    let sent = outer(Family::V4).gue1(&inner);
    let length = u16::try_from(8 + inner.len()).expect("short");
    let with = |length: u16| patched(sent.clone(), OUTER + 24, &length.to_be_bytes());
    let case = |name: &str, frame| Case::passes(format!("UDP: {name}"), Reason::BadLength, frame);
    vec![
        case("longer than the packet", with(length + 1)),
        case("one byte too short", with(length - 1)),
        case("shorter than its header", with(7)),
        case("length 0", with(0)),
        case("65535 bytes", with(u16::MAX)),
    ]
}

/// Of the inner packet.
fn inner(family: Family) -> Vec<Case> {
    let [v4, v6] = Family::ALL.map(|family| bare(&request(family)));
    let outer = outer(family);
    let case = |name: &str, reason, inner: Vec<u8>, protocol| {
        Case::passes(format!("inside {family:?}: {name}"), reason, outer.with(protocol, &inner))
    };
    let long = |at, packet: &Vec<u8>, by: usize| {
        let length = u16::try_from(packet.len() - by).expect("short");
        patched(packet.clone(), at, &(length + 1).to_be_bytes())
    };
    vec![
        case("IPv4 longer than its room", Reason::BadLength, long(2, &v4, 0), 4),
        case("IPv6 longer than its room", Reason::BadLength, long(4, &v6, 40), 41),
        case("a header of 16 bytes", Reason::BadLength, patched(v4.clone(), 0, &[0x44]), 4),
        case("shorter than its header", Reason::BadLength, patched(v4.clone(), 2, &[0, 19]), 4),
        case(
            "shorter than its header with options",
            Reason::BadLength,
            patched(patched(v4.clone(), 0, &[0x4f]), 2, &[0, 52]),
            4,
        ),
        case("part of an IPv4 header", Reason::BadLength, v4[..19].to_vec(), 4),
        case("part of an IPv6 header", Reason::BadLength, v6[..39].to_vec(), 41),
        case("nothing", Reason::BadLength, Vec::new(), 4),
        case("IPv6 announced as IPv4", Reason::BadVersion, v6.clone(), 4),
        case("IPv4 announced as IPv6", Reason::BadVersion, v4.clone(), 41),
        case("version 0", Reason::BadVersion, patched(v4.clone(), 0, &[0x05]), 4),
    ]
}

/// Frames that end where their headers say they go on.
fn truncated(family: Family) -> Vec<Case> {
    let inner = bare(&request(Family::V4));
    let outer = outer(family);
    let header = OUTER + family.header();
    let case = |how: &str, reason, frame: &Vec<u8>, length| {
        Case::passes(
            format!("{how} in {family:?}, cut to {length} bytes"),
            reason,
            cut(frame.clone(), length),
        )
    };
    let (ipip, gue) = (outer.ipip(&inner), outer.gue1(&inner));
    vec![
        case("ipip", Reason::Truncated, &ipip, OUTER),
        case("ipip", Reason::Truncated, &ipip, OUTER + 1),
        case("ipip", Reason::Truncated, &ipip, header - 1),
        case("ipip", Reason::BadLength, &ipip, header),
        case("ipip", Reason::BadLength, &ipip, header + 19),
        case("ipip", Reason::BadLength, &ipip, ipip.len() - 1),
        case("gue", Reason::Truncated, &gue, header - 1),
        case("gue", Reason::Truncated, &gue, header),
        case("gue", Reason::Truncated, &gue, header + 3),
        case("gue", Reason::BadLength, &gue, header + 4),
        case("gue", Reason::BadLength, &gue, header + 8),
        case("gue", Reason::BadLength, &gue, gue.len() - 1),
    ]
}

/// An IPv4 frame with the checksum that its header should have.
fn with_checksum(mut frame: Vec<u8>) -> Vec<u8> {
    frame[OUTER + 10..OUTER + 12].fill(0);
    let words = frame[OUTER..OUTER + 20].chunks(2);
    let sum: u32 = words.map(|word| u32::from(word[0]) * 256 + u32::from(word[1])).sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = u16::try_from((sum & 0xffff) + (sum >> 16)).expect("folded");
    frame[OUTER + 10..OUTER + 12].copy_from_slice(&(!sum).to_be_bytes());
    frame
}
