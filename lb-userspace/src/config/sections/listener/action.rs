//! What a route does: exactly one of `pool`, `pools`, `redirect` and `respond`.

use hyper::{StatusCode, header::HeaderValue};
use thiserror::Error;

use crate::{
    config::{
        field::{Field, describe},
        findings::Findings,
        reader::Section,
        vocabulary::route::{REDIRECT, RESPOND, SHARE},
    },
    model::{
        Name, Weight,
        route::{Action, Location, Redirect, Respond, Share},
    },
};

const ACTIONS: [&str; 4] = ["pool", "pools", "redirect", "respond"];

/// Statuses that tell a client to ask elsewhere (RFC 9110 section 15.4).
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

/// A status that cannot be used.
#[derive(Debug, Error)]
enum StatusError {
    #[error("{given} is no status of a redirect; use 301, 302, 303, 307 or 308")]
    Redirect { given: i64 },
    #[error("{given} is no status of an answer; use 200 to 599")]
    Respond { given: i64 },
}

pub(super) fn read(section: &Section<'_>, findings: &mut Findings<'_>) -> Option<Action> {
    let given: Vec<_> = ACTIONS.into_iter().filter(|key| section.has(key)).collect();
    match given[..] {
        [] if ACTIONS.iter().any(|key| section.has_stand_in(key)) => None,
        [] => {
            let message =
                "this [[listener.route]] does nothing; add one of: pool, pools, redirect, respond";
            findings.add(section.start(), message);
            None
        }
        [one] => action(one, section, findings),
        [first, second, ..] => {
            let message = format!(
                "`{first}` and `{second}` are two actions, and a route has one; keep one of them"
            );
            findings.add(section.get(second).map_or(section.start(), |it| it.offset()), &message);
            None
        }
    }
}

fn action(key: &str, section: &Section<'_>, findings: &mut Findings<'_>) -> Option<Action> {
    match key {
        "pool" => {
            let pool = section.get("pool")?.parsed(str::parse::<Name>, findings)?.value;
            Some(Action::Pools(vec![Share { pool, weight: Weight::default() }]))
        }
        "pools" => shares(&section.get("pools")?, findings).map(Action::Pools),
        "redirect" => redirect(section, findings).map(Action::Redirect),
        _ => respond(section, findings).map(Action::Respond),
    }
}

fn shares(field: &Field<'_>, findings: &mut Findings<'_>) -> Option<Vec<Share>> {
    let values = field.array(findings)?;
    let mut shares: Vec<Share> = Vec::new();
    let mut all_right = true;
    for value in values {
        let share = share(value, field.example, findings);
        let twice = share.as_ref().filter(|new| shares.iter().any(|old| old.pool == new.pool));
        if let Some(share) = twice {
            let message =
                format!("pool `{}` stands twice in `pools`; add up its weights", share.pool);
            findings.add(value.span.start, &message);
            all_right = false;
        }
        all_right &= share.is_some();
        shares.extend(share);
    }
    if values.is_empty() {
        findings.add(field.offset(), "`pools` is empty; name at least one pool");
        return None;
    }
    all_right.then_some(shares)
}

fn share(
    value: &toml_span::Value<'_>,
    example: &'static str,
    findings: &mut Findings<'_>,
) -> Option<Share> {
    if value.as_str().is_some() {
        let pool = Field { key: "pools", value, example }.parsed(str::parse::<Name>, findings)?;
        return Some(Share { pool: pool.value, weight: Weight::default() });
    }
    let Some(section) = Section::of(value, &SHARE) else {
        let message = format!(
            "a pool must be a string or a table, not {}; write `{example}`",
            describe(value)
        );
        findings.add(value.span.start, &message);
        return None;
    };
    let pool = section.require("pool", findings);
    let pool = pool.and_then(|field| field.parsed(str::parse::<Name>, findings));
    let weight = section.get("weight").map_or(Some(Weight::default()), |field| {
        field.right(Weight::try_from(field.integer(findings)?), findings)
    });
    section.refuse_others(findings);
    Some(Share { pool: pool?.value, weight: weight? })
}

fn redirect(section: &Section<'_>, findings: &mut Findings<'_>) -> Option<Redirect> {
    let field = section.get("redirect")?;
    if field.value.as_str().is_some() {
        let to = field.parsed(str::parse::<Location>, findings)?.value;
        return Some(Redirect { to, status: StatusCode::FOUND });
    }
    let table = section.single(&REDIRECT, findings)?;
    let to = table.require("to", findings);
    let to = to.and_then(|field| field.parsed(str::parse::<Location>, findings));
    let status = table.get("status").map_or(Some(StatusCode::FOUND), |field| {
        let given = field.integer(findings)?;
        let status = u16::try_from(given).ok().filter(|status| REDIRECTS.contains(status));
        let status = status.and_then(|status| StatusCode::from_u16(status).ok());
        field.right(status.ok_or(StatusError::Redirect { given }), findings)
    });
    table.refuse_others(findings);
    Some(Redirect { to: to?.value, status: status? })
}

fn respond(section: &Section<'_>, findings: &mut Findings<'_>) -> Option<Respond> {
    let field = section.get("respond")?;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    if field.value.as_integer().is_some() {
        let status = status(&field, findings)?;
        return Some(Respond { status, body: String::new(), content_type: plain });
    }
    let table = section.single(&RESPOND, findings)?;
    let status = table.require("status", findings).and_then(|field| status(&field, findings));
    let body = table.get("body").map_or(Some(""), |field| field.text(findings));
    let content_type = table
        .get("type")
        .map_or(Some(plain), |field| Some(field.parsed(HeaderValue::from_str, findings)?.value));
    table.refuse_others(findings);
    let (status, body) = (status?, body?);
    if !body.is_empty() && matches!(status.as_u16(), 204 | 304) {
        let message = format!("an answer of status {} has no body; remove `body`", status.as_u16());
        findings.add(field.offset(), &message);
        return None;
    }
    Some(Respond { status, body: body.to_owned(), content_type: content_type? })
}

fn status(field: &Field<'_>, findings: &mut Findings<'_>) -> Option<StatusCode> {
    let given = field.integer(findings)?;
    let status = u16::try_from(given).ok().filter(|status| (200..=599).contains(status));
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    field.right(status.ok_or(StatusError::Respond { given }), findings)
}
