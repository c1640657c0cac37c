//! Which compiler builds the BPF object.
//!
//! `cargo xtask setup` makes one available and `lb-userspace/build.rs` uses it. Both must come to
//! the same answer, so both compile this one file; it therefore needs nothing but the standard
//! library. The rule: `SHUNT_BPF_TOOLCHAIN` if set; otherwise rustup's `nightly`, otherwise the
//! linked toolchain `shunt-bpf`, taking only those that have the source of `core`, and of these
//! rather one whose LLVM is that of the installed bpf-linker. Without rustup it is the compiler on
//! the path or none.

use std::{env, path::Path, process::Command};

/// Name under which `setup` links the distribution's compiler into rustup.
pub(crate) const LINKED: &str = "shunt-bpf";
/// Environment variable that names the rustup toolchain to use, whatever else is there.
pub(crate) const OVERRIDE: &str = "SHUNT_BPF_TOOLCHAIN";
/// Where, below a compiler's sysroot, the source of `core` lies when it is installed.
const SOURCE: &str = "lib/rustlib/src/rust/library/core";

/// What this file asks of the machine; a trait so that tests can describe other machines.
pub(crate) trait Machine {
    /// What the command printed, if it could be run and succeeded.
    fn output(&self, argv: &[&str]) -> Option<String>;
    /// Whether the path exists.
    fn exists(&self, path: &Path) -> bool;
    /// A variable of the environment.
    fn var(&self, name: &str) -> Option<String>;
}

/// The machine we run on.
pub(crate) struct ThisMachine;

impl Machine for ThisMachine {
    fn output(&self, argv: &[&str]) -> Option<String> {
        let (program, arguments) = argv.split_first()?;
        let output = Command::new(program)
            .args(arguments)
            .env("LC_ALL", "C")
            // A probe must not start a download.
            .env("RUSTUP_AUTO_INSTALL", "0")
            .output()
            .ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn var(&self, name: &str) -> Option<String> {
        env::var(name).ok().filter(|value| !value.is_empty())
    }
}

/// A compiler that is installed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Toolchain {
    /// Its name in rustup; none where there is no rustup.
    pub(crate) name: Option<String>,
    /// Major version of its LLVM.
    pub(crate) llvm: u32,
    /// Whether it has the source of `core` and is not older than the workspace allows.
    pub(crate) usable: bool,
}

/// The bpf-linker that is on the path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Linker {
    /// There is none, or it cannot be started.
    Missing,
    /// It uses the LLVM library of this major version.
    Llvm(u32),
    /// It carries its LLVM inside and does not tell which.
    Static,
}

impl Linker {
    /// Whether it can be expected to read what a compiler with this LLVM writes.
    pub(crate) fn fits(self, llvm: u32) -> bool {
        self == Self::Static || self == Self::Llvm(llvm)
    }
}

/// The toolchain to build the BPF object with, or what lacks in one line.
pub(crate) fn choose(machine: &dyn Machine) -> Result<Toolchain, String> {
    let candidates = candidates(machine);
    let linker = linker(machine);
    if let Some(chosen) = candidates.iter().find(|c| c.usable && linker.fits(c.llvm)) {
        return Ok(chosen.clone());
    }
    let lacks = match (candidates.iter().find(|c| c.usable), linker) {
        (Some(_), Linker::Missing) => "there is no bpf-linker".to_owned(),
        (Some(compiler), _) => format!("bpf-linker was not built for LLVM {}", compiler.llvm),
        (None, _) => "there is no compiler with the source of `core`".to_owned(),
    };
    Err(format!("cannot build the XDP program: {lacks}; run `cargo xtask setup`"))
}

/// The compilers that may be used, best first.
pub(crate) fn candidates(machine: &dyn Machine) -> Vec<Toolchain> {
    if machine.output(&["rustup", "--version"]).is_none() {
        return toolchain(machine, None).into_iter().collect();
    }
    let forced = machine.var(OVERRIDE);
    let names = forced.as_deref().map_or_else(|| vec!["nightly", LINKED], |name| vec![name]);
    names.into_iter().filter_map(|name| toolchain(machine, Some(name))).collect()
}

fn toolchain(machine: &dyn Machine, name: Option<&str>) -> Option<Toolchain> {
    let rustc = |arg| match name {
        Some(name) => machine.output(&["rustup", "run", name, "rustc", arg]),
        None => machine.output(&["rustc", arg]),
    };
    let sysroot = rustc("--print=sysroot")?;
    let version = rustc("-vV")?;
    let field = |key| version.lines().find_map(|line| line.strip_prefix(key));
    let llvm = field("LLVM version: ")?.split('.').next()?.parse().ok()?;
    let minor: u32 = field("release: 1.")?.split('.').next()?.parse().ok()?;
    let usable = minor >= oldest_minor() && machine.exists(&Path::new(sysroot.trim()).join(SOURCE));
    Some(Toolchain { name: name.map(str::to_owned), llvm, usable })
}

/// The `95` of the workspace's `rust-version = "1.95"`.
fn oldest_minor() -> u32 {
    env!("CARGO_PKG_RUST_VERSION")
        .split('.')
        .nth(1)
        .and_then(|minor| minor.parse().ok())
        .unwrap_or(0)
}

/// Which bpf-linker there is. It is linked to the LLVM it was built for, and `ldd` names it.
pub(crate) fn linker(machine: &dyn Machine) -> Linker {
    let Some(path) = on_path(machine, "bpf-linker") else { return Linker::Missing };
    if machine.output(&[&path, "--version"]).is_none() {
        return Linker::Missing;
    }
    let libraries = machine.output(&["ldd", &path]).unwrap_or_default();
    match libraries.split_whitespace().find_map(llvm_of_library) {
        Some(major) => Linker::Llvm(major),
        None => Linker::Static,
    }
}

/// The major version in `libLLVM.so.22.1` or `libLLVM-19.so.1`.
fn llvm_of_library(word: &str) -> Option<u32> {
    let rest = word.strip_prefix("libLLVM")?;
    let digits = rest.strip_prefix(".so.").or_else(|| rest.strip_prefix('-'))?;
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The full path of a program; `rustc` finds its linker in the same way.
pub(crate) fn on_path(machine: &dyn Machine, program: &str) -> Option<String> {
    let path = machine.var("PATH")?;
    let find = |directory: &str, program: &str| {
        let file = format!("{directory}/{program}");
        machine.exists(Path::new(&file)).then_some(file)
    };
    if let Some(found) = path.split(':').find_map(|directory| find(directory, program)) {
        return Some(found);
    }
    // rustup puts cargo's own directory on the path of what it starts.
    path.split(':').find_map(|directory| find(directory, "rustup"))?;
    let home = machine
        .var("CARGO_HOME")
        .or_else(|| machine.var("HOME").map(|home| format!("{home}/.cargo")))?;
    find(&format!("{home}/bin"), program)
}
