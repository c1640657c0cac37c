//! Who gets a flow: the owner of its slot when it is opened, and that one for as long as it lives.

use lb_common::{
    abi::{FlowState, Reason, Verdict},
    wire::transport::TCP,
};

use super::{both, opens};
use crate::kernel::{
    case::{Case, case},
    network::Links,
    packet::Packet,
    services::{
        Spec,
        full_nat::{FULL_V4_TCP_MOVING, FULL_V6_UDP_MOVING},
        moving::{BETWEEN, DEAD, FROM_NOBODY, LEAVING, MOVED, OWNER, SETTLED, TO_DEAD, TO_NOBODY},
    },
};

pub(super) fn cases(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, spec) in
        [("full-nat, IPv4, TCP", FULL_V4_TCP_MOVING), ("full-nat, IPv6, UDP", FULL_V6_UDP_MOVING)]
    {
        cases.extend(openings(links, what, &spec));
        cases.extend(known(links, what, &spec));
    }
    // There is no previous owner to whom it could go: nobody knows its source there.
    let older = FULL_V4_TCP_MOVING.request_in(MOVED);
    cases.push(
        case("full-nat: data in a moving slot", links.front, older.build())
            .drops(&FULL_V4_TCP_MOVING, Reason::UnknownFlow),
    );
    cases
}

fn opening_in(spec: &Spec, slot: u32) -> Packet {
    let packet = spec.request_in(slot);
    if spec.protocol == TCP { packet.syn() } else { packet }
}

fn openings(links: &Links, what: &str, spec: &Spec) -> Vec<Case> {
    let one = |name: &str, slot: u32, place: u32| {
        let packet = opening_in(spec, slot);
        let draft = case(format!("{what}: {name}"), links.front, packet.build());
        opens(links, draft, spec, place, &packet)
    };
    let nobody = opening_in(spec, TO_NOBODY);
    vec![
        one("opened in a settled slot", SETTLED, OWNER),
        one("opened in a moving slot", MOVED, OWNER),
        one("opened, without a previous owner", FROM_NOBODY, OWNER),
        one("opened, the owner is dead", TO_DEAD, DEAD),
        case(format!("{what}: opened, nobody owns the slot"), links.front, nobody.build())
            .drops(spec, Reason::NoBackend),
    ]
}

fn known(links: &Links, what: &str, spec: &Spec) -> Vec<Case> {
    let back = Verdict::Redirect { ifindex: links.back };
    let packet = spec.request_in(SETTLED);
    let draft = |name: &str, packet: &Packet, place: u32| {
        let (flow, way) = both(spec, place, packet, FlowState::Open);
        case(format!("{what}: {name}"), links.front, packet.build())
            .with_flows([flow.age(4)])
            .with_ways([way.age(5)])
    };
    let follows = |name: &str, place: u32| {
        let (flow, way) = both(spec, place, &packet, FlowState::Open);
        draft(name, &packet, place)
            .forwards_to(place, back, spec, spec.delivered_to(place, &packet).build())
            .leaves([flow], [way.age(5)])
    };
    let opening = opening_in(spec, SETTLED);
    let mut cases = vec![
        follows("the owner has changed", BETWEEN),
        follows("the backend leaves", LEAVING),
        opens(
            links,
            draft("opened again, the backend is dead", &opening, DEAD),
            spec,
            OWNER,
            &opening,
        ),
    ];
    if spec.protocol == TCP {
        cases.push(
            draft("data, the backend is dead", &packet, DEAD)
                .drops(spec, Reason::UnknownFlow)
                .leaves([], []),
        );
    }
    cases
}
