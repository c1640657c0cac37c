//! What the controller does about a sweep: slots settle, and backends that nobody needs go.

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
            self.leaving.missed();
            return Ok(());
        }
        let packets = |id| self.dataplane.packets_to(id).map(|counter| counter.packets);
        let tick = sweep::tick();
        self.unreferenced = self.leaving.may_go(found.unreferenced, &self.image, tick, packets)?;
        if !self.unreferenced.is_empty() {
            let desired = self.desired.clone();
            self.fill_tables(&desired).await?;
        }
        Ok(())
    }
}
