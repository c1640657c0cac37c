//! The compiled XDP programs, embedded in the binary.

/// The BPF object that `build.rs` made of `lb-ebpf`.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/shunt-xdp"));

/// The BPF object of `shunt decap`, of the same package.
pub static DECAP_OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/shunt-decap"));

/// The BPF object of `shunt trace`, of the same package.
pub static TRACE_OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/shunt-trace"));
