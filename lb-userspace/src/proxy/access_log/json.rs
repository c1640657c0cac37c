//! A line as an object of JSON, always with the same fields in the same order: what there is none of is `null`.
//!
//! It is ASCII: other characters, and DEL, are written as `\uXXXX`, because some of them are commands to a terminal. Bytes
//! that are no UTF-8 become U+FFFD.

use std::{io, net::SocketAddr, time::Duration};

use serde::{Serialize, Serializer as _, ser::SerializeStruct as _};
use serde_json::{
    Serializer,
    ser::{CompactFormatter, Formatter},
};

use super::Line;

/// Writes a line with its end.
pub(super) fn write(out: &mut Vec<u8>, line: &Line<'_>) {
    let begin = out.len();
    // Nothing fails that is written to memory, and every field can be written.
    if object(&mut Serializer::with_formatter(&mut *out, Ascii), line).is_err() {
        out.truncate(begin);
        out.extend_from_slice(b"{}");
    }
    out.push(b'\n');
}

fn object(
    out: &mut Serializer<&mut Vec<u8>, Ascii>,
    line: &Line<'_>,
) -> Result<(), serde_json::Error> {
    let mut object = out.serialize_struct("line", 23)?;
    let time = format!("{:.3}", line.time);
    object.serialize_field("time", &time)?;
    object.serialize_field("listener", line.listener)?;
    object.serialize_field("client", &line.client)?;
    object.serialize_field("method", &line.method)?;
    object.serialize_field("host", &text(line.host))?;
    object.serialize_field("uri", &text(line.uri))?;
    object.serialize_field("protocol", &line.protocol)?;
    object.serialize_field("status", &line.status)?;
    object.serialize_field("bytes_sent", &line.sent)?;
    object.serialize_field("bytes_received", &line.received)?;
    object.serialize_field("duration_ms", &milliseconds(line.duration))?;
    object.serialize_field("first_byte_ms", &line.first_byte.map(milliseconds))?;
    object.serialize_field("route", &line.route)?;
    object.serialize_field("pool", &line.pool)?;
    object.serialize_field("backend", &line.backend as &Option<SocketAddr>)?;
    object.serialize_field("attempts", &line.attempts)?;
    object.serialize_field("cause", &line.cause)?;
    object.serialize_field("referer", &text(line.referer))?;
    object.serialize_field("user_agent", &text(line.user_agent))?;
    object.serialize_field("request_id", &text(line.request_id))?;
    object.serialize_field("trace_id", &text(line.trace_id))?;
    object.serialize_field("tls_version", &line.tls_version)?;
    object.serialize_field("tls_name", &line.tls_name)?;
    object.end()
}

fn text(bytes: Option<&[u8]>) -> Option<impl Serialize> {
    bytes.map(String::from_utf8_lossy)
}

/// With microseconds behind the point, and none beyond them.
#[expect(clippy::cast_precision_loss, reason = "exact below 142 years")]
fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

/// Writes strings in ASCII.
struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let is_plain = |c: char| c.is_ascii() && c != '\x7f';
        let mut rest = fragment;
        while let Some(at) = rest.find(|c| !is_plain(c)) {
            let (plain, others) = rest.split_at(at);
            CompactFormatter.write_string_fragment(out, plain)?;
            let Some(other) = others.chars().next() else { break };
            // RFC 8259 section 7: beyond the first plane as two surrogates.
            for unit in other.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = others.get(other.len_utf8()..).unwrap_or_default();
        }
        CompactFormatter.write_string_fragment(out, rest)
    }
}
