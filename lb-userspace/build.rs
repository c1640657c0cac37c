//! Builds the XDP programs of `lb-ebpf` and leaves their objects in `OUT_DIR`, from where
//! `dataplane` embeds them.

#[path = "../xtask/src/toolchain.rs"]
mod toolchain;

use std::env;

use aya_build::{Package, Toolchain, build_ebpf};

/// What the object depends on besides `lb-ebpf`, which `aya_build` names itself. The manifests are
/// here because the profile and the locked versions change the object, too.
const INPUTS: [&str; 4] =
    ["../lb-common/src", "../lb-common/Cargo.toml", "../Cargo.toml", "../Cargo.lock"];

fn main() {
    println!("cargo:rerun-if-env-changed={}", toolchain::OVERRIDE);
    for input in INPUTS {
        println!("cargo:rerun-if-changed={input}");
    }
    if let Err(message) = build() {
        // Cargo shows this as its own error, in place of the script's whole output.
        println!("cargo::error={message}");
    }
}

fn build() -> Result<(), String> {
    let compiler = toolchain::choose(&toolchain::ThisMachine)?;
    // SAFETY: nothing else runs yet; a build script has one thread until it starts more.
    unsafe {
        // Lets a stable compiler take `-Z build-std`; a nightly one ignores it.
        env::set_var("RUSTC_BOOTSTRAP", "1");
        // `aya_build` shows each line of the inner build as a warning. The compiler's own warnings
        // and errors come by another way and stay.
        env::set_var("CARGO_TERM_QUIET", "true");
    }
    // Without rustup there is no name, and `aya_build` takes the compiler on the path.
    let name = compiler.name.as_deref().unwrap_or("current");
    let program = Package { name: "lb-ebpf", root_dir: "../lb-ebpf", ..Package::default() };
    build_ebpf([program], Toolchain::Custom(name))
        .map_err(|error| format!("cannot build the XDP program: {error:#}").replace('\n', " "))
}
