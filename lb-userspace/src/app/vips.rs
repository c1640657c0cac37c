//! VIP addresses that the daemon itself keeps on interfaces.
//!
//! What is ours is recorded before it is added, so that it can be removed by whoever comes later;
//! an address that was there before us is the operator's and is left alone.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    path::{Path, PathBuf},
};

use anyhow::Result;
use tracing::{info, warn};

use super::state::{self, StateError};
use crate::{
    dataplane::netlink::{Links, Netlink, NetlinkError},
    model::Desired,
};

/// An address and the interface it is on.
type Holding = (String, IpAddr);

/// The addresses that are ours.
#[derive(Debug)]
pub(super) struct Vips {
    path: PathBuf,
    ours: BTreeSet<Holding>,
}

impl Vips {
    /// Reads which addresses are ours.
    pub(super) fn load(state_dir: &Path) -> Result<Self, StateError> {
        let path = state_dir.join("vips.json");
        let ours = state::read(&path)?;
        Ok(Self { path, ours })
    }

    /// Adds what is wanted and removes what is not.
    pub(super) async fn follow(
        &mut self,
        desired: &Desired,
        netlink: &Netlink,
        links: &Links,
    ) -> Result<()> {
        let wanted: BTreeSet<Holding> = desired
            .services
            .values()
            .filter_map(|service| {
                Some((service.vip_interface.clone()?, service.listen.address.ip()))
            })
            .collect();
        if wanted.is_empty() && self.ours.is_empty() {
            return Ok(());
        }
        let present = netlink.addresses().await?;
        for holding in &wanted {
            self.add(holding, &present, netlink, links).await?;
        }
        let unwanted: Vec<Holding> = self.ours.difference(&wanted).cloned().collect();
        for holding in unwanted {
            self.remove(&holding, netlink, links).await?;
        }
        Ok(())
    }

    async fn add(
        &mut self,
        holding: &Holding,
        present: &[(u32, IpAddr)],
        netlink: &Netlink,
        links: &Links,
    ) -> Result<()> {
        let (interface, address) = holding;
        let Some(link) = links.get(interface) else {
            // Reported as a problem for as long as it lasts.
            return Ok(());
        };
        if present.contains(&(link.index, *address)) {
            return Ok(());
        }
        if self.ours.insert(holding.clone()) {
            self.save()?;
        }
        netlink.add_address(link.index, *address).await?;
        info!("{address} added to {interface}");
        Ok(())
    }

    async fn remove(
        &mut self,
        holding: &Holding,
        netlink: &Netlink,
        links: &Links,
    ) -> Result<Option<String>> {
        let (interface, address) = holding;
        let mut removed = None;
        if let Some(link) = links.get(interface) {
            match netlink.remove_address(link.index, *address).await {
                Ok(()) => removed = Some(format!("{address} removed from {interface}")),
                // Somebody else removed it before us.
                Err(NetlinkError::Request { source, .. }) => warn!("{address}: {source}"),
                Err(error) => return Err(error.into()),
            }
        }
        self.ours.remove(holding);
        self.save()?;
        Ok(removed)
    }

    /// Removes all that is ours. Says what went.
    pub(super) async fn remove_all(&mut self, netlink: &Netlink) -> Result<Vec<String>> {
        let links = netlink.links().await?;
        let mut removed = Vec::new();
        for holding in self.ours.clone() {
            removed.extend(self.remove(&holding, netlink, &links).await?);
        }
        Ok(removed)
    }

    fn save(&self) -> Result<(), StateError> {
        state::write(&self.path, &self.ours)
    }
}
