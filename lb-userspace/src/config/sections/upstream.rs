//! `[pool.http]`: how requests are spread over the backends of a pool.

use std::{num::NonZeroU32, time::Duration};

use rustls::pki_types::ServerName;

use crate::{
    config::{
        findings::Findings, reader::Section, sections::daemon::absolute_path,
        vocabulary::upstream::HTTP_TLS,
    },
    model::{
        Upstream,
        duration::{DurationError, duration_within},
        names::ValueError,
        upstream::{Balance, HashKey, ProxyProtocol, Speaks, UpstreamTls},
    },
};

/// The ways to balance, before it is known what to hash.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    RoundRobin,
    LeastRequests,
    TwoChoices,
    Random,
    Hash,
}

const SPEAKS: [(&str, Speaks); 3] =
    [("h1", Speaks::H1), ("h2", Speaks::H2), ("auto", Speaks::Auto)];

const PROXY_PROTOCOLS: [(&str, ProxyProtocol); 2] =
    [("v1", ProxyProtocol::V1), ("v2", ProxyProtocol::V2)];

const KINDS: [(&str, Kind); 5] = [
    ("round-robin", Kind::RoundRobin),
    ("least-requests", Kind::LeastRequests),
    ("two-choices", Kind::TwoChoices),
    ("random", Kind::Random),
    ("hash", Kind::Hash),
];

/// The shortest and the longest timeout.
const TIMES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_hours(24));
const LONGEST_TUNNEL: Duration = Duration::from_hours(30 * 24);

pub(super) fn read(section: &Section<'_>, findings: &mut Findings<'_>) -> Upstream {
    let mut http = Upstream { balance: balance(section, findings), ..Upstream::default() };
    (http.speaks, http.tls) = speaks(section, findings);
    let announced = section.get("proxy-protocol");
    http.proxy_protocol = announced.and_then(|field| field.choice(&PROXY_PROTOCOLS, &[], findings));
    let cookie = section.get("sticky-cookie");
    http.sticky_cookie =
        cookie.and_then(|field| field.parsed(str::parse, findings)).map(|read| read.value);
    times(section, &mut http, findings);
    numbers(section, &mut http, findings);
    section.refuse_others(findings);
    if http.max_connections.is_none() {
        let why = "without `max-connections` no request ever waits; remove it, or say how many a backend takes";
        section.refuse("queue", why, findings);
        section.refuse("queue-timeout", why, findings);
    }
    if http.eject_after == 0 {
        let why = "`eject-after = 0` puts no backend out; remove one of the two";
        section.refuse("eject-time", why, findings);
    }
    http
}

fn speaks(section: &Section<'_>, findings: &mut Findings<'_>) -> (Speaks, Option<UpstreamTls>) {
    let tls = section.single(&HTTP_TLS, findings).map(|section| tls(&section, findings));
    let given = section.get("protocol");
    let speaks = given.as_ref().and_then(|field| field.choice(&SPEAKS, &[], findings));
    if let (Some(Speaks::Auto), Some(field), false) = (speaks, &given, section.has("tls")) {
        let message = "`protocol = \"auto\"` is agreed on in the handshake of TLS, but there is no `tls`; add it, or write h1 or h2";
        findings.add(field.offset(), message);
    }
    let fallback = if section.has("tls") { Speaks::Auto } else { Speaks::H1 };
    (speaks.unwrap_or(fallback), tls)
}

fn tls(section: &Section<'_>, findings: &mut Findings<'_>) -> UpstreamTls {
    let mut path = |key| section.get(key).and_then(|field| field.parsed(absolute_path, findings));
    let (ca, certificate, key) = (path("ca"), path("certificate"), path("key"));
    let verify = section.get("verify").and_then(|field| field.boolean(findings));
    let name = section.get("name").and_then(|field| field.parsed(server_name, findings));
    section.refuse_others(findings);
    let verify = verify.unwrap_or(true);
    if verify && !section.has("ca") {
        let message = "[pool.http.tls] has no `ca` to verify backends by; add it, or write `verify = false`, which takes whoever answers";
        findings.add(section.start(), message);
    }
    if !verify {
        section.refuse(
            "ca",
            "with `verify = false` nothing is compared with it; remove one of the two",
            findings,
        );
    }
    if section.has("certificate") != section.has("key") {
        findings.add(section.start(), "`certificate` and `key` belong together; give both or none");
    }
    let own = certificate.zip(key);
    let own = own.map(|(certificate, key)| findings.names_pair(certificate, key));
    let ca = ca.map(|path| findings.names_trusted(path));
    UpstreamTls { ca, name: name.map(|name| name.value), own }
}

fn server_name(given: &str) -> Result<String, ValueError> {
    match ServerName::try_from(given) {
        Ok(_) => Ok(given.to_owned()),
        Err(_) => Err(ValueError::Server { given: given.to_owned() }),
    }
}

fn balance(section: &Section<'_>, findings: &mut Findings<'_>) -> Balance {
    let kind = section.get("balance").and_then(|field| field.choice(&KINDS, &[], findings));
    if kind == Some(Kind::Hash) {
        let key = section
            .get("hash-by")
            .map_or(Some(HashKey::Client), |field| Some(field.parsed(str::parse, findings)?.value));
        return key.map_or(Balance::RoundRobin, Balance::Hash);
    }
    if kind.is_some() || !section.has("balance") {
        let why = "only `balance = \"hash\"` hashes; write that, or remove this line";
        section.refuse("hash-by", why, findings);
    }
    match kind {
        Some(Kind::LeastRequests) => Balance::LeastRequests,
        Some(Kind::TwoChoices) => Balance::TwoChoices,
        Some(Kind::Random) => Balance::Random,
        _ => Balance::RoundRobin,
    }
}

fn times(section: &Section<'_>, http: &mut Upstream, findings: &mut Findings<'_>) {
    let mut time = |key| {
        section.get(key).and_then(|field| field.parsed(within, findings)).map(|read| read.value)
    };
    let total = time("total-timeout");
    let targets = [
        ("slow-start", &mut http.slow_start),
        ("queue-timeout", &mut http.queue_timeout),
        ("connect-timeout", &mut http.connect_timeout),
        ("first-byte-timeout", &mut http.first_byte_timeout),
        ("idle-timeout", &mut http.idle_timeout),
        ("eject-time", &mut http.eject_time),
    ];
    for (key, target) in targets {
        if let Some(given) = time(key) {
            *target = given;
        }
    }
    http.total_timeout = total;
    let tunnel = section.get("tunnel-timeout").and_then(|field| field.parsed(of_tunnel, findings));
    http.tunnel_timeout = tunnel.map_or(http.tunnel_timeout, |given| given.value);
}

/// Those who talk by tunnels may have nothing to say for days.
fn of_tunnel(given: &str) -> Result<Duration, DurationError> {
    duration_within(given, TIMES.0, LONGEST_TUNNEL)
}

fn within(given: &str) -> Result<Duration, DurationError> {
    duration_within(given, TIMES.0, TIMES.1)
}

fn numbers(section: &Section<'_>, http: &mut Upstream, findings: &mut Findings<'_>) {
    let mut number =
        |key, least, most| section.get(key).and_then(|field| field.number(least, most, findings));
    http.max_connections = number("max-connections", 1, 1_000_000).and_then(NonZeroU32::new);
    http.queue = number("queue", 0, 1_000_000).unwrap_or(http.queue);
    http.eject_after = number("eject-after", 0, 1000).unwrap_or(http.eject_after);
    let retries = number("retries", 0, 10).and_then(|retries| u8::try_from(retries).ok());
    http.retries = retries.unwrap_or(http.retries);
}
