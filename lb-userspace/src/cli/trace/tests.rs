//! Lines, captures, and what ends a trace.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, os::unix::fs::symlink, path::Path, time::Duration};

use etherparse::{EtherType, Ethernet2Header, IpNumber, PacketBuilder, PacketBuilderStep};
use pcap_file::pcapng::{
    Block, PcapNgReader,
    blocks::{
        enhanced_packet::EnhancedPacketOption, interface_description::InterfaceDescriptionOption,
        opt_common::CommonOption,
    },
};
use serde_json::Value;

use super::{frame::words, line::Lines, path};
use crate::{
    admin::{
        fixture,
        types::{FrameView, TraceEvent, TracedPacket},
    },
    cli::tests::{
        commands::{failure, shunt},
        golden::assert_golden,
    },
};

fn packets() -> Vec<TracedPacket> {
    let events = fixture::traced().into_iter();
    let packet = |event| match event {
        TraceEvent::Packet(packet) => Some(*packet),
        TraceEvent::Lost { .. } | TraceEvent::Ended { .. } => None,
    };
    events.filter_map(packet).collect()
}

/// A packet of a capture: interface, time, length, bytes, comment.
type Captured = (String, Duration, u32, Vec<u8>, String);

fn captured(file: &[u8]) -> Vec<Captured> {
    let mut reader = PcapNgReader::new(file).unwrap();
    let (mut interfaces, mut packets) = (Vec::new(), Vec::new());
    while let Some(block) = reader.next_block() {
        let (block, _) = block.unwrap();
        match block {
            Block::InterfaceDescription(block) => {
                let name = block.options.iter().find_map(|option| match option {
                    InterfaceDescriptionOption::IfName(name) => Some(name.to_string()),
                    _ => None,
                });
                interfaces.push(name.unwrap());
            }
            Block::EnhancedPacket(block) => {
                let comment = block.options.iter().find_map(|option| match option {
                    EnhancedPacketOption::Common(CommonOption::Comment(comment)) => {
                        Some(comment.to_string())
                    }
                    _ => None,
                });
                let interface = interfaces[block.interface_id as usize].clone();
                let bytes = block.data.into_owned();
                let comment = comment.unwrap();
                packets.push((interface, block.timestamp, block.original_len, bytes, comment));
            }
            _ => {}
        }
    }
    packets
}

/// What a capture of the packets should hold.
fn expected() -> Vec<Captured> {
    let comments = [
        "as it arrived: forwarded, service web, backend 172.17.0.4:1001",
        "as it left: forwarded, service web, backend 172.17.0.4:1001",
        "as it arrived: returned, service web, backend 172.17.0.4:1001",
        "as it left: returned, service web, backend 172.17.0.4:1001",
        "as it arrived: dropped no-backend, service web",
    ];
    let frames: Vec<(Duration, FrameView)> = packets()
        .into_iter()
        .flat_map(|packet| {
            let time = Duration::new(packet.seconds, packet.nanoseconds);
            [Some(packet.before), packet.after].into_iter().flatten().map(move |it| (time, it))
        })
        .collect();
    assert_eq!(frames.len(), comments.len());
    let capture = |((time, frame), comment): ((_, FrameView), &str)| {
        (frame.interface, time, frame.length, frame.bytes, comment.to_owned())
    };
    frames.into_iter().zip(comments).map(capture).collect()
}

#[test]
fn packets_are_lines() {
    let mut lines = Lines::default();
    let text: String = packets().iter().map(|packet| lines.line(packet)).collect();
    assert_golden("trace.txt", &text);
}

#[tokio::test]
async fn lines_come_until_enough_were_seen() {
    let daemon = fixture::daemon();
    let two = shunt(&daemon.socket, "trace service web --count 2").await.unwrap();
    assert!(two.done);
    assert_eq!(two.out.lines().count(), 2, "{}", two.out);
    assert!(two.out.contains("198.51.100.7:40000 > 192.0.2.10:80 tcp SYN, 54 B"), "{}", two.out);
    let json = shunt(&daemon.socket, "trace service web --count 3 --json").await.unwrap().out;
    let found: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected: Vec<_> =
        fixture::traced()[..3].iter().map(|event| serde_json::to_value(event).unwrap()).collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_trace_that_the_daemon_ends_has_failed() {
    let daemon = fixture::daemon();
    let error = failure(&daemon, "trace service web").await;
    assert_eq!(error, "the daemon has ended without a word; see its log");
    let error = failure(&daemon, "trace service dns").await;
    assert_eq!(error, "another trace is running");
}

#[tokio::test]
async fn a_capture_has_both_sides() {
    let daemon = fixture::daemon();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.pcapng");
    fs::write(&file, "what was there before, which is longer than nothing".repeat(100)).unwrap();
    let line = format!("trace service web --count 3 --pcap {}", file.display());
    let shown = shunt(&daemon.socket, &line).await.unwrap().out;
    assert_eq!(shown.lines().count(), 3, "{shown}");
    assert_eq!(captured(&fs::read(&file).unwrap()), expected());
    // A trace that the daemon ends leaves a whole file, too.
    let line = format!("trace service web --pcap {}", file.display());
    failure(&daemon, &line).await;
    assert_eq!(captured(&fs::read(&file).unwrap()), expected());
}

#[tokio::test]
async fn a_file_is_only_touched_when_the_trace_begins() {
    let daemon = fixture::daemon();
    let directory = tempfile::tempdir().unwrap();
    let old = directory.path().join("old.pcapng");
    fs::write(&old, "old").unwrap();
    failure(&daemon, &format!("trace service dns --pcap {}", old.display())).await;
    assert_eq!(fs::read(&old).unwrap(), b"old");
    let new = directory.path().join("new.pcapng");
    failure(&daemon, &format!("trace service dns --pcap {}", new.display())).await;
    assert!(!new.exists());
    let nowhere = directory.path().join("nowhere/a.pcapng");
    let error = failure(&daemon, &format!("trace --pcap {}", nowhere.display())).await;
    assert!(error.contains("cannot write to") && error.contains("nowhere/a.pcapng"), "{error}");
}

#[tokio::test]
async fn standard_output_takes_one_of_both() {
    let daemon = fixture::daemon();
    let error = failure(&daemon, "trace --pcap - --json").await;
    assert!(error.contains("either JSON or pcapng"), "{error}");
}

#[test]
fn a_filter_is_escaped() {
    let words = |line: &str| line.split('|').map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(path(&[]), "/v1/trace?filter=");
    let filter = words("host|2001:db8::/32|port 80");
    assert_eq!(path(&filter), "/v1/trace?filter=host%202001:db8::/32%20port%2080");
    assert_eq!(path(&words("a&b#ö")), "/v1/trace?filter=a%26b%23%C3%B6");
}

fn ipv4() -> PacketBuilderStep<etherparse::IpHeaders> {
    PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([198, 51, 100, 7], [192, 0, 2, 10], 64)
}

fn built(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut bytes);
    bytes
}

#[test]
fn frames_are_described() {
    let tcp = built(|to| ipv4().tcp(1, 80, 1, 1).fin().ack(1).write(to, b"x").unwrap());
    let v6 = || PacketBuilder::ipv6([0x20; 16], [0x21; 16], 64);
    let inner = built(|to| v6().udp(5, 53).write(to, b"x").unwrap());
    let tunnel =
        |number: u8, bytes: &[u8]| built(|to| ipv4().write(to, IpNumber(number), bytes).unwrap());
    let tagged = PacketBuilder::ethernet2([2; 6], [4; 6]).single_vlan(5.try_into().unwrap());
    let tagged = tagged.ipv4([198, 51, 100, 7], [192, 0, 2, 10], 64);
    let lldp =
        Ethernet2Header { source: [2; 6], destination: [4; 6], ether_type: EtherType(0x88cc) };
    let mut fragment = tunnel(17, b"payload");
    fragment[21] = 3;
    let v6_name = "[2020:2020:2020:2020:2020:2020:2020:2020]:5 > [2121:2121:2121:2121:2121:2121:2121:2121]:53 udp";
    let cases = [
        (tcp.clone(), "198.51.100.7:1 > 192.0.2.10:80 tcp FIN ACK".to_owned()),
        (
            built(|to| tagged.udp(5, 53).write(to, &[]).unwrap()),
            "vlan 5 198.51.100.7:5 > 192.0.2.10:53 udp".to_owned(),
        ),
        (tunnel(41, &inner), format!("198.51.100.7 > 192.0.2.10 ipip: {v6_name}")),
        (
            built(|to| ipv4().udp(50_000, 6080).write(to, &inner).unwrap()),
            format!("198.51.100.7:50000 > 192.0.2.10:6080 gue: {v6_name}"),
        ),
        (
            built(|to| ipv4().icmpv4_echo_request(1, 2).write(to, b"x").unwrap()),
            "198.51.100.7 > 192.0.2.10 icmp echo request".to_owned(),
        ),
        (tunnel(132, b"sctp"), "198.51.100.7 > 192.0.2.10 protocol 132".to_owned()),
        (fragment, "198.51.100.7 > 192.0.2.10 fragment of protocol 17".to_owned()),
        (built(|to| lldp.write(to).unwrap()), "type 0x88cc".to_owned()),
        (vec![0; 5], "no Ethernet header".to_owned()),
        // The rest was not copied, and its length says otherwise.
        (tcp[..54].to_vec(), "198.51.100.7:1 > 192.0.2.10:80 tcp FIN ACK".to_owned()),
    ];
    for (bytes, expected) in cases {
        assert_eq!(words(&bytes), expected);
    }
    for cut in 0..tcp.len() {
        _ = words(&tcp[..cut]);
    }
}

#[tokio::test]
async fn a_link_to_nothing_is_a_new_file() {
    let daemon = fixture::daemon();
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("link");
    symlink(Path::new("target"), &link).unwrap();
    let words = format!("trace service web --count 1 --pcap {}", link.display());
    shunt(&daemon.socket, &words).await.unwrap();
    assert_eq!(captured(&fs::read(directory.path().join("target")).unwrap()).len(), 2);
}
