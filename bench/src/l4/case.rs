//! What is measured: who, in which forwarding mode, in which family, with how many flows.

use std::fmt;

/// Backends of each service.
pub(crate) const BACKENDS: u16 = 100;
/// As many flows as are "many": each table that remembers them is full of them.
pub(crate) const MANY: u32 = 1_000_000;
/// Numbers of flows.
pub(crate) const FLOWS: [u32; 3] = [1, 10_000, MANY];

/// Who handles the packets.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Who {
    /// A program that sends every packet back as it is.
    Bare,
    /// A program that makes the changes of a forwarding mode, with constants.
    Edits,
    /// The balancer.
    Shunt,
    /// The balancer, where the service has a list of sources and limits of new flows.
    Guarded,
    /// The kernel, which routes.
    Kernel,
    /// The kernel, which routes and translates by a rule of nftables.
    Nftables,
}

impl Who {
    /// Its name in listings.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare-tx",
            Self::Edits => "same-edits",
            Self::Shunt => "shunt",
            Self::Guarded => "shunt-guarded",
            Self::Kernel => "kernel-forwarding",
            Self::Nftables => "nftables-dnat",
        }
    }

    /// Whether it is the balancer.
    pub(crate) const fn is_shunt(self) -> bool {
        matches!(self, Self::Shunt | Self::Guarded)
    }
}

/// How packets reach a backend.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Mode {
    Dsr,
    Ipip,
    Gue,
    Nat,
    FullNat,
}

impl Mode {
    pub(crate) const ALL: [Self; 5] = [Self::Dsr, Self::Ipip, Self::Gue, Self::Nat, Self::FullNat];

    /// Its name in a configuration.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Dsr => "dsr",
            Self::Ipip => "ipip",
            Self::Gue => "gue",
            Self::Nat => "nat",
            Self::FullNat => "full-nat",
        }
    }
}

/// Family of the packets, and of their backends.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    pub(crate) const ALL: [Self; 2] = [Self::V4, Self::V6];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::V4 => "v4",
            Self::V6 => "v6",
        }
    }
}

/// A service: each pair of mode and family has one, and some a guarded one.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Spec {
    pub(crate) mode: Mode,
    pub(crate) family: Family,
    /// It has a list of sources, and limits of new flows.
    pub(crate) guarded: bool,
}

impl Spec {
    /// A service that takes whatever comes.
    pub(crate) const fn open(mode: Mode, family: Family) -> Self {
        Self { mode, family, guarded: false }
    }

    /// All that take whatever comes.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let of = |mode| Family::ALL.map(|family| Self::open(mode, family));
        Mode::ALL.into_iter().flat_map(of)
    }

    /// Those that are guarded: of the modes that something is promised of.
    pub(crate) fn guarded() -> impl Iterator<Item = Self> {
        let promised = |spec: &Self| matches!(spec.mode, Mode::Dsr | Mode::Ipip | Mode::Nat);
        Self::all().filter(promised).map(|spec| Self { guarded: true, ..spec })
    }

    /// Its number, from 1.
    pub(crate) fn number(self) -> u8 {
        self.mode as u8 * 2 + self.family as u8 + if self.guarded { 11 } else { 1 }
    }

    /// The bare program that makes the same changes.
    pub(crate) fn edits(self) -> String {
        format!("{}_{}", self.mode.name().replace('-', "_"), self.family.name())
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let guarded = if self.guarded { "-guarded" } else { "" };
        write!(f, "{}-{}{guarded}", self.mode.name(), self.family.name())
    }
}

/// One row of the results.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Case {
    pub(crate) who: Who,
    /// None for those that know no forwarding modes.
    pub(crate) mode: Option<Mode>,
    pub(crate) family: Family,
    pub(crate) flows: u32,
}

impl Case {
    /// A case of something that is done in each forwarding mode.
    pub(crate) const fn of(who: Who, spec: Spec, flows: u32) -> Self {
        Self { who, mode: Some(spec.mode), family: spec.family, flows }
    }

    /// A case of something that knows no forwarding modes.
    pub(crate) const fn plain(who: Who, family: Family, flows: u32) -> Self {
        Self { who, mode: None, family, flows }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = self.mode.map_or(String::new(), |mode| format!(" {}", mode.name()));
        write!(f, "{}{mode} {}, {} flows", self.who.name(), self.family.name(), self.flows)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Spec;

    #[test]
    fn services_have_numbers_and_programs_of_their_own() {
        let numbers: Vec<u8> = Spec::all().chain(Spec::guarded()).map(Spec::number).collect();
        assert_eq!(numbers[..10], (1..=10).collect::<Vec<_>>());
        assert_eq!(numbers[10..], [11, 12, 13, 14, 17, 18]);
        let programs: BTreeSet<String> = Spec::all().map(Spec::edits).collect();
        assert_eq!(programs.len(), 10);
        assert!(programs.contains("full_nat_v6"));
    }
}
