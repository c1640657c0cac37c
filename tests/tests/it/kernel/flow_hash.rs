//! The flow hash once more, from its description: what it picks must not be told by the code under
//! test.

use std::net::{IpAddr, SocketAddr};

/// Hash of a flow from a client to a service.
pub(crate) fn flow_hash(seed: u64, from: SocketAddr, to: SocketAddr, protocol: u8) -> u32 {
    let mut state = seed;
    for word in address_words(from.ip(), to.ip()) {
        state = mixed(state, word);
    }
    let ports = [u64::from(from.port()), u64::from(to.port()), u64::from(protocol)];
    let state = mixed(state, ports[0] * (1 << 32) + ports[1] * (1 << 16) + ports[2]);
    let last = folded(product(state ^ state >> 29, 0xff51_afd7_ed55_8ccd));
    u32::try_from(last % (1 << 32)).expect("32 bits")
}

/// Hash of a client, whatever it speaks to. An IPv4 address is one word, in its IPv4-mapped form.
pub(crate) fn client_hash(seed: u64, from: IpAddr) -> u32 {
    let words = match from {
        IpAddr::V4(from) => vec![0xffff << 32 | u64::from(from.to_bits())],
        IpAddr::V6(from) => halves(from.to_bits()).to_vec(),
    };
    let state = words.into_iter().fold(seed, mixed);
    let last = folded(product(state ^ state >> 29, 0xff51_afd7_ed55_8ccd));
    u32::try_from(last % (1 << 32)).expect("32 bits")
}

fn halves(bits: u128) -> [u64; 2] {
    [bits >> 64, bits % (1 << 64)].map(|half| u64::try_from(half).expect("64 bits"))
}

/// Two IPv4 addresses are one word, two of IPv6 are four.
fn address_words(from: IpAddr, to: IpAddr) -> Vec<u64> {
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            vec![u64::from(from.to_bits()) * (1 << 32) + u64::from(to.to_bits())]
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            [halves(from.to_bits()), halves(to.to_bits())].concat()
        }
        _ => panic!("one family: {from} to {to}"),
    }
}

fn mixed(state: u64, word: u64) -> u64 {
    folded(product(state ^ word, 0x9e37_79b9_7f4a_7c15))
}

fn product(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b) % (1 << 64);
    u64::try_from(product).expect("64 bits")
}

fn folded(word: u64) -> u64 {
    word ^ word >> 32
}

/// Computed by a third implementation, in Python.
#[test]
fn hashes_are_pinned() {
    let of = |seed, from: &str, to: &str, protocol| {
        flow_hash(seed, from.parse().expect("valid"), to.parse().expect("valid"), protocol)
    };
    let seed = 0x0123_4567_89ab_cdef;
    assert_eq!(of(seed, "198.51.100.7:40000", "192.0.2.10:80", 6), 0x655c_3216);
    assert_eq!(of(seed, "203.0.113.255:0", "192.0.2.255:65535", 17), 0x94ed_7786);
    assert_eq!(of(0, "[2001:db8::7]:40000", "[2001:db8:10::10]:443", 6), 0x245a_b993);
}
