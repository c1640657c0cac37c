//! Builds the XDP programs of `bench-ebpf` and leaves the object in `OUT_DIR/bench-xdp`.

#[path = "../lb-ebpf/object.rs"]
mod object;

fn main() {
    object::build("bench-ebpf", &[]);
}
