//! The parts of a request's target as routes compare them.

use std::borrow::Cow;

/// The name in a `Host`, without its port and in lower case.
pub(crate) fn host_name(host: &str) -> Cow<'_, str> {
    let name = match host.rfind(':') {
        // The last colon of an IPv6 address in brackets is inside them.
        Some(colon) if !host.ends_with(']') => host.get(..colon).unwrap_or(host),
        _ => host,
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

/// A path in which what needs no escape has none (RFC 3986 section 6.2.2.2): `/%61` is `/a`.
pub(crate) fn normal_path(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, behind)) = rest.split_once('%') {
        out.push_str(before);
        match escape(behind) {
            Some(byte) if unreserved(byte) => {
                out.push(char::from(byte));
                rest = behind.get(2..).unwrap_or_default();
            }
            _ => {
                out.push('%');
                rest = behind;
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn escape(behind: &str) -> Option<u8> {
    let digits = behind.get(..2)?;
    let hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if hex { u8::from_str_radix(digits, 16).ok() } else { None }
}

/// A part of a query as forms write it: `+` is a space, and escapes are resolved.
pub(super) fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['%', '+']) {
        let (before, behind) = rest.split_at(at);
        bytes.extend_from_slice(before.as_bytes());
        let behind_sign = behind.get(1..).unwrap_or_default();
        match escape(behind_sign) {
            Some(byte) if behind.starts_with('%') => {
                bytes.push(byte);
                rest = behind_sign.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(if behind.starts_with('+') { b' ' } else { b'%' });
                rest = behind_sign;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// Names and values of the cookies in a `Cookie` header (RFC 6265 section 5.4).
pub(super) fn cookies(header: &str) -> impl Iterator<Item = (&str, &str)> {
    header.split(';').filter_map(|pair| pair.trim().split_once('='))
}

/// The value of a cookie in a `Cookie` header.
pub(crate) fn cookie<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    cookies(header).find(|(key, _)| *key == name).map(|(_, value)| value)
}
