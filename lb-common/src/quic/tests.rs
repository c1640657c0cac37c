use std::{vec, vec::Vec};

use super::{Quic, read};
use crate::host::HostFrame;

fn quic(datagram: &[u8]) -> Quic {
    let mut bytes = vec![0; 42];
    bytes.extend_from_slice(datagram);
    read(&HostFrame::new(bytes, 1), 42)
}

fn long(first: u8, version: u32, cid: &[u8]) -> Vec<u8> {
    let mut datagram = vec![first];
    datagram.extend_from_slice(&version.to_be_bytes());
    datagram.push(u8::try_from(cid.len()).expect("at most 20"));
    datagram.extend_from_slice(cid);
    datagram.extend_from_slice(&[0; 20]);
    datagram
}

const CID: [u8; 9] = [0x0d, 1, 2, 3, 4, 5, 6, 7, 8];
const SERVER: Option<u32> = Some(u32::from_ne_bytes([1, 2, 3, 4]));

fn server_of(quic: Quic) -> Option<u32> {
    quic.names_server.then_some(quic.server_be)
}

#[test]
fn types_of_long_headers_differ_between_versions() {
    for (version, opening) in [(1, [0, 1]), (0x6b33_43cf, [1, 2])] {
        for kind in 0..4 {
            let found = quic(&long(0xc0 | kind << 4, version, &CID));
            assert_eq!(
                found.opens_flow,
                opening.contains(&kind),
                "version {version:x} type {kind}"
            );
            assert_eq!(server_of(found), SERVER);
        }
    }
}

#[test]
fn a_short_header_has_its_connection_id_at_once() {
    let datagram = [&[0x40][..], &CID, &[0; 20]].concat();
    let found = quic(&datagram);
    assert_eq!((found.opens_flow, server_of(found)), (false, SERVER));
}

#[test]
fn a_connection_id_of_another_configuration_names_nobody() {
    let mut other = CID;
    for rotation in 1..8 {
        other[0] = rotation << 5 | 0x0d;
        assert_eq!(server_of(quic(&[&[0x40][..], &other, &[0; 20]].concat())), None);
        assert_eq!(server_of(quic(&long(0xe0, 1, &other))), None);
    }
}

#[test]
fn a_short_connection_id_of_a_long_header_names_nobody() {
    assert_eq!(server_of(quic(&long(0xe0, 1, &CID[..8]))), None);
    assert_eq!(server_of(quic(&long(0xe0, 1, &[]))), None);
}

#[test]
fn what_ends_early_says_nothing() {
    let whole = [&[0x40][..], &CID].concat();
    for length in 0..6 {
        assert_eq!(quic(&whole[..length]), Quic::default(), "{length} bytes");
    }
    let whole = long(0xc0, 1, &CID);
    for length in 0..6 {
        assert_eq!(quic(&whole[..length]), Quic::default(), "{length} bytes");
    }
}
