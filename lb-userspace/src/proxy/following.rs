//! By what a request can be found again, in the logs of everybody whom it passes: an id of its own, and the trace that it
//! is part of.

mod ids;
mod request_id;
#[cfg(test)]
mod tests;
mod trace_context;

use std::fmt;

use hyper::{HeaderMap, header::HeaderValue};

pub(super) use self::{
    ids::Ids,
    trace_context::{Trace, TraceId},
};
use super::headers::only;
use crate::model::listener::Following;

/// By what a request is known. Nothing where the listener asks for nothing.
#[derive(Debug, Default)]
pub(super) struct Followed {
    /// Its id.
    pub(super) id: Option<HeaderValue>,
    /// The trace that it is part of.
    pub(super) trace: Option<Trace>,
}

impl Followed {
    /// What a request brings along, or else what it gets. The id of who is not trusted is not taken.
    pub(super) fn of(
        following: &Following,
        is_trusted: bool,
        headers: &HeaderMap,
        ids: &Ids,
    ) -> Self {
        let id = following.request_id.as_ref().map(|name| {
            let given = only(headers, name).filter(|id| is_trusted && request_id::is_sane(id));
            given.cloned().unwrap_or_else(|| request_id::new(ids))
        });
        let trace = following.trace_context.then(|| Trace::of(headers, ids));
        Self { id, trace }
    }

    /// Tells a backend.
    pub(super) fn put(&self, following: &Following, headers: &mut HeaderMap) {
        self.put_id(following, headers);
        if let Some(trace) = &self.trace {
            trace.put(headers);
        }
    }

    /// Tells a backend or the client the id of the request.
    pub(super) fn put_id(&self, following: &Following, headers: &mut HeaderMap) {
        if let (Some(name), Some(id)) = (&following.request_id, &self.id) {
            headers.insert(name.clone(), id.clone());
        }
    }
}

/// As it stands behind what is said of a request.
impl fmt::Display for Followed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(id) = self.id.as_ref().and_then(|id| id.to_str().ok()) {
            write!(f, ", request {id}")?;
        }
        match &self.trace {
            Some(trace) => write!(f, ", trace {}", trace.id()),
            None => Ok(()),
        }
    }
}
