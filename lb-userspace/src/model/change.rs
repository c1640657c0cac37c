//! A change made while the daemon runs, by CLI or API.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    Access, Backend, BackendState, Desired, Name, Pool, Prefix, Rule, Weight, access::AccessError,
    rules,
};

/// One change. It is applied whole or refused.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "change")]
pub enum Change {
    /// Puts a new backend into a pool.
    AddBackend {
        /// The pool.
        pool: Name,
        /// The new backend.
        address: SocketAddr,
        /// Its weight.
        weight: Weight,
    },
    /// Takes a backend out of its pool.
    RemoveBackend {
        /// The pool.
        pool: Name,
        /// The backend.
        address: SocketAddr,
    },
    /// Changes the weight of a backend.
    SetWeight {
        /// The pool.
        pool: Name,
        /// The backend.
        address: SocketAddr,
        /// The new weight.
        weight: Weight,
    },
    /// Drains or enables a backend.
    SetState {
        /// The pool.
        pool: Name,
        /// The backend.
        address: SocketAddr,
        /// The new state.
        state: BackendState,
    },
    /// Puts a prefix into a list of a service.
    AddSource {
        /// The service.
        service: Name,
        /// Which of its lists.
        list: Rule,
        /// The prefix.
        prefix: Prefix,
    },
    /// Takes a prefix out of a list of a service.
    RemoveSource {
        /// The service.
        service: Name,
        /// Which of its lists.
        list: Rule,
        /// The prefix.
        prefix: Prefix,
    },
}

/// Why a change was refused.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
pub enum ChangeError {
    /// There is no such pool.
    #[error("there is no pool `{pool}`; `shunt pool list` shows those there are")]
    UnknownPool {
        /// The name given.
        pool: Name,
    },
    /// There is no such backend.
    #[error(
        "pool `{pool}` has no backend {address}; `shunt backend list {pool}` shows those it has"
    )]
    UnknownBackend {
        /// The pool.
        pool: Name,
        /// The address given.
        address: SocketAddr,
    },
    /// The backend is there already.
    #[error(
        "pool `{pool}` has backend {address} already; `shunt backend weight` changes its weight"
    )]
    DuplicateBackend {
        /// The pool.
        pool: Name,
        /// The address given.
        address: SocketAddr,
    },
    /// There is no such service.
    #[error("there is no service `{service}`; `shunt service list` shows those there are")]
    UnknownService {
        /// The name given.
        service: Name,
    },
    /// A list does not take the change.
    #[error("service `{service}`: {source}")]
    Access {
        /// The service.
        service: Name,
        /// What is wrong with it.
        #[source]
        source: AccessError,
    },
    /// The last prefix that is allowed would go.
    #[error(
        "service `{service}`: without the last prefix of `allow`, everybody would be served; leave one there, or take `allow` out of the file and `shunt apply` it"
    )]
    LastAllowed {
        /// The service.
        service: Name,
    },
    /// The change would break a rule.
    #[error("{message}")]
    Rule {
        /// The rule's own words.
        message: String,
    },
}

impl Desired {
    /// This configuration with a list of changes made, all or none.
    pub fn with(&self, changes: &[Change]) -> Result<Self, ChangeError> {
        let mut desired = self.clone();
        for change in changes {
            desired.make(change)?;
        }
        for (name, service) in &desired.services {
            let allowed = self.services.get(name).is_some_and(|old| old.access.allows());
            if allowed && !service.access.allows() {
                return Err(ChangeError::LastAllowed { service: name.clone() });
            }
        }
        match rules::problems(&desired).into_iter().next() {
            Some(problem) => Err(ChangeError::Rule { message: problem.message }),
            None => Ok(desired),
        }
    }

    fn make(&mut self, change: &Change) -> Result<(), ChangeError> {
        match change {
            Change::AddBackend { pool, address, weight } => {
                let new = Backend { weight: *weight, state: BackendState::Enabled };
                let backends = &mut self.pool_mut(pool)?.backends;
                if backends.contains_key(address) {
                    return Err(ChangeError::DuplicateBackend {
                        pool: pool.clone(),
                        address: *address,
                    });
                }
                backends.insert(*address, new);
            }
            Change::RemoveBackend { pool, address } => {
                self.backend_mut(pool, *address)?;
                self.pool_mut(pool)?.backends.remove(address);
            }
            Change::SetWeight { pool, address, weight } => {
                self.backend_mut(pool, *address)?.weight = *weight;
            }
            Change::SetState { pool, address, state } => {
                self.backend_mut(pool, *address)?.state = *state;
            }
            Change::AddSource { service, list, prefix } => {
                self.list(service, |access| access.add(*list, *prefix))?;
            }
            Change::RemoveSource { service, list, prefix } => {
                self.list(service, |access| access.remove(*list, *prefix))?;
            }
        }
        Ok(())
    }

    /// Changes a list of a service.
    fn list(
        &mut self,
        name: &Name,
        change: impl FnOnce(&mut Access) -> Result<(), AccessError>,
    ) -> Result<(), ChangeError> {
        let service = self.services.get_mut(name);
        let service =
            service.ok_or_else(|| ChangeError::UnknownService { service: name.clone() })?;
        change(&mut service.access)
            .map_err(|source| ChangeError::Access { service: name.clone(), source })
    }

    fn pool_mut(&mut self, name: &Name) -> Result<&mut Pool, ChangeError> {
        self.pools.get_mut(name).ok_or_else(|| ChangeError::UnknownPool { pool: name.clone() })
    }

    fn backend_mut(
        &mut self,
        pool: &Name,
        address: SocketAddr,
    ) -> Result<&mut Backend, ChangeError> {
        let unknown = || ChangeError::UnknownBackend { pool: pool.clone(), address };
        self.pool_mut(pool)?.backends.get_mut(&address).ok_or_else(unknown)
    }
}
