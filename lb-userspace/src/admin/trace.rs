//! The filter of a trace: the words of `shunt trace`, which are also those of the API.

#[cfg(test)]
mod tests;

use std::{fmt, net::SocketAddr, str::FromStr};

use lb_common::{abi::Reason, limits::trace::MAX_ENDS, trace::Ending};
use thiserror::Error;

use crate::model::{Name, Prefix, names};

/// Which packets are wanted: all conditions must hold.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TraceQuery {
    /// Of this service.
    pub service: Option<Name>,
    /// Sent to this backend, or coming from it.
    pub backend: Option<SocketAddr>,
    /// Counted under this reason.
    pub reason: Option<Reason>,
    /// Ending in this way.
    pub ending: Option<Ending>,
    /// Of this protocol.
    pub protocol: Option<TraceProtocol>,
    /// Between these, as it came or as it leaves.
    pub ends: Vec<TraceEnd>,
}

/// A protocol by which packets can be picked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TraceProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP, of IPv4 or IPv6.
    Icmp,
}

/// Which ends of a packet are meant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TraceSide {
    /// Its source or its destination.
    Either,
    /// Its source.
    Source,
    /// Its destination.
    Destination,
}

/// What an end of a packet must be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TraceEnd {
    /// Which end.
    pub side: TraceSide,
    /// What it must be.
    pub is: TraceIs,
}

/// What an end of a packet must be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TraceIs {
    /// An address of this prefix.
    Of(Prefix),
    /// Any address with this port.
    Port(u16),
}

/// What a filter consists of, for messages.
const GRAMMAR: &str = "write `service NAME`, `backend ADDR:PORT`, `host`, `src` or `dst` with an address or prefix, `port N`, `src port N`, `dst port N`, `reason NAME`, `tcp`, `udp`, `icmp`, `dropped`, `passed` or `forwarded`; all that is given must hold";

/// The words that begin a condition.
const WORDS: [&str; 13] = [
    "service",
    "backend",
    "host",
    "src",
    "dst",
    "port",
    "reason",
    "tcp",
    "udp",
    "icmp",
    "dropped",
    "passed",
    "forwarded",
];

/// Why some words are no filter.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
pub enum TraceError {
    /// No condition begins so.
    #[error("`{given}` is no condition of a filter{}; {GRAMMAR}", hint(given))]
    Word {
        /// What was given.
        given: String,
    },
    /// The filter ends too early.
    #[error("`{after}` at the end of the filter wants {wanted} behind it")]
    Ends {
        /// The last word.
        after: String,
        /// What should follow.
        wanted: &'static str,
    },
    /// A condition has a wrong value.
    #[error("`{word}` in the filter: {wrong}")]
    Value {
        /// The word before it.
        word: String,
        /// What is wrong.
        wrong: String,
    },
    /// There is no such reason.
    #[error("`{given}` is no reason{}; there are: {}", near_reason(given), all_reasons())]
    Reason {
        /// What was given.
        given: String,
    },
    /// No packet can fulfil both.
    #[error("the filter says {what} twice, and all that it says must hold; say it once")]
    Twice {
        /// What.
        what: &'static str,
    },
    /// More than the program looks at.
    #[error(
        "the filter has more than {MAX_ENDS} conditions on addresses and ports; leave some out"
    )]
    TooMany,
    /// Conditions can only be joined.
    #[error("`{given}` is not possible in a filter: all its conditions must hold; {GRAMMAR}")]
    Operator {
        /// What was given.
        given: String,
    },
}

impl TraceQuery {
    /// Reads the words of a filter; none want everything.
    pub fn of_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, TraceError> {
        let mut query = Self::default();
        let mut words = words.into_iter().flat_map(str::split_whitespace);
        while let Some(word) = words.next() {
            query.take(word, &mut words)?;
        }
        if query.ends.len() > MAX_ENDS {
            return Err(TraceError::TooMany);
        }
        Ok(query)
    }

    fn take<'a>(
        &mut self,
        word: &str,
        rest: &mut impl Iterator<Item = &'a str>,
    ) -> Result<(), TraceError> {
        let again = match word {
            // As in tcpdump, where it means the same as nothing.
            "and" => return Ok(()),
            "or" | "not" | "!" | "&&" | "||" | "(" | ")" => {
                return Err(TraceError::Operator { given: word.to_owned() });
            }
            "service" => {
                let name = value(word, "the name of a service", str::parse, rest)?;
                self.service.replace(name).is_some().then_some("`service`")
            }
            "backend" => {
                let address = value(word, "ADDR:PORT", names::backend_address, rest)?;
                self.backend.replace(address).is_some().then_some("`backend`")
            }
            "reason" => {
                let wanted = "a reason, such as `ttl-expired`";
                let reason = reason(next(word, wanted, rest)?)?;
                self.reason.replace(reason).is_some().then_some("the reason")
            }
            "host" | "src" | "dst" | "port" => {
                self.ends.push(end(word, rest)?);
                None
            }
            _ => self.take_single(word)?,
        };
        again.map_or(Ok(()), |what| Err(TraceError::Twice { what }))
    }

    /// A condition of one word. Says what it was if it was given before.
    fn take_single(&mut self, word: &str) -> Result<Option<&'static str>, TraceError> {
        let protocols = [TraceProtocol::Tcp, TraceProtocol::Udp, TraceProtocol::Icmp];
        if let Some(protocol) = protocols.into_iter().find(|it| it.name() == word) {
            return Ok(self.protocol.replace(protocol).map(|_| "the protocol"));
        }
        match Ending::ALL.into_iter().find(|it| it.name() == word) {
            Some(ending) => Ok(self.ending.replace(ending).map(|_| "how packets end")),
            None => Err(TraceError::Word { given: word.to_owned() }),
        }
    }
}

impl TraceProtocol {
    /// Its name in a filter.
    const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Icmp => "icmp",
        }
    }
}

impl FromStr for TraceQuery {
    type Err = TraceError;

    fn from_str(words: &str) -> Result<Self, TraceError> {
        Self::of_words([words])
    }
}

/// What stands behind `host`.
const ADDRESS: &str = "an address or a prefix, such as `198.51.100.7` or `2001:db8::/32`";

fn end<'a>(word: &str, rest: &mut impl Iterator<Item = &'a str>) -> Result<TraceEnd, TraceError> {
    let side = match word {
        "src" => TraceSide::Source,
        "dst" => TraceSide::Destination,
        _ => TraceSide::Either,
    };
    let is = match word {
        "port" => TraceIs::Port(value("port", "a port", port, rest)?),
        "host" => TraceIs::Of(value(word, ADDRESS, str::parse, rest)?),
        _ => match next(word, ADDRESS, rest)? {
            "port" => TraceIs::Port(value("port", "a port", port, rest)?),
            "host" => TraceIs::Of(value("host", ADDRESS, str::parse, rest)?),
            given => TraceIs::Of(read(word, given, str::parse)?),
        },
    };
    Ok(TraceEnd { side, is })
}

fn next<'a>(
    after: &str,
    wanted: &'static str,
    rest: &mut impl Iterator<Item = &'a str>,
) -> Result<&'a str, TraceError> {
    rest.next().ok_or_else(|| TraceError::Ends { after: after.to_owned(), wanted })
}

fn value<'a, T, E: fmt::Display>(
    word: &str,
    wanted: &'static str,
    parse: impl FnOnce(&str) -> Result<T, E>,
    rest: &mut impl Iterator<Item = &'a str>,
) -> Result<T, TraceError> {
    read(word, next(word, wanted, rest)?, parse)
}

fn read<T, E: fmt::Display>(
    word: &str,
    given: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, TraceError> {
    parse(given)
        .map_err(|error| TraceError::Value { word: word.to_owned(), wrong: error.to_string() })
}

fn port(given: &str) -> Result<u16, String> {
    match given.parse() {
        Ok(port) if port != 0 => Ok(port),
        _ => Err(format!("`{given}` is no port; write a number from 1 to 65535")),
    }
}

fn reason(given: &str) -> Result<Reason, TraceError> {
    let found = Reason::ALL.iter().find(|reason| reason.name() == given);
    found.copied().ok_or_else(|| TraceError::Reason { given: given.to_owned() })
}

fn all_reasons() -> String {
    Reason::ALL.iter().map(|reason| reason.name()).collect::<Vec<_>>().join(", ")
}

fn near_reason(given: &str) -> String {
    did_you_mean(given, Reason::ALL.iter().map(|reason| reason.name()))
}

/// What may have been meant by a word that begins no condition.
fn hint(given: &str) -> String {
    if Reason::ALL.iter().any(|reason| reason.name() == given) {
        return format!(" (did you mean `reason {given}`?)");
    }
    if given.parse::<Prefix>().is_ok() {
        return format!(" (did you mean `host {given}`?)");
    }
    if given.parse::<SocketAddr>().is_ok() {
        return format!(" (did you mean `backend {given}`?)");
    }
    did_you_mean(given, WORDS.into_iter())
}

/// One slip in three letters is forgiven, at least one, and an end left out.
fn did_you_mean<'k>(given: &str, known: impl Iterator<Item = &'k str>) -> String {
    let length = given.chars().count();
    let distance = |word: &str| {
        let begun = length >= 3 && word.starts_with(given);
        if begun { 1 } else { strsim::osa_distance(given, word) }
    };
    match known.map(|word| (distance(word), word)).min() {
        Some((distance, word)) if distance <= (length / 3).max(1) => {
            format!(" (did you mean `{word}`?)")
        }
        _ => String::new(),
    }
}
