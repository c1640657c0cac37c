//! What hosts, paths and values are compared with.

use std::{fmt, str::FromStr};

use regex::Regex;
use thiserror::Error;

use super::PathRank;

/// Why a condition was refused.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
pub enum PatternError {
    /// A host.
    #[error(
        "`{given}` is not a host to match: write a name such as `www.example.org`, or `*.example.org` for all names below one; the port is left out"
    )]
    Host {
        /// What was given.
        given: String,
    },
    /// A path that does not begin at the root.
    #[error("`{given}` does not begin with `/`, as every path does; write `/{given}`")]
    Path {
        /// What was given.
        given: String,
    },
    /// A path with something that no path has.
    #[error(
        "`{given}` has a character that no path of a request has ({found:?}); write it as a percent escape, and conditions on the query as `query = {{ name = \"value\" }}`"
    )]
    Character {
        /// What was given.
        given: String,
        /// The character.
        found: char,
    },
    /// An asterisk in a prefix.
    #[error(
        "`{given}` has a `*`, which means nothing in `path-prefix`; a prefix matches all that is below it, and `path` takes globs"
    )]
    Asterisk {
        /// What was given.
        given: String,
    },
    /// A regular expression.
    #[error("`{given}` is not a regular expression: {why}; docs.rs/regex has its syntax")]
    Regex {
        /// What was given.
        given: String,
        /// What is wrong, in one line.
        why: String,
    },
}

/// A host name to match, in lower case.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum HostPattern {
    /// This name.
    Exact(String),
    /// Every name below this one, of any depth.
    Below(String),
}

/// A path to match.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PathPattern {
    /// The whole path.
    Exact(String),
    /// The path or its beginning, which ends where a segment does. Without a slash at its end.
    Prefix(String),
    /// The whole path, where each `*` stands for any characters, `/` included.
    Glob(String),
    /// A regular expression that is found in the path.
    Regex(Pattern),
}

/// A value of a header or query parameter to match.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ValuePattern {
    /// This value.
    Is(String),
    /// Any value.
    Present,
    /// A value that a regular expression is found in.
    Matches(Pattern),
}

/// A regular expression; equal to another of the same text.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// The expression, ready to be used.
    pub fn regex(&self) -> &Regex {
        &self.0
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(given: &str) -> Result<Self, PatternError> {
        Regex::new(given).map(Self).map_err(|error| {
            let text = error.to_string();
            let why = text.lines().last().unwrap_or_default();
            let why = why.trim().trim_start_matches("error: ").to_owned();
            PatternError::Regex { given: given.to_owned(), why }
        })
    }
}

impl FromStr for HostPattern {
    type Err = PatternError;

    fn from_str(given: &str) -> Result<Self, PatternError> {
        let name = given.strip_prefix("*.").unwrap_or(given);
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        let is_address = bare.is_some_and(|name| name.parse::<std::net::Ipv6Addr>().is_ok());
        if name.len() > 253 || !(is_address || name.split('.').all(label)) {
            return Err(PatternError::Host { given: given.to_owned() });
        }
        let lower = name.to_ascii_lowercase();
        Ok(if given.starts_with("*.") { Self::Below(lower) } else { Self::Exact(lower) })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Below(name) => write!(f, "*.{name}"),
        }
    }
}

impl PathPattern {
    /// Reads `path`: a glob if there is a `*` in it.
    pub fn path(given: &str) -> Result<Self, PatternError> {
        let given = checked(given)?;
        Ok(if given.contains('*') { Self::Glob(given) } else { Self::Exact(given) })
    }

    /// Reads `path-prefix`.
    pub fn prefix(given: &str) -> Result<Self, PatternError> {
        let given = checked(given)?;
        if given.contains('*') {
            return Err(PatternError::Asterisk { given });
        }
        Ok(Self::Prefix(given.trim_end_matches('/').to_owned()))
    }

    /// How specific it is.
    pub fn rank(&self) -> PathRank {
        match self {
            Self::Exact(_) => PathRank::Exact,
            Self::Glob(glob) => PathRank::Glob(glob.bytes().filter(|b| *b != b'*').count()),
            Self::Regex(_) => PathRank::Regex,
            Self::Prefix(prefix) => PathRank::Prefix(prefix.len()),
        }
    }

    /// As a regular expression, if it is matched as one.
    pub fn expression(&self) -> Option<String> {
        match self {
            Self::Exact(_) | Self::Prefix(_) => None,
            Self::Regex(pattern) => Some(pattern.as_str().to_owned()),
            Self::Glob(glob) => {
                let parts: Vec<_> = glob.split('*').map(regex::escape).collect();
                Some(format!("^(?s:{})$", parts.join(".*")))
            }
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => write!(f, "path {path}"),
            Self::Glob(glob) => write!(f, "path {glob}"),
            Self::Prefix(prefix) if prefix.is_empty() => f.write_str("path-prefix /"),
            Self::Prefix(prefix) => write!(f, "path-prefix {prefix}"),
            Self::Regex(pattern) => write!(f, "path-regex {}", pattern.as_str()),
        }
    }
}

impl FromStr for ValuePattern {
    type Err = PatternError;

    fn from_str(given: &str) -> Result<Self, PatternError> {
        Ok(match given.strip_prefix('~') {
            Some(expression) => Self::Matches(expression.parse()?),
            None if given == "*" => Self::Present,
            None => Self::Is(given.to_owned()),
        })
    }
}

impl ValuePattern {
    /// Whether a value that is there fits.
    pub fn fits(&self, value: &str) -> bool {
        match self {
            Self::Is(wanted) => wanted == value,
            Self::Present => true,
            Self::Matches(pattern) => pattern.regex().is_match(value),
        }
    }
}

impl fmt::Display for ValuePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(value) => f.write_str(value),
            Self::Present => f.write_str("*"),
            Self::Matches(pattern) => write!(f, "~{}", pattern.as_str()),
        }
    }
}

/// A path without what the target of a request cannot have (RFC 3986 section 3.3).
fn checked(given: &str) -> Result<String, PatternError> {
    if !given.starts_with('/') {
        return Err(PatternError::Path { given: given.to_owned() });
    }
    let alien = |c: char| !c.is_ascii_graphic() || matches!(c, '?' | '#' | '"' | '<' | '>' | '\\');
    match given.chars().find(|c| alien(*c)) {
        Some(found) => Err(PatternError::Character { given: given.to_owned(), found }),
        None => Ok(given.to_owned()),
    }
}
