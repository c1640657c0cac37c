//! Bodies in chunks, read in the plainest way: line by line, of what is all there. What it cannot read to its end is nothing.

use std::collections::BTreeMap;

/// A body, its trailers, and how many bytes follow.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Plain {
    pub(super) body: Vec<u8>,
    pub(super) trailers: BTreeMap<String, Vec<Vec<u8>>>,
    pub(super) left: usize,
}

/// Takes what stands before the next of these bytes, and them.
fn until<'a>(rest: &mut &'a [u8], end: &[u8]) -> Option<&'a [u8]> {
    let at = rest.windows(end.len()).position(|window| window == end)?;
    let (line, more) = (&rest[..at], &rest[at + end.len()..]);
    *rest = more;
    Some(line)
}

pub(super) fn read(bytes: &[u8]) -> Option<Plain> {
    let mut rest = bytes;
    let mut plain = Plain::default();
    loop {
        let size = size(until(&mut rest, b"\r\n")?)?;
        if size == 0 {
            break;
        }
        let (data, more) = rest.split_at_checked(usize::try_from(size).ok()?)?;
        plain.body.extend_from_slice(data);
        rest = more.strip_prefix(b"\r\n")?;
    }
    // Here, as in heads, some end lines by LF alone.
    while let Some(line) = until(&mut rest, b"\n") {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            plain.left = rest.len();
            return Some(plain);
        }
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        let is_token =
            |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        let is_text = |byte: &u8| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f);
        if name.is_empty() || !name.iter().all(is_token) || !value.iter().all(is_text) {
            return None;
        }
        let name = String::from_utf8(name.to_ascii_lowercase()).ok()?;
        plain.trailers.entry(name).or_default().push(value.trim_ascii().to_vec());
    }
    None
}

/// At most 16 digits; spaces and an extension may follow.
fn size(line: &[u8]) -> Option<u64> {
    let end = line.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(line.len());
    let (digits, more) = line.split_at(end);
    let spaces = more.iter().take_while(|byte| b" \t".contains(byte)).count();
    let more = &more[spaces..];
    let is_extension = more.first().is_none_or(|byte| *byte == b';');
    if digits.len() > 16 || !is_extension || more.contains(&b'\r') || line.contains(&b'\n') {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
