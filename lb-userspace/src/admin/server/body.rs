//! Reads the body of a request.

use std::{net::SocketAddr, time::Duration};

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{
    StatusCode,
    body::{Body, Bytes, Incoming},
};
use serde::de::DeserializeOwned;
use tokio::time;

use super::answer::Rejection;
use crate::{
    admin::{
        BODY_LIMIT,
        types::{Apply, BackendPatch, NewBackend},
    },
    model::{Change, names},
};

/// What a body can be.
pub(super) trait Content: DeserializeOwned {
    /// What it is called in a refusal.
    const WHAT: &str;
    /// One that is well-formed.
    const EXAMPLE: &str;

    /// What serde cannot see; says where and what is wrong.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

impl Content for NewBackend {
    const WHAT: &str = "a backend to add";
    const EXAMPLE: &str = r#"{"address": "172.17.0.4:1001", "weight": 1}"#;

    fn check(&self) -> Result<(), String> {
        usable(self.address).map_err(|error| format!("`address`: {error}"))
    }
}

impl Content for BackendPatch {
    const WHAT: &str = "a change to a backend";
    const EXAMPLE: &str = r#"{"weight": 2, "state": "drained"}"#;

    fn check(&self) -> Result<(), String> {
        if self.weight.is_none() && self.state.is_none() {
            return Err("it changes nothing".to_owned());
        }
        Ok(())
    }
}

impl Content for Vec<Change> {
    const WHAT: &str = "a list of changes";
    const EXAMPLE: &str =
        r#"[{"change": "set-weight", "pool": "web", "address": "172.17.0.4:1001", "weight": 2}]"#;

    fn check(&self) -> Result<(), String> {
        for (number, change) in (1..).zip(self) {
            if let Change::AddBackend { address, .. } = change {
                usable(*address)
                    .map_err(|error| format!("`address` of change {number}: {error}"))?;
            }
        }
        Ok(())
    }
}

impl Content for Apply {
    const WHAT: &str = "a configuration to apply";
    const EXAMPLE: &str = r#"{"file": "shunt.toml", "text": "...", "dry_run": false}"#;
}

fn usable(address: SocketAddr) -> Result<(), names::ValueError> {
    names::backend_address(&address.to_string()).map(drop)
}

/// Reads a body and what is in it.
pub(super) async fn read<T: Content>(body: Incoming, patience: Duration) -> Result<T, Rejection> {
    let bytes = collect(body, patience).await?;
    let malformed = |what: String| {
        let (whole, example) = (T::WHAT, T::EXAMPLE);
        Rejection::malformed(format!("the body is not {whole}: {what}; send such as {example}"))
    };
    let content: T =
        serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
    content.check().map_err(malformed)?;
    Ok(content)
}

async fn collect(body: Incoming, patience: Duration) -> Result<Bytes, Rejection> {
    let too_large = || {
        let limit = BODY_LIMIT >> 20;
        Rejection::last(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is larger than {limit} MiB; send the changes in several calls"),
        )
    };
    if body.size_hint().lower() > BODY_LIMIT as u64 {
        return Err(too_large());
    }
    match time::timeout(patience, Limited::new(body, BODY_LIMIT).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(Rejection::last(
            StatusCode::BAD_REQUEST,
            format!("the body broke off: {error}; send it again"),
        )),
        Err(_) => Err(Rejection::last(
            StatusCode::REQUEST_TIMEOUT,
            format!(
                "the body did not arrive within {} s; send it again, faster",
                patience.as_secs()
            ),
        )),
    }
}
