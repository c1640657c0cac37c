//! To which interfaces the program is attached, as they come and go.

use anyhow::Result;
use tracing::info;

use super::Controller;
use crate::{
    dataplane::attach::Place,
    model::{AttachMode, Desired},
};

impl Controller {
    /// Attaches where the program is not attached yet, or where an interface has come back.
    pub(super) fn attach(&mut self, desired: &Desired) -> Result<()> {
        for interface in &desired.interfaces {
            let found = self.links.get(&interface.name);
            let (Some(link), Some(place)) = (found, Place::of(&interface.name, &self.links)) else {
                self.attached.remove(&interface.name);
                continue;
            };
            if self.attached.get(&interface.name) == Some(&link.index) {
                continue;
            }
            let mode = self.dataplane.attach(&place, interface.mode)?;
            self.attached.insert(interface.name.clone(), link.index);
            let mode = mode.or(link.attached).map_or("an unknown", AttachMode::name);
            info!("attached to {} in {mode} mode", interface.name);
        }
        Ok(())
    }

    pub(super) fn detach_others(&mut self, desired: &Desired) -> Result<()> {
        for name in self.dataplane.attached()? {
            if !desired.interfaces.iter().any(|interface| interface.name == name) {
                self.dataplane.detach(&name)?;
                self.attached.remove(&name);
                info!("detached from {name}");
            }
        }
        Ok(())
    }

    /// How the program is attached to an interface.
    pub(in crate::app) fn attached_mode(&self, interface: &str) -> Option<AttachMode> {
        self.links.get(interface).and_then(|link| link.attached)
    }
}
