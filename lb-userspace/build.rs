//! Builds the XDP programs of `lb-ebpf` and leaves their objects in `OUT_DIR`, from where
//! `dataplane` embeds them.

#[path = "../lb-ebpf/object.rs"]
mod object;

fn main() {
    object::build("lb-ebpf", &["../lb-common/src", "../lb-common/Cargo.toml"]);
}
