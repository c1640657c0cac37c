//! Header fields that httparse has found in what was read, as a map of hyper's.
//!
//! The values are pieces of what was read, which is not copied. As the head can be cut off only when httparse has let go of it,
//! it is remembered meanwhile where they are.

use std::ops::Range;

use httparse::Header;
use hyper::{
    HeaderMap, Version,
    body::Bytes,
    header::{CONNECTION, CONTENT_LENGTH, EXPECT, HeaderName, HeaderValue, TRANSFER_ENCODING},
};

use super::error::Error;
use crate::proxy::headers::listed;

/// Fields that there is room for on the stack; and how many a backend may send.
pub(super) const MOST: usize = 100;

/// Where the name and the value of each field are.
pub(super) type Spans = Vec<(Range<usize>, Range<usize>)>;

/// Which fields there are that say how a message is read: most have few of them, and to look for one is not for nothing.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each says of another field whether it is there")]
pub(super) struct Seen {
    pub(super) connection: bool,
    pub(super) length: bool,
    pub(super) coding: bool,
    pub(super) expect: bool,
}

/// Where a part of a whole is.
pub(super) fn span(part: &[u8], whole: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr() - whole.as_ptr().addr();
    start..start + part.len()
}

/// Notes where fields are.
pub(super) fn note(fields: &[Header<'_>], whole: &[u8], spans: &mut Spans) {
    spans.clear();
    let place = |field: &Header<'_>| (span(field.name.as_bytes(), whole), span(field.value, whole));
    spans.extend(fields.iter().map(place));
}

/// Makes a map of the fields at these places. There is room for some more in it.
pub(super) fn take(spans: &Spans, bytes: &Bytes, spare: usize) -> Result<(HeaderMap, Seen), Error> {
    let mut headers = HeaderMap::with_capacity(spans.len() + spare);
    let mut seen = Seen::default();
    for (name, value) in spans {
        let name = bytes.get(name.clone()).unwrap_or_default();
        let name =
            HeaderName::from_bytes(name).map_err(|_| Error::Head(httparse::Error::HeaderName))?;
        let value = HeaderValue::from_maybe_shared(bytes.slice(value.clone()))
            .map_err(|_| Error::Head(httparse::Error::HeaderValue))?;
        match name {
            CONNECTION => seen.connection = true,
            CONTENT_LENGTH => seen.length = true,
            TRANSFER_ENCODING => seen.coding = true,
            EXPECT => seen.expect = true,
            _ => {}
        }
        headers.append(name, value);
    }
    Ok((headers, seen))
}

/// Whether a connection goes on after a message (RFC 9112 section 9.3).
pub(super) fn persists(headers: &HeaderMap, seen: Seen, version: Version) -> bool {
    let has = |word| {
        seen.connection
            && listed(headers, &CONNECTION).any(|option| option.eq_ignore_ascii_case(word))
    };
    !has("close") && (version == Version::HTTP_11 || has("keep-alive"))
}
