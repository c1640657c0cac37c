//! The harness of the end-to-end tests and of `cargo xtask demo`.
//!
//! It builds networks out of namespaces, runs the daemon in one of them, and makes real
//! connections through it. Most servers and clients are threads of this process whose sockets were made
//! inside a namespace, so that nothing has to be installed, started or killed; [`nginx`] and [`haproxy`] are there for what
//! should be answered by somebody else's code. The harness knows the product only by its command line: it
//! must compile where the XDP program cannot be built.
//!
//! Everything made here has a unique name and is removed on drop, also after Ctrl-C, which every
//! wait notices ([`interrupt`]). What a killed process left behind is removed by [`sweep`].
#![forbid(unsafe_code)]

pub mod accepting;
pub mod blob;
pub mod client;
pub mod daemon;
pub mod fleet;
pub mod flood;
pub mod haproxy;
pub mod held;
pub mod http;
pub mod icmp;
pub mod interrupt;
pub mod link;
pub mod load;
pub mod netns;
pub mod nginx;
pub mod ping;
pub mod random;
pub mod require;
pub mod run;
pub mod servers;
pub mod stream;
pub mod sweep;
pub mod topology;
pub mod turn;
pub mod udp;
pub mod wait;
