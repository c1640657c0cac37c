//! The addresses of VIPs that the daemon itself puts on an interface.

use std::{net::IpAddr, pin::pin};

use futures_util::TryStreamExt;
use rtnetlink::{
    AddressMessageBuilder,
    packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage},
};

use super::{Netlink, NetlinkError, host_prefix, request};

impl Netlink {
    /// Every address of this host, with the index of its interface.
    pub async fn addresses(&self) -> Result<Vec<(u32, IpAddr)>, NetlinkError> {
        let mut found = Vec::new();
        let mut dump = pin!(self.handle.address().get().execute());
        while let Some(message) = dump.try_next().await.map_err(request("list the addresses"))? {
            let address = message.attributes.iter().find_map(|attribute| match attribute {
                AddressAttribute::Local(address) => Some(*address),
                _ => None,
            });
            let address = address.or_else(|| {
                message.attributes.iter().find_map(|attribute| match attribute {
                    AddressAttribute::Address(address) => Some(*address),
                    _ => None,
                })
            });
            if let Some(address) = address {
                found.push((message.header.index, address));
            }
        }
        Ok(found)
    }

    /// Puts the address of a VIP on an interface, so that the kernel answers ARP and neighbour
    /// solicitations for it.
    pub async fn add_address(&self, ifindex: u32, address: IpAddr) -> Result<(), NetlinkError> {
        let mut add = self.handle.address().add(ifindex, address, host_prefix(address));
        if address.is_ipv6() {
            // Several balancers may hold the VIP; duplicate address detection would take it away.
            add.message_mut().header.flags |= AddressHeaderFlags::Nodad;
        }
        add.execute().await.map_err(request(format!("add the address {address}")))
    }

    /// Takes the address of a VIP off an interface.
    pub async fn remove_address(&self, ifindex: u32, address: IpAddr) -> Result<(), NetlinkError> {
        let message: AddressMessage = match address {
            IpAddr::V4(v4) => AddressMessageBuilder::<std::net::Ipv4Addr>::new()
                .index(ifindex)
                .address(v4, 32)
                .build(),
            IpAddr::V6(v6) => AddressMessageBuilder::<std::net::Ipv6Addr>::new()
                .index(ifindex)
                .address(v6, 128)
                .build(),
        };
        let removal = self.handle.address().del(message).execute().await;
        removal.map_err(request(format!("remove the address {address}")))
    }
}
