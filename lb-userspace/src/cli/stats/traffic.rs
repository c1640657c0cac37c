//! Packets of services and backends: totals of one reading, and rates between two.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use lb_common::abi::Reason;
use serde::Serialize;

use crate::{
    admin::types::{BackendView, CounterView, PoolView, ServiceView, Status},
    cli::service,
    model::{Name, Vip},
};

/// Traffic in numbers of one kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(in crate::cli) struct Traffic<C> {
    pub(in crate::cli) services: Vec<ServiceTraffic<C>>,
    pub(in crate::cli) backends: Vec<BackendTraffic<C>>,
}

/// What passed through a service.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(in crate::cli) struct ServiceTraffic<C> {
    pub(in crate::cli) name: Name,
    pub(in crate::cli) listen: Vip,
    /// To backends.
    pub(in crate::cli) forwarded: C,
    /// Back to clients.
    pub(in crate::cli) returned: C,
    /// Neither of them.
    pub(in crate::cli) other: C,
}

/// What was sent to a backend, by all services of its pool together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(in crate::cli) struct BackendTraffic<C> {
    pub(in crate::cli) pool: Name,
    pub(in crate::cli) services: Vec<Name>,
    pub(in crate::cli) address: SocketAddr,
    pub(in crate::cli) sent: C,
}

/// How much passes in a second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(in crate::cli) struct Rate {
    pub(in crate::cli) packets_per_second: f64,
    pub(in crate::cli) bits_per_second: f64,
}

impl Traffic<CounterView> {
    /// What a status says of one service and the backends of its pool, or of all.
    pub(in crate::cli) fn of(status: &Status, only: Option<&Name>) -> anyhow::Result<Self> {
        let Some(name) = only else {
            return Ok(Self::new(&status.services, status.pools.iter()));
        };
        let service = service::named(&status.services, name)?;
        let pools = status.pools.iter().filter(|pool| pool.name == service.pool);
        Ok(Self::new([service], pools))
    }

    fn new<'a>(
        services: impl IntoIterator<Item = &'a ServiceView>,
        pools: impl IntoIterator<Item = &'a PoolView>,
    ) -> Self {
        let of_pool = |pool: &'a PoolView| pool.backends.iter().map(move |it| backend(pool, it));
        Self {
            services: services.into_iter().map(service).collect(),
            backends: pools.into_iter().flat_map(of_pool).collect(),
        }
    }

    /// Rates from an earlier reading to this one. What the earlier does not have is left out,
    /// because nobody knows how long it has been counting.
    pub(in crate::cli) fn since(&self, before: &Self, elapsed: Duration) -> Traffic<Rate> {
        let rate = |before, after| Rate::between(before, after, elapsed);
        let known: BTreeMap<_, _> = before.services.iter().map(|it| (it.key(), it)).collect();
        let services = self.services.iter().filter_map(|service| {
            let before = known.get(&service.key())?;
            Some(ServiceTraffic {
                name: service.name.clone(),
                listen: service.listen,
                forwarded: rate(before.forwarded, service.forwarded),
                returned: rate(before.returned, service.returned),
                other: rate(before.other, service.other),
            })
        });
        let known: BTreeMap<_, _> = before.backends.iter().map(|it| (it.key(), it)).collect();
        let backends = self.backends.iter().filter_map(|backend| {
            let before = known.get(&backend.key())?;
            Some(BackendTraffic {
                pool: backend.pool.clone(),
                services: backend.services.clone(),
                address: backend.address,
                sent: rate(before.sent, backend.sent),
            })
        });
        Traffic { services: services.collect(), backends: backends.collect() }
    }
}

impl<C> ServiceTraffic<C> {
    /// What its counters belong to: a service that gets another address counts anew.
    fn key(&self) -> (&Name, Vip) {
        (&self.name, self.listen)
    }
}

impl<C> BackendTraffic<C> {
    fn key(&self) -> (&Name, SocketAddr) {
        (&self.pool, self.address)
    }
}

fn service(view: &ServiceView) -> ServiceTraffic<CounterView> {
    let of = |reason: Reason| view.packets.get(reason.name()).copied().unwrap_or_default();
    ServiceTraffic {
        name: view.name.clone(),
        listen: view.listen,
        forwarded: of(Reason::Forwarded),
        returned: of(Reason::Returned),
        other: service::other(&view.packets),
    }
}

fn backend(pool: &PoolView, view: &BackendView) -> BackendTraffic<CounterView> {
    BackendTraffic {
        pool: pool.name.clone(),
        services: pool.services.clone(),
        address: view.address,
        sent: view.sent,
    }
}

impl Rate {
    /// The rate at which a counter grew. One that got smaller has begun at zero in between, and
    /// what it had counted before that is lost.
    #[expect(clippy::cast_precision_loss, reason = "a rate has no 53 significant bits")]
    pub(in crate::cli) fn between(
        before: CounterView,
        after: CounterView,
        elapsed: Duration,
    ) -> Self {
        let anew = after.packets < before.packets || after.bytes < before.bytes;
        let before = if anew { CounterView::default() } else { before };
        // Two readings at the same moment would divide by zero.
        let seconds = elapsed.max(Duration::from_millis(1)).as_secs_f64();
        Self {
            packets_per_second: (after.packets - before.packets) as f64 / seconds,
            bits_per_second: (after.bytes - before.bytes) as f64 * 8.0 / seconds,
        }
    }
}
