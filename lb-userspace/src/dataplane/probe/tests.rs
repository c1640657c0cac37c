//! The packet is what the program takes it for.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use lb_common::{
    host::{HostFrame, endpoint},
    parse::parse,
};

use super::frame;
use crate::model::FlowQuery;

#[test]
fn a_frame_is_read_as_the_packet_that_is_meant() {
    let v4 = ("198.51.100.7:40000", "192.0.2.10:80");
    let v6 = ("[2001:db8:1::7]:40000", "[2001:db8::10]:80");
    for (from, to) in [v4, v6] {
        for (protocol, opening) in [("tcp", true), ("tcp", false), ("udp", false)] {
            let vip: crate::model::Vip = format!("{to}/{protocol}").parse().unwrap();
            let query = FlowQuery::new(from.parse().unwrap(), vip, opening).unwrap();
            let packet = parse(&HostFrame::new(frame(&query).unwrap(), 1)).unwrap();
            let number = vip.protocol.number();
            let source = endpoint(query.from(), number);
            assert_eq!(packet.destination(), endpoint(vip.address, number), "{vip}");
            assert_eq!((packet.src_be, packet.src_port_be), (source.addr_be, source.port_be));
            assert_eq!((packet.opens_flow, packet.closes_flow), (opening, false), "{vip}");
        }
    }
}
