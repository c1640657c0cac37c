//! The compiler and the linker of the BPF object.
//!
//! bpf-linker reads what the compiler writes only if both use the same major version of LLVM. The
//! compiler is therefore chosen with an eye on which LLVM can be had, and the linker after it.

use super::{
    install::{Failure, Installer, MINUTE},
    need::{Group::Build, Group::Demo, Group::Test, Need, Probe},
    needs::at_least,
};
use crate::{
    process::Spec,
    toolchain::{
        LINKED, Linker, Machine, OVERRIDE, Toolchain, candidates, choose, linker, on_path,
    },
};

/// The version of bpf-linker that the object is built and tested with.
const LINKER_VERSION: &str = "0.13.0";
/// The versions of LLVM that it can be built for. It knows 21 as well, but only from 22 on does LLVM
/// have the access to misaligned words that `lb-ebpf/build.rs` asks for.
const LINKER_LLVM: [u32; 2] = [22, 23];
/// Debian's newest compiler: the one that its browsers are built with.
const DEBIAN: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

pub(super) const COMPILER: Need = Need {
    name: "BPF compiler",
    why: "compiles the XDP program and, with it, `core` from source",
    by_hand: "install a rustup toolchain with `rust-src` whose LLVM your distribution has, \
              and name it in SHUNT_BPF_TOOLCHAIN",
    groups: &[Build, Demo, Test],
    probe: probe_compiler,
    install: install_compiler,
};

pub(super) const LINKER: Need = Need {
    name: "bpf-linker",
    why: "links the XDP program; must be built for the LLVM of the compiler",
    by_hand: "install the development files of that LLVM, then set LLVM_PREFIX to where they are \
              and run `cargo xtask setup` again",
    groups: &[Build, Demo, Test],
    probe: probe_linker,
    install: install_linker,
};

/// The compiler to use: the one that the build script will choose, or, while no linker fits, the
/// best of those that a linker can be built for.
pub(super) fn select(machine: &dyn Machine) -> Option<Toolchain> {
    let obtainable = |one: &Toolchain| one.usable && llvm_obtainable(machine, one.llvm);
    choose(machine).ok().or_else(|| candidates(machine).into_iter().find(obtainable))
}

fn llvm_obtainable(machine: &dyn Machine, llvm: u32) -> bool {
    LINKER_LLVM.contains(&llvm)
        && (has_llvm(machine, llvm)
            || machine.output(&["apt-cache", "show", &format!("llvm-{llvm}-dev")]).is_some())
}

fn has_llvm(machine: &dyn Machine, llvm: u32) -> bool {
    let library = format!("{}/lib/libLLVM.so", llvm_prefix(machine, llvm));
    machine.var("LLVM_PREFIX").is_some() || machine.exists(library.as_ref())
}

fn llvm_prefix(machine: &dyn Machine, llvm: u32) -> String {
    machine.var("LLVM_PREFIX").unwrap_or_else(|| format!("/usr/lib/llvm-{llvm}"))
}

fn probe_compiler(machine: &dyn Machine) -> Probe {
    if let Some(chosen) = select(machine) {
        let name = chosen.name.as_deref().unwrap_or("the one on the path");
        return Probe::Present(format!("{name}, LLVM {}", chosen.llvm));
    }
    let without: Vec<_> =
        candidates(machine).into_iter().filter_map(|candidate| candidate.name).collect();
    Probe::Missing(if without.is_empty() {
        "no compiler with the source of `core`".to_owned()
    } else {
        format!("unusable (no rust-src, too old, or no LLVM for it): {}", without.join(", "))
    })
}

fn install_compiler(installer: &mut Installer<'_>) -> Result<(), Failure> {
    // Whether an LLVM can be had is asked of the package lists; a new machine has none.
    installer.refresh_package_lists();
    if select(installer.machine).is_some() {
        return Ok(());
    }
    if let Some(name) = installer.machine.var(OVERRIDE) {
        return add_source(installer, &name);
    }
    if installer.machine.output(&["rustup", "--version"]).is_none() {
        return debian_compiler(installer);
    }
    let earlier = nightly(installer).err();
    if select(installer.machine).is_some() {
        return Ok(());
    }
    println!("  rustup's nightly is not to be had; taking the distribution's compiler");
    debian_compiler(installer)
        .and_then(|()| {
            let link = Spec::new(&["rustup", "toolchain", "link", LINKED, "/usr"]);
            installer.run(&link, MINUTE)
        })
        .map_err(|failure| failure.after(earlier))
}

fn nightly(installer: &mut Installer<'_>) -> Result<(), Failure> {
    if installer.machine.output(&["rustup", "run", "nightly", "rustc", "-vV"]).is_some() {
        return add_source(installer, "nightly");
    }
    let install = "rustup toolchain install nightly --profile minimal --component rust-src";
    installer.run(&Spec::words(install), 10 * MINUTE)
}

fn add_source(installer: &mut Installer<'_>, toolchain: &str) -> Result<(), Failure> {
    let add = format!("rustup component add rust-src --toolchain {toolchain}");
    installer.run(&Spec::words(&add), 2 * MINUTE)
}

fn debian_compiler(installer: &mut Installer<'_>) -> Result<(), Failure> {
    installer.apt(&DEBIAN)
}

fn probe_linker(machine: &dyn Machine) -> Probe {
    let found = linker(machine);
    let path = on_path(machine, "bpf-linker").unwrap_or_default();
    let version = machine.output(&[&path, "--version"]).unwrap_or_default();
    let version = version.trim();
    match (select(machine), found) {
        (_, Linker::Missing) => Probe::Missing("no `bpf-linker` that starts".to_owned()),
        _ if !at_least(version, LINKER_VERSION) => {
            Probe::Missing(format!("{version} is older than {LINKER_VERSION}"))
        }
        (Some(compiler), _) if !found.fits(compiler.llvm) => {
            Probe::Missing(format!("{version} is not for LLVM {}", compiler.llvm))
        }
        (_, Linker::Llvm(llvm)) => Probe::Present(format!("{version}, LLVM {llvm}")),
        (_, Linker::Static) => Probe::Present(format!("{version}, with an LLVM of its own")),
    }
}

fn install_linker(installer: &mut Installer<'_>) -> Result<(), Failure> {
    let compiler = select(installer.machine)
        .ok_or_else(|| Failure::of("which LLVM it must have depends on the BPF compiler"))?;
    let llvm = compiler.llvm;
    if !has_llvm(installer.machine, llvm) {
        installer.apt(&[&format!("llvm-{llvm}-dev")])?;
    }
    let install = format!(
        "cargo install bpf-linker --version {LINKER_VERSION} --no-default-features \
         --features llvm-{llvm} --locked --force"
    );
    let prefix = llvm_prefix(installer.machine, llvm);
    installer.run(&Spec::words(&install).env("LLVM_PREFIX", prefix), 60 * MINUTE)
}
