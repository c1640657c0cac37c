//! What the benchmark and its programs must agree on. Both compile this one file.

/// What the programs that make packets are to make.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Recipe {
    /// Number of the next packet's flow.
    pub(crate) next: u32,
    /// How many flows there are.
    pub(crate) flows: u32,
    /// Destination and source MAC address, as they stand in the frame.
    pub(crate) link: [u32; 3],
    /// Length of the frame.
    pub(crate) length: u32,
    /// The headers from the IP header on, as they stand in the frame, with the client 198.18.0.0 or
    /// `2001:db8:100::`. The client and its port are written over.
    pub(crate) headers: [u32; 15],
    /// Sum of the 16-bit words of an IPv4 header that has that client and no checksum.
    pub(crate) sum: u32,
}

const _: () = assert!(size_of::<Recipe>() == 88);
