//! What the program can do with a packet, and why.

/// What the program did with a packet.
#[must_use = "a verdict that is dropped lets every packet pass"]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Handed to the kernel.
    Pass,
    /// Discarded.
    Drop,
    /// Sent out of the interface it came from.
    Transmit,
    /// Sent out of another interface.
    Redirect {
        /// That interface.
        ifindex: u32,
    },
}

/// An enum of reasons: each with its code, its name, and its explanation as the doc comment.
macro_rules! reasons {
    (
        $(#[doc = $about:literal])+
        enum $reason:ident;
        $($(#[doc = $explain:literal])+ $variant:ident = $code:literal, $name:literal;)+
    ) => {
        $(#[doc = $about])+
        #[repr(u8)]
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum $reason {
            $($(#[doc = $explain])+ $variant = $code,)+
        }

        impl $reason {
            /// Every reason, in the order of the codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its name in listings and metrics.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// One sentence for a person who sees it counted.
            pub const fn explanation(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($explain),+).trim_ascii(),)+
                }
            }
        }
    };
}

pub(crate) use reasons;

reasons! {
    /// Why a packet got its verdict. The code is the column in the packet counters.
    enum Reason;

    /// Sent to the backend that its flow belongs to.
    Forwarded = 0, "forwarded";
    /// A reply of a backend, sent to the client with the address of the service as its source.
    Returned = 1, "returned";

    /// Passed: neither IPv4 nor IPv6 (ARP and others).
    NotIp = 2, "not-ip";
    /// Passed: addressed to no service, and no reply to one.
    NotOurs = 3, "not-ours";
    /// Passed: the frame ends inside a header.
    Truncated = 4, "truncated";
    /// Passed: a length field contradicts the frame or another length.
    BadLength = 5, "bad-length";
    /// Passed: the version field of the IP header contradicts the Ethernet type.
    BadVersion = 6, "bad-version";
    /// Passed: the checksum of the IPv4 header is wrong; the kernel discards it.
    BadChecksum = 7, "bad-checksum";
    /// Passed: a later fragment of a packet that was for no service.
    Fragment = 8, "fragment";
    /// Passed: neither TCP nor UDP, nor an ICMP message about them.
    OtherProtocol = 9, "other-protocol";
    /// Passed: sent by a backend to the balancer itself (a health check, a proxied request), or to
    /// where no route leads.
    ReplyToBalancer = 10, "reply-to-balancer";
    /// Passed: sent by a backend to a client that speaks to it directly, past the service.
    ReplyDirect = 11, "reply-direct";
    /// Passed: sent by a backend, but a route forbids the way to the client, or the kernel does not
    /// forward.
    ReplyUnroutable = 12, "reply-unroutable";
    /// Passed: a reply too large for the way to the client; the kernel tells the backend, or cuts the
    /// reply into fragments.
    ReplyTooBig = 13, "reply-too-big";
    /// Passed after rewriting: a reply whose next hop the kernel has yet to resolve.
    ReplyUnresolved = 14, "reply-unresolved";
    /// Passed after rewriting: the next hop of the backend has yet to be resolved.
    BackendUnresolved = 15, "backend-unresolved";

    /// Dropped: the time to live (hop limit) ran out. The sender is told by ICMP, at most 1,000 times a
    /// second.
    TtlExpired = 16, "ttl-expired";
    /// Dropped: the service has no backend to send to.
    NoBackend = 17, "no-backend";
    /// Dropped: larger than the way to the backend, or in `full-nat` to the client, can carry. The
    /// sender is told by ICMP what would fit, at most 1,000 times a second.
    TooBig = 18, "too-big";
    /// Dropped: the next hop of the backend is unknown, and the mode leaves the kernel no way to
    /// forward the packet.
    NoNextHop = 19, "no-next-hop";
    /// Dropped: of a flow that nobody opened here; `full-nat` cannot tell whose it is.
    UnknownFlow = 20, "unknown-flow";
    /// Dropped: it opens a flow that must be remembered, and the flow table is full.
    FlowTableFull = 21, "flow-table-full";
    /// Dropped: it opens a `full-nat` flow, and the backend has no free source port left among
    /// those tried; give the service more source addresses or ports.
    PortsExhausted = 22, "ports-exhausted";
    /// Dropped: the client speaks to the same backend from the same port through another service,
    /// and their replies could not be told apart.
    FlowConflict = 23, "flow-conflict";
    /// Dropped: the driver leaves no room in front of the packet for an outer header.
    NoHeadroom = 24, "no-headroom";
    /// Dropped: a later fragment for a service whose first one has not been seen, so that its ports
    /// are not known.
    FragmentUnknown = 25, "fragment-unknown";
    /// Dropped: an ICMP echo request to a service, for there were more than 1,000 in a second.
    EchoLimited = 26, "echo-limited";

    /// An ICMP echo request to the address of a service, answered.
    EchoAnswered = 27, "echo-answered";
    /// An ICMP error about a packet that a service sent, delivered to the backend of its flow.
    ErrorForwarded = 28, "icmp-forwarded";
    /// An ICMP error about a packet to a backend, sent to the client as it knows the flow.
    ErrorReturned = 29, "icmp-returned";
    /// Passed: more or longer IPv6 extension headers than are followed.
    LongExtensions = 30, "long-extensions";

    /// Dropped: the service does not serve this source, by its `allow` and `deny`.
    SourceDenied = 31, "source-denied";
    /// Dropped: it opens a flow, and more have been opened than the service's `new-flows` allows.
    NewFlowLimit = 32, "new-flow-limit";
    /// Dropped: it opens a flow, and its source has opened more than the service's
    /// `new-flows-per-source` allows.
    SourceLimit = 33, "source-limit";
    /// Dropped: the service has no backend to send to. The sender is told by a TCP reset, or by ICMP at
    /// most 1,000 times a second (`no-backend = "reject"`).
    Rejected = 34, "rejected";
    /// Passed: the service has no backend to send to (`no-backend = "pass"`).
    NoBackendPassed = 35, "no-backend-passed";
}

impl Reason {
    /// Whether the packet was delivered to a backend or to a client by the program.
    pub const fn is_delivery(self) -> bool {
        matches!(
            self,
            Self::Forwarded
                | Self::Returned
                | Self::EchoAnswered
                | Self::ErrorForwarded
                | Self::ErrorReturned
        )
    }

    /// Whether the packet was discarded, neither delivered nor left to the kernel.
    pub const fn is_drop(self) -> bool {
        matches!(
            self,
            Self::TtlExpired
                | Self::NoBackend
                | Self::TooBig
                | Self::NoNextHop
                | Self::UnknownFlow
                | Self::FlowTableFull
                | Self::PortsExhausted
                | Self::FlowConflict
                | Self::NoHeadroom
                | Self::FragmentUnknown
                | Self::EchoLimited
                | Self::SourceDenied
                | Self::NewFlowLimit
                | Self::SourceLimit
                | Self::Rejected
        )
    }
}

const _: () = assert!(Reason::ALL.len() <= crate::limits::REASONS_PER_SERVICE as usize);
