//! Capacities, map names and pin paths: every number and name that the program, the daemon and the
//! tests must share.

/// Services that fit into the tables.
pub const MAX_SERVICES: u32 = 512;

/// Words of the service index for hashes of VIPs: so many that two services rarely share one.
pub const SERVICE_HASHES: u32 = 1 << 12;

/// Words of the service index: those for hashes, and behind them one for each service by its id.
pub const SERVICE_WORDS: u32 = SERVICE_HASHES + MAX_SERVICES + 1;

/// Rows of the service index: two for each service by its id, of which one is in use.
pub const SERVICE_ROWS: u32 = 2 * (MAX_SERVICES + 1);

/// Entries of the backend table. Entry 0 is never used, so that 0 can mean "no backend".
pub const MAX_BACKENDS: u32 = 1 << 16;

/// Slots of all rings together (8 bytes each): 512 services of 100 backends.
pub const RING_SLOTS: u32 = 1 << 23;

/// The smallest ring of a service. It has room for 40 backends at [`SLOTS_PER_BACKEND`], so that a
/// small pool can grow without a new layout of its ring.
pub const MIN_RING: u32 = 1 << 12;

/// The largest ring of a service.
pub const MAX_RING: u32 = 1 << 20;

/// Slots a backend has at least, on average: the share of each then errs by at most 1 %.
pub const SLOTS_PER_BACKEND: u32 = 100;

/// Highest weight of a backend.
pub const MAX_WEIGHT: u32 = 1_000;

/// Slots of one chunk of the ring table. Chunks are made when a ring first needs them.
pub const CHUNK_SLOTS: u32 = 1 << 16;

/// Chunks of the ring table.
pub const RING_CHUNKS: u32 = RING_SLOTS / CHUNK_SLOTS;

/// Ranges of ports at one address and protocol.
pub const RANGES_PER_ADDRESS: usize = 16;

/// Turns of all services whose backends take turns.
pub const MAX_TURNS: u32 = 1 << 18;

/// Turns of one service. Where weights come to more, they are rounded.
pub const MAX_SERVICE_TURNS: u32 = 1 << 12;

/// Prefixes in the lists of sources, all together.
pub const MAX_SOURCES: u32 = 100_000;

/// Prefixes that the table has room for: those of a list and of the one that is about to replace it.
pub const SOURCE_ENTRIES: u32 = 2 * MAX_SOURCES;

/// Bits that say of IPv4 /24s, and of hashes of IPv6 /40s, whether a list has anything of them.
pub const SOURCE_FILTER_BITS: u32 = 1 << 24;

/// Prefixes shorter than this would set too many of them: the list is asked about every IPv4 source.
pub const SHORTEST_FILTERED_V4: u8 = 8;

/// The same for IPv6.
pub const SHORTEST_FILTERED_V6: u8 = 24;

/// Words of 64 bits of that filter.
pub const SOURCE_FILTER_WORDS: u32 = SOURCE_FILTER_BITS / 64;

/// Sources of new flows that are remembered (least recently used go first).
pub const MAX_LIMITED_SOURCES: u32 = 1 << 16;

/// Flows remembered at a time, and ways back of flows.
pub const MAX_FLOWS: u32 = 1 << 20;

/// QUIC servers: backends of all services whose connection ids are read.
pub const MAX_SERVER_IDS: u32 = 1 << 14;

/// Clients remembered as talking to a backend directly, past the service (least recently used go
/// first).
pub const MAX_DIRECT_FLOWS: u32 = 1 << 14;

/// Fragmented packets whose ports are remembered (least recently used go first).
pub const MAX_FRAGMENTS: u32 = 1 << 13;

/// A first fragment tells the ports of later ones for so many ticks, as long as a receiver waits for
/// them (RFC 8200 section 4.5: 60 seconds; RFC 791 suggests 15).
pub const FRAGMENT_TICKS: u32 = 56;

/// VLAN interfaces that replies can leave by.
pub const MAX_VLANS: u32 = 4096;

/// Nanoseconds between two ICMP messages of the balancer's own, and how many may follow each other at
/// once, on one CPU. RFC 4443 section 2.4 (f) wants such a limit.
pub const ICMP_INTERVAL: u64 = 1_000_000;
/// See [`ICMP_INTERVAL`].
pub const ICMP_BURST: u64 = 50;

/// Interfaces that packets can be redirected to.
pub const MAX_INTERFACES: u32 = 256;

/// Counters kept for each service: one for each [`Reason`](crate::abi::Reason), with room to grow.
pub const REASONS_PER_SERVICE: u32 = 64;

/// Entries of the packet counter table. Row 0 counts packets that belong to no service.
pub const MAX_COUNTERS: u32 = (MAX_SERVICES + 1) * REASONS_PER_SERVICE;

/// Name of the XDP program in the object.
pub const PROGRAM: &str = "shunt";

/// The programs that packets are handed to which the attached one does not decide on. The code is the
/// place in the program table.
#[repr(u32)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// Takes VLAN tags off and reads the headers.
    Read = 0,
    /// Decides on TCP and UDP.
    Balance = 1,
    /// Decides on ICMP.
    Icmp = 2,
    /// Tells a sender by ICMP why its packet cannot be sent on.
    Refuse = 3,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Read, Self::Balance, Self::Icmp, Self::Refuse];

    /// Name of the program in the object.
    pub const fn program(self) -> &'static str {
        match self {
            Self::Read => "shunt_read",
            Self::Balance => "shunt_balance",
            Self::Icmp => "shunt_icmp",
            Self::Refuse => "shunt_refuse",
        }
    }
}

/// Name of the program that explains a packet and does nothing to it.
pub const EXPLAIN_PROGRAM: &str = "shunt_explain";

/// Where maps and links are pinned unless the configuration says otherwise.
pub const DEFAULT_PIN_DIR: &str = "/sys/fs/bpf/shunt";

/// What `shunt decap` has of its own: a program and maps beside those of the balancer.
pub mod decap {
    /// Name of the XDP program in its object.
    pub const PROGRAM: &str = "shunt_decap";
    /// Where its maps and links are pinned, in a directory for each interface.
    pub const DEFAULT_PIN_DIR: &str = "/sys/fs/bpf/shunt-decap";
    /// Addresses that tunnels end at, for one interface.
    pub const MAX_ADDRESSES: u32 = 1024;
    /// Prefixes that tunnelled packets may come from, for one interface.
    pub const MAX_SOURCES: u32 = 1024;
    /// Counters: one for each [`Reason`](crate::decap::Reason), with room to grow.
    pub const MAX_REASONS: u32 = 32;

    /// Facts about the pinned set as a whole: [`Meta`](crate::decap::Meta).
    pub const META: &str = "META";
    /// Addresses that tunnels end at.
    pub const ADDRESSES: &str = "ADDRESSES";
    /// Prefixes of [`SourceKey`](crate::decap::SourceKey) that tunnelled packets may come from.
    pub const SOURCES: &str = "SOURCES";
    /// Packets by reason.
    pub const COUNTERS: &str = "COUNTERS";
    /// All maps.
    pub const MAPS: [&str; 4] = [META, ADDRESSES, SOURCES, COUNTERS];
}

/// What `shunt trace` has of its own, in an object that is loaded while somebody looks.
pub mod trace {
    use super::Stage;

    /// Name of the program that is attached in the place of [`PROGRAM`](super::PROGRAM) meanwhile.
    pub const PROGRAM: &str = "shunt_trace";
    /// Name of the program that reports a packet which was decided on.
    pub const END_PROGRAM: &str = "shunt_trace_end";
    /// Its place in the program table, behind those of the stages.
    pub const END: u32 = 4;
    const _: () = assert!(END as usize == Stage::ALL.len());
    /// Bytes of a packet that are shown, each way: all headers, tunnels and quoted packets included.
    pub const SNAP: usize = 256;
    /// Bytes of the ring between program and daemon: some 6,000 packets.
    pub const RING_BYTES: usize = 1 << 22;
    /// Conditions on addresses and ports that a filter has at most.
    pub const MAX_ENDS: usize = 4;

    /// Which packets are wanted: [`Filter`](crate::trace::Filter).
    pub const FILTER: &str = "TRACE_FILTER";
    /// The packet at hand of each CPU: [`Capture`](crate::trace::Capture).
    pub const CAPTURE: &str = "TRACE_CAPTURE";
    /// Packets on their way to the daemon: [`Record`](crate::trace::Record).
    pub const RING: &str = "TRACE_RING";
    /// How many found no room there, of each CPU.
    pub const LOST: &str = "TRACE_LOST";
    /// The programs of the stages, and the one that reports.
    pub const PROGRAMS: &str = "TRACE_PROGRAMS";
    /// All maps.
    pub const MAPS: [&str; 5] = [FILTER, CAPTURE, RING, LOST, PROGRAMS];

    /// Name of the program of a stage in the object.
    pub const fn stage_program(stage: Stage) -> &'static str {
        match stage {
            Stage::Read => "shunt_trace_read",
            Stage::Balance => "shunt_trace_balance",
            Stage::Icmp => "shunt_trace_icmp",
            Stage::Refuse => "shunt_trace_refuse",
        }
    }
}

/// Names of the maps in the object, which are also the names of their pins.
pub mod maps {
    /// Facts about the pinned set as a whole: [`Meta`](crate::abi::Meta).
    pub const META: &str = "META";
    /// [`Endpoint`](crate::abi::Endpoint) of a VIP to [`Service`](crate::abi::Service).
    pub const SERVICES: &str = "SERVICES";
    /// Hash of a VIP, or id of a service, to a row of `SERVICE_ROWS`; 0 where there is none.
    pub const SERVICE_INDEX: &str = "SERVICE_INDEX";
    /// [`ServiceRow`](crate::abi::ServiceRow)s that the index refers to.
    pub const SERVICE_ROWS: &str = "SERVICE_ROWS";
    /// All rings, flat, in chunks: [`Slot`](crate::slot::Slot) words.
    pub const RINGS: &str = "RINGS";
    /// Backend id to [`Backend`](crate::abi::Backend).
    pub const BACKENDS: &str = "BACKENDS";
    /// [`Endpoint`](crate::abi::Endpoint) of a backend to [`Origin`](crate::abi::Origin).
    pub const ORIGINS: &str = "ORIGINS";
    /// [`FlowKey`](crate::abi::FlowKey) from client to VIP to [`Flow`](crate::abi::Flow).
    pub const FLOWS: &str = "FLOWS";
    /// [`FlowKey`](crate::abi::FlowKey) from backend to client to [`Return`](crate::abi::Return).
    pub const RETURNS: &str = "RETURNS";
    /// [`ServerId`](crate::abi::ServerId) to backend id.
    pub const SERVER_IDS: &str = "SERVER_IDS";
    /// [`Scratch`](crate::abi::Scratch) memory of each CPU.
    pub const SCRATCH: &str = "SCRATCH";
    /// [`Work`](crate::parse::rare::Work) memory of each CPU.
    pub const WORK: &str = "WORK";
    /// [`FlowKey`](crate::abi::FlowKey) of clients that talk to a backend directly.
    pub const DIRECT_FLOWS: &str = "DIRECT_FLOWS";
    /// Backend id to whether any direct flow was ever seen.
    pub const DIRECT_SEEN: &str = "DIRECT_SEEN";
    /// Programs that rare packets are handed to.
    pub const PROGRAMS: &str = "PROGRAMS";
    /// Address of a VIP to the id of a service there.
    pub const VIPS: &str = "VIPS";
    /// [`FragmentKey`](crate::abi::FragmentKey) to [`Ports`](crate::abi::Ports).
    pub const FRAGMENTS: &str = "FRAGMENTS";
    /// Backend id to the VLAN tags of frames to it.
    pub const TAGS: &str = "TAGS";
    /// Number of a VLAN interface to [`Vlan`](crate::abi::Vlan).
    pub const VLANS: &str = "VLANS";
    /// When each CPU may send the next ICMP message of its own.
    pub const ICMP_LIMIT: &str = "ICMP_LIMIT";
    /// The last [`Explanation`](crate::abi::Explanation).
    pub const EXPLANATION: &str = "EXPLANATION";
    /// Interfaces packets may be redirected to.
    pub const INTERFACES: &str = "INTERFACES";
    /// Id of an entry that stands for [`Ranges`](crate::abi::Ranges) to those.
    pub const RANGES: &str = "RANGES";
    /// Id of a service to its [`Limits`](crate::abi::Limits).
    pub const LIMITS: &str = "LIMITS";
    /// Id of a service to when it may open the next flow.
    pub const SERVICE_BUCKETS: &str = "SERVICE_BUCKETS";
    /// [`SourceBucket`](crate::abi::SourceBucket) to when it may open the next flow.
    pub const SOURCE_BUCKETS: &str = "SOURCE_BUCKETS";
    /// Prefixes of [`SourceKey`](crate::abi::SourceKey) to [`SourceRule`](crate::abi::SourceRule).
    pub const SOURCES: &str = "SOURCES";
    /// Which sources there may be something of in a list.
    pub const SOURCE_FILTER: &str = "SOURCE_FILTER";
    /// Backends in the order in which they get new flows.
    pub const TURNS: &str = "TURNS";
    /// Id of a service to how many turns were taken.
    pub const TURNS_TAKEN: &str = "TURNS_TAKEN";
    /// Backend id to its weight.
    pub const WEIGHTS: &str = "WEIGHTS";
    /// Backend id to the flows that the program has opened, less those that it has seen end.
    pub const FLOWS_OPENED: &str = "FLOWS_OPENED";
    /// Backend id to what makes the number of its flows of that, by the last count.
    pub const FLOWS_COUNTED: &str = "FLOWS_COUNTED";
    /// Packets by service and reason.
    pub const PACKET_COUNTERS: &str = "PACKET_COUNTERS";
    /// Packets by backend id.
    pub const BACKEND_COUNTERS: &str = "BACKEND_COUNTERS";

    /// All of them.
    pub const ALL: [&str; 35] = [
        META,
        SERVICES,
        SERVICE_INDEX,
        SERVICE_ROWS,
        RINGS,
        BACKENDS,
        ORIGINS,
        FLOWS,
        RETURNS,
        SERVER_IDS,
        SCRATCH,
        WORK,
        DIRECT_FLOWS,
        DIRECT_SEEN,
        PROGRAMS,
        VIPS,
        FRAGMENTS,
        TAGS,
        VLANS,
        ICMP_LIMIT,
        EXPLANATION,
        INTERFACES,
        PACKET_COUNTERS,
        BACKEND_COUNTERS,
        RANGES,
        LIMITS,
        SERVICE_BUCKETS,
        SOURCE_BUCKETS,
        SOURCES,
        SOURCE_FILTER,
        TURNS,
        TURNS_TAKEN,
        WEIGHTS,
        FLOWS_OPENED,
        FLOWS_COUNTED,
    ];
}
