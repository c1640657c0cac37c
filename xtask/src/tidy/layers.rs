//! Who may import whom: the tables of the architecture, and nothing else.
//!
//! A crate or module may import what stands in its row. A new one gets a row here first, which is
//! the moment to think about where it belongs.

/// Name, and what it may import.
pub(super) type Layer = (&'static str, &'static [&'static str]);

/// Crates: what each may depend on, build dependencies included.
pub(super) const CRATES: &[Layer] = &[
    ("lb-common", &[]),
    ("lb-ebpf", &["lb-common"]),
    ("lb-userspace", &["lb-common"]),
    // The harness must not need the BPF object, so that xtask can use it.
    ("tests", &["lb-common"]),
    ("xtask", &["tests"]),
    ("bench", &["lb-common", "lb-userspace", "tests"]),
    ("bench-ebpf", &[]),
];

/// Crates: what each may depend on in its tests, besides the above.
pub(super) const CRATES_IN_TESTS: &[Layer] = &[("tests", &["lb-userspace"])];

/// Modules, by the directory of their crate.
pub(super) const MODULES: [(&str, &[Layer]); 2] =
    [("lb-common", LB_COMMON), ("lb-userspace", LB_USERSPACE)];

const LB_COMMON: &[Layer] = &[
    ("limits", &[]),
    ("abi", &["limits", "limit"]),
    ("wire", &[]),
    ("csum", &["abi"]),
    ("vlan", &["wire"]),
    ("parse", &["wire", "abi", "csum", "vlan"]),
    ("limit", &[]),
    ("rewrite", &["wire", "csum", "abi", "parse"]),
    ("hash", &["limits", "abi"]),
    ("time", &[]),
    ("flow", &["abi", "time"]),
    ("quic", &["wire"]),
    ("slot", &["limits", "abi", "time"]),
    ("maglev", &["limits", "abi", "hash", "slot"]),
    (
        "decide",
        &[
            "limits", "abi", "wire", "parse", "csum", "rewrite", "hash", "slot", "maglev", "flow",
            "quic", "time", "vlan", "limit",
        ],
    ),
    // What `shunt trace` is told of a packet that was decided on.
    ("trace", &["limits", "abi", "wire"]),
    // The backend's end of `ipip` and `gue`, which shares nothing with the balancer's decisions.
    ("decap", &["limits", "abi", "wire", "parse", "csum", "rewrite", "host"]),
    // Frames and tables in ordinary memory, for the host.
    ("host", &["limits", "limit", "abi", "wire", "parse", "slot", "decide"]),
];

const LB_USERSPACE: &[Layer] = &[
    ("model", &[]),
    ("tls", &[]),
    ("page", &[]),
    ("access_log", &["model"]),
    ("config", &["model", "tls", "page", "access_log"]),
    ("proxy_protocol", &["model"]),
    ("health", &["model", "tls", "proxy_protocol"]),
    ("reconcile", &["model"]),
    ("dataplane", &["reconcile", "model"]),
    ("proxy", &["model", "tls", "page", "access_log", "proxy_protocol"]),
    ("admin", &["model"]),
    ("app", &["model", "config", "health", "reconcile", "dataplane", "proxy", "admin"]),
    // Of `admin` the types only, of `model` the words they are made of.
    ("cli", &["config", "admin", "model"]),
    ("main", &["app", "cli"]),
];

/// The module of lb-userspace that alone may use aya.
pub(super) const AYA_USER: &str = "lb-userspace/src/dataplane";
