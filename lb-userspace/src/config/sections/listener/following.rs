//! How requests are followed from hop to hop: `forwarding-headers`, `request-id` and `trace-context`.

use hyper::header::HeaderName;
use thiserror::Error;

use super::edits::{HeaderError, changeable};
use crate::{
    config::{findings::Findings, reader::Section},
    model::{
        ListenerProtocol,
        listener::{Following, ForwardingHeaders},
    },
};

const FORWARDING_HEADERS: [(&str, ForwardingHeaders); 4] = [
    ("x-forwarded", ForwardingHeaders::XForwarded),
    ("forwarded", ForwardingHeaders::Forwarded),
    ("both", ForwardingHeaders::Both),
    ("none", ForwardingHeaders::None),
];

const KEYS: [&str; 3] = ["forwarding-headers", "request-id", "trace-context"];

/// Headers that have a meaning of their own in every message, or that the proxy writes.
const TAKEN: [&str; 12] = [
    "accept",
    "authorization",
    "content-type",
    "cookie",
    "date",
    "expect",
    "forwarded",
    "location",
    "set-cookie",
    "traceparent",
    "tracestate",
    "via",
];

/// Why a header cannot have the id of a request.
#[derive(Debug, Error)]
enum IdError {
    #[error(transparent)]
    Header(#[from] HeaderError),
    #[error(
        "`{given}` means something else; give the id of a request a header of its own, such as `x-request-id`"
    )]
    Taken { given: String },
}

pub(super) fn read(
    listener: &Section<'_>,
    protocol: Option<ListenerProtocol>,
    findings: &mut Findings<'_>,
) -> Following {
    let mut following = Following::default();
    if let Some(protocol) = protocol.filter(|protocol| !protocol.reads_requests()) {
        let why =
            format!("a listener of protocol {} reads no requests; remove it", protocol.name());
        for key in KEYS {
            listener.refuse(key, &why, findings);
        }
        return following;
    }
    // Each mistake is told; what stands in its place does not matter.
    if let Some(field) = listener.get("forwarding-headers") {
        let given = field.choice(&FORWARDING_HEADERS, &[], findings);
        following.forwarding_headers = given.unwrap_or_default();
    }
    if let Some(field) = listener.get("request-id") {
        following.request_id = field.parsed(id_header, findings).map(|given| given.value);
    }
    if let Some(field) = listener.get("trace-context") {
        following.trace_context = field.boolean(findings).unwrap_or_default();
    }
    following
}

fn id_header(given: &str) -> Result<HeaderName, IdError> {
    let name = changeable(given)?;
    if TAKEN.contains(&name.as_str()) || name.as_str().starts_with("x-forwarded-") {
        return Err(IdError::Taken { given: given.to_owned() });
    }
    Ok(name)
}
