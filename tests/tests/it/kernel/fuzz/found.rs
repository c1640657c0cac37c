//! What random packets found, by name. Each must be the same on both sides for ever.

use fastrand::Rng;

use super::{
    Event, ROOM,
    checksums::{behind_tags, repair},
    icmp,
    network::Links,
    packet::{Flags, Packet},
    services::{NAT_V6_TCP, moving::TRACKED_V4, shared::SHARED_V4_TCP, tunnels::IPIP_66_VARIED},
    shape,
};

const ETH: usize = 14;

/// Events, by what was wrong.
pub(super) fn all(links: &Links) -> Vec<(&'static str, Vec<Event>)> {
    let at_front = |bytes| Event::Frame { ingress: links.front, bytes };
    let events = |frames: Vec<Vec<u8>>| frames.into_iter().map(at_front).collect();
    vec![
        (
            "a flow to a backend behind a VLAN was remembered though it was refused",
            events(refused_behind_a_vlan()),
        ),
        (
            "an ICMPv6 error that quotes IPv4 was translated",
            events(vec![quoting_the_other_family()]),
        ),
        ("a last extension header of any length was followed", events(vec![long_extension()])),
    ]
}

/// The table of ways back is full before that of flows is.
fn refused_behind_a_vlan() -> Vec<Vec<u8>> {
    let ports = (40_000..).take(ROOM as usize);
    let shared = ports.map(|port| SHARED_V4_TCP.request().source_port(port).build());
    shared.chain([TRACKED_V4.request_in(0).build()]).collect()
}

fn quoting_the_other_family() -> Vec<u8> {
    let about = shape::reversed(&NAT_V6_TCP.request().build()).expect("an IPv6 packet");
    let about = behind_tags(&about).expect("an IPv6 packet");
    // One that quotes the ports.
    let mut errors = (1..).filter_map(|seed| icmp::error(&mut Rng::with_seed(seed), about, None));
    let long = errors.find(|frame| frame.len() >= ETH + 40 + 8 + 44);
    let mut frame = long.expect("there are as many as wanted");
    let (hop_limit, version) = (ETH + 7, ETH + 40 + 8);
    (frame[hop_limit], frame[version]) = (64, 0x4b);
    repair(&mut frame);
    frame
}

fn long_extension() -> Vec<u8> {
    let packet: Packet = IPIP_66_VARIED.request().flags(Flags::Continues);
    let plain = packet.build();
    let (headers, payload) = plain.split_at(ETH + 40);
    let mut extension = vec![0; 8 * 84];
    (extension[0], extension[1]) = (headers[ETH + 6], 83);
    let length = u16::try_from(extension.len() + payload.len()).expect("it fits");
    let mut frame = [headers, &extension, payload].concat();
    frame[ETH + 4..ETH + 6].copy_from_slice(&length.to_be_bytes());
    // Destination options.
    frame[ETH + 6] = 60;
    frame
}
