//! What the kernel's routing table answers for any address: the namespace of
//! [`network`](super::network), as rules.
//!
//! The order of the questions is that of `bpf_ipv4_fib_lookup` and `bpf_ipv6_fib_lookup`
//! (net/core/filter.c).

use lb_common::{
    abi::AddrBe,
    decide::{Route, RouteQuery},
    parse::Family,
};

use super::{
    network::{
        BACK_CLIENT_MAC, BACK_MAC, CLIENT_MAC, FRONT_MAC, Links, ROUTER_MAC, VLAN_CLIENT_MAC,
        VLAN_MAC, link,
    },
    packet::Mac,
    services::full_nat::{FULL_V4_TCP, FULL_V6_UDP},
};

/// Whom the cases reach from the interface `closed` only.
const OTHER_CLIENT_MAC: Mac = [0x02, 0, 0, 0, 0x01, 0x08];
/// Of both interfaces, and of the routes with a limit of their own.
const MTU: u16 = 1500;
const SMALL_MTU: u16 = 1280;

/// Where a packet would go.
enum Target {
    Front {
        neighbour: Option<Mac>,
        mtu: u16,
    },
    Back {
        neighbour: Option<Mac>,
    },
    /// The VLAN interface of this number.
    Vlan {
        ifindex: u32,
        neighbour: Option<Mac>,
    },
    Answer(Route),
}

/// The kernel's answer.
pub(super) fn answer(links: &Links, query: &RouteQuery) -> Route {
    let (source, destination) = (octets(&query.src_be), octets(&query.dst_be));
    let is_v6 = query.family == Family::V6;
    if is_v6 && (never_leaves_its_link(source) || never_leaves_its_link(destination)) {
        return Route::Local;
    }
    if query.ingress == links.closed {
        return Route::None;
    }
    let (ifindex, own, neighbour, mtu) = match target(links, destination, is_v6) {
        Target::Front { neighbour, mtu } => (links.front, FRONT_MAC, neighbour, mtu),
        Target::Back { neighbour } => (links.back, BACK_MAC, neighbour, MTU),
        Target::Vlan { ifindex, neighbour } => (ifindex, VLAN_MAC, neighbour, MTU),
        Target::Answer(route) => return route,
    };
    match neighbour {
        _ if query.ip_len > mtu => Route::TooBig(mtu.into()),
        Some(mac) => Route::Via { ifindex, link: link(mac, own) },
        None => Route::Unresolved,
    }
}

fn target(links: &Links, destination: [u8; 16], is_v6: bool) -> Target {
    if is_v6 {
        return target_v6(links, u128::from_be_bytes(destination));
    }
    let [.., a, b, c, d] = destination;
    let router = |mtu| Target::Front { neighbour: Some(ROUTER_MAC), mtu };
    match [a, b, c, d] {
        [198, 51, 100, 1 | 255] | [203, 0, 113, 1 | 255] | [198, 18, 4 | 5, 1 | 255] => {
            Target::Answer(Route::Local)
        }
        [198, 51, 100, host] => Target::Front { neighbour: at_front(host.into()), mtu: MTU },
        [203, 0, 113, 120] => Target::Back { neighbour: Some(FULL_V4_TCP.backend_mac(0)) },
        [203, 0, 113, host] => Target::Back { neighbour: (host == 99).then_some(BACK_CLIENT_MAC) },
        [198, 18, 0, _] => router(MTU),
        [198, 18, 1, _] => router(SMALL_MTU),
        [198, 18, 2, _] => Target::Answer(Route::None),
        [198, 18, 4, host] => vlan(links.vlan, host.into()),
        [198, 18, 5, host] => vlan(links.vlans, host.into()),
        // Loopback, multicast, and what no route leads to.
        _ => Target::Answer(Route::Local),
    }
}

/// Behind a VLAN interface there is one client.
fn vlan(ifindex: u32, host: u64) -> Target {
    Target::Vlan { ifindex, neighbour: (host == 7).then_some(VLAN_CLIENT_MAC) }
}

fn target_v6(links: &Links, destination: u128) -> Target {
    const NET: u128 = 0x2001_0db8 << 96;
    let router = |mtu| Target::Front { neighbour: Some(ROUTER_MAC), mtu };
    let host = u64::try_from(destination & u128::from(u64::MAX)).unwrap_or_default();
    match (destination ^ NET) >> 64 {
        // The balancer itself, and whoever routes for the subnet (RFC 4291 section 2.6.1).
        0x1_0000 | 0x2_0000 | 0x104_0000 | 0x105_0000 if host <= 1 => Target::Answer(Route::Local),
        0x104_0000 => vlan(links.vlan, host),
        0x105_0000 => vlan(links.vlans, host),
        0x1_0000 => {
            // A neighbour is the same in both families, but for how its number is written.
            let number = [7, 8].into_iter().find(|number| host == *number);
            let number = if host == 0xfe { Some(254) } else { number };
            Target::Front { neighbour: number.and_then(at_front), mtu: MTU }
        }
        0x2_0000 => Target::Back {
            neighbour: match host {
                0x99 => Some(BACK_CLIENT_MAC),
                0x120 => Some(FULL_V6_UDP.backend_mac(0)),
                _ => None,
            },
        },
        net => match net >> 16 {
            0x100 => router(MTU),
            0x101 => router(SMALL_MTU),
            0x102 => Target::Answer(Route::None),
            _ => Target::Answer(Route::Local),
        },
    }
}

/// The MAC address of who has a number next to `front`.
const fn at_front(number: u64) -> Option<Mac> {
    match number {
        7 => Some(CLIENT_MAC),
        8 => Some(OTHER_CLIENT_MAC),
        254 => Some(ROUTER_MAC),
        _ => None,
    }
}

/// Multicast, link-local or loopback.
const fn never_leaves_its_link(address: [u8; 16]) -> bool {
    matches!(address, [0xff, ..] | [0xfe, 0x80..=0xbf, ..]) || u128::from_be_bytes(address) == 1
}

fn octets(address: &AddrBe) -> [u8; 16] {
    let mut octets = [0; 16];
    octets.copy_from_slice(address.map(u32::to_ne_bytes).as_flattened());
    octets
}

/// Both say what the namespace answers.
#[test]
fn the_rules_agree_with_the_routes_of_the_cases() {
    let links = Links::MADE_UP;
    for (dst_be, expected) in super::network::routes(&links) {
        let is_v4 = lb_common::abi::is_v4_mapped(&dst_be);
        let family = if is_v4 { Family::V4 } else { Family::V6 };
        let large = matches!(expected, Route::TooBig(_));
        let only_closed = octets(&dst_be)[15] == 8 && expected == Route::None;
        let query = RouteQuery {
            ingress: if only_closed { links.closed } else { links.back },
            family,
            protocol: 6,
            ip_len: if large { MTU } else { 60 },
            src_be: [1; 4],
            dst_be,
        };
        assert_eq!(answer(&links, &query), expected, "{dst_be:x?}");
    }
}
