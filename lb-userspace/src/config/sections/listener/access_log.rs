//! `access-log`: where a listener writes what it was asked, and how.

use std::path::PathBuf;

use thiserror::Error;
use toml_span::Spanned;

use super::conditions::Reported;
use crate::{
    config::{
        field::Field,
        findings::Findings,
        reader::Section,
        sections::daemon::{PathError, absolute_path, socket_path},
        vocabulary::listener::LISTENER_ACCESS_LOG,
    },
    model::{
        ListenerProtocol,
        listener::{AccessLog, LogFormat, LogTarget, SYSLOG_SOCKET},
    },
};

const FORMATS: [(&str, LogFormat); 2] =
    [("combined", LogFormat::Combined), ("json", LogFormat::Json)];

/// Why lines cannot go where they shall.
#[derive(Debug, Error)]
enum TargetError {
    #[error(transparent)]
    Path(#[from] PathError),
    #[error(
        "`{given}` is no place for a log; use the absolute path of a file, \"stdout\", \"syslog\" or \"syslog:/path/of/a/socket\""
    )]
    Unknown { given: String },
}

pub(super) fn read(
    listener: &Section<'_>,
    protocol: Option<ListenerProtocol>,
    findings: &mut Findings<'_>,
) -> Result<Option<AccessLog>, Reported> {
    let Some(field) = listener.get("access-log") else { return Ok(None) };
    if field.value.as_str().is_some() {
        let to = target(&field, findings).ok_or(Reported)?;
        return Ok(Some(AccessLog { to, format: default_format(protocol) }));
    }
    let section = listener.single(&LISTENER_ACCESS_LOG, findings).ok_or(Reported)?;
    let to = section.require("to", findings).and_then(|field| target(&field, findings));
    let format = section
        .get("format")
        .map_or(Some(default_format(protocol)), |field| format(&field, protocol, findings));
    section.refuse_others(findings);
    match (to, format) {
        (Some(to), Some(format)) => Ok(Some(AccessLog { to, format })),
        _ => Err(Reported),
    }
}

/// `combined` has no room for what is known of a connection that is passed on.
fn default_format(protocol: Option<ListenerProtocol>) -> LogFormat {
    if protocol.is_none_or(ListenerProtocol::reads_requests) {
        LogFormat::Combined
    } else {
        LogFormat::Json
    }
}

fn format(
    field: &Field<'_>,
    protocol: Option<ListenerProtocol>,
    findings: &mut Findings<'_>,
) -> Option<LogFormat> {
    let format = field.choice(&FORMATS, &[], findings)?;
    if let Some(protocol) = protocol.filter(|protocol| !protocol.reads_requests())
        && format == LogFormat::Combined
    {
        let message = format!(
            "`combined` is about requests, and a listener of protocol {} reads none; write `format = \"json\"`",
            protocol.name()
        );
        findings.add(field.offset(), &message);
        return None;
    }
    Some(format)
}

fn target(field: &Field<'_>, findings: &mut Findings<'_>) -> Option<LogTarget> {
    let Spanned { value, span } = field.parsed(parse, findings)?;
    Some(findings.names_log(Spanned::with_span(value, span)))
}

fn parse(given: &str) -> Result<LogTarget, TargetError> {
    let path = |given: &str| -> Result<PathBuf, TargetError> { Ok(absolute_path(given)?) };
    match given.split_once(':') {
        _ if given.starts_with('/') => path(given).map(LogTarget::File),
        _ if given == "stdout" => Ok(LogTarget::Stdout),
        _ if given == "syslog" => Ok(LogTarget::Syslog(SYSLOG_SOCKET.into())),
        Some(("syslog", socket)) => Ok(LogTarget::Syslog(socket_path(socket)?)),
        _ if given.contains('/') => path(given).map(LogTarget::File),
        _ => Err(TargetError::Unknown { given: given.to_owned() }),
    }
}
