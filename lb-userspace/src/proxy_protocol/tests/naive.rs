//! A second reading of the specification, slow and plain, and of whole headers only.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::LazyLock,
};

use regex::bytes::Regex;

static LINE: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"(?-u)^PROXY (?:UNKNOWN(?: [^\r\n]*)?|TCP([46]) (ADDRESS) (ADDRESS) (PORT) (PORT))\r\n")
});
static DOTTED: LazyLock<Regex> = LazyLock::new(|| regex(r"^BYTE(?:\.BYTE){3}$"));
static GROUP: LazyLock<Regex> = LazyLock::new(|| regex("^[0-9A-Fa-f]{1,4}$"));

fn regex(form: &str) -> Regex {
    let form = form.replace("ADDRESS", "[0-9A-Fa-f:.]+").replace("PORT", "(?:0|[1-9][0-9]*)");
    Regex::new(&form.replace("BYTE", "(?:0|[1-9][0-9]{0,2})")).unwrap()
}

/// Addresses and ports: of the source, then of the destination.
pub(super) type Addresses = (IpAddr, u16, IpAddr, u16);

/// The addresses of a header, if it names some, and its length. None: the bytes do not begin with a header.
pub(super) fn parse(bytes: &[u8]) -> Option<(Option<Addresses>, usize)> {
    if bytes.starts_with(b"PROXY") { line(bytes) } else { block(bytes) }
}

fn line(bytes: &[u8]) -> Option<(Option<Addresses>, usize)> {
    let found = LINE.captures(bytes)?;
    let length = found.get(0)?.len();
    if length > 107 {
        return None;
    }
    let Some(family) = found.get(1) else { return Some((None, length)) };
    let word = |nth| str::from_utf8(found.get(nth)?.as_bytes()).ok();
    let address = |nth| match family.as_bytes() {
        b"4" => Some(IpAddr::V4(dotted(word(nth)?)?)),
        _ => Some(IpAddr::V6(groups(word(nth)?)?).to_canonical()),
    };
    let port = |nth| word(nth)?.parse::<u16>().ok();
    Some((Some((address(2)?, port(4)?, address(3)?, port(5)?)), length))
}

fn dotted(text: &str) -> Option<Ipv4Addr> {
    if !DOTTED.is_match(text.as_bytes()) {
        return None;
    }
    let bytes: Option<Vec<u8>> = text.split('.').map(|number| number.parse().ok()).collect();
    Some(<[u8; 4]>::try_from(bytes?).ok()?.into())
}

/// Groups of hexadecimal digits, of which `::` stands for one zero or more; the last two may be dotted.
fn groups(text: &str) -> Option<Ipv6Addr> {
    let parts: Vec<&str> = text.split("::").collect();
    let mut lists = Vec::new();
    for (nth, part) in parts.iter().enumerate() {
        let is_last = nth + 1 == parts.len();
        lists.push(if part.is_empty() { Vec::new() } else { numbers(part, is_last)? });
    }
    let all = match &lists[..] {
        [all] => all.clone(),
        [head, tail] => {
            let zeros = 8_usize.checked_sub(head.len() + tail.len()).filter(|zeros| *zeros > 0)?;
            [head.clone(), vec![0; zeros], tail.clone()].concat()
        }
        _ => return None,
    };
    Some(<[u16; 8]>::try_from(all).ok()?.into())
}

fn numbers(part: &str, is_last: bool) -> Option<Vec<u16>> {
    let words: Vec<&str> = part.split(':').collect();
    let mut numbers = Vec::new();
    for (nth, word) in words.iter().enumerate() {
        if is_last && nth + 1 == words.len() && word.contains('.') {
            let [a, b, c, d] = dotted(word)?.octets();
            numbers.extend([u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]);
        } else {
            numbers.push(
                u16::from_str_radix(word, 16).ok().filter(|_| GROUP.is_match(word.as_bytes()))?,
            );
        }
    }
    Some(numbers)
}

fn block(bytes: &[u8]) -> Option<(Option<Addresses>, usize)> {
    let fixed = bytes.strip_prefix(b"\x0D\x0A\x0D\x0A\x00\x0D\x0A\x51\x55\x49\x54\x0A")?;
    let &[command, family, high, low, ref rest @ ..] = fixed else { return None };
    let length = usize::from(high) * 256 + usize::from(low);
    let rest = rest.get(..length).filter(|_| length <= 4096)?;
    let whole = &bytes[..16 + length];
    if command == 0x20 || (command == 0x21 && family == 0) {
        return Some((None, whole.len()));
    }
    if command != 0x21 {
        return None;
    }
    let size = match family {
        0x11 | 0x12 => 12,
        0x21 | 0x22 => 36,
        0x31 | 0x32 => 216,
        _ => return None,
    };
    let addresses = rest.get(..size)?;
    if !tlvs_are_right(whole, 16 + size) {
        return None;
    }
    let number = |at: usize| u16::from(addresses[at]) * 256 + u16::from(addresses[at + 1]);
    let found = match family {
        0x11 => {
            let address = |at: usize| <[u8; 4]>::try_from(&addresses[at..at + 4]).ok();
            (IpAddr::from(address(0)?), number(8), IpAddr::from(address(4)?), number(10))
        }
        0x21 => {
            let address = |at: usize| {
                let bytes = <[u8; 16]>::try_from(&addresses[at..at + 16]).ok()?;
                Some(IpAddr::from(bytes).to_canonical())
            };
            (address(0)?, number(32), address(16)?, number(34))
        }
        _ => return Some((None, whole.len())),
    };
    Some((Some(found), whole.len()))
}

fn tlvs_are_right(whole: &[u8], mut at: usize) -> bool {
    let mut zeroed = whole.to_vec();
    let mut sums = Vec::new();
    while at < whole.len() {
        let Some(&[kind, high, low]) = whole.get(at..at + 3) else { return false };
        let length = usize::from(high) * 256 + usize::from(low);
        let Some(value) = whole.get(at + 3..at + 3 + length) else { return false };
        if kind == 3 {
            zeroed[at + 3..at + 3 + length].fill(0);
            sums.push(value.to_vec());
        }
        at += 3 + length;
    }
    match &sums[..] {
        [] => true,
        [sum] => *sum == crc32c(&zeroed).to_be_bytes(),
        _ => false,
    }
}

/// The checksum, bit by bit (RFC 3720 section 12.1).
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = (sum >> 1) ^ (0x82f6_3b78 * (sum & 1));
        }
    }
    !sum
}
