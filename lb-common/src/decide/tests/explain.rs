//! What `shunt flow` is told is what becomes of the packet, and asking leaves no trace.

use std::{collections::HashMap, format, vec::Vec};

use proptest::{prelude::*, sample::select};

use super::{
    EMPTY, Sent, address,
    scene::{BASE, IDLE, Kind, NOW, SLOTS, VIPS, client, packet, run, service},
};
use crate::{
    abi::{
        BACKEND_DEAD, BACKEND_LEAVING, BACKEND_RESOLVED, Explanation, ForwardMode, Reason,
        ServerId, Tracking, Why,
    },
    decide::explain,
    host::{HostFrame, HostTables},
    slot::Slot,
};

const FRONT: u32 = super::FRONT;

/// What is told of a frame. The tables must not change by the question.
fn told(tables: &HostTables, frame: &[u8]) -> Explanation {
    let before = format!("{tables:?}");
    let mut told = Explanation::default();
    explain(&HostFrame::new(frame.to_vec(), FRONT), tables, &mut told);
    assert_eq!(format!("{tables:?}"), before, "asking left a trace");
    told
}

fn server_be(id: u32) -> u32 {
    u32::from_ne_bytes([0xc0, id.to_be_bytes()[3], 0xff, 0xee])
}

/// A QUIC packet of an open connection whose id names a backend.
fn short(id: u32) -> Vec<u8> {
    [&[0x40, 0x08], &server_be(id).to_ne_bytes()[..], &[1, 2, 3, 4, 0x5a, 0x5a]].concat()
}

/// A QUIC packet that opens a connection, with an id that names nobody.
fn initial() -> Vec<u8> {
    [&[0xc0, 0, 0, 0, 1, 8], &[0xff; 8][..], &[0; 30]].concat()
}

fn data() -> Vec<u8> {
    b"data".to_vec()
}

fn asked(tables: &HostTables, kind: Kind, payload: &[u8]) -> (u32, u8, u8) {
    let vip = address(VIPS[0]);
    let told = told(tables, &packet(kind, client(vip, 7, 1000), vip, 64, payload));
    (told.backend, told.reason, told.why)
}

fn set(tables: &HostTables, slot: Slot) {
    for index in BASE..BASE + SLOTS {
        tables.slots.borrow_mut().insert(index, slot);
    }
}

const FORWARDED: u8 = Reason::Forwarded as u8;

#[test]
fn each_way_to_a_backend_has_its_word() {
    let vip = address(VIPS[0]);
    let send = |tables: &HostTables, kind| {
        run(tables, packet(kind, client(vip, 7, 1000), vip, 64, b"data")).backend
    };
    let tables = service(ForwardMode::Nat, Tracking::Moving);
    assert_eq!(asked(&tables, Kind::Data, b""), (1, FORWARDED, Why::Owner as u8));
    set(&tables, Slot::moving(2, 1, 1, 7));
    assert_eq!(asked(&tables, Kind::Data, b""), (1, FORWARDED, Why::Previous as u8));
    assert_eq!(asked(&tables, Kind::Syn, b""), (2, FORWARDED, Why::Owner as u8));
    assert_eq!(send(&tables, Kind::Syn), 2);
    set(&tables, Slot::moving(3, 1, 1, 7));
    assert_eq!(asked(&tables, Kind::Data, b""), (2, FORWARDED, Why::Remembered as u8));
    assert_eq!(asked(&tables, Kind::Syn, b""), (3, FORWARDED, Why::Owner as u8));

    let mut tables = service(ForwardMode::Nat, Tracking::Quic);
    tables.servers = HashMap::from([(ServerId { service: 1, server_be: server_be(4) }, 4)]);
    assert_eq!(asked(&tables, Kind::Udp, &short(4)), (4, FORWARDED, Why::Named as u8));
    assert_eq!(asked(&tables, Kind::Udp, b""), (1, FORWARDED, Why::Owner as u8));

    let tables = service(ForwardMode::FullNat, Tracking::Moving);
    assert_eq!(asked(&tables, Kind::Data, b""), (0, Reason::UnknownFlow as u8, 0));
    assert_eq!(send(&tables, Kind::Syn), 1);
    set(&tables, Slot::settled(2, 0));
    assert_eq!(asked(&tables, Kind::Data, b""), (1, FORWARDED, Why::Remembered as u8));
    assert_eq!(asked(&tables, Kind::Syn, b""), (1, FORWARDED, Why::Remembered as u8), "repeated");
    assert_eq!(send(&tables, Kind::Fin), 1);
    assert_eq!(asked(&tables, Kind::Syn, b""), (2, FORWARDED, Why::Owner as u8), "once more");
}

#[test]
fn no_backend_and_no_service_are_said() {
    let tables = super::tables();
    let frame = Sent::syn(super::CLIENT, EMPTY).build();
    let told_of_empty = told(&tables, &frame);
    assert_eq!((told_of_empty.service, told_of_empty.backend), (3, 0));
    assert_eq!(told_of_empty.reason, Reason::NoBackend as u8);
    let told_of_none = told(&tables, &Sent::syn(super::CLIENT, "192.0.2.99:80").build());
    assert_eq!(
        told_of_none,
        Explanation { reason: Reason::NotOurs as u8, ..Explanation::default() }
    );
}

fn slot() -> impl Strategy<Value = Slot> {
    (any::<bool>(), 0..4_u32, 0..4_u32, 0..2_u16).prop_map(|(moving, owner, previous, epoch)| {
        if moving { Slot::moving(owner, previous, epoch, 7) } else { Slot::settled(owner, epoch) }
    })
}

fn sent() -> impl Strategy<Value = (Kind, u16, Vec<u8>)> {
    let kind = select([Kind::Syn, Kind::Data, Kind::Fin, Kind::Udp].as_slice());
    let payload = prop_oneof![Just(data()), Just(initial()), (1..6_u32).prop_map(short)];
    (kind, 1000..1006_u16, payload)
}

const MODES: [ForwardMode; 4] =
    [ForwardMode::Nat, ForwardMode::Dsr, ForwardMode::FullNat, ForwardMode::Gue];
const TRACKING: [Tracking; 3] = [Tracking::Moving, Tracking::All, Tracking::Quic];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn what_is_told_is_what_is_done(
        mode in select(MODES.as_slice()),
        tracking in select(TRACKING.as_slice()),
        rings in prop::collection::vec(prop::collection::vec(slot(), SLOTS as usize), 1..4),
        packets in prop::collection::vec((sent(), 0..2 * u32::from(IDLE), 0..6_u32), 1..20),
        flags in prop::collection::vec(
            select([0, 0, 0, BACKEND_LEAVING, BACKEND_DEAD, BACKEND_RESOLVED].as_slice()), 5
        ),
    ) {
        let mut tables = service(mode, tracking);
        for id in 1..=5 {
            tables.servers.insert(ServerId { service: 1, server_be: server_be(id) }, id);
        }
        let vip = address(VIPS[0]);
        let (each, mut now) = (packets.len().div_ceil(rings.len()), NOW);
        for (n, ((kind, port, payload), later, pause)) in packets.into_iter().enumerate() {
            if n % each == 0 {
                tables.slots.get_mut().extend((BASE..).zip(rings[n / each].iter().copied()));
            }
            if n == each {
                // Half-way some of them fail, or are resolved no more.
                for (id, flags) in (1..).zip(&flags) {
                    tables.backends.entry(id).and_modify(|backend| backend.flags ^= flags);
                }
            }
            now += if pause == 0 { later } else { pause };
            tables.now.set(now);
            let frame = packet(kind, client(vip, 7, port), vip, 64, &payload);
            let told = told(&tables, &frame);
            let known: Vec<_> = tables.flows.borrow().values().map(|flow| flow.backend).collect();
            let done = run(&tables, frame);
            prop_assert_eq!(told.reason, done.reason as u8, "{:?}, then {:?}", told, done);
            prop_assert_eq!(told.service, done.service);
            if done.reason == Reason::Forwarded {
                prop_assert_eq!(told.backend, done.backend);
                let slot = Slot::from_word(told.slot);
                prop_assert!(match Why::ALL[usize::from(told.why)] {
                    Why::Owner => slot.owner() == told.backend,
                    Why::Previous => slot.is_moving() && slot.previous() == told.backend,
                    Why::Remembered => known.contains(&told.backend),
                    Why::Scheduled => false,
                    Why::Named => tracking == Tracking::Quic && kind == Kind::Udp,
                }, "{:?}", told);
            }
        }
    }
}
