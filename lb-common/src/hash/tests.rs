//! The hashes are pinned by golden vectors: changing a value moves every flow of a fleet. They were
//! computed by an independent implementation, in Python, from the description in the module.

use std::{collections::HashSet, net::SocketAddr, vec, vec::Vec};

use crate::{
    hash,
    host::{addr_be, endpoint},
    wire::transport::{TCP, UDP},
};

const SEED: u64 = 0x0123_4567_89ab_cdef;
const CLIENT: &str = "198.51.100.7:40000";
const VIP: &str = "192.0.2.10:80";
const CLIENT6: &str = "[2001:db8::7]:40000";
const VIP6: &str = "[2001:db8:10::10]:443";

fn flow(seed: u64, from: &str, to: &str, protocol: u8) -> u32 {
    flow_between(seed, address(from), address(to), protocol)
}

fn flow_between(seed: u64, from: SocketAddr, to: SocketAddr, protocol: u8) -> u32 {
    let (from, to) = (endpoint(from, protocol), endpoint(to, protocol));
    hash::flow(seed, &from.addr_be, &to.addr_be, from.port_be, to.port_be, protocol)
}

fn backend(seed: u64, address: &str) -> u64 {
    let backend = endpoint(self::address(address), 0);
    hash::backend(seed, &backend.addr_be, backend.port_be)
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address and a port")
}

#[test]
fn flow_hashes_are_pinned() {
    for (seed, from, to, protocol, expected) in [
        (0, CLIENT, VIP, TCP, 0x5e65_6b43),
        (0, CLIENT, VIP, UDP, 0xe07f_dda7),
        (0, CLIENT6, VIP6, TCP, 0x245a_b993),
        (0, CLIENT6, VIP6, UDP, 0x074c_fd26),
        (SEED, CLIENT, VIP, TCP, 0x655c_3216),
        (SEED, "198.51.100.7:40001", VIP, TCP, 0xca38_ef7f),
        (SEED, CLIENT, VIP, UDP, 0x2c0a_37a9),
        (SEED, CLIENT6, VIP6, TCP, 0x319d_7f66),
        (SEED, CLIENT6, VIP6, UDP, 0x2f01_8f2c),
        (SEED, "203.0.113.255:0", "192.0.2.255:65535", UDP, 0x94ed_7786),
    ] {
        let found = flow(seed, from, to, protocol);
        assert_eq!(found, expected, "{from} to {to}, protocol {protocol}: {found:#x}");
    }
}

#[test]
fn backend_hashes_are_pinned() {
    for (seed, address, expected) in [
        (0, "172.17.0.4:1001", 0xc99b_87f3_c7ac_9530),
        (0, "[2001:db8:20::11]:8080", 0x6dde_fee4_0de9_be3a),
        (SEED, "172.17.0.4:1001", 0x86ce_a31e_d062_1424),
        (SEED, "172.17.0.5:1002", 0x5f9d_5a65_6be8_ff44),
        (SEED, "[2001:db8:20::11]:8080", 0x23a4_1f7c_fb28_ab82),
        (SEED, "[2001:db8:20::11]:0", 0xfabf_046e_71fa_6a8e),
    ] {
        let found = backend(seed, address);
        assert_eq!(found, expected, "{address}: {found:#x}");
    }
}

/// The words stand as they do in a packet, so that the bytes alone decide, whatever the machine's
/// byte order: the vectors above hold on any.
#[test]
fn words_are_taken_in_network_byte_order() {
    let packet = [0xc6, 0x33, 0x64, 0x07, 0xc0, 0x00, 0x02, 0x0a, 0x9c, 0x40, 0x00, 0x50];
    let word = |at: usize| {
        u32::from_ne_bytes(packet.get(at..at + 4).and_then(|b| b.try_into().ok()).unwrap_or([0; 4]))
    };
    let port = |at: usize| {
        u16::from_ne_bytes(packet.get(at..at + 2).and_then(|b| b.try_into().ok()).unwrap_or([0; 2]))
    };
    assert_eq!(
        hash::flow(
            SEED,
            &crate::abi::v4_mapped(word(0)),
            &crate::abi::v4_mapped(word(4)),
            port(8),
            port(10),
            TCP
        ),
        0x655c_3216
    );
    assert_eq!(addr_be("2001:db8::7".parse().expect("an address"))[0].to_be(), 0x2001_0db8);
}

#[test]
fn every_part_of_a_flow_counts() {
    let flows = [
        (SEED, CLIENT, VIP, TCP),
        (SEED + 1, CLIENT, VIP, TCP),
        (SEED, "198.51.100.8:40000", VIP, TCP),
        (SEED, "198.51.100.7:40001", VIP, TCP),
        (SEED, CLIENT, "192.0.2.11:80", TCP),
        (SEED, CLIENT, "192.0.2.10:81", TCP),
        (SEED, CLIENT, VIP, UDP),
        // Both ends exchanged: a flow is not its own reverse.
        (SEED, VIP, CLIENT, TCP),
        (SEED, CLIENT6, VIP6, TCP),
        (SEED, "[2001:db9::7]:40000", VIP6, TCP),
        (SEED, "[2001:db8:0:1::7]:40000", VIP6, TCP),
        (SEED, "[2001:db8::1:0:7]:40000", VIP6, TCP),
        (SEED, "[2001:db8::8]:40000", VIP6, TCP),
    ];
    let hashes: HashSet<u32> =
        flows.iter().map(|&(seed, from, to, protocol)| flow(seed, from, to, protocol)).collect();
    assert_eq!(hashes.len(), flows.len());
}

/// Two seeds put 1 flow in 64 into the same one of 64 slots, as if they were two dice.
#[test]
fn another_seed_is_another_placement() {
    let flows = || (0..8192_u16).map(|port| SocketAddr::from(([198, 51, 100, 7], port)));
    for other in [SEED + 1, SEED ^ 1 << 63, !SEED, 0, 1] {
        let same = flows()
            .filter(|&from| {
                let slot = |seed| flow_between(seed, from, address(VIP), TCP) & 63;
                slot(SEED) == slot(other)
            })
            .count();
        assert!((80..=180).contains(&same), "seed {other:#x}: {same} of 8192 flows, not about 128");
    }
}

/// Chi-square over 1,024 slots has a mean of 1,023 and a standard deviation of 45. The bounds are 6
/// standard deviations away on both sides: too even would be suspicious, too.
fn assert_uniform(what: &str, hashes: impl Iterator<Item = u32>) {
    const SLOTS: usize = 1024;
    let mut counts = vec![0_u32; SLOTS];
    let mut total = 0_u32;
    for hash in hashes {
        counts[hash as usize & (SLOTS - 1)] += 1;
        total += 1;
    }
    let expected = f64::from(total) / 1024.0;
    let chi_square: f64 =
        counts.iter().map(|&count| (f64::from(count) - expected).powi(2) / expected).sum();
    assert!((750.0..=1300.0).contains(&chi_square), "{what}: chi-square is {chi_square:.0}");
}

#[test]
fn sequential_flows_spread_evenly() {
    let seeds = [0, 1, SEED];
    for seed in seeds {
        let v4 = |from: u32, port: u16| SocketAddr::from((from.to_be_bytes(), port));
        let v6 =
            |last: u16, port: u16| SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, last], port));
        let tcp = |from| flow_between(seed, from, address(VIP), TCP);
        let tcp6 = |from| flow_between(seed, from, address(VIP6), TCP);
        let base = 0xc633_6400_u32;
        assert_uniform("ports of one client", (0..=u16::MAX).map(|port| tcp(v4(base, port))));
        assert_uniform("clients with one port", (0..65536).map(|n| tcp(v4(base + n, 40000))));
        assert_uniform("one client of each network", (0..65536).map(|n| tcp(v4(n << 8, 40000))));
        assert_uniform(
            "even ports of many clients",
            (0..65536).map(|n| tcp(v4(base + (n >> 8), 0x8000 + (n as u16 & 0xff) * 2))),
        );
        assert_uniform("ports, IPv6", (0..=u16::MAX).map(|port| tcp6(v6(7, port))));
        assert_uniform("clients, IPv6", (0..=u16::MAX).map(|last| tcp6(v6(last, 40000))));
        assert_uniform("high bits", (0..=u16::MAX).map(|port| tcp(v4(base, port)) >> 22));
    }
}

#[test]
fn bytes_are_hashed_in_order_and_to_the_last() {
    let inputs: Vec<&[u8]> = vec![b"", b"a", b"b", b"ab", b"ba", b"aa", b"aaa", b"web", b"\0"];
    let hashes: HashSet<u64> = inputs.iter().map(|bytes| hash::bytes(SEED, bytes)).collect();
    assert_eq!(hashes.len(), inputs.len(), "{hashes:x?}");
}
