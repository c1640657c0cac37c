//! The kernel's view of the network: links, routes, neighbours and addresses, over rtnetlink.
//!
//! Everything is read anew when asked for; nothing is cached here. [`open`] also subscribes to
//! changes, which only say *that* something changed: the reader then asks again.

mod address;
mod neighbours;
mod routes;

use std::{collections::BTreeMap, future::Future, io, net::IpAddr};

use futures_util::{StreamExt, TryStreamExt};
use rtnetlink::{
    Handle, MulticastGroup, new_multicast_connection,
    packet_route::link::{LinkAttribute, LinkFlags, LinkXdp, XdpAttached},
};
use thiserror::Error;

pub use self::routes::{NextHop, NextHops};
use crate::model::AttachMode;

/// Why the kernel could not be asked, or refused.
#[derive(Debug, Error)]
pub enum NetlinkError {
    /// No socket.
    #[error("cannot open a netlink socket: {source}")]
    Open {
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A request failed.
    #[error("the kernel would not {what}: {source}")]
    Request {
        /// What was asked.
        what: String,
        /// The kernel's reason.
        #[source]
        source: rtnetlink::Error,
    },
}

/// A connection to the kernel.
#[derive(Clone, Debug)]
pub struct Netlink {
    handle: Handle,
}

/// A network interface.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Link {
    /// Its index.
    pub index: u32,
    /// Its MAC address; zeros where it has none.
    pub mac: [u8; 6],
    /// Largest IP packet in bytes.
    pub mtu: u32,
    /// Whether it is the loopback interface.
    pub loopback: bool,
    /// How an XDP program is attached to it, if one is.
    pub attached: Option<AttachMode>,
}

/// Links by name.
pub type Links = BTreeMap<String, Link>;

/// Opens a connection. The future must be driven for anything to happen; the channel says that
/// links, routes, neighbours or addresses have changed.
pub fn open()
-> Result<(Netlink, impl Future<Output = ()>, impl StreamExt<Item = ()> + Unpin), NetlinkError> {
    let groups = [
        MulticastGroup::Link,
        MulticastGroup::Neigh,
        MulticastGroup::Ipv4Ifaddr,
        MulticastGroup::Ipv6Ifaddr,
        MulticastGroup::Ipv4Route,
        MulticastGroup::Ipv6Route,
    ];
    let (connection, handle, messages) =
        new_multicast_connection(&groups).map_err(|source| NetlinkError::Open { source })?;
    Ok((Netlink { handle }, connection, messages.map(|_| ())))
}

impl Netlink {
    /// Every link of the network namespace.
    pub async fn links(&self) -> Result<Links, NetlinkError> {
        let mut links = Links::new();
        let mut dump = std::pin::pin!(self.handle.link().get().execute());
        while let Some(message) = dump.try_next().await.map_err(request("list the links"))? {
            let mut link = Link {
                index: message.header.index,
                loopback: message.header.flags.contains(LinkFlags::Loopback),
                ..Link::default()
            };
            let mut name = None;
            for attribute in message.attributes {
                match attribute {
                    LinkAttribute::IfName(given) => name = Some(given),
                    LinkAttribute::Mtu(mtu) => link.mtu = mtu,
                    LinkAttribute::Address(mac) => {
                        link.mac = mac.try_into().unwrap_or_default();
                    }
                    LinkAttribute::Xdp(xdp) => link.attached = attached(&xdp),
                    _ => {}
                }
            }
            if let Some(name) = name {
                links.insert(name, link);
            }
        }
        Ok(links)
    }
}

fn attached(xdp: &[LinkXdp]) -> Option<AttachMode> {
    xdp.iter().find_map(|attribute| match attribute {
        LinkXdp::Attached(XdpAttached::SocketBuffer) => Some(AttachMode::Generic),
        LinkXdp::Attached(XdpAttached::None) => None,
        LinkXdp::Attached(_) => Some(AttachMode::Native),
        _ => None,
    })
}

/// Length of a prefix that is one address.
fn host_prefix(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn request(what: impl Into<String>) -> impl FnOnce(rtnetlink::Error) -> NetlinkError {
    move |source| NetlinkError::Request { what: what.into(), source }
}
