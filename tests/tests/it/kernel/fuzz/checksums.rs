//! What is left of a frame's checksums, computed without any code of the program's.
//!
//! The sum over everything that a checksum covers, the checksum included, is zero if it is right. It is
//! the same before and after the balancer if that has updated the checksum by what it changed: so a
//! damaged packet stays as damaged as it was, and what only a part of is at hand (a fragment, a quoted
//! packet) can be judged, too.

use etherparse::checksum::Sum16BitWords;

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

/// The sums of a packet; `None` where there is no checksum.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Sums {
    /// Of the IPv4 header.
    pub(super) header: Option<u16>,
    /// Of TCP, UDP or ICMP, as far as it is in the packet.
    pub(super) payload: Option<u16>,
    /// The same of the packet that an ICMP error quotes.
    quoted: [Option<u16>; 2],
}

/// A packet from its IP header on.
pub(super) struct Ip<'a> {
    pub(super) header: &'a [u8],
    pub(super) source: &'a [u8],
    pub(super) destination: &'a [u8],
    pub(super) protocol: u8,
    pub(super) payload: &'a [u8],
    /// Where the payload begins.
    pub(super) at: usize,
    is_later: bool,
    is_fragment: bool,
}

impl Ip<'_> {
    /// Time to live, or hop limit.
    pub(super) fn ttl(&self) -> u8 {
        if self.header[0] >> 4 == 4 { self.header[8] } else { self.header[7] }
    }
}

/// The sums of a frame; `None` if it is no IP packet that a receiver could read.
pub(super) fn sums(frame: &[u8]) -> Option<Sums> {
    of_packet(&ip(behind_tags(frame)?, false)?)
}

/// What stands behind Ethernet header and VLAN tags.
pub(super) fn behind_tags(frame: &[u8]) -> Option<&[u8]> {
    let mut rest = frame.get(12..)?;
    while let [0x81, 0, ..] | [0x88, 0xa8, ..] = rest {
        rest = rest.get(4..)?;
    }
    matches!(rest, [0x08, 0, ..] | [0x86, 0xdd, ..]).then(|| &rest[2..])
}

pub(super) fn of_packet(packet: &Ip<'_>) -> Option<Sums> {
    let header = (packet.header[0] >> 4 == 4).then(|| sum(&[packet.header]));
    if packet.is_later {
        return Some(Sums { header, ..Sums::default() });
    }
    let mut sums = Sums { header, ..Sums::default() };
    add_payload(&mut sums, packet)?;
    if let Some(quote) = quote(packet) {
        sums.quoted = of_quoted(&quote);
    }
    Some(sums)
}

/// Reads an IP header and what it covers; of a quoted packet, the end may be missing.
pub(super) fn ip(bytes: &[u8], is_quoted: bool) -> Option<Ip<'_>> {
    let word = |at: usize| Some(usize::from(u16::from_be_bytes([*bytes.get(at)?, bytes[at + 1]])));
    let end = |length: usize| match bytes.len() {
        available if is_quoted => Some(length.min(available)),
        available => (length <= available).then_some(length),
    };
    if bytes.first()? >> 4 == 4 {
        let length = usize::from(bytes[0] & 0xf) * 4;
        let header = bytes.get(..length).filter(|header| header.len() >= 20)?;
        let fragment = word(6)?;
        return Some(Ip {
            header,
            source: &header[12..16],
            destination: &header[16..20],
            protocol: header[9],
            payload: bytes.get(length..end(word(2)?)?)?,
            at: length,
            is_later: fragment & 0x1fff != 0,
            is_fragment: fragment & 0x3fff != 0,
        });
    }
    let header = bytes.get(..40)?;
    let bytes = bytes.get(..end(word(4)? + 40)?)?;
    let (mut protocol, mut at, mut fragment) = (header[6], 40, 0);
    while matches!(protocol, 0 | 43 | 44 | 60) && fragment & 0xfff8 == 0 {
        let next = bytes.get(at..at + 8)?;
        if protocol == 44 {
            fragment = u16::from_be_bytes([next[2], next[3]]);
            at += 8;
        } else {
            at += usize::from(next[1]) * 8 + 8;
        }
        protocol = next[0];
    }
    Some(Ip {
        header,
        source: &header[8..24],
        destination: &header[24..40],
        protocol,
        payload: bytes.get(at..)?,
        at,
        is_later: fragment & 0xfff8 != 0,
        is_fragment: fragment & 0xfff9 != 0,
    })
}

/// Makes the checksums of a frame right, as far as it can be read.
pub(super) fn repair(frame: &mut [u8]) {
    repair_header(frame);
    let Some((start, bytes)) = ip_of(frame) else { return };
    let Some(packet) = ip(bytes, false) else { return };
    let (at, protocol) = (start + packet.at, packet.protocol);
    let Some(offset) = checksum_at(protocol).filter(|offset| packet.payload.len() >= offset + 2)
    else {
        return;
    };
    frame[at + offset..at + offset + 2].fill(0);
    let Some(packet) = ip(&frame[start..], false) else { return };
    let checksum = with_pseudo_header(&packet, packet.payload);
    frame[at + offset..at + offset + 2].copy_from_slice(&checksum.to_ne_bytes());
}

/// Makes the checksum of an IPv4 header right.
pub(super) fn repair_header(frame: &mut [u8]) {
    let Some((start, bytes)) = ip_of(frame) else { return };
    let length = bytes.first().map_or(0, |first| usize::from(first & 0xf) * 4);
    if bytes.len() < length || length < 20 || bytes[0] >> 4 != 4 {
        return;
    }
    let header = &mut frame[start..start + length];
    header[10..12].fill(0);
    let checksum = sum(&[header]);
    header[10..12].copy_from_slice(&checksum.to_ne_bytes());
}

/// Where the IP header of a frame begins, and what is there.
fn ip_of(frame: &[u8]) -> Option<(usize, &[u8])> {
    let bytes = behind_tags(frame)?;
    Some((frame.len() - bytes.len(), bytes))
}

/// `None` if the payload is too short for its header.
fn add_payload(sums: &mut Sums, packet: &Ip<'_>) -> Option<()> {
    let (at, mut covered) = (checksum_at(packet.protocol), packet.payload);
    if packet.protocol == UDP && !packet.is_fragment {
        let length = usize::from(u16::from_be_bytes([*covered.get(4)?, *covered.get(5)?]));
        covered = covered.get(..length)?;
    }
    if let Some(at) = at {
        let checksum = covered.get(at..at + 2)?;
        let is_there = packet.protocol != UDP || checksum != [0, 0];
        sums.payload = is_there.then(|| with_pseudo_header(packet, covered));
    }
    Some(())
}

const fn checksum_at(protocol: u8) -> Option<usize> {
    match protocol {
        TCP => Some(16),
        UDP => Some(6),
        ICMP | ICMPV6 => Some(2),
        _ => None,
    }
}

/// RFC 9293 section 3.1, RFC 8200 section 8.1; ICMP over IPv4 has none.
fn with_pseudo_header(packet: &Ip<'_>, covered: &[u8]) -> u16 {
    if packet.protocol == ICMP {
        return sum(&[covered]);
    }
    // What the length is does not matter to a fragment: it is the same afterwards.
    let [high, low] = u16::try_from(covered.len()).unwrap_or(0).to_be_bytes();
    sum(&[packet.source, packet.destination, &[0, packet.protocol, high, low], covered])
}

/// The packet that an ICMP error quotes.
pub(super) fn quote<'a>(packet: &Ip<'a>) -> Option<Ip<'a>> {
    let is_error = match packet.protocol {
        ICMP => matches!(packet.payload.first()?, 3 | 11 | 12),
        ICMPV6 => matches!(packet.payload.first()?, 1..=4),
        _ => false,
    };
    if !is_error || packet.is_fragment {
        return None;
    }
    ip(packet.payload.get(8..)?, true)
}

fn of_quoted(packet: &Ip<'_>) -> [Option<u16>; 2] {
    let header = (packet.header[0] >> 4 == 4).then(|| sum(&[packet.header]));
    let checksum = |at: usize| packet.payload.get(at..at + 2);
    let payload = match packet.protocol {
        TCP if !packet.is_later => checksum(16),
        UDP if !packet.is_later => checksum(6).filter(|checksum| *checksum != [0, 0]),
        _ => None,
    };
    [header, payload.map(|_| with_pseudo_header(packet, packet.payload))]
}

/// The sum of parts, all but the last of even length: 0 if a checksum among them is right.
pub(super) fn sum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().fold(Sum16BitWords::new(), |words, part| words.add_slice(part));
    match words.ones_complement() {
        // The other zero.
        u16::MAX => 0,
        sum => sum,
    }
}

#[test]
fn sums_of_what_a_library_built_are_zero_and_damage_is_seen() {
    for spec in super::services::all().iter().take(4) {
        let mut frame = spec.request().build();
        let right = Some(Sums {
            header: spec.vip().is_ipv4().then_some(0),
            payload: Some(0),
            ..Sums::default()
        });
        assert_eq!(sums(&frame), right, "service {}", spec.id);
        if let Some(last) = frame.last_mut() {
            *last ^= 1;
        }
        assert_ne!(sums(&frame), right, "service {}", spec.id);
    }
}
