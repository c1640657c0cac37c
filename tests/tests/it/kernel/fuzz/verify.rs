//! What must hold of any packet that leaves the balancer, whatever it is.

use lb_common::abi::{ForwardMode, Reason, Verdict};

use super::{
    checksums::{Ip, behind_tags, ip, of_packet, quote, sum},
    fixture::Rows,
    host::Sent,
};

/// Bytes that a refusal quotes at most.
const QUOTED: usize = 128;

/// What is wrong with what became of a frame, if anything is.
pub(super) fn complaint(rows: &Rows, input: &[u8], sent: &Sent) -> Option<String> {
    let Some((service, reason)) = sent.counted else { return Some("not counted".into()) };
    let output = sent.frame.as_slice();
    if sent.verdict == Verdict::Drop || input == output && sent.verdict == Verdict::Pass {
        return None;
    }
    let packet = |frame| ip(behind_tags(frame)?, false);
    let (before, after) = (packet(input), packet(output));
    let is_forwarded = matches!(reason, Reason::Forwarded | Reason::ErrorForwarded);
    let after = match (after, tunnel(rows, service)) {
        (Some(outer), Some(kind)) if is_forwarded => unwrapped(&outer, kind),
        (after, _) => after,
    };
    let (Some(before), Some(after)) = (before, after) else {
        return Some("changed, and not as an IP packet".into());
    };
    match reason {
        Reason::Rejected if after.protocol == 6 => return reset(&before, &after),
        Reason::TtlExpired | Reason::TooBig | Reason::Rejected => {
            return refusal(input, output, &before, &after);
        }
        Reason::EchoAnswered => {}
        Reason::Forwarded | Reason::Returned | Reason::ErrorForwarded | Reason::ErrorReturned => {
            if before.ttl().checked_sub(1) != Some(after.ttl()) {
                return Some("its time to live is not one less".into());
            }
        }
        // The kernel counts it down.
        Reason::BackendUnresolved
        | Reason::ReplyUnresolved
        | Reason::ReplyTooBig
        | Reason::ReplyToBalancer
        | Reason::ReplyUnroutable => {
            if before.ttl() != after.ttl() {
                return Some("its time to live was changed".into());
            }
        }
        _ => return Some("passed, and changed".into()),
    }
    if !is_kept(&before, &after) {
        return Some("its payload was changed".into());
    }
    // An error goes to whom sent what it quotes.
    if matches!(reason, Reason::ErrorForwarded | Reason::ErrorReturned)
        && quote(&after).is_some_and(|quoted| quoted.source != after.destination)
    {
        return Some("it quotes a packet of somebody else".into());
    }
    let (before, after) = (of_packet(&before), of_packet(&after));
    (before != after).then(|| format!("checksums add up to {before:x?} before, {after:x?} after"))
}

/// Whether nothing was changed behind the IP header but ports and checksum; or, in ICMP, behind what
/// may be quoted headers.
fn is_kept(before: &Ip<'_>, after: &Ip<'_>) -> bool {
    let rest = |packet: &Ip<'_>| {
        let payload = packet.payload;
        let from = match packet.protocol {
            // Ports and checksum, and in UDP the length between them.
            17 => 8,
            6 => 18,
            _ => 8 + 60 + 18,
        };
        payload.get(from..).unwrap_or_default().to_vec()
    };
    let start = |packet: &Ip<'_>| packet.payload.get(4..16).map(<[u8]>::to_vec);
    before.payload.len() == after.payload.len()
        && before.protocol == after.protocol
        && before.at == after.at
        && rest(before) == rest(after)
        && (before.protocol != 6 || start(before) == start(after))
}

/// The mode of a service, if it puts packets into others.
fn tunnel(rows: &Rows, service: u32) -> Option<ForwardMode> {
    let (_, found) = rows.services.iter().find(|(_, found)| found.id == service)?;
    let modes = [ForwardMode::Ipip, ForwardMode::Gue];
    modes.into_iter().find(|mode| *mode as u8 == found.mode)
}

/// The packet behind outer headers, which must be right themselves.
fn unwrapped<'a>(outer: &Ip<'a>, kind: ForwardMode) -> Option<Ip<'a>> {
    if outer.header[0] >> 4 == 4 && sum(&[outer.header]) != 0 {
        return None;
    }
    let inner = match (outer.protocol, kind) {
        (4 | 41, ForwardMode::Ipip) => outer.payload,
        (17, ForwardMode::Gue) => {
            let header = outer.payload.get(..8)?;
            let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
            let right = header[2..4] == 6080_u16.to_be_bytes()
                && length == outer.payload.len()
                && header[6..] == [0, 0];
            right.then(|| &outer.payload[8..])?
        }
        _ => return None,
    };
    ip(inner, false)
}

/// An error must be right, go back to the sender, and quote what it sent.
fn refusal(input: &[u8], output: &[u8], asked: &Ip<'_>, answer: &Ip<'_>) -> Option<String> {
    let wrong = |what: &str| Some(format!("the refusal has {what}"));
    let (of, bytes) = (behind_tags(input)?, behind_tags(output)?);
    let is_right = |sum: Option<u16>| sum.is_none_or(|sum| sum == 0);
    match of_packet(answer) {
        Some(sums) if is_right(sums.header) && sums.payload == Some(0) => {}
        sums => return wrong(&format!("checksums that add up to {sums:x?}")),
    }
    if (answer.source, answer.destination) != (asked.destination, asked.source) {
        return wrong("other ends");
    }
    let (tags, came) = (&output[12..output.len() - bytes.len()], input.len() - of.len());
    if tags != &input[12..came] || output[..6] != input[6..12] || output[6..12] != input[..6] {
        return wrong("another link header");
    }
    let quote = answer.payload.get(8..).unwrap_or_default();
    let length = ((asked.at + asked.payload.len()) & !3).min(QUOTED);
    if quote.len() != length || !of.starts_with(quote) {
        return wrong("another quote");
    }
    (bytes.len() != answer.at + answer.payload.len()).then(|| "bytes behind the refusal".into())
}

/// A reset must be right, and go back to the sender.
fn reset(asked: &Ip<'_>, answer: &Ip<'_>) -> Option<String> {
    let wrong = |what: &str| Some(format!("the reset has {what}"));
    match of_packet(answer) {
        Some(sums) if sums.header.is_none_or(|sum| sum == 0) && sums.payload == Some(0) => {}
        sums => return wrong(&format!("checksums that add up to {sums:x?}")),
    }
    if (answer.source, answer.destination) != (asked.destination, asked.source) {
        return wrong("other ends");
    }
    let (before, after) = (asked.payload, answer.payload);
    let ports = [before.get(2..4), before.get(..2)];
    if after.len() != 20 || [after.get(..2), after.get(2..4)] != ports {
        return wrong("other ports, or a payload");
    }
    (after.get(13).is_none_or(|flags| flags & 0x04 == 0)).then(|| "it is no reset".to_owned())
}
