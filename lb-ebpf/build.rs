//! Tells the BPF linker, which generates the code, what the machines that run it can do.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() != Ok("bpf") {
        return;
    }
    // Header fields stand at odd halves of words. Without this every one of them is put together
    // from bytes, which triples the program; x86-64 and arm64 kernels allow the access.
    println!("cargo:rustc-link-arg-bins=--cpu-features=+allows-misaligned-mem-access");
}
