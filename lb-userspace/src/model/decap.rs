//! What `shunt decap` is asked for.

use std::{collections::BTreeSet, net::IpAddr, path::PathBuf};

use super::{AttachMode, Prefix, names::pin_name};

/// Which decapsulator is meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DecapTarget {
    /// The interface that tunnelled packets arrive on.
    pub interface: String,
    /// Directory in a BPF file system, in which each interface has a directory of its own.
    pub pin_dir: PathBuf,
}

/// How it shall be set up.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DecapSettings {
    /// How the program is attached.
    pub mode: AttachMode,
    /// Addresses that tunnels end at; all addresses of the interface if there are none.
    pub addresses: BTreeSet<IpAddr>,
    /// Where tunnelled packets may come from; anywhere if there are none.
    pub from: BTreeSet<Prefix>,
}

impl DecapTarget {
    /// Directory of its pins. The BPF file system takes no names with dots, which those of VLAN
    /// interfaces often have; they are written as in a URL.
    pub fn directory(&self) -> PathBuf {
        self.pin_dir.join(pin_name(&self.interface))
    }
}
