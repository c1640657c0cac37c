//! The first and the last port number, on every side.

use lb_common::abi::Verdict;

use crate::kernel::{
    case::{Case, case},
    network::{CLIENT_MAC, Links},
    services::{CLIENT_V4, CLIENT_V6, NAT_V4_TCP, PORT_0, PORT_65535, Spec, address},
};

pub(crate) fn cases(links: &Links) -> Vec<Case> {
    let back = Verdict::Redirect { ifindex: links.back };
    let front = Verdict::Redirect { ifindex: links.front };
    let from = |name: &str, spec: &Spec, port: u16| {
        let packet = spec.request().source_port(port);
        let expected = spec.delivered(&packet).build();
        case(name, links.front, packet.build()).forwards(back, spec, expected)
    };
    let reply = |name: &str, spec: &Spec, client: &str, port: u16| {
        let packet = spec.reply(address(client)).destination_port(port);
        let expected = spec.returned(&packet, CLIENT_MAC).build();
        case(name, links.back, packet.build()).returns(front, spec, expected)
    };
    vec![
        from("client port 0", &NAT_V4_TCP, 0),
        from("client port 65535", &NAT_V4_TCP, 65_535),
        from("service port 0, backend port 65535", &PORT_0, 40_000),
        from("service port 65535, backend port 0", &PORT_65535, 40_000),
        from("all ports 0 or 65535", &PORT_0, 0),
        reply("reply from port 65535 of service port 0", &PORT_0, CLIENT_V4, 0),
        reply("reply from port 0 of service port 65535", &PORT_65535, CLIENT_V6, 65_535),
    ]
}
