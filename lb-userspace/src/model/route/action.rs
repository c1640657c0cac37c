//! What is done with a request, and what is changed on the way.

use std::fmt;

use hyper::{
    StatusCode,
    header::{HeaderName, HeaderValue},
};
use thiserror::Error;

use super::Pattern;
use crate::model::{Name, Weight};

/// What is done with a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Action {
    /// It is sent to one of these pools, by their weights.
    Pools(Vec<Share>),
    /// The client is told to ask elsewhere.
    Redirect(Redirect),
    /// It is answered.
    Respond(Respond),
}

/// A pool that requests are sent to, and its share.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Share {
    /// The pool.
    pub pool: Name,
    /// Its share, relative to the others.
    pub weight: Weight,
}

/// Where a client is told to ask.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Redirect {
    /// Where to.
    pub to: Location,
    /// The status: 301, 302, 303, 307 or 308.
    pub status: StatusCode,
}

/// An answer without a backend.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Respond {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: String,
    /// The media type of the body.
    pub content_type: HeaderValue,
}

/// What is changed on the way.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Edits {
    /// The path that the backend sees.
    pub path: Option<PathRewrite>,
    /// The host that the backend sees.
    pub host: Option<HeaderValue>,
    /// Headers of the request.
    pub request: HeaderEdits,
    /// Headers of the response.
    pub response: HeaderEdits,
}

/// Another path for the backend.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PathRewrite {
    /// In place of the prefix that the route matched, this. Without a slash at its end.
    Prefix(String),
    /// In place of what the expression finds first, this, where `$1` stands for the first group.
    Regex(Pattern, String),
}

/// Changes of headers: removed first, then set, then added.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HeaderEdits {
    /// These go.
    pub remove: Vec<HeaderName>,
    /// These have this value and no other.
    pub set: Vec<(HeaderName, HeaderValue)>,
    /// These have this value besides what is there.
    pub add: Vec<(HeaderName, HeaderValue)>,
}

/// A URL in which `{host}`, `{path}` and `{uri}` stand for those of the request; the latter is the
/// path with its query.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Location(Vec<Part>);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Part {
    Text(String),
    Host,
    Path,
    Uri,
}

/// Why a place to redirect to was refused.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
pub enum LocationError {
    /// Neither a URL nor a path.
    #[error("`{given}` is no place to redirect to: begin it with `https://`, `http://` or `/`")]
    Beginning {
        /// What was given.
        given: String,
    },
    /// An unknown placeholder.
    #[error(
        "`{{{word}}}` stands for nothing here; use {{host}}, {{path}}, or {{uri}} for the path with its query"
    )]
    Placeholder {
        /// What stands in the braces.
        word: String,
    },
    /// Something that no URL has.
    #[error("{found:?} cannot stand in a URL; write it as a percent escape")]
    Character {
        /// The character.
        found: char,
    },
}

impl std::str::FromStr for Location {
    type Err = LocationError;

    fn from_str(given: &str) -> Result<Self, LocationError> {
        if !["https://", "http://", "/"].iter().any(|start| given.starts_with(start)) {
            return Err(LocationError::Beginning { given: given.to_owned() });
        }
        if let Some(found) = given.chars().find(|c| !c.is_ascii_graphic()) {
            return Err(LocationError::Character { found });
        }
        let mut parts = Vec::new();
        let mut rest = given;
        while let Some((text, behind)) = rest.split_once('{') {
            let (word, behind) = behind.split_once('}').unwrap_or((behind, ""));
            parts.push(Part::Text(text.to_owned()));
            parts.push(match word {
                "host" => Part::Host,
                "path" => Part::Path,
                "uri" => Part::Uri,
                _ => return Err(LocationError::Placeholder { word: word.to_owned() }),
            });
            rest = behind;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Host => f.write_str("{host}"),
            Part::Path => f.write_str("{path}"),
            Part::Uri => f.write_str("{uri}"),
        })
    }
}

impl Location {
    /// The URL for a request.
    pub fn of(&self, host: &str, path: &str, query: Option<&str>) -> String {
        let mut url = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => url.push_str(text),
                Part::Host => url.push_str(host),
                Part::Path => url.push_str(path),
                Part::Uri => {
                    url.push_str(path);
                    if let Some(query) = query {
                        url.push('?');
                        url.push_str(query);
                    }
                }
            }
        }
        url
    }
}
