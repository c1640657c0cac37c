//! Just-enough tracking of TCP: slots that move, and flows that are remembered meanwhile.

use lb_common::abi::{FlowState, Reason, Verdict};

use crate::kernel::{
    case::{Case, Draft, case},
    memory::Flow,
    network::Links,
    packet::{Flags, Packet},
    services::{
        Spec,
        moving::{
            BETWEEN, DEAD, EPOCH, FROM_DEAD, FROM_LEAVING, FROM_NOBODY, LEAVING, MOVED,
            MOVING_V4_IPIP, MOVING_V4_TCP, MOVING_V6_GUE, MOVING_V6_TCP, OWNER, PREVIOUS, SETTLED,
            THERE_AND_BACK, TO_DEAD, TO_NOBODY,
        },
    },
};

pub(crate) fn cases(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, spec) in [
        ("nat, IPv4", MOVING_V4_TCP),
        ("dsr, IPv6", MOVING_V6_TCP),
        ("ipip, IPv4", MOVING_V4_IPIP),
        ("gue, IPv6", MOVING_V6_GUE),
    ] {
        let scene = Scene { links, what, spec };
        cases.extend(scene.openings());
        cases.extend(scene.older_flows());
        cases.extend(scene.remembered());
    }
    let scene = Scene { links, what: "nat, IPv4", spec: MOVING_V4_TCP };
    cases.extend(scene.ends());
    cases.extend(scene.full_table());
    cases
}

struct Scene<'a> {
    links: &'a Links,
    what: &'static str,
    spec: Spec,
}

impl Scene<'_> {
    fn case(&self, name: &str, packet: &Packet) -> Draft {
        case(format!("{}: {name}", self.what), self.links.front, packet.build())
    }

    fn reaches(&self, draft: Draft, place: u32, packet: &Packet) -> Case {
        let back = Verdict::Redirect { ifindex: self.links.back };
        let expected = self.spec.delivered_to(place, packet).build();
        draft.forwards_to(place, back, &self.spec, expected)
    }

    /// The flow of a packet as it is remembered in the slots' epoch.
    fn flow(&self, place: u32, packet: &Packet, state: FlowState) -> Flow {
        self.spec.flow(place, packet, state).epoch(EPOCH)
    }

    /// A SYN goes to the owner, and is remembered if and only if the slot moves.
    fn openings(&self) -> Vec<Case> {
        let syn = |name: &str, slot: u32, owner: u32| {
            let packet = self.spec.request_in(slot).syn();
            let case = self.reaches(self.case(name, &packet), owner, &packet);
            (case, self.flow(owner, &packet, FlowState::Opening))
        };
        let remembered = |(case, flow): (Case, Flow)| case.leaves([flow], []);
        let (settled, _) = syn("SYN in a settled slot leaves nothing", SETTLED, OWNER);
        let nobody = self.spec.request_in(TO_NOBODY).syn();
        vec![
            settled,
            remembered(syn("SYN in a moving slot", MOVED, OWNER)),
            remembered(syn("SYN, the previous owner is dead", FROM_DEAD, OWNER)),
            remembered(syn("SYN, without a previous owner", FROM_NOBODY, OWNER)),
            remembered(syn("SYN, the slot is back where it was", THERE_AND_BACK, OWNER)),
            remembered(syn("SYN, the previous owner leaves", FROM_LEAVING, OWNER)),
            remembered(syn("SYN, the owner is dead", TO_DEAD, DEAD)),
            self.case("SYN, nobody owns the slot", &nobody).drops(&self.spec, Reason::NoBackend),
        ]
    }

    /// What is not remembered is older than the change.
    fn older_flows(&self) -> Vec<Case> {
        let data = |name: &str, slot: u32, place: u32| {
            let packet = self.spec.request_in(slot);
            self.reaches(self.case(name, &packet), place, &packet)
        };
        let stamped =
            |name: &str, slot: u32, place: u32| data(name, slot, place).stamps(&self.spec, slot);
        vec![
            data("data in a settled slot", SETTLED, OWNER),
            stamped("data of an older flow", MOVED, PREVIOUS),
            data("data, the previous owner is dead", FROM_DEAD, OWNER),
            data("data, without a previous owner", FROM_NOBODY, OWNER),
            data("data, the slot is back where it was", THERE_AND_BACK, OWNER),
            stamped("data, the previous owner leaves", FROM_LEAVING, LEAVING),
            stamped("data, nobody owns the slot", TO_NOBODY, PREVIOUS),
            stamped("data, the owner is dead", TO_DEAD, PREVIOUS),
        ]
    }

    /// What is remembered goes where it went before.
    fn remembered(&self) -> Vec<Case> {
        let packet = self.spec.request_in(MOVED);
        let syn = self.spec.request_in(MOVED).syn();
        let known = |name: &str, flow: &Flow| self.case(name, &packet).with_flows([flow.clone()]);
        let flow = |place| self.flow(place, &packet, FlowState::Open).age(9);
        let other_epoch = flow(BETWEEN).epoch(EPOCH - 1);
        let settled = self.spec.request_in(SETTLED);
        let in_settled = self.flow(BETWEEN, &settled, FlowState::Open).age(9);
        vec![
            self.reaches(known("known, of the owner", &flow(OWNER)), OWNER, &packet)
                .leaves([flow(OWNER).age(0)], []),
            self.reaches(known("known, of another", &flow(BETWEEN)), BETWEEN, &packet)
                .leaves([flow(BETWEEN).age(0)], [])
                .stamps(&self.spec, MOVED),
            self.reaches(known("known, of the previous owner", &flow(PREVIOUS)), PREVIOUS, &packet)
                .leaves([flow(PREVIOUS).age(0)], [])
                .stamps(&self.spec, MOVED),
            self.reaches(known("known, of the dead", &flow(DEAD)), OWNER, &packet)
                .leaves([flow(DEAD).age(0)], []),
            self.reaches(known("known, of one that leaves", &flow(LEAVING)), LEAVING, &packet)
                .leaves([flow(LEAVING).age(0)], [])
                .stamps(&self.spec, MOVED),
            // Idle for longer than any flow should be, but the sweeper has not come by.
            self.reaches(known("known, idle for long", &flow(BETWEEN).age(5000)), BETWEEN, &packet)
                .leaves([flow(BETWEEN).age(0)], [])
                .stamps(&self.spec, MOVED),
            self.reaches(known("known of another epoch", &other_epoch), PREVIOUS, &packet)
                .stamps(&self.spec, MOVED),
            self.reaches(
                self.case("SYN replaces what is known", &syn).with_flows([flow(BETWEEN)]),
                OWNER,
                &syn,
            )
            .leaves([self.flow(OWNER, &syn, FlowState::Opening)], []),
            // The slot has settled since.
            self.reaches(
                self.case("known, in a settled slot", &settled).with_flows([in_settled.clone()]),
                OWNER,
                &settled,
            ),
        ]
    }

    /// How far a flow has come.
    fn ends(&self) -> Vec<Case> {
        let step = |name: &str, flags: Flags, before: FlowState, after: FlowState| {
            let packet = self.spec.request_in(MOVED).flags(flags);
            let flow = self.flow(OWNER, &packet, before).age(3);
            let draft = self.case(name, &packet).with_flows([flow.clone()]);
            self.reaches(draft, OWNER, &packet).leaves([flow.age(0).state(after)], [])
        };
        let (opening, open, closing) = (FlowState::Opening, FlowState::Open, FlowState::Closing);
        let again = self.spec.request_in(MOVED).syn();
        let repeated = self.flow(OWNER, &again, opening).age(2);
        vec![
            step("the second packet", Flags::Continues, opening, open),
            step("a later packet", Flags::Continues, open, open),
            step("FIN", Flags::Closes, open, closing),
            step("RST", Flags::Resets, open, closing),
            step("RST at once", Flags::Resets, opening, closing),
            step("data after FIN", Flags::Continues, closing, closing),
            step("SYN and ACK from a client opens nothing", Flags::Accepts, open, open),
            self.reaches(
                self.case("SYN once more", &again).with_flows([repeated.clone()]),
                OWNER,
                &again,
            )
            .leaves([repeated.age(0)], []),
        ]
    }

    /// A flow that cannot be remembered cannot be opened while its slot moves; others go on.
    fn full_table(&self) -> Vec<Case> {
        let full = || super::others(&self.spec);
        let syn = self.spec.request_in(MOVED).syn();
        let settled = self.spec.request_in(SETTLED).syn();
        let data = self.spec.request_in(MOVED);
        let mut known = full();
        let mine = self.flow(BETWEEN, &syn, FlowState::Closing).age(1);
        known.splice(..1, [mine]);
        let mut after = known.clone();
        after.splice(..1, [self.flow(OWNER, &syn, FlowState::Opening)]);
        vec![
            self.case("SYN, the table is full", &syn)
                .with_flows(full())
                .drops(&self.spec, Reason::FlowTableFull),
            self.reaches(
                self.case("SYN in a settled slot, the table is full", &settled).with_flows(full()),
                OWNER,
                &settled,
            ),
            self.reaches(
                self.case("data, the table is full", &data).with_flows(full()),
                PREVIOUS,
                &data,
            )
            .stamps(&self.spec, MOVED),
            self.reaches(
                self.case("SYN of a known flow, the table is full", &syn).with_flows(known),
                OWNER,
                &syn,
            )
            .leaves(after, []),
        ]
    }
}
