//! Who may connect: prefixes that are allowed or denied.
//!
//! A list may have as many prefixes as fit into the tables, and is looked at whenever the network
//! changes, so copies share it, and equal ones are told by that. The two address families are kept
//! apart, because a service has only clients of one.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    net::IpAddr,
    sync::Arc,
};

use lb_common::abi::SourceRule;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Prefix;

/// Which of the two lists of a service a prefix is in.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Those who are served.
    Allow,
    /// Those who are refused.
    Deny,
}

impl Rule {
    /// Its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Allow => Self::Deny,
            Self::Deny => Self::Allow,
        }
    }

    /// What the tables say for it.
    pub const fn entry(self) -> SourceRule {
        match self {
            Self::Allow => SourceRule::Allow,
            Self::Deny => SourceRule::Deny,
        }
    }
}

/// Length of the IPv6 prefix that IPv4 addresses are mapped into.
const MAPPED: u8 = 96;

/// Prefixes of one family, with what becomes of them. The longest that has an address decides.
pub type Rules = BTreeMap<Prefix, Rule>;

/// The lists of a service. A source that neither has is served, unless there are some that are
/// allowed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Access {
    v4: Arc<Rules>,
    v6: Arc<Rules>,
    /// How many of all are allowed.
    allowed: usize,
}

/// Why a prefix cannot be put into a list, or taken out.
#[derive(Clone, Copy, Debug, Error, Eq, PartialEq)]
pub enum AccessError {
    /// It is there.
    #[error("{prefix} is in `{}` already; nothing is to be done", rule.name())]
    Present {
        /// The prefix.
        prefix: Prefix,
        /// The list.
        rule: Rule,
    },
    /// It is in the other one.
    #[error(
        "{prefix} is in `{}`, and cannot be in `{}` as well; remove it there first",
        rule.other().name(),
        rule.name()
    )]
    Contrary {
        /// The prefix.
        prefix: Prefix,
        /// The list that it was meant for.
        rule: Rule,
    },
    /// It is not there.
    #[error("{prefix} is not in `{}`; give a prefix as it is listed there", rule.name())]
    Absent {
        /// The prefix.
        prefix: Prefix,
        /// The list.
        rule: Rule,
    },
    /// It is an IPv4 prefix, written as IPv6.
    #[error("{prefix} is an IPv4 prefix in IPv6 clothes; write {}/{}", prefix.address().to_canonical(), prefix.length() - MAPPED)]
    Mapped {
        /// The prefix.
        prefix: Prefix,
    },
}

impl Access {
    /// The prefixes of an address family.
    pub const fn rules(&self, ipv4: bool) -> &Arc<Rules> {
        if ipv4 { &self.v4 } else { &self.v6 }
    }

    /// All prefixes of a list.
    pub fn list(&self, rule: Rule) -> impl Iterator<Item = Prefix> {
        let all = self.v4.iter().chain(self.v6.iter());
        all.filter(move |(_, found)| **found == rule).map(|(prefix, _)| *prefix)
    }

    /// How many there are.
    pub fn count(&self, rule: Rule) -> usize {
        match rule {
            Rule::Allow => self.allowed,
            Rule::Deny => self.v4.len() + self.v6.len() - self.allowed,
        }
    }

    /// Whether only those are served that are allowed.
    pub fn allows(&self) -> bool {
        self.allowed > 0
    }

    /// Puts a prefix into a list.
    pub fn add(&mut self, rule: Rule, prefix: Prefix) -> Result<(), AccessError> {
        let is_mapped = prefix.address().to_canonical() != prefix.address();
        if is_mapped && prefix.length() >= MAPPED {
            return Err(AccessError::Mapped { prefix });
        }
        match self.rules_of(prefix).entry(prefix) {
            Entry::Vacant(vacant) => _ = vacant.insert(rule),
            Entry::Occupied(found) if *found.get() == rule => {
                return Err(AccessError::Present { prefix, rule });
            }
            Entry::Occupied(_) => return Err(AccessError::Contrary { prefix, rule }),
        }
        self.allowed += usize::from(rule == Rule::Allow);
        Ok(())
    }

    /// Takes a prefix out of a list.
    pub fn remove(&mut self, rule: Rule, prefix: Prefix) -> Result<(), AccessError> {
        if self.rules(prefix.address().is_ipv4()).get(&prefix) != Some(&rule) {
            return Err(AccessError::Absent { prefix, rule });
        }
        self.rules_of(prefix).remove(&prefix);
        self.allowed -= usize::from(rule == Rule::Allow);
        Ok(())
    }

    fn rules_of(&mut self, prefix: Prefix) -> &mut Rules {
        Arc::make_mut(match prefix.address() {
            IpAddr::V4(_) => &mut self.v4,
            IpAddr::V6(_) => &mut self.v6,
        })
    }
}
