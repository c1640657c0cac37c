//! Server ids, which servers are configured with: to change one is to lose their connections.

use lb_common::quic::LEAST_CID_LEN;

use super::super::{
    names::backend_address,
    quic::{PREFIX_LEN, cid_prefix, server_be, server_id},
};

/// Golden vectors, computed by another implementation of SipHash-2-4.
#[test]
fn ids_are_fixed_by_seed_and_address() {
    let id = |seed, address| server_id(seed, backend_address(address).unwrap());
    let ids = [
        id(0, "10.0.0.1:443"),
        id(0, "10.0.0.1:444"),
        id(1, "10.0.0.1:443"),
        id(0, "[2001:db8::1]:443"),
    ];
    assert_eq!(ids, [0xd740_9b46, 0xc70c_36b0, 0x7d4c_aba5, 0xdbfb_2bb2]);
}

#[test]
fn ids_stand_in_connection_ids_in_network_byte_order() {
    let address = backend_address("10.0.0.1:443").unwrap();
    let prefix = cid_prefix(server_id(0, address));
    assert_eq!(server_be(0, address).to_ne_bytes(), prefix[1..]);
    assert_eq!(cid_prefix(0x0102_0304), [0, 1, 2, 3, 4]);
    const { assert!(PREFIX_LEN < LEAST_CID_LEN) };
}
