//! The `combined` format of Apache and nginx:
//!
//! ```text
//! 192.0.2.1 - - [26/Nov/2026:17:53:30 +0000] "GET /a?b HTTP/1.1" 200 1234 "https://example.org/" "curl/8"
//! ```
//!
//! As nginx does it: a `-` for what there is none of, the zone of the host, the bytes of the body, and what a client said
//! with quotes, backslashes, and bytes that are no printable ASCII as `\xHH`, so that it cannot end a field or a line.

use std::io::Write as _;

use jiff::tz::TimeZone;

use super::Line;

/// Writes a line with its end.
pub(super) fn write(out: &mut Vec<u8>, line: &Line<'_>, zone: &TimeZone) {
    let time = line.time.to_zoned_datetime(zone.clone());
    let status = line.status.unwrap_or_default();
    // Nothing fails that is written to memory.
    _ = write!(out, "{} - - [{}] \"", line.client, time.strftime("%d/%b/%Y:%H:%M:%S %z"));
    match (line.method, line.uri, line.protocol) {
        (Some(method), Some(uri), Some(protocol)) => {
            escape(out, method.as_bytes());
            out.push(b' ');
            escape(out, uri);
            _ = write!(out, " {protocol}");
        }
        _ => out.push(b'-'),
    }
    _ = write!(out, "\" {status} {} ", line.sent);
    quoted(out, line.referer);
    out.push(b' ');
    quoted(out, line.user_agent);
    out.push(b'\n');
}

fn quoted(out: &mut Vec<u8>, value: Option<&[u8]>) {
    out.push(b'"');
    match value {
        Some(value) if !value.is_empty() => escape(out, value),
        _ => out.push(b'-'),
    }
    out.push(b'"');
}

/// What cannot be mistaken for anything else, and does nothing to a terminal.
pub(super) fn escape(out: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        match byte {
            b'"' | b'\\' | 0..0x20 | 0x7f.. => _ = write!(out, "\\x{byte:02X}"),
            plain => out.push(*plain),
        }
    }
}
