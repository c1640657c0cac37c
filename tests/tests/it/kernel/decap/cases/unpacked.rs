//! Packets that are unpacked.

use etherparse::ip_number;
use lb_common::wire::transport::UDP;

use super::super::{
    super::packet::patched,
    case::Case,
    packet::{Family, bare, frame, outer, request},
};

pub(super) fn cases() -> Vec<Case> {
    combinations().into_iter().chain(inner_packets()).chain(outer_headers()).collect()
}

/// Each way to put each family into each.
fn combinations() -> Vec<Case> {
    let mut cases = Vec::new();
    for inner_family in Family::ALL {
        for outer_family in Family::ALL {
            let inner = bare(&request(inner_family));
            let outer = outer(outer_family);
            let header = [0, inner_family.number(), 0, 0];
            let checked = |checksum| outer.udp_checked(6080, checksum, &inner);
            for (how, input) in [
                ("ipip", outer.ipip(&inner)),
                ("gue, variant 1", outer.gue1(&inner)),
                ("gue, variant 0", outer.gue0(header, &inner)),
                ("gue, a checksum that is not verified", checked(0x1234)),
            ] {
                let name = format!("{how}: {inner_family:?} in {outer_family:?}");
                cases.push(Case::unpacks(name, input, frame(&inner)));
            }
        }
    }
    cases
}

/// Whatever the kernel could take is taken.
fn inner_packets() -> Vec<Case> {
    let [v4, v6] = Family::ALL.map(request);
    let mut options = bare(&v4);
    options[0] = 0x46;
    options.splice(20..20, [1, 1, 1, 0]);
    let options_len = u16::try_from(options.len()).expect("short");
    options[2..4].copy_from_slice(&options_len.to_be_bytes());
    let packets = [
        ("a SYN", bare(&v4.clone().syn())),
        ("a SYN of IPv6", bare(&v6.clone().syn())),
        ("UDP", bare(&v4.clone().protocol(UDP))),
        ("UDP of IPv6", bare(&v6.clone().protocol(UDP))),
        ("UDP to the port of GUE", bare(&v4.clone().protocol(UDP).destination_port(6080))),
        ("1460 bytes", bare(&v4.clone().ip_len(1460))),
        ("1460 bytes of IPv6", bare(&v6.clone().ip_len(1460))),
        ("an odd length", bare(&v4.clone().ip_len(1459))),
        ("time to live 1", bare(&v4.clone().ttl(1))),
        ("options", options),
        ("a fragment", patched(bare(&v4), 6, &[0x20, 0x05])),
        ("another protocol", patched(bare(&v4), 9, &[ip_number::SCTP.0])),
        ("an extension header", patched(bare(&v6), 6, &[0])),
        ("a wrong header checksum", patched(bare(&v4), 10, &[0xde, 0xad])),
        ("a wrong transport checksum", patched(bare(&v4), 36, &[0xde, 0xad])),
        ("an IPv4 header and nothing else", patched(bare(&v4)[..20].to_vec(), 2, &[0, 20])),
        ("an IPv6 header and nothing else", patched(bare(&v6)[..40].to_vec(), 4, &[0, 0])),
        ("a packet in a packet", outer(Family::V4).ipip(&bare(&v4)).split_off(14)),
    ];
    let unpacked = |(what, inner): (&str, Vec<u8>)| {
        Case::unpacks(format!("inside: {what}"), outer(Family::V4).ipip(&inner), frame(&inner))
    };
    packets.map(unpacked).into()
}

/// What the outer headers may say, and what may stand behind the packet.
fn outer_headers() -> Vec<Case> {
    let inner = bare(&request(Family::V4));
    let outer = |family| outer(family);
    let padded = |frame: Vec<u8>| [frame, vec![0xee; 18]].concat();
    let slack = [&inner[..], &[0xee; 6]].concat();
    let unpacks = |name, input| Case::unpacks(name, input, frame(&inner));
    vec![
        unpacks("outside: a traffic class", outer(Family::V4).tos(0xb8).ipip(&inner)),
        unpacks("outside: a traffic class of IPv6", outer(Family::V6).tos(0xb8).ipip(&inner)),
        unpacks(
            "outside: the first allowed source",
            outer(Family::V4).from("192.0.2.0").ipip(&inner),
        ),
        unpacks(
            "outside: the last allowed source",
            outer(Family::V4).from("192.0.2.15").ipip(&inner),
        ),
        unpacks(
            "outside: another allowed source of IPv6",
            outer(Family::V6).from("2001:db8:2::ffff:1").gue1(&inner),
        ),
        Case::unpacks(
            "outside: padding of the frame",
            padded(outer(Family::V4).ipip(&inner)),
            padded(frame(&inner)),
        ),
        Case::unpacks(
            "outside: padding of the frame, GUE in IPv6",
            padded(outer(Family::V6).gue1(&inner)),
            padded(frame(&inner)),
        ),
        Case::unpacks(
            "outside: more room than the inner packet takes",
            outer(Family::V4).ipip(&slack),
            frame(&slack),
        ),
        Case::unpacks(
            "outside: more room than the UDP datagram takes",
            patched(outer(Family::V4).gue1(&slack), 38, &[0, 8 + 52]),
            frame(&slack),
        ),
    ]
}
