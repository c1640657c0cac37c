//! The kernel's view of the network: links, routes, neighbours and addresses, over rtnetlink.
//!
//! Everything is read anew when asked for; nothing is cached here. [`open`] also subscribes to
//! changes, which only say *that* something changed: the reader then asks again.

mod address;
pub mod links;
mod neighbours;
mod routes;
pub mod vlan;

use std::{future::Future, io, net::IpAddr};

use futures_util::StreamExt;
use rtnetlink::{Handle, MulticastGroup, new_multicast_connection};
use thiserror::Error;

pub use self::{
    links::{Link, Links},
    routes::{NextHop, NextHops},
};

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

/// Length of a prefix that is one address.
fn host_prefix(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn request(what: impl Into<String>) -> impl FnOnce(rtnetlink::Error) -> NetlinkError {
    move |source| NetlinkError::Request { what: what.into(), source }
}
