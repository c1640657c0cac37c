//! QUIC: connection ids name their backend; Initial packets are remembered while a slot moves.

use lb_common::abi::{FlowState, Reason, Verdict};

use crate::kernel::{
    case::{Case, Draft, case},
    memory::Flow,
    network::Links,
    packet::Packet,
    services::{
        Spec,
        moving::{
            self, BETWEEN, DEAD, EPOCH, FROM_DEAD, LEAVING, MOVED, OWNER, PREVIOUS, QUIC_V4,
            QUIC_V6, SETTLED, TO_NOBODY,
        },
    },
};

const V1: u32 = 1;
/// RFC 9369.
const V2: u32 = 0x6b33_43cf;
/// A version that nobody knows (RFC 9000 section 15 reserves it for that).
const GREASE: u32 = 0x1a2a_3a4a;

/// Types of long headers.
#[derive(Clone, Copy)]
enum Kind {
    Initial,
    ZeroRtt,
    Handshake,
    Retry,
}

/// A packet with a long header (RFC 9000 section 17.2, RFC 9369 section 3.2).
fn long(version: u32, kind: Kind, cid: &[u8]) -> Vec<u8> {
    let code = match (version, kind) {
        (V2, Kind::Initial) | (V1 | GREASE, Kind::ZeroRtt) => 1,
        (V2, Kind::ZeroRtt) | (V1 | GREASE, Kind::Handshake) => 2,
        (V2, Kind::Handshake) | (V1 | GREASE, Kind::Retry) => 3,
        _ => 0,
    };
    let length = u8::try_from(cid.len()).expect("at most 20");
    let mut bytes = vec![0xc3 | code << 4];
    bytes.extend_from_slice(&version.to_be_bytes());
    bytes.push(length);
    bytes.extend_from_slice(cid);
    bytes.extend_from_slice(&[4, 0xaa, 0xbb, 0xcc, 0xdd]);
    bytes.extend_from_slice(&[0x5a; 24]);
    bytes
}

/// A packet with a short header (RFC 9000 section 17.3).
fn short(cid: &[u8]) -> Vec<u8> {
    [&[0x42], cid, &[0x5a; 24]].concat()
}

/// A connection id in which a client names nobody.
const RANDOM: [u8; 9] = [0x9d, 1, 2, 3, 4, 5, 6, 7, 8];

/// A connection id that names a backend (draft-ietf-quic-load-balancers, section 5.2).
fn cid(spec: &Spec, place: u32) -> Vec<u8> {
    with_server(moving::server(spec.first_backend, place))
}

fn with_server(server: [u8; 4]) -> Vec<u8> {
    [&[0x08][..], &server, &[0x77, 0x66, 0x55, 0x44]].concat()
}

pub(crate) fn cases(links: &Links) -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, spec) in [("QUIC, IPv4", QUIC_V4), ("QUIC, IPv6", QUIC_V6)] {
        let scene = Scene { links, what, spec };
        cases.extend(scene.named());
        cases.extend(scene.not_named());
        cases.extend(scene.opening());
        cases.extend(scene.retried());
        cases.extend(scene.truncated());
    }
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

    /// A datagram in a slot reaches a backend.
    fn one(&self, name: &str, slot: u32, datagram: Vec<u8>, place: u32) -> Case {
        let packet = self.spec.request_in(slot).payload(datagram);
        self.reaches(self.case(name, &packet), place, &packet)
    }

    fn flow(&self, place: u32, slot: u32, state: FlowState) -> Flow {
        self.spec.flow(place, &self.spec.request_in(slot), state).epoch(EPOCH)
    }

    /// A connection id leads to its backend, whatever the slot.
    fn named(&self) -> Vec<Case> {
        let cid = |place| cid(&self.spec, place);
        let handshake = |version, place| long(version, Kind::Handshake, &cid(place));
        let longer = [cid(BETWEEN), vec![9; 11]].concat();
        vec![
            self.one("short header", SETTLED, short(&cid(BETWEEN)), BETWEEN),
            self.one("short header in a moving slot", MOVED, short(&cid(BETWEEN)), BETWEEN),
            self.one("short header to the owner", MOVED, short(&cid(OWNER)), OWNER),
            self.one(
                "short header, nobody owns the slot",
                TO_NOBODY,
                short(&cid(BETWEEN)),
                BETWEEN,
            ),
            self.one("short header to one that leaves", SETTLED, short(&cid(LEAVING)), LEAVING),
            self.one("Handshake", SETTLED, handshake(V1, BETWEEN), BETWEEN),
            self.one("Handshake of version 2", MOVED, handshake(V2, BETWEEN), BETWEEN),
            self.one("Handshake to one that leaves", SETTLED, handshake(V1, LEAVING), LEAVING),
            self.one(
                "Handshake with a long id",
                SETTLED,
                long(V1, Kind::Handshake, &longer),
                BETWEEN,
            ),
            self.one("Retry", SETTLED, long(V1, Kind::Retry, &cid(BETWEEN)), BETWEEN),
            // As after a Retry, or a NEW_TOKEN: the client knows an id of the server.
            self.one(
                "Initial with an id",
                SETTLED,
                long(V1, Kind::Initial, &cid(BETWEEN)),
                BETWEEN,
            ),
            self.one(
                "Initial with an id, moving",
                MOVED,
                long(V2, Kind::Initial, &cid(BETWEEN)),
                BETWEEN,
            ),
        ]
    }

    /// An id that leads nowhere leaves it to the slot.
    fn not_named(&self) -> Vec<Case> {
        let cid = |place| cid(&self.spec, place);
        let mut other_config = cid(BETWEEN);
        other_config.splice(..1, [0x28]);
        let unknown = with_server([0xff; 4]);
        let too_short = &cid(BETWEEN)[..8];
        let leaving = long(V1, Kind::Initial, &cid(LEAVING));
        let stamps = |case: Case| case.stamps(&self.spec, MOVED);
        vec![
            self.one("short header to the dead", SETTLED, short(&cid(DEAD)), OWNER),
            stamps(self.one(
                "short header to the dead, moving",
                MOVED,
                short(&cid(DEAD)),
                PREVIOUS,
            )),
            self.one("short header, previous owner dead", FROM_DEAD, short(&unknown), OWNER),
            self.one("unknown server", SETTLED, short(&unknown), OWNER),
            stamps(self.one("unknown server, moving", MOVED, short(&unknown), PREVIOUS)),
            self.one("other configuration", SETTLED, short(&other_config), OWNER),
            stamps(self.one("other configuration, moving", MOVED, short(&other_config), PREVIOUS)),
            self.one("short id", SETTLED, long(V1, Kind::Handshake, too_short), OWNER),
            stamps(self.one(
                "Handshake with a short id, moving",
                MOVED,
                long(V1, Kind::Handshake, too_short),
                PREVIOUS,
            )),
            self.one("Initial that seems to name one that leaves", SETTLED, leaving.clone(), OWNER),
            self.one("the same in a moving slot", MOVED, leaving, OWNER)
                .leaves([self.flow(OWNER, MOVED, FlowState::Opening)], []),
            stamps(self.one(
                "stray Handshake, moving",
                MOVED,
                long(V1, Kind::Handshake, &RANDOM),
                PREVIOUS,
            )),
        ]
    }

    /// The first packets of a connection go to the owner, and are remembered while the slot moves.
    fn opening(&self) -> Vec<Case> {
        let opened = || [self.flow(OWNER, MOVED, FlowState::Opening)];
        let moving = |name: &str, version, kind| {
            self.one(name, MOVED, long(version, kind, &RANDOM), OWNER).leaves(opened(), [])
        };
        let stray = |name: &str, version, kind| {
            self.one(name, MOVED, long(version, kind, &RANDOM), PREVIOUS).stamps(&self.spec, MOVED)
        };
        let nobody = self.spec.request_in(TO_NOBODY).payload(long(V1, Kind::Initial, &RANDOM));
        let full = self.spec.request_in(MOVED).payload(long(V1, Kind::Initial, &RANDOM));
        vec![
            self.one("Initial", SETTLED, long(V1, Kind::Initial, &RANDOM), OWNER),
            self.one("Initial of version 2", SETTLED, long(V2, Kind::Initial, &RANDOM), OWNER),
            moving("Initial, moving", V1, Kind::Initial),
            moving("0-RTT, moving", V1, Kind::ZeroRtt),
            moving("Initial of version 2, moving", V2, Kind::Initial),
            moving("0-RTT of version 2, moving", V2, Kind::ZeroRtt),
            moving("Initial of an unknown version, moving", GREASE, Kind::Initial),
            stray("Retry of version 2, moving", V2, Kind::Retry),
            stray("Handshake of version 2, moving", V2, Kind::Handshake),
            stray("Retry, moving", V1, Kind::Retry),
            self.one("Initial without an id, moving", MOVED, long(V1, Kind::Initial, &[]), OWNER)
                .leaves(opened(), []),
            self.case("Initial, nobody owns the slot", &nobody)
                .drops(&self.spec, Reason::NoBackend),
            self.case("Initial, the table is full", &full)
                .with_flows(super::others(&self.spec))
                .drops(&self.spec, Reason::FlowTableFull),
        ]
    }

    /// Clients send several Initial packets: they belong together, whoever owns the slot by then.
    fn retried(&self) -> Vec<Case> {
        let again = |name: &str, datagram: Vec<u8>, known: Flow, place: u32| {
            let packet = self.spec.request_in(MOVED).payload(datagram);
            let draft = self.case(name, &packet).with_flows([known]);
            self.reaches(draft, place, &packet)
        };
        let initial = || long(V1, Kind::Initial, &RANDOM);
        let flow = |place, state| self.flow(place, MOVED, state);
        let before = |place| flow(place, FlowState::Opening).age(2);
        let after = |place| [flow(place, FlowState::Open)];
        vec![
            again("Initial once more", initial(), before(OWNER), OWNER).leaves(after(OWNER), []),
            again("Initial once more, of another", initial(), before(BETWEEN), BETWEEN)
                .leaves(after(BETWEEN), [])
                .stamps(&self.spec, MOVED),
            again("short header of a known flow", short(&RANDOM), before(BETWEEN), BETWEEN)
                .leaves(after(BETWEEN), [])
                .stamps(&self.spec, MOVED),
            again("Initial of a flow of another epoch", initial(), before(BETWEEN).epoch(1), OWNER)
                .leaves([flow(OWNER, FlowState::Opening)], []),
            again("Initial of a flow of the dead", initial(), before(DEAD), OWNER)
                .leaves([flow(OWNER, FlowState::Opening)], []),
            again("short header of a flow of the dead", short(&RANDOM), before(DEAD), OWNER)
                .leaves(after(DEAD), []),
            // The connection id knows better.
            again(
                "named, and known of another",
                short(&cid(&self.spec, PREVIOUS)),
                before(BETWEEN),
                PREVIOUS,
            )
            .leaves([before(BETWEEN)], []),
        ]
    }

    /// What ends early is a packet of the slot.
    fn truncated(&self) -> Vec<Case> {
        let cut = |name: &str, datagram: Vec<u8>, length: usize| {
            self.one(name, MOVED, datagram[..length].to_vec(), PREVIOUS).stamps(&self.spec, MOVED)
        };
        let initial = || long(V1, Kind::Initial, &RANDOM);
        let named = || short(&cid(&self.spec, BETWEEN));
        vec![
            cut("nothing", initial(), 0),
            cut("a byte of a long header", initial(), 1),
            cut("a long header without its version", initial(), 4),
            cut("a long header without the length of its id", initial(), 5),
            cut("a byte of a short header", named(), 1),
            cut("a short header without all of the server id", named(), 5),
            self.one("a short header up to the server id", MOVED, named()[..6].to_vec(), BETWEEN),
            self.one("a long header that ends in its id", MOVED, initial()[..8].to_vec(), OWNER)
                .leaves([self.flow(OWNER, MOVED, FlowState::Opening)], []),
        ]
    }
}
