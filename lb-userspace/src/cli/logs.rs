//! `shunt logs`: the access logs of the daemon.

use hyper::Method;

use super::{Outcome, daemon::lines};
use crate::admin::{client::Client, types::Changed};

/// Has every log opened anew.
pub(super) async fn reopen(client: &Client, json: bool) -> anyhow::Result<Outcome> {
    let changed: Changed = client.send(Method::POST, "/v1/logs/reopen", &()).await?;
    Outcome::view(&changed, json, |changed| {
        if changed.operations.is_empty() {
            return "no listener has an access log\n".to_owned();
        }
        lines(&changed.operations)
    })
}
