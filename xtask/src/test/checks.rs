//! The static checks.

use anyhow::Result;

use super::summary::Done;
use crate::{process::Spec, tidy as architecture};

/// Formatting.
pub(super) fn fmt() -> Result<Done> {
    let formatted = Spec::words("cargo fmt --all --check").run()?;
    Ok(if formatted { Done::passed("") } else { Done::failed("run `cargo fmt --all`") })
}

/// Lints. The XDP program is linted as host code, which has no unwinding without `std`; so it is
/// a run of its own that does not ask for any.
pub(super) fn clippy() -> Result<Done> {
    let host = "cargo clippy --workspace --exclude lb-ebpf --all-targets --features lb-common/std \
                -- -D warnings";
    let bpf = Spec::words("cargo clippy --package lb-ebpf -- -D warnings")
        .env("CARGO_PROFILE_DEV_PANIC", "abort");
    let host = Spec::words(host).run()?;
    let bpf = bpf.run()?;
    Ok(match (host, bpf) {
        (true, true) => Done::passed(""),
        (false, true) => Done::failed("lints of the host crates"),
        (true, false) => Done::failed("lints of lb-ebpf"),
        (false, false) => Done::failed("lints of the host crates and of lb-ebpf"),
    })
}

/// The architecture.
pub(super) fn tidy() -> Result<Done> {
    let tally = architecture::check()?;
    Ok(match (tally.errors, tally.warnings) {
        (0, 0) => Done::passed(""),
        (0, warnings) => Done::passed(&format!("{warnings} warnings")),
        (errors, _) => Done::failed(&format!("{errors} errors")),
    })
}
