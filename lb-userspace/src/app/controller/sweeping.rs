//! What the controller does about a sweep: slots settle, and backends that nobody needs go.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::Controller;
use crate::{app::sweep, reconcile};

impl Controller {
    /// What a sweep of the tables as they are now must look at, and which ones they are.
    pub(in crate::app) fn sweep_work(&self) -> Result<sweep::Work> {
        let plan = sweep::Plan::new(&self.image, sweep::tick());
        Ok(sweep::Work { plan, slots: self.dataplane.slots()?, changes: self.changes })
    }

    /// Settles slots and lets backends go, as a sweep has found.
    pub(in crate::app) async fn swept(&mut self, found: sweep::Found, changes: u64) -> Result<()> {
        for op in reconcile::sweep::settle(&self.image, &found.settled) {
            self.dataplane.apply(&op)?;
            self.image.apply(&op);
        }
        self.remembered = found.remembered;
        // A backend may have come back, got a flow, and left again since the sweep began.
        if changes != self.changes {
            self.silent.clear();
            return Ok(());
        }
        let silent = self.without_talking(found.unreferenced)?;
        // Not at the first sight: answers to what was sent last, without any state, may be under way.
        self.unreferenced = &silent & &self.silent;
        self.silent = silent;
        if !self.unreferenced.is_empty() {
            let desired = self.desired.clone();
            self.fill_tables(&desired).await?;
        }
        Ok(())
    }

    /// Leaves out backends that still got packets in the idle time of their service: flows that
    /// connection ids bring to a backend are remembered nowhere.
    fn without_talking(&mut self, mut ids: BTreeSet<u32>) -> Result<BTreeSet<u32>> {
        let tick = sweep::tick();
        let idle: BTreeMap<u32, u16> =
            self.image.services.values().map(|service| (service.id, service.idle_ticks)).collect();
        self.quiet.retain(|id, _| ids.contains(id));
        for (key, id) in &self.image.servers {
            if !ids.contains(id) {
                continue;
            }
            let packets = self.dataplane.packets_to(*id)?.packets;
            let since = self.quiet.entry(*id).or_insert((packets, tick));
            if since.0 != packets {
                *since = (packets, tick);
            }
            let idle = idle.get(&key.service).copied().unwrap_or_default();
            if tick.wrapping_sub(since.1) < u32::from(idle) {
                ids.remove(id);
            }
        }
        Ok(ids)
    }
}
