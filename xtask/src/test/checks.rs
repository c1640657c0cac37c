//! The static checks.

use anyhow::Result;

use super::summary::Done;
use crate::{process::Spec, tidy as architecture};

/// Formatting.
pub(super) fn fmt() -> Result<Done> {
    let formatted = Spec::words("cargo fmt --all --check").run()?;
    Ok(if formatted { Done::passed("") } else { Done::failed("run `cargo fmt --all`") })
}

/// Lints. The XDP programs are linted as host code, which has no unwinding without `std`; so they are
/// a run of their own that does not ask for any.
pub(super) fn clippy() -> Result<Done> {
    let host = "cargo clippy --workspace --exclude lb-ebpf --exclude bench-ebpf --all-targets \
                --features lb-common/std -- -D warnings";
    let bpf = "cargo clippy --package lb-ebpf --package bench-ebpf -- -D warnings";
    let bpf = Spec::words(bpf).env("CARGO_PROFILE_DEV_PANIC", "abort");
    let host = Spec::words(host).run()?;
    let bpf = bpf.run()?;
    Ok(match (host, bpf) {
        (true, true) => Done::passed(""),
        (false, true) => Done::failed("lints of the host crates"),
        (true, false) => Done::failed("lints of the XDP programs"),
        (false, false) => Done::failed("lints of the host crates and of the XDP programs"),
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
