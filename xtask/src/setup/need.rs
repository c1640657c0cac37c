//! What one need is.

use super::install::{Failure, Installer};
use crate::toolchain::Machine;

/// What a need is for. A command asks for the groups that it cannot do without.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Group {
    /// `cargo xtask bench`.
    Bench,
    /// Compiling the workspace, the BPF object included.
    Build,
    /// `cargo xtask demo`.
    Demo,
    /// The static checks of `cargo xtask test`.
    Lint,
    /// The tests themselves.
    Test,
}

impl Group {
    /// All of them.
    pub(crate) const ALL: [Self; 5] =
        [Self::Bench, Self::Build, Self::Demo, Self::Lint, Self::Test];
}

/// What a look at the machine found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Probe {
    /// It is there; which one.
    Present(String),
    /// It is not, or is the wrong one; what lacks.
    Missing(String),
}

/// Something that the machine must have.
#[derive(Clone, Copy)]
pub(crate) struct Need {
    /// Short name, for tables.
    pub(crate) name: &'static str,
    /// What would not work without it.
    pub(crate) why: &'static str,
    /// What the person can do when it cannot be installed here.
    pub(crate) by_hand: &'static str,
    /// Who asks for it.
    pub(crate) groups: &'static [Group],
    /// Looks whether it is there. Quick, and changes nothing.
    pub(crate) probe: fn(&dyn Machine) -> Probe,
    /// Brings it.
    pub(crate) install: fn(&mut Installer<'_>) -> Result<(), Failure>,
}
