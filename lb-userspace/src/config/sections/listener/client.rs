//! `[listener.client]`: how slow and how large a client may be.

use std::{num::NonZeroU32, time::Duration};

use super::conditions::Reported;
use crate::{
    config::{
        findings::Findings, reader::Section, sections::limit::limit,
        vocabulary::listener::LISTENER_CLIENT,
    },
    model::{
        ListenerProtocol,
        duration::{DurationError, duration_within},
        listener::ClientLimits,
    },
};

/// The shortest and the longest timeout.
const TIMES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_hours(24));

/// Keys that mean something where requests are read, and nowhere else.
const OF_REQUESTS: [&str; 9] = [
    "head-timeout",
    "keep-alive-timeout",
    "send-timeout",
    "max-request-line",
    "max-header",
    "max-head",
    "max-headers",
    "max-body",
    "rate-limit",
];

/// The largest `max-body`: who means no limit gives none.
const LARGEST_BODY: u64 = 1 << 40;

pub(super) fn read(
    listener: &Section<'_>,
    protocol: Option<ListenerProtocol>,
    findings: &mut Findings<'_>,
) -> Result<ClientLimits, Reported> {
    let mut limits = ClientLimits::default();
    let Some(section) = listener.single(&LISTENER_CLIENT, findings) else {
        return if listener.has("client") { Err(Reported) } else { Ok(limits) };
    };
    let announced = listener.get("proxy-protocol").and_then(|field| field.value.as_bool());
    refuse_idle_words(&section, protocol, announced == Some(true), findings);
    times(&section, &mut limits, findings);
    sizes(&section, &mut limits, findings);
    limits.max_connections = section
        .get("max-connections")
        .and_then(|field| field.number(1, u32::MAX, findings))
        .and_then(NonZeroU32::new);
    // One that is wrong is reported, and nothing comes of the file.
    limits.rate_limit = limit(&section, "rate-limit", findings).flatten();
    section.refuse_others(findings);
    Ok(limits)
}

/// What is not read has no head.
fn refuse_idle_words(
    section: &Section<'_>,
    protocol: Option<ListenerProtocol>,
    announced: bool,
    findings: &mut Findings<'_>,
) {
    let Some(protocol) = protocol else { return };
    if !protocol.reads_requests() {
        let why = format!(
            "a listener of protocol {} reads no requests; remove it, and see `tunnel-timeout` of [pool.http] for connections that stand still",
            protocol.name()
        );
        for key in OF_REQUESTS {
            section.refuse(key, &why, findings);
        }
    }
    // Where nothing else is read, it is the time for the header of the PROXY protocol.
    let greets = announced && protocol == ListenerProtocol::Tcp;
    if matches!(protocol, ListenerProtocol::Http | ListenerProtocol::Tcp) && !greets {
        let why = format!(
            "there is no handshake of TLS in protocol {}; remove it{}",
            protocol.name(),
            if protocol.reads_requests() { ", and see `head-timeout`" } else { "" }
        );
        section.refuse("handshake-timeout", &why, findings);
    }
}

fn times(section: &Section<'_>, limits: &mut ClientLimits, findings: &mut Findings<'_>) {
    let targets = [
        ("handshake-timeout", &mut limits.handshake_timeout),
        ("head-timeout", &mut limits.head_timeout),
        ("keep-alive-timeout", &mut limits.keep_alive_timeout),
        ("send-timeout", &mut limits.send_timeout),
    ];
    for (key, target) in targets {
        let given = section.get(key).and_then(|field| field.parsed(within, findings));
        *target = given.map_or(*target, |given| given.value);
    }
}

fn within(given: &str) -> Result<Duration, DurationError> {
    duration_within(given, TIMES.0, TIMES.1)
}

fn sizes(section: &Section<'_>, limits: &mut ClientLimits, findings: &mut Findings<'_>) {
    // A target has less than 64 KiB in any case, and what holds a head has 400 KiB.
    let targets = [
        ("max-request-line", &mut limits.max_request_line, 256, 32 << 10),
        ("max-header", &mut limits.max_header, 256, 256 << 10),
        ("max-head", &mut limits.max_head, 1 << 10, 256 << 10),
        ("max-headers", &mut limits.max_headers, 8, 1000),
    ];
    for (key, target, least, most) in targets {
        let given = section.get(key).and_then(|field| field.number(least, most, findings));
        *target = given.unwrap_or(*target);
    }
    limits.max_body =
        section.get("max-body").and_then(|field| field.large(1, LARGEST_BODY, findings));
    for (key, part) in
        [("max-request-line", limits.max_request_line), ("max-header", limits.max_header)]
    {
        let at = section.get(key).or_else(|| section.get("max-head"));
        if let Some(field) = at.filter(|_| part > limits.max_head) {
            let message = format!(
                "`{key}` is {part}, but a head may have {} bytes altogether; raise `max-head`, or lower `{key}`",
                limits.max_head
            );
            findings.add(field.offset(), &message);
        }
    }
}
