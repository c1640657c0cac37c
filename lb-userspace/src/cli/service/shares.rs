//! How the ring of a service is shared.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use crate::{
    admin::types::{BackendView, PoolView, ServiceView},
    cli::{
        backend, format,
        table::{
            Column::{Number, Text},
            Table,
        },
    },
};

/// The backends of the pool with their part of the ring, then those that have left the pool but not
/// the ring. While slots move, a column tells who keeps the older flows of how many of them.
pub(super) fn table(service: &ServiceView, pool: &PoolView) -> String {
    let moving = service.moving > 0;
    let mut columns =
        vec![Text("BACKEND"), Number("WEIGHT"), Text("STATE"), Number("SLOTS"), Number("SHARE")];
    columns.extend(moving.then_some(Number("PREVIOUS")));
    columns.push(Text("NEXT HOP"));
    let mut table = Table::new(&columns);
    for Row { who, backend, slots, previous } in rows(service, pool) {
        let of = |cell: fn(&BackendView) -> String| backend.map_or_else(|| "-".to_owned(), cell);
        let mut cells = vec![
            who,
            of(|backend| backend.weight.to_string()),
            of(|backend| backend::state(backend.state).to_owned()),
            format::thousands(slots.into()),
            format::share(slots, service.slots),
        ];
        cells.extend(moving.then(|| format::thousands(previous.into())));
        cells.push(of(|backend| backend::next_hop(&backend.next_hop)));
        table.row(cells);
    }
    table.to_string()
}

struct Row<'a> {
    who: String,
    /// Nothing if it is no member of the pool.
    backend: Option<&'a BackendView>,
    slots: u32,
    previous: u32,
}

fn rows<'a>(service: &ServiceView, pool: &'a PoolView) -> Vec<Row<'a>> {
    let row = |address: SocketAddr, backend| Row {
        who: address.to_string(),
        backend,
        slots: count(&service.owners, address),
        previous: count(&service.previous, address),
    };
    let members: BTreeMap<SocketAddr, &BackendView> =
        pool.backends.iter().map(|backend| (backend.address, backend)).collect();
    let mut rows: Vec<_> =
        members.iter().map(|(address, backend)| row(*address, Some(*backend))).collect();
    let others: BTreeSet<SocketAddr> =
        service.owners.keys().chain(service.previous.keys()).copied().collect();
    let others = others.into_iter().filter(|address| !members.contains_key(address));
    rows.extend(others.map(|address| row(address, None)));
    let unowned = service.slots.saturating_sub(service.owners.values().sum());
    if unowned > 0 {
        let who = "(nobody)".to_owned();
        rows.push(Row { who, backend: None, slots: unowned, previous: 0 });
    }
    rows
}

fn count(slots: &BTreeMap<SocketAddr, u32>, address: SocketAddr) -> u32 {
    slots.get(&address).copied().unwrap_or(0)
}
