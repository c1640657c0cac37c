//! Why the decapsulator did with a packet what it did.

use crate::abi::reasons;

reasons! {
    /// Why a packet got its verdict from the decapsulator. The code is the index of its counter.
    enum Reason;

    /// The outer headers were taken off; the inner packet went on to the kernel.
    Decapsulated = 0, "decapsulated";

    /// Passed: neither IPv4 nor IPv6 (ARP, VLAN-tagged and others).
    NotIp = 1, "not-ip";
    /// Passed: carries no other packet, or hides it behind an IPv6 extension header.
    NotTunnelled = 2, "not-tunnelled";
    /// Passed: a tunnelled packet to none of the addresses that tunnels end at.
    NotLocal = 3, "not-local";
    /// Passed: a tunnelled packet from a source that is not allowed.
    SourceNotAllowed = 4, "source-not-allowed";
    /// Passed: the frame ends inside a header.
    Truncated = 5, "truncated";
    /// Passed: a length field contradicts the frame or another length.
    BadLength = 6, "bad-length";
    /// Passed: the version field of an IP header contradicts what announced it.
    BadVersion = 7, "bad-version";
    /// Passed: the checksum of the outer IPv4 header is wrong.
    BadChecksum = 8, "bad-checksum";
    /// Passed: the outer IPv4 header has options.
    OuterOptions = 9, "outer-options";
    /// Passed: a fragment of what may be a tunnelled packet.
    Fragment = 10, "fragment";
    /// Passed: GUE with flags, extension fields, a control message or an unknown payload.
    GueNotUnderstood = 11, "gue-not-understood";

    /// Dropped: it met congestion in the tunnel, and its sender does not understand the mark for
    /// that (RFC 6040 section 4.2).
    CongestionLoss = 12, "congestion-loss";
}

const _: () = assert!(Reason::ALL.len() <= crate::limits::decap::MAX_REASONS as usize);
