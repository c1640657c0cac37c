//! Version 1: one line of text (section 2.1).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Ends, Fault, Header, Read, begins};

/// Bytes of the longest line, CR and LF included.
pub(super) const LONGEST: usize = 107;

/// What a line begins with.
const NAME: &[u8] = b"PROXY ";

/// Looks at bytes that begin as a line does.
pub(super) fn read(bytes: &[u8]) -> Result<Read, Fault> {
    match begins(bytes, NAME) {
        None => return Ok(Read::More),
        Some(false) => return Err(Fault::Missing),
        Some(true) => {}
    }
    let within = bytes.get(..LONGEST).unwrap_or(bytes);
    let end = within.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
    let Some(end) = end.filter(|end| end + 2 <= LONGEST || within.get(*end) == Some(&b'\n')) else {
        return if within.len() == LONGEST { Err(Fault::LongLine) } else { Ok(Read::More) };
    };
    match (within.get(end), within.get(end + 1)) {
        (Some(b'\r'), Some(b'\n')) => {}
        (Some(b'\r'), None) => return Ok(Read::More),
        _ => return Err(Fault::LineEnd),
    }
    let words = within.get(NAME.len()..end).unwrap_or_default();
    Ok(Read::Done(header(words)?, end + 2))
}

/// What a line says behind its name.
fn header(words: &[u8]) -> Result<Header, Fault> {
    let mut words = words.split(|byte| *byte == b' ');
    let is_v4 = match words.next() {
        Some(b"TCP4") => true,
        Some(b"TCP6") => false,
        // Whatever follows is to be ignored.
        Some(b"UNKNOWN") => return Ok(Header::Own),
        _ => return Err(Fault::Protocol),
    };
    let [Some(source), Some(destination), Some(from), Some(to), None] =
        [words.next(), words.next(), words.next(), words.next(), words.next()]
    else {
        return Err(Fault::Words);
    };
    let source = SocketAddr::new(address(source, is_v4)?, port(from)?);
    let destination = SocketAddr::new(address(destination, is_v4)?, port(to)?);
    Ok(Header::Proxied(Ends::new(source, destination)))
}

/// An address. The parsers of the standard library are as strict as the protocol is; only that IPv6 may end as
/// IPv4 does they take as well, and there are senders that write it so.
fn address(word: &[u8], is_v4: bool) -> Result<IpAddr, Fault> {
    let word = str::from_utf8(word).map_err(|_| Fault::Address)?;
    let parsed = if is_v4 {
        word.parse::<Ipv4Addr>().map(IpAddr::V4)
    } else {
        word.parse::<Ipv6Addr>().map(IpAddr::V6)
    };
    parsed.map_err(|_| Fault::Address)
}

/// A port without zeros in front.
fn port(word: &[u8]) -> Result<u16, Fault> {
    let is_plain = match word {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let word = str::from_utf8(word).ok().filter(|_| is_plain);
    word.and_then(|word| word.parse().ok()).ok_or(Fault::Port)
}

/// A header as a line.
pub(super) fn write(header: &Header) -> String {
    let Header::Proxied(Ends { source, destination }) = header else {
        return "PROXY UNKNOWN\r\n".to_owned();
    };
    let (from, to) = (source.port(), destination.port());
    match (source.ip(), destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            format!("PROXY TCP4 {source} {destination} {from} {to}\r\n")
        }
        (source, destination) => {
            let (source, destination) = (text(source), text(destination));
            format!("PROXY TCP6 {source} {destination} {from} {to}\r\n")
        }
    }
}

/// An address of either family as one of IPv6, in hexadecimal digits only.
fn text(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [.., high, low] = address.to_ipv6_mapped().segments();
            format!("::ffff:{high:x}:{low:x}")
        }
        IpAddr::V6(address) => address.to_string(),
    }
}
