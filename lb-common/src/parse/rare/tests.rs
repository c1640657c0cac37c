//! Any chain of headers, and any bytes. The table of packet cases in the `tests` crate has those that
//! somebody thought of.

use std::vec::Vec;

use etherparse::{
    IpFragOffset, IpNumber, Ipv6FragmentHeader, Ipv6Header, Ipv6RawExtHeader, ip_number,
};
use proptest::prelude::*;

use super::{MOST_EXTENSIONS, Network, Quoted, Wholeness, Work, network, quoted};
use crate::{abi::Reason, host::HostFrame, parse::Packet};

/// An extension header: its kind, and its length in units or the place of the fragment.
#[derive(Clone, Copy, Debug)]
enum Header {
    HopByHop(usize),
    Destination(usize),
    Routing,
    Fragment(u16, bool),
}

impl Header {
    fn number(self) -> IpNumber {
        match self {
            Self::HopByHop(_) => ip_number::IPV6_HEADER_HOP_BY_HOP,
            Self::Destination(_) => ip_number::IPV6_DESTINATION_OPTIONS,
            Self::Routing => ip_number::IPV6_ROUTE_HEADER,
            Self::Fragment(..) => ip_number::IPV6_FRAGMENTATION_HEADER,
        }
    }

    fn write(self, bytes: &mut Vec<u8>, next: IpNumber) {
        let raw = |units: usize| {
            Ipv6RawExtHeader::new_raw(next, &std::vec![0; units * 8 - 2]).expect("whole units")
        };
        let written = match self {
            Self::HopByHop(units) | Self::Destination(units) => raw(units).write(bytes),
            Self::Routing => raw(1).write(bytes),
            Self::Fragment(offset, more) => {
                let offset = IpFragOffset::try_new(offset).expect("13 bits");
                Ipv6FragmentHeader::new(next, offset, more, 0x1234_5678).write(bytes)
            }
        };
        written.expect("a vector takes everything");
    }
}

fn headers() -> impl Strategy<Value = Vec<Header>> {
    let header = prop_oneof![
        (1..9_usize).prop_map(Header::HopByHop),
        (1..9_usize).prop_map(Header::Destination),
        Just(Header::Routing),
        (prop_oneof![Just(0), 0..0x2000_u16], any::<bool>())
            .prop_map(|(offset, more)| Header::Fragment(offset, more)),
    ];
    prop::collection::vec(header, 0..8)
}

/// An IPv6 frame with these headers and a payload of 20 bytes.
fn frame(headers: &[Header]) -> Vec<u8> {
    let mut chain = Vec::new();
    let mut numbers = headers.iter().map(|header| header.number()).chain([ip_number::TCP]);
    let next_header = numbers.next().expect("at least one");
    for (header, next) in headers.iter().zip(numbers) {
        header.write(&mut chain, next);
    }
    chain.extend([0x50; 20]);
    let header = Ipv6Header {
        payload_length: u16::try_from(chain.len()).expect("it fits"),
        next_header,
        hop_limit: 64,
        source: [0x20; 16],
        destination: [0x21; 16],
        ..Ipv6Header::default()
    };
    let mut bytes = [&[0; 12][..], &[0x86, 0xdd]].concat();
    header.write(&mut bytes).expect("a vector takes everything");
    bytes.extend(chain);
    bytes
}

fn read(bytes: Vec<u8>) -> Result<Network, Reason> {
    let mut work = Work::default();
    network(&HostFrame::new(bytes, 1), &mut work.network)?;
    Ok(work.network)
}

/// What a chain means, told from the headers and not from the bytes.
fn meaning(headers: &[Header]) -> Result<(u16, Wholeness), Reason> {
    let (mut length, mut wholeness) = (0, Wholeness::Whole);
    for (place, header) in headers.iter().enumerate() {
        if place == 5 || length > MOST_EXTENSIONS {
            return Err(Reason::LongExtensions);
        }
        length += match header {
            Header::HopByHop(units) | Header::Destination(units) => {
                u16::try_from(units * 8).expect("a few")
            }
            Header::Routing | Header::Fragment(..) => 8,
        };
        match header {
            Header::Fragment(0, true) => wholeness = Wholeness::First(0x1234_5678_u32.to_be()),
            Header::Fragment(0, false) => wholeness = Wholeness::Whole,
            Header::Fragment(..) => {
                wholeness = Wholeness::Later;
                break;
            }
            _ => {}
        }
    }
    if length > MOST_EXTENSIONS { Err(Reason::LongExtensions) } else { Ok((length, wholeness)) }
}

fn within(packet: &Packet, frame: usize) -> bool {
    packet.transport() <= 14 + usize::from(packet.ip_len)
        && 14 + usize::from(packet.ip_len) <= frame
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_chain_is_followed_as_far_as_it_may_be(headers in headers()) {
        let found = read(frame(&headers));
        match meaning(&headers) {
            Ok((length, wholeness)) => {
                let found = found.expect("not too long");
                prop_assert_eq!((found.packet.extra, found.packet.wholeness), (length, wholeness));
                let is_later = wholeness == Wholeness::Later;
                prop_assert_eq!(found.is_balanced(), !is_later || ends_in_a_fragment(&headers));
            }
            Err(reason) => prop_assert_eq!(found.err(), Some(reason)),
        }
    }

    #[test]
    fn whatever_is_read_lies_within_the_frame(
        start in prop_oneof![
            Just([&[0; 12][..], &[0x08, 0x00, 0x45]].concat()),
            Just([&[0; 12][..], &[0x08, 0x00, 0x4a]].concat()),
            Just([&[0; 12][..], &[0x86, 0xdd, 0x60]].concat()),
            Just(frame(&[Header::HopByHop(1), Header::Fragment(0, true)])),
        ],
        random in prop::collection::vec(any::<u8>(), 0..200),
        damage in prop::collection::vec((14..80_usize, any::<u8>()), 0..3),
    ) {
        let mut bytes = [start, random].concat();
        for (at, byte) in damage {
            if at < bytes.len() {
                bytes.splice(at..=at, [byte]);
            }
        }
        let length = bytes.len();
        let frame = HostFrame::new(bytes, 1);
        let mut work = Work::default();
        if network(&frame, &mut work.network).is_ok() {
            prop_assert!(within(&work.network.packet, length));
            if quoted(&frame, &work.network.packet, &mut work.quoted).is_ok() {
                let Quoted { transport, has_checksum, .. } = work.quoted;
                let needed = if has_checksum { 8 } else { 4 };
                let end = 14 + usize::from(work.network.packet.ip_len);
                prop_assert!(usize::from(transport) + needed <= end && end <= length);
            }
        }
    }
}

/// Whether what follows the first later fragment's header is TCP.
fn ends_in_a_fragment(headers: &[Header]) -> bool {
    let later = headers.iter().position(|header| matches!(header, Header::Fragment(1.., _)));
    later.is_some_and(|place| place + 1 == headers.len())
}
