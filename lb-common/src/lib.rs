//! Everything that both sides of the BPF boundary must agree on, and every per-packet decision.
//!
//! The same code runs in the kernel (through `lb-ebpf`) and on the host (tests, simulation). It
//! therefore allocates nothing, formats nothing, and has no panic path: no slice indexing and no
//! division by a variable, whose checks would leave panic code in the BPF object.
#![no_std]
#![deny(unsafe_code)]

#[cfg(any(feature = "std", test))]
extern crate std;

pub mod abi;
pub mod csum;
pub mod decap;
pub mod decide;
pub mod flow;
pub mod hash;
#[cfg(any(feature = "std", test))]
pub mod host;
pub mod limit;
pub mod limits;
pub mod maglev;
pub mod parse;
pub mod quic;
pub mod rewrite;
pub mod slot;
pub mod time;
pub mod trace;
pub mod vlan;
pub mod wire;
