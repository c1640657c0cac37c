//! The neighbour tables: ARP for IPv4, neighbour discovery for IPv6.

use std::{collections::BTreeMap, net::IpAddr, pin::pin};

use futures_util::TryStreamExt;
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};

use super::{Netlink, NetlinkError, request};

/// Neighbours by interface and address.
pub(super) type Neighbours = BTreeMap<(u32, IpAddr), Neighbour>;

/// What the kernel knows of a neighbour.
#[derive(Clone, Copy, Debug)]
pub(super) struct Neighbour {
    /// Its MAC address, if it can be used.
    pub(super) mac: Option<[u8; 6]>,
    /// Whether the kernel should find out (again).
    pub(super) wants_probe: bool,
}

impl Netlink {
    pub(super) async fn neighbours(&self) -> Result<Neighbours, NetlinkError> {
        let mut table = Neighbours::new();
        let mut dump = pin!(self.handle.neighbours().get().execute());
        while let Some(message) = dump.try_next().await.map_err(request("list the neighbours"))? {
            if let Some(address) = address(&message) {
                table.insert((message.header.ifindex, address), neighbour(&message));
            }
        }
        Ok(table)
    }

    /// Asks the kernel to find out about a neighbour, as if there were a packet for it.
    pub(super) async fn probe(&self, ifindex: u32, address: IpAddr) -> Result<(), NetlinkError> {
        let asked = self
            .handle
            .neighbours()
            .add(ifindex, address)
            .state(NeighbourState::None)
            .flags(NeighbourFlags::Use)
            .replace()
            .execute()
            .await;
        match asked {
            // The interface is down: its neighbours cannot be asked for, which is no error of ours.
            Err(rtnetlink::Error::NetlinkError(_)) | Ok(()) => Ok(()),
            Err(error) => Err(request(format!("look for {address}"))(error)),
        }
    }
}

fn address(message: &NeighbourMessage) -> Option<IpAddr> {
    message.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(v4)) => Some((*v4).into()),
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(v6)) => Some((*v6).into()),
        _ => None,
    })
}

fn neighbour(message: &NeighbourMessage) -> Neighbour {
    let usable = matches!(
        message.header.state,
        NeighbourState::Reachable
            | NeighbourState::Stale
            | NeighbourState::Delay
            | NeighbourState::Probe
            | NeighbourState::Permanent
            | NeighbourState::Noarp
    );
    let mac = message.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::LinkLayerAddress(mac) => mac.as_slice().try_into().ok(),
        _ => None,
    });
    // A packet that the program forwards is invisible to the kernel, which would let the entry go
    // stale and in the end forget it. A probe must not touch an entry that an operator made
    // permanent: the kernel would make it an ordinary one.
    let wants_probe = matches!(
        message.header.state,
        NeighbourState::None | NeighbourState::Stale | NeighbourState::Failed
    );
    Neighbour { mac: mac.filter(|_| usable), wants_probe }
}
