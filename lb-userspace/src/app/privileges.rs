//! Gives up what the daemon needs no longer once it has started.

use caps::{CapSet, Capability, CapsHashSet, errors::CapsError};
use tracing::debug;

/// What maps, links, netlink, and listeners on ports below 1024 need.
const KEPT: [Capability; 4] = [
    Capability::CAP_BPF,
    Capability::CAP_NET_ADMIN,
    Capability::CAP_NET_BIND_SERVICE,
    Capability::CAP_PERFMON,
];

/// Drops every other capability, for good. Before Linux 5.8 there is no `CAP_BPF`, and
/// `CAP_SYS_ADMIN` stands for it.
pub(super) fn drop_most() -> Result<(), CapsError> {
    let held = caps::read(None, CapSet::Permitted)?;
    let mut kept: CapsHashSet = KEPT.into_iter().filter(|cap| held.contains(cap)).collect();
    if !held.contains(&Capability::CAP_BPF) && held.contains(&Capability::CAP_SYS_ADMIN) {
        kept.insert(Capability::CAP_SYS_ADMIN);
    }
    caps::clear(None, CapSet::Ambient)?;
    caps::clear(None, CapSet::Inheritable)?;
    caps::set(None, CapSet::Effective, &kept)?;
    caps::set(None, CapSet::Permitted, &kept)?;
    debug!("capabilities kept: {kept:?}");
    Ok(())
}
