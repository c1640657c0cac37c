//! How the backends of a pool are checked: by its own settings, and by how they are spoken to otherwise.

use crate::model::{Health, Pool, upstream::ProxyProtocol};

/// See the module.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Check {
    pub(super) health: Health,
    /// In which version of the PROXY protocol a probe begins.
    pub(super) proxy_protocol: Option<ProxyProtocol>,
}

impl Check {
    /// The check of a pool, if it has one.
    pub(super) fn of(pool: &Pool) -> Option<Self> {
        let health = pool.health.clone()?;
        // What listens on a port of its own for checks is not what serves, and need not know of proxies.
        let serves = health.port.is_none();
        Some(Self { health, proxy_protocol: pool.http.proxy_protocol.filter(|_| serves) })
    }
}
