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

/// Flows remembered at a time, and ways back of flows.
pub const MAX_FLOWS: u32 = 1 << 20;

/// QUIC servers: backends of all services whose connection ids are read.
pub const MAX_SERVER_IDS: u32 = 1 << 14;

/// Clients remembered as talking to a backend directly, past the service (least recently used go
/// first).
pub const MAX_DIRECT_FLOWS: u32 = 1 << 14;

/// Interfaces that packets can be redirected to.
pub const MAX_INTERFACES: u32 = 256;

/// Counters kept for each service: one for each [`Reason`](crate::abi::Reason), with room to grow.
pub const REASONS_PER_SERVICE: u32 = 64;

/// Entries of the packet counter table. Row 0 counts packets that belong to no service.
pub const MAX_COUNTERS: u32 = (MAX_SERVICES + 1) * REASONS_PER_SERVICE;

/// Name of the XDP program in the object.
pub const PROGRAM: &str = "shunt";

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
    /// [`FlowKey`](crate::abi::FlowKey) of clients that talk to a backend directly.
    pub const DIRECT_FLOWS: &str = "DIRECT_FLOWS";
    /// Backend id to whether any direct flow was ever seen.
    pub const DIRECT_SEEN: &str = "DIRECT_SEEN";
    /// Interfaces packets may be redirected to.
    pub const INTERFACES: &str = "INTERFACES";
    /// Packets by service and reason.
    pub const PACKET_COUNTERS: &str = "PACKET_COUNTERS";
    /// Packets by backend id.
    pub const BACKEND_COUNTERS: &str = "BACKEND_COUNTERS";

    /// All of them.
    pub const ALL: [&str; 16] = [
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
        DIRECT_FLOWS,
        DIRECT_SEEN,
        INTERFACES,
        PACKET_COUNTERS,
        BACKEND_COUNTERS,
    ];
}
