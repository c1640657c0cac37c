//! How requests are answered and refused.

use tokio::sync::oneshot;

use super::Controller;
use crate::{
    admin::RequestError,
    model::{ChangeError, Name, Prefix, Rule, access::AccessError},
};

impl Controller {
    /// The prefixes in a list of a service.
    pub(super) fn sources(&self, service: &Name, list: Rule) -> Result<Vec<Prefix>, RequestError> {
        let found = self.desired.services.get(service);
        let unknown = || refusal(&ChangeError::UnknownService { service: service.clone() });
        Ok(found.ok_or_else(unknown)?.access.list(list).collect())
    }
}

/// Whoever asked may have gone in the meantime.
pub(super) fn answer<T>(reply: oneshot::Sender<T>, answer: T) {
    _ = reply.send(answer);
}

pub(super) fn refusal(error: &ChangeError) -> RequestError {
    let message = error.to_string();
    match error {
        ChangeError::UnknownPool { .. }
        | ChangeError::UnknownBackend { .. }
        | ChangeError::UnknownService { .. }
        | ChangeError::Access { source: AccessError::Absent { .. }, .. } => {
            RequestError::NotFound(message)
        }
        ChangeError::DuplicateBackend { .. }
        | ChangeError::Access { .. }
        | ChangeError::LastAllowed { .. } => RequestError::Conflict(message),
        ChangeError::Rule { .. } => RequestError::Invalid(vec![message]),
    }
}

pub(super) fn lines(text: &str) -> RequestError {
    RequestError::Invalid(text.lines().map(str::to_owned).collect())
}

pub(super) fn failure(error: impl Into<anyhow::Error>) -> RequestError {
    RequestError::Failed(format!("{:#}", error.into()))
}
