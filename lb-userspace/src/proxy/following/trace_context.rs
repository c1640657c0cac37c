//! W3C Trace Context: `traceparent` and `tracestate`, by which services agree on what belongs together.
//!
//! What a client begins is passed on as it is: the proxy records no span of its own, so it is nobody's parent. What is
//! missing or malformed is begun anew, and then a `tracestate` means nothing (section 3.3 of level 1). A new trace
//! is sampled: most who record spans do as their parent does, and would record none of a trace that is not.

use std::fmt;

use hyper::{
    HeaderMap,
    header::{HeaderName, HeaderValue},
};

use super::Ids;
use crate::proxy::headers::only;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Bytes of a `traceparent` of version 00, and of the least that a later one has.
const LENGTH: usize = 55;
/// Flags: sampled, and (level 2) that the id of the trace is random.
const SAMPLED: u8 = 1;
const RANDOM: u8 = 2;

/// The trace of a request.
#[derive(Debug)]
pub(in crate::proxy) struct Trace {
    parent: Parent,
    /// As the client has sent it, if it may be passed on so.
    given: Option<HeaderValue>,
    /// Whether it begins here.
    is_new: bool,
}

impl Trace {
    /// The trace that a request says it is part of, or else a new one.
    pub(super) fn of(headers: &HeaderMap, ids: &Ids) -> Self {
        let given = only(headers, &TRACEPARENT);
        match given.and_then(|given| Parent::parse(given.as_bytes())) {
            Some((0, parent)) => Self { parent, given: given.cloned(), is_new: false },
            Some((_, parent)) => Self { parent: parent.known(), given: None, is_new: false },
            None => Self { parent: Parent::new(ids), given: None, is_new: true },
        }
    }

    /// Its id.
    pub(in crate::proxy) fn id(&self) -> TraceId {
        TraceId(self.parent.trace)
    }

    /// Tells a backend.
    pub(super) fn put(&self, headers: &mut HeaderMap) {
        if self.is_new {
            headers.remove(TRACESTATE);
        }
        let value = self.given.clone().or_else(|| self.parent.to_string().try_into().ok());
        if let Some(value) = value {
            headers.insert(TRACEPARENT, value);
        }
    }
}

/// The id of a trace: 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::proxy) struct TraceId(u128);

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What a `traceparent` says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Parent {
    trace: u128,
    span: u64,
    flags: u8,
}

impl Parent {
    fn new(ids: &Ids) -> Self {
        let trace = ids.draw();
        let span = loop {
            // Half of a number.
            if let Ok(span @ 1..) = u64::try_from(ids.draw() >> 64) {
                break span;
            }
        };
        Self { trace, span, flags: SAMPLED | RANDOM }
    }

    /// A value and its version (section 3.2.2). Versions to come begin as this one does, and what follows there is
    /// behind a dash (section 3.2.4); `ff` is none.
    fn parse(value: &[u8]) -> Option<(u8, Self)> {
        let (known, more) = value.split_at_checked(LENGTH)?;
        let mut parts = known.split(|byte| *byte == b'-');
        let mut part = |digits| parts.next().and_then(|part| number(part, digits));
        let (version, trace, span, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        let version = u8::try_from(version).ok().filter(|version| *version != 0xff)?;
        let ends = more.is_empty() || (version > 0 && more.first() == Some(&b'-'));
        let span = u64::try_from(span).ok()?;
        let flags = u8::try_from(flags).ok()?;
        (ends && trace != 0 && span != 0).then_some((version, Self { trace, span, flags }))
    }

    /// What is known of a version to come: it is passed on in ours.
    fn known(self) -> Self {
        Self { flags: self.flags & (SAMPLED | RANDOM), ..self }
    }
}

impl fmt::Display for Parent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trace, span, flags } = self;
        write!(f, "00-{trace:032x}-{span:016x}-{flags:02x}")
    }
}

/// So many hexadecimal digits, in small letters.
fn number(digits: &[u8], length: usize) -> Option<u128> {
    let is_right = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let text = std::str::from_utf8(digits).ok()?;
    let right = digits.len() == length && digits.iter().all(is_right);
    if right { u128::from_str_radix(text, 16).ok() } else { None }
}
