//! What a listener does with a request: conditions, and an action when all of them hold.
//!
//! Which of several routes takes a request is decided by how specific its conditions are, and the
//! order of the file only where they are equally so; [`Route::rank`] is that order.

mod action;
mod describe;
mod pattern;
#[cfg(test)]
mod tests;

use hyper::{Method, header::HeaderName};
use serde::{Deserialize, Serialize};

pub use self::{
    action::{Action, Edits, HeaderEdits, Location, PathRewrite, Redirect, Respond, Share},
    pattern::{HostPattern, PathPattern, Pattern, PatternError, ValuePattern},
};
use super::{Prefix, upstream::CookieName};

/// A rule of a listener.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Route {
    /// What must hold.
    pub matches: Matches,
    /// What is done then.
    pub action: Action,
    /// What is changed on the way.
    pub edits: Edits,
}

/// Conditions on a request; all must hold, and each holds if one of its alternatives does.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Matches {
    /// Host names; any if empty.
    pub hosts: Vec<HostPattern>,
    /// The path.
    pub path: Option<PathPattern>,
    /// Methods; any if empty.
    pub methods: Vec<Method>,
    /// Headers, by name.
    pub headers: Vec<(HeaderName, ValuePattern)>,
    /// Cookies, by name.
    pub cookies: Vec<(CookieName, ValuePattern)>,
    /// Parameters of the query, by name.
    pub query: Vec<(String, ValuePattern)>,
    /// Where the client may be; anywhere if empty.
    pub clients: Vec<Prefix>,
}

/// How specific the path of a route is, the least first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "length")]
pub enum PathRank {
    /// There is no condition.
    Any,
    /// A prefix of so many bytes.
    Prefix(usize),
    /// A regular expression.
    Regex,
    /// A glob with so many literal bytes.
    Glob(usize),
    /// The whole path.
    Exact,
}

/// Where an authority asks for the proof that a name is ours (RFC 8555 section 8.3): by plain HTTP.
const CHALLENGES: &str = "/.well-known/acme-challenge";

impl Route {
    /// Whether it takes nothing but what an authority asks for.
    pub fn is_for_challenges(&self) -> bool {
        match &self.matches.path {
            Some(
                PathPattern::Prefix(path) | PathPattern::Exact(path) | PathPattern::Glob(path),
            ) => {
                let rest = path.strip_prefix(CHALLENGES);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            Some(PathPattern::Regex(_)) | None => false,
        }
    }

    /// The route that sends everything to a pool.
    pub fn all_to(pool: super::Name) -> Self {
        let action = Action::Pools(vec![Share { pool, weight: super::Weight::default() }]);
        Self { matches: Matches::default(), action, edits: Edits::default() }
    }

    /// The pools that it sends to.
    pub fn pools(&self) -> impl Iterator<Item = &super::Name> {
        let shares: &[Share] = match &self.action {
            Action::Pools(shares) => shares,
            Action::Redirect(_) | Action::Respond(_) => &[],
        };
        shares.iter().map(|share| &share.pool)
    }

    /// How specific the conditions are behind that of the host: the path first, then how many other
    /// conditions there are. The greater goes first.
    pub fn rank(&self) -> (PathRank, usize) {
        let matches = &self.matches;
        let path = matches.path.as_ref().map_or(PathRank::Any, PathPattern::rank);
        let others = usize::from(!matches.methods.is_empty())
            + matches.headers.len()
            + matches.cookies.len()
            + matches.query.len()
            + usize::from(!matches.clients.is_empty());
        (path, others)
    }
}
