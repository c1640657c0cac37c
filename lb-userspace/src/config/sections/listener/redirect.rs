//! `redirect-to-https`: where everything is sent that comes without TLS.

use super::conditions::Reported;
use crate::{
    config::{field::describe, findings::Findings, reader::Section},
    model::ListenerProtocol,
};

/// The port of https.
const HTTPS: u16 = 443;

/// The port that is sent to; none if nothing is.
pub(super) fn read(
    listener: &Section<'_>,
    protocol: Option<ListenerProtocol>,
    findings: &mut Findings<'_>,
) -> Result<Option<u16>, Reported> {
    let Some(field) = listener.get("redirect-to-https") else { return Ok(None) };
    let why = match protocol {
        Some(ListenerProtocol::Http) | None => None,
        Some(ListenerProtocol::Https) => Some(
            "everything comes by https here already; remove it, or write it in a listener of protocol http at another port",
        ),
        Some(ListenerProtocol::Tcp | ListenerProtocol::TlsPassthrough) => {
            Some("a listener that reads no requests cannot answer them; remove it")
        }
    };
    if let Some(why) = why {
        listener.refuse("redirect-to-https", why, findings);
        return Err(Reported);
    }
    if let Some(given) = field.value.as_bool() {
        return Ok(given.then_some(HTTPS));
    }
    if field.value.as_integer().is_none() {
        let message = format!(
            "`redirect-to-https` must be true or the port of https, not {}; write `{}`",
            describe(field.value),
            field.example
        );
        findings.add(field.offset(), &message);
        return Err(Reported);
    }
    let port = field.number(1, u16::MAX.into(), findings).ok_or(Reported)?;
    Ok(u16::try_from(port).ok())
}
