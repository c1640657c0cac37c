//! What is a header and what is none, in whatever pieces it comes.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod naive;
mod random;

use std::net::{IpAddr, SocketAddr};

use proptest::prelude::*;

use super::{Ends, Fault, Header, Read, read, v2, write};
use crate::model::upstream::ProxyProtocol;

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// What follows a header.
const REST: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

fn ends(source: &str, destination: &str) -> Header {
    Header::Proxied(Ends {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
    })
}

/// A header of version 2 with whatever it shall have.
fn binary(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &length, block].concat()
}

/// Addresses and ports of TCP over IPv4, and TLVs behind them.
fn v4(tlvs: &[u8]) -> Vec<u8> {
    let addresses = [192, 0, 2, 1, 198, 51, 100, 2, 0x12, 0x34, 0x01, 0xbb];
    binary(0x21, 0x11, &[&addresses, tlvs].concat())
}

/// The same with the checksum that belongs to it.
fn with_checksum(tlvs: &[u8]) -> Vec<u8> {
    let mut header = v4(&[tlvs, &[3, 0, 4, 0, 0, 0, 0]].concat());
    let sum = naive::crc32c(&header).to_be_bytes();
    let at = header.len() - 4;
    header[at..].copy_from_slice(&sum);
    header
}

/// Headers that are right, and what they mean.
fn right() -> Vec<(Vec<u8>, Header)> {
    let v4_ends = ends("192.0.2.1:4660", "198.51.100.2:443");
    let v6 = [[0x20, 1, 0xd, 0xb8].as_slice(), &[0; 11], &[1]].concat();
    let v6_block = [&v6, &v6, [0u8, 80, 1, 0].as_slice()].concat();
    let longest = format!("PROXY UNKNOWN {}\r\n", "f".repeat(91));
    assert_eq!(longest.len(), 107);
    let lines = [
        ("PROXY TCP4 192.0.2.1 198.51.100.2 4660 443\r\n", v4_ends),
        (
            "PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n",
            ends("0.0.0.0:0", "255.255.255.255:65535"),
        ),
        ("PROXY TCP6 2001:db8::1 2001:DB8::2 1 2\r\n", ends("[2001:db8::1]:1", "[2001:db8::2]:2")),
        ("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c000:202 1 2\r\n", ends("192.0.2.1:1", "192.0.2.2:2")),
        ("PROXY UNKNOWN\r\n", Header::Own),
        ("PROXY UNKNOWN 192.0.2.1 what ever  \0\r\n", Header::Own),
        (&longest, Header::Own),
    ];
    let mut all: Vec<_> = lines.map(|(line, header)| (line.as_bytes().to_vec(), header)).into();
    all.extend([
        (v4(&[]), v4_ends),
        (v4(&[4, 0, 0]), v4_ends),
        (v4(&[2, 0, 3, b'a', b'.', b'b', 0xee, 0, 1, 9]), v4_ends),
        (with_checksum(&[]), v4_ends),
        (with_checksum(&[4, 0, 2, 7, 7]), v4_ends),
        (binary(0x21, 0x21, &v6_block), ends("[2001:db8::1]:80", "[2001:db8::1]:256")),
        (binary(0x21, 0x12, &[1; 12]), Header::Own),
        (binary(0x21, 0x22, &[1; 36]), Header::Own),
        (binary(0x21, 0x31, &[0; 216]), Header::Own),
        (binary(0x21, 0x32, &[0; 216]), Header::Own),
        (binary(0x21, 0x00, &[]), Header::Own),
        (binary(0x21, 0x00, &[1, 2, 3, 4, 5]), Header::Own),
        (binary(0x20, 0x00, &[]), Header::Own),
        // Of what is local, nothing else is to be looked at.
        (binary(0x20, 0xff, &[1, 2, 3, 4, 5]), Header::Own),
        (binary(0x21, 0x00, &vec![0; usize::from(v2::LARGEST)]), Header::Own),
    ]);
    all
}

/// What is no header, and why.
fn wrong() -> Vec<(Vec<u8>, Fault)> {
    let too_long = format!("PROXY UNKNOWN {}\r\n", "f".repeat(92));
    let lines = [
        ("GET / HTTP/1.1\r\n", Fault::Missing),
        ("POST / HTTP/1.1\r\n", Fault::Missing),
        ("proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n", Fault::Missing),
        ("PROXY\tTCP4 192.0.2.1 192.0.2.2 1 2\r\n", Fault::Missing),
        ("\r\nPROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", Fault::Missing),
        ("\x16\x03\x01", Fault::Missing),
        (&too_long, Fault::LongLine),
        ("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n", Fault::LineEnd),
        ("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\r\n", Fault::LineEnd),
        ("PROXY UNKNOWN \r \r\n", Fault::LineEnd),
        ("PROXY \r\n", Fault::Protocol),
        ("PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n", Fault::Protocol),
        ("PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n", Fault::Protocol),
        ("PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n", Fault::Protocol),
        ("PROXY UNKNOWNS\r\n", Fault::Protocol),
        ("PROXY TCP4\r\n", Fault::Words),
        ("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", Fault::Words),
        ("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n", Fault::Words),
        ("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n", Fault::Words),
        ("PROXY TCP4 192.0.2.1  192.0.2.2 1\r\n", Fault::Port),
        ("PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n", Fault::Address),
        ("PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n", Fault::Address),
        ("PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n", Fault::Address),
        ("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n", Fault::Address),
        ("PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", Fault::Address),
        ("PROXY TCP6 2001:db8::1::2 2001:db8::2 1 2\r\n", Fault::Address),
        ("PROXY TCP6 [2001:db8::1] 2001:db8::2 1 2\r\n", Fault::Address),
        ("PROXY TCP6 fe80::1%eth0 2001:db8::2 1 2\r\n", Fault::Address),
        ("PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n", Fault::Port),
        ("PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n", Fault::Port),
        ("PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n", Fault::Port),
        ("PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n", Fault::Port),
        ("PROXY TCP4 192.0.2.1 192.0.2.2 1 00\r\n", Fault::Port),
    ];
    let mut all: Vec<_> = lines.map(|(line, fault)| (line.as_bytes().to_vec(), fault)).into();
    let mut damaged = with_checksum(&[]);
    damaged[17] ^= 1;
    let mut twice = with_checksum(&[]);
    twice[15] += 7;
    twice.extend([3, 0, 4, 0, 0, 0, 0]);
    all.extend([
        (binary(0x11, 0x11, &[0; 12]), Fault::Version(1)),
        (binary(0x31, 0x11, &[0; 12]), Fault::Version(3)),
        (binary(0x22, 0x11, &[0; 12]), Fault::Command(2)),
        (binary(0x21, 0x10, &[0; 12]), Fault::Family(0x10)),
        (binary(0x21, 0x13, &[0; 12]), Fault::Family(0x13)),
        (binary(0x21, 0x41, &[0; 12]), Fault::Family(0x41)),
        (binary(0x21, 0x00, &vec![0; usize::from(v2::LARGEST) + 1]), Fault::Large(v2::LARGEST + 1)),
        (binary(0x20, 0x00, &vec![0; 65535]), Fault::Large(65535)),
        (binary(0x21, 0x11, &[0; 11]), Fault::Small(11)),
        (binary(0x21, 0x21, &[0; 12]), Fault::Small(12)),
        (binary(0x21, 0x31, &[0; 36]), Fault::Small(36)),
        (v4(&[4]), Fault::Tlv),
        (v4(&[4, 0]), Fault::Tlv),
        (v4(&[4, 0, 1]), Fault::Tlv),
        (v4(&[4, 0, 0, 4, 0xff, 0xff, 1, 1]), Fault::Tlv),
        (v4(&[3, 0, 4, 0, 0, 0, 0]), Fault::Checksum),
        (v4(&[3, 0, 3, 0, 0, 0]), Fault::Checksum),
        (damaged, Fault::Checksum),
        (twice, Fault::Checksum),
    ]);
    all
}

/// What comes of bytes that arrive in pieces of a size.
fn read_by(bytes: &[u8], size: usize) -> Result<Read, Fault> {
    let mut seen = 0;
    while seen < bytes.len() {
        seen = (seen + size).min(bytes.len());
        match read(&bytes[..seen]) {
            Ok(Read::More) => {}
            other => return other,
        }
    }
    Ok(Read::More)
}

#[test]
fn what_is_right_is_read() {
    for (bytes, header) in right() {
        let whole = [&bytes, REST].concat();
        assert_eq!(read(&whole), Ok(Read::Done(header, bytes.len())), "{}", bytes.escape_ascii());
        for seen in 0..bytes.len() {
            assert_eq!(read(&bytes[..seen]), Ok(Read::More), "{seen} of {}", bytes.escape_ascii());
        }
    }
}

#[test]
fn what_is_wrong_is_refused() {
    for (bytes, fault) in wrong() {
        for size in [1, 2, 3, 7, 64, 1 << 17] {
            let found = read_by(&bytes, size);
            assert_eq!(found, Err(fault), "in pieces of {size}: {}", bytes.escape_ascii());
        }
    }
}

#[test]
fn what_is_written_is_what_the_specification_shows() {
    let cases = [
        (
            ends("192.168.0.1:56324", "192.168.0.11:443"),
            "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n",
        ),
        (ends("[2001:db8::1]:1", "[2001:db8::2]:2"), "PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n"),
        (ends("192.0.2.1:1", "[2001:db8::2]:2"), "PROXY TCP6 ::ffff:c000:201 2001:db8::2 1 2\r\n"),
        (ends("[2001:db8::2]:2", "192.0.2.1:1"), "PROXY TCP6 2001:db8::2 ::ffff:c000:201 2 1\r\n"),
        (Header::Own, "PROXY UNKNOWN\r\n"),
    ];
    for (header, line) in cases {
        assert_eq!(write(ProxyProtocol::V1, &header), line.as_bytes());
    }
    let header = ends("192.0.2.1:4660", "198.51.100.2:443");
    assert_eq!(write(ProxyProtocol::V2, &header), v4(&[]));
    assert_eq!(write(ProxyProtocol::V2, &Header::Own), binary(0x20, 0, &[]));
    let mixed = ends("192.0.2.1:1", "[2001:db8::2]:2");
    let mapped = [&[0; 10][..], &[0xff, 0xff, 192, 0, 2, 1]].concat();
    let v6 = [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[2]].concat();
    let block = [&mapped, &v6, &[0, 1, 0, 2][..]].concat();
    assert_eq!(write(ProxyProtocol::V2, &mixed), binary(0x21, 0x21, &block));
}

/// RFC 3720 section B.4.
#[test]
fn the_checksum_is_crc32c() {
    for (bytes, sum) in
        [(&[0; 32][..], 0x8a91_36aa), (&[0xff; 32], 0x62a8_ab43), (b"123456789", 0xe306_9283)]
    {
        assert_eq!((crc32c::crc32c(bytes), naive::crc32c(bytes)), (sum, sum));
    }
}

fn any_address() -> impl Strategy<Value = SocketAddr> {
    (any::<IpAddr>(), any::<u16>()).prop_map(|(ip, port)| SocketAddr::new(ip, port))
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        source in any_address(), destination in any_address(), rest: Vec<u8>,
    ) {
        for header in [Header::Proxied(Ends::new(source, destination)), Header::Own] {
            for version in [ProxyProtocol::V1, ProxyProtocol::V2] {
                let bytes = write(version, &header);
                let whole = [&bytes[..], &rest].concat();
                prop_assert_eq!(read(&whole), Ok(Read::Done(header, bytes.len())));
                for seen in 0..bytes.len() {
                    prop_assert_eq!(read(&bytes[..seen]), Ok(Read::More));
                }
            }
        }
    }
}
