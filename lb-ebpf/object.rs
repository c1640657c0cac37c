//! Builds BPF objects from a build script. The scripts of `lb-userspace` and `bench` compile this
//! file, so that what is measured is built as what is shipped.

#[path = "../xtask/src/toolchain.rs"]
mod toolchain;

use std::env;

use aya_build::{Package, Toolchain, build_ebpf};

/// What every object depends on besides its own crate, which `aya_build` names itself. The manifests
/// are here because the profile and the locked versions change the object, too.
const INPUTS: [&str; 4] =
    ["../lb-ebpf/object.rs", "../xtask/src/toolchain.rs", "../Cargo.toml", "../Cargo.lock"];

/// Builds the objects of the crate that is named and leaves them in `OUT_DIR`. `inputs` is what that
/// crate depends on, in the workspace.
pub(crate) fn build(name: &str, inputs: &[&str]) {
    println!("cargo:rerun-if-env-changed={}", toolchain::OVERRIDE);
    for input in INPUTS.iter().chain(inputs) {
        println!("cargo:rerun-if-changed={input}");
    }
    if let Err(message) = try_build(name) {
        // Cargo shows this as its own error, in place of the script's whole output.
        println!("cargo::error={message}");
    }
}

fn try_build(name: &str) -> Result<(), String> {
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
    let toolchain = compiler.name.as_deref().unwrap_or("current");
    let root = format!("../{name}");
    let program = Package { name, root_dir: &root, ..Package::default() };
    build_ebpf([program], Toolchain::Custom(toolchain))
        .map_err(|error| format!("cannot build the XDP program: {error:#}").replace('\n', " "))
}
