//! How requests are followed from hop to hop: `forwarding-headers`.

use super::conditions::Reported;
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

const KEYS: [&str; 1] = ["forwarding-headers"];

pub(super) fn read(
    listener: &Section<'_>,
    protocol: Option<ListenerProtocol>,
    findings: &mut Findings<'_>,
) -> Result<Following, Reported> {
    let mut following = Following::default();
    if let Some(protocol) = protocol.filter(|protocol| !protocol.reads_requests()) {
        let why =
            format!("a listener of protocol {} reads no requests; remove it", protocol.name());
        for key in KEYS {
            listener.refuse(key, &why, findings);
        }
        return Ok(following);
    }
    if let Some(field) = listener.get("forwarding-headers") {
        let given = field.choice(&FORWARDING_HEADERS, &[], findings);
        following.forwarding_headers = given.ok_or(Reported)?;
    }
    Ok(following)
}
