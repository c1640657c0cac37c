//! Packets to and from the services of the cases, and others.
//!
//! What the balancer sent comes back: as replies, as errors about it, and again. So the flows that it
//! remembers go on, without the generator knowing them.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
};

use fastrand::Rng;
use lb_common::abi::{Tracking, Verdict};

use super::{
    Event,
    checksums::behind_tags,
    host::Sent,
    icmp,
    mutate::{LEAST, MOST, mutated},
    network::{
        BACK_CLIENT, FAR, FROM_CLOSED, Links, MANY, NOWHERE, OWN, SMALL, SMALL_FITS, UNREACHABLE,
        UNRESOLVED,
    },
    packet::{Flags, Packet},
    random::{bytes, one_in, pick},
    services::{self, CLIENT_V4, CLIENT_V6, Spec, address, moving},
    shape,
};

/// Frames of the past that are kept, of each kind.
const KEPT: usize = 32;

const CLIENTS: [[&str; 2]; 12] = [
    [CLIENT_V4, CLIENT_V6],
    FAR,
    OWN,
    [MANY[0], "[ff0e::7]:40000"],
    [MANY[1], "[fe80::7]:40000"],
    SMALL,
    SMALL_FITS,
    UNREACHABLE,
    NOWHERE,
    UNRESOLVED,
    BACK_CLIENT,
    FROM_CLOSED,
];

/// How rare something is in a batch: once in so many packets. Batches differ in that, because what is
/// common everywhere hides what needs several things in a row.
struct Odds {
    varied: u32,
    extended: u32,
    fragmented: u32,
    tagged: u32,
    mutated: u32,
}

/// Makes the packets of a batch.
pub(super) struct Generator {
    rng: Rng,
    links: Links,
    odds: Odds,
    /// Services of the batch: all, or few, whose flows then meet.
    specs: Vec<Spec>,
    clients: Vec<[SocketAddr; 2]>,
    /// Frames that came, and those that were sent on.
    came: VecDeque<Vec<u8>>,
    sent: VecDeque<Vec<u8>>,
    next: VecDeque<Event>,
}

impl Generator {
    pub(super) fn new(mut rng: Rng, links: Links) -> Self {
        let mut specs = services::all();
        if rng.bool() {
            let few = rng.usize(1..8);
            specs = (0..few).map(|_| pick(&mut rng, &specs)).collect();
        }
        let odds = Odds {
            varied: pick(&mut rng, &[2, 12]),
            extended: pick(&mut rng, &[4, 8, 64]),
            fragmented: pick(&mut rng, &[4, 8, 64]),
            tagged: pick(&mut rng, &[2, 8, 64]),
            mutated: pick(&mut rng, &[1, 4, 4, 64]),
        };
        let clients = CLIENTS.map(|both| both.map(address)).to_vec();
        let (came, sent, next) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        Self { rng, links, odds, specs, clients, came, sent, next }
    }

    /// The next event.
    pub(super) fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.next.pop_front() {
                return event;
            }
            if one_in(&mut self.rng, 200) {
                return Event::Age(pick(&mut self.rng, &[1, 50, 57, 70, 250, 301, 1000]));
            }
            self.make();
        }
    }

    /// Hears what became of a frame.
    pub(super) fn hear(&mut self, event: &Event, sent: &Sent) {
        let Event::Frame { bytes, .. } = event else { return };
        keep(&mut self.came, bytes);
        if matches!(sent.verdict, Verdict::Transmit | Verdict::Redirect { .. }) {
            keep(&mut self.sent, &sent.frame);
        }
    }

    /// Makes a packet, which may be several frames.
    fn make(&mut self) {
        let (ingress, mut frame) = self.plain();
        let (rng, odds) = (&mut self.rng, &self.odds);
        if one_in(rng, odds.varied) {
            frame = shape::varied(rng, frame);
        }
        if one_in(rng, odds.extended) {
            frame = shape::extended(rng, frame);
        }
        let frames =
            if one_in(rng, odds.fragmented) { shape::fragmented(rng, frame) } else { vec![frame] };
        for mut frame in frames {
            if one_in(rng, odds.tagged) {
                frame = shape::tagged(rng, frame);
            }
            if one_in(rng, 12) {
                frame.extend([0xee; 7]);
            }
            if one_in(rng, odds.mutated) {
                let other = self.came.back().cloned().unwrap_or_default();
                frame = mutated(rng, frame, &other);
            }
            // Tags that were taken off may have been all that there was.
            frame.resize(frame.len().clamp(LEAST, MOST), 0);
            self.next.push_back(Event::Frame { ingress, bytes: frame });
        }
    }

    /// A frame without anything unusual in front of its transport header.
    fn plain(&mut self) -> (u32, Vec<u8>) {
        let (front, back) = (self.links.front, self.links.back);
        let made = match self.rng.u32(..100) {
            0..40 => Some((front, self.request())),
            40..52 => Some((back, self.reply())),
            52..64 => {
                self.earlier_sent().and_then(|frame| shape::reversed(&frame)).map(|f| (back, f))
            }
            64..70 => self.earlier_came().map(|frame| (front, frame)),
            70..84 => self.error().map(|frame| (if self.rng.bool() { front } else { back }, frame)),
            84..90 => Some((front, self.echo())),
            90..93 => Some((front, self.direct())),
            93..95 => self.earlier_sent().map(|frame| (back, frame)),
            95..97 => Some((front, self.noise())),
            _ => Some((front, self.stranger())),
        };
        let (usual, frame) = made.unwrap_or_else(|| (front, self.request()));
        let rng = &mut self.rng;
        let all = [front, back, self.links.closed];
        (if one_in(rng, 16) { pick(rng, &all) } else { usual }, frame)
    }

    fn earlier_sent(&mut self) -> Option<Vec<u8>> {
        let at = self.rng.usize(..KEPT) % self.sent.len().max(1);
        self.sent.get(at).map(|frame| shape::untagged(frame))
    }

    fn earlier_came(&mut self) -> Option<Vec<u8>> {
        let at = self.rng.usize(..KEPT) % self.came.len().max(1);
        self.came.get(at).map(|frame| shape::untagged(frame))
    }

    fn spec(&mut self) -> Spec {
        pick(&mut self.rng, &self.specs)
    }

    fn client(&mut self, is_v4: bool) -> SocketAddr {
        let rng = &mut self.rng;
        let [v4, v6] = if rng.bool() { self.clients[0] } else { pick(rng, &self.clients) };
        let mut client = if is_v4 { v4 } else { v6 };
        client.set_port(if one_in(rng, 20) { rng.u16(..) } else { 40_000 + rng.u16(..6) });
        client
    }

    /// A packet to a service.
    fn request(&mut self) -> Vec<u8> {
        let spec = self.spec();
        let client = self.client(spec.vip().is_ipv4());
        let packet = self.varied(spec.request().from(client), &spec);
        packet.build()
    }

    /// A packet from a backend to a client.
    fn reply(&mut self) -> Vec<u8> {
        let spec = self.spec();
        let client = self.client(spec.backend(0).is_ipv4());
        let place = self.rng.u32(..spec.backends.max(1));
        let packet = self.varied(spec.reply_of(place, client), &spec);
        packet.build()
    }

    /// A packet of a client to a backend, past the service.
    fn direct(&mut self) -> Vec<u8> {
        let spec = self.spec();
        let client = self.client(spec.backend(0).is_ipv4());
        let to = spec.backend(self.rng.u32(..spec.backends.max(1)));
        let packet = Packet { from: client, to, ..spec.request() };
        self.varied(packet, &spec).build()
    }

    /// A packet between two who have nothing to do with the balancer, or only with half of a service.
    fn stranger(&mut self) -> Vec<u8> {
        let spec = self.spec();
        let is_v4 = spec.vip().is_ipv4();
        let (from, to) = (self.client(is_v4), self.client(is_v4));
        let rng = &mut self.rng;
        let packet = Packet { from, to, ..spec.request() };
        let packet = if rng.bool() { packet.to(spec.vip()) } else { packet };
        let port = rng.u16(..);
        self.varied(packet.destination_port(port), &spec).build()
    }

    /// With other flags, sizes and times to live.
    fn varied(&mut self, packet: Packet, spec: &Spec) -> Packet {
        let rng = &mut self.rng;
        let flags = [Flags::Opens, Flags::Opens, Flags::Continues, Flags::Continues];
        let others = [Flags::Accepts, Flags::Closes, Flags::Resets];
        let flags = if one_in(rng, 3) { pick(rng, &others) } else { pick(rng, &flags) };
        let packet = packet.flags(flags).class(rng.u8(..));
        let packet = match rng.u32(..24) {
            0 => packet.ttl(0),
            1 => packet.ttl(1),
            2 => packet.ttl(2),
            3 => packet.ttl(255),
            _ => packet,
        };
        if spec.tracking == Tracking::Quic && rng.bool() {
            let payload = quic(rng, spec);
            return packet.payload(payload);
        }
        match rng.u32(..24) {
            0 => packet.ip_len(pick(rng, &SIZES)),
            1 => {
                let length = rng.usize(60..MOST - 100);
                packet.ip_len(length)
            }
            2..8 => packet,
            _ => {
                let length = rng.usize(..48);
                packet.payload(bytes(rng, length))
            }
        }
    }

    fn echo(&mut self) -> Vec<u8> {
        let spec = self.spec();
        let client = self.client(spec.vip().is_ipv4());
        let to = if one_in(&mut self.rng, 8) { spec.backend(0).ip() } else { spec.vip().ip() };
        let (source, destination) = (octets(client.ip()), octets(to));
        if source.len() != destination.len() {
            return self.noise();
        }
        icmp::echo(&mut self.rng, &icmp::Ends { source: &source, destination: &destination })
    }

    /// An error about a packet of the past, in either direction, or about a new one.
    fn error(&mut self) -> Option<Vec<u8>> {
        let about = match self.rng.u32(..6) {
            0 | 1 => self.earlier_sent()?,
            2 | 3 => shape::reversed(&self.earlier_came()?)?,
            4 => self.direct(),
            _ => shape::reversed(&self.request())?,
        };
        let client = self.client(about.get(12) == Some(&8));
        let from = self.rng.bool().then(|| octets(client.ip()));
        icmp::error(&mut self.rng, behind_tags(&about)?, from.as_deref())
    }

    /// Bytes, which may begin as a frame does.
    fn noise(&mut self) -> Vec<u8> {
        let rng = &mut self.rng;
        let length = rng.usize(LEAST..200);
        let mut frame = bytes(rng, length);
        let kinds = [[8, 0], [0x86, 0xdd], [0x81, 0], [0x88, 0xa8], [8, 6]];
        frame[12..14].copy_from_slice(&pick(rng, &kinds));
        if let Some(first) = frame.get_mut(14) {
            *first = pick(rng, &[0x45, 0x60, 0x46, *first]);
        }
        frame
    }
}

/// Lengths of packets that limits are near.
const SIZES: [usize; 12] = [1231, 1232, 1233, 1280, 1281, 1452, 1453, 1472, 1480, 1481, 1500, 1501];

fn keep(kept: &mut VecDeque<Vec<u8>>, frame: &[u8]) {
    if kept.len() == KEPT {
        kept.pop_front();
    }
    kept.push_back(frame.to_vec());
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// A QUIC packet whose connection id may name a backend.
fn quic(rng: &mut Rng, spec: &Spec) -> Vec<u8> {
    let server = match rng.u32(..4) {
        0 => [1, 2, 3, 4],
        _ => moving::server(spec.first_backend, rng.u32(..spec.backends)),
    };
    let first = pick(rng, &[0x08, 0x08, 0x08, 0x9d]);
    let id = [&[first][..], &server, &[0x77, 0x66, 0x55, 0x44]].concat();
    let kind = rng.u8(..4);
    let version = pick(rng, &[[0, 0, 0, 1], [0x6b, 0x33, 0x43, 0xcf], [0x1a, 0x2a, 0x3a, 0x4a]]);
    let mut packet = if one_in(rng, 3) {
        [&[0x42][..], &id].concat()
    } else {
        let length = pick(rng, &[9, 9, 9, 8, 20, 0]);
        [&[0xc3 | kind << 4][..], &version, &[length], &id].concat()
    };
    let more = rng.usize(..24);
    packet.extend(bytes(rng, more));
    packet
}
