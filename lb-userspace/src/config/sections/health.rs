//! `[pool.health]`: how the backends of a pool are probed.

use super::daemon::absolute_path;
use crate::{
    config::{
        field::Field,
        findings::Findings,
        reader::Section,
        vocabulary::{HEALTH, HEALTH_LATER},
    },
    model::health::{self, Health, HttpProbe, HttpsProbe, Probe, Runs, Statuses},
};

/// The `type` of a check.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    None,
    Tcp,
    Http,
    Https,
}

const KINDS: [(&str, Kind); 4] =
    [("none", Kind::None), ("tcp", Kind::Tcp), ("http", Kind::Http), ("https", Kind::Https)];

/// Keys of a request.
const REQUEST: [&str; 3] = ["path", "host", "status"];

pub(super) fn read(section: &Section<'_>, findings: &mut Findings<'_>) -> Option<Health> {
    let kind = section.require("type", findings);
    let kind = kind.and_then(|field| field.choice(&KINDS, HEALTH_LATER, findings));
    // The other keys of a check that is refused are part of the same mistake.
    let kind = kind?;
    section.refuse_others(findings);
    refuse_misplaced(section, kind, findings);
    let probe = match kind {
        Kind::None => return None,
        Kind::Tcp => Probe::Tcp,
        Kind::Http => Probe::Http(request(section, findings)),
        Kind::Https => {
            let ca = section.get("ca").and_then(|field| field.parsed(absolute_path, findings));
            let ca = ca.map(|path| findings.names_trusted(path));
            Probe::Https(HttpsProbe { request: request(section, findings), ca })
        }
    };
    let health = settings(Health::new(probe), section, findings);
    times(health, section, findings)
}

/// Keys that the type of the check leaves without a meaning.
fn refuse_misplaced(section: &Section<'_>, kind: Kind, findings: &mut Findings<'_>) {
    let mut refuse = |keys: &mut dyn Iterator<Item = &'static str>, why| {
        for key in keys {
            section.refuse(key, why, findings);
        }
    };
    let request = &mut REQUEST.into_iter();
    match kind {
        Kind::None => refuse(
            &mut HEALTH.known.iter().map(|word| word.key).filter(|key| *key != "type"),
            "`type = \"none\"` checks nothing; remove this line, or use one of the types tcp, http, https",
        ),
        Kind::Tcp => {
            let why = "a check of type tcp opens a connection and sends no request; remove this line, or write `type = \"http\"`";
            refuse(request, why);
            let why = "a check of type tcp opens a connection without TLS, so there is no certificate to verify; remove this line, or write `type = \"https\"`";
            refuse(&mut ["ca"].into_iter(), why);
        }
        Kind::Http => {
            let why = "a check of type http is without TLS, so there is no certificate to verify; remove this line, or write `type = \"https\"`";
            refuse(&mut ["ca"].into_iter(), why);
        }
        Kind::Https => {}
    }
}

fn request(section: &Section<'_>, findings: &mut Findings<'_>) -> HttpProbe {
    let path = section.get("path").and_then(|field| field.parsed(str::parse, findings));
    let host = section.get("host").and_then(|field| field.parsed(str::parse, findings));
    HttpProbe {
        path: path.map(|path| path.value).unwrap_or_default(),
        host: host.map(|host| host.value),
        status: section
            .get("status")
            .and_then(|field| status(&field, findings))
            .unwrap_or_default(),
    }
}

/// A single code may be written as a number.
fn status(field: &Field<'_>, findings: &mut Findings<'_>) -> Option<Statuses> {
    match field.value.as_integer() {
        Some(code) => field.right(code.to_string().parse(), findings),
        None => Some(field.parsed(str::parse, findings)?.value),
    }
}

fn settings(health: Health, section: &Section<'_>, findings: &mut Findings<'_>) -> Health {
    let mut runs = |key, default| {
        let field = section.get(key);
        let given =
            field.and_then(|field| field.right(Runs::try_from(field.integer(findings)?), findings));
        given.unwrap_or(default)
    };
    let (rise, fall) = (runs("rise", health.rise), runs("fall", health.fall));
    let fail_open = section.get("fail-open").and_then(|field| field.boolean(findings));
    let port = section.get("port");
    let port = port.and_then(|field| field.right(health::port(field.integer(findings)?), findings));
    Health { rise, fall, fail_open: fail_open.unwrap_or(health.fail_open), port, ..health }
}

fn times(health: Health, section: &Section<'_>, findings: &mut Findings<'_>) -> Option<Health> {
    let interval_given = section.get("interval");
    let interval = match &interval_given {
        Some(field) => field.parsed(health::interval, findings)?.value,
        None => health.interval,
    };
    let timeout_given = section.get("timeout");
    let timeout = match &timeout_given {
        Some(field) => Some(field.parsed(health::timeout, findings)?.value),
        None => None,
    };
    // Only a timeout that was given can be too long.
    let at = timeout_given.as_ref().or(interval_given.as_ref());
    match at {
        Some(field) => field.right(health.timed(interval, timeout), findings),
        None => Some(health),
    }
}
