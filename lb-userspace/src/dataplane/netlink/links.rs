//! Network interfaces: what they are, and how they are stacked on each other.

use std::{collections::BTreeMap, pin::pin};

use futures_util::TryStreamExt;
use rtnetlink::packet_route::link::{
    InfoData, InfoKind, InfoVlan, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage,
    LinkXdp, VlanProtocol, XdpAttached,
};

use super::{Netlink, NetlinkError, request};
use crate::model::AttachMode;

#[cfg(test)]
mod tests;

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
    /// What it is.
    pub kind: Kind,
    /// Index of the bond, team, bridge or VRF that it is a port of.
    pub controller: Option<u32>,
    /// How an XDP program is attached to it, if one is.
    pub attached: Option<AttachMode>,
}

/// What an interface is, as far as it matters to XDP.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Kind {
    /// A network card, or anything that nothing particular is known of.
    #[default]
    Ordinary,
    /// A VLAN of another interface.
    Vlan(Tagging),
    /// Several interfaces as one, by the bonding driver.
    Bond,
    /// Several interfaces as one, by the team driver.
    Team,
    /// A switch in software.
    Bridge,
    /// One end of a virtual cable.
    Veth,
    /// A tap: its other end is a program, such as a virtual machine.
    Tap,
    /// A further MAC address of another interface (macvlan, macvtap).
    MacVlan,
    /// Further IP addresses of another interface (ipvlan, ipvtap).
    IpVlan,
    /// Ethernet in IP packets (VXLAN, Geneve, GRE tap).
    EthernetTunnel,
    /// A routing domain.
    Vrf,
    /// Something whose packets have no Ethernet header: tunnels of IP packets, WireGuard, PPP.
    Bare,
}

/// What a VLAN interface does to the frames of the one below it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tagging {
    /// Index of the interface below; `None` if that is in another network namespace.
    pub below: Option<u32>,
    /// VLAN id.
    pub id: u16,
    /// Whether the tag is of the type that providers use (IEEE 802.1ad), not of 802.1Q.
    pub provider: bool,
}

/// Links by name.
pub type Links = BTreeMap<String, Link>;

/// The link with an index, and its name.
pub fn by_index(links: &Links, index: u32) -> Option<(&str, &Link)> {
    let found = links.iter().find(|(_, link)| link.index == index);
    found.map(|(name, link)| (name.as_str(), link))
}

impl Netlink {
    /// Every link of the network namespace.
    pub async fn links(&self) -> Result<Links, NetlinkError> {
        let mut links = Links::new();
        let mut dump = pin!(self.handle.link().get().execute());
        while let Some(message) = dump.try_next().await.map_err(request("list the links"))? {
            links.extend(link(&message));
        }
        Ok(links)
    }
}

/// A link by its name, if it has one.
fn link(message: &LinkMessage) -> Option<(String, Link)> {
    let mut link = Link {
        index: message.header.index,
        loopback: message.header.flags.contains(LinkFlags::Loopback),
        ..Link::default()
    };
    let (mut name, mut infos, mut below, mut elsewhere) = (None, &[][..], None, false);
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(given) => name = Some(given.clone()),
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            LinkAttribute::Address(mac) => {
                link.mac = mac.as_slice().try_into().unwrap_or_default();
            }
            LinkAttribute::Controller(index) => link.controller = Some(*index),
            LinkAttribute::Link(index) => below = Some(*index),
            // The index of the interface below is then one of that namespace.
            LinkAttribute::LinkNetNsId(_) => elsewhere = true,
            LinkAttribute::LinkInfo(given) => infos = given,
            LinkAttribute::Xdp(xdp) => link.attached = attached(xdp),
            _ => {}
        }
    }
    let has_ethernet =
        matches!(message.header.link_layer_type, LinkLayerType::Ether | LinkLayerType::Loopback);
    link.kind = if has_ethernet { kind(infos, below.filter(|_| !elsewhere)) } else { Kind::Bare };
    Some((name?, link))
}

/// The kind of an interface whose packets have an Ethernet header.
fn kind(infos: &[LinkInfo], below: Option<u32>) -> Kind {
    let named = infos.iter().find_map(|info| match info {
        LinkInfo::Kind(kind) => Some(kind),
        _ => None,
    });
    match named {
        Some(InfoKind::Vlan) => Kind::Vlan(tagging(infos, below)),
        Some(InfoKind::Bond) => Kind::Bond,
        Some(InfoKind::Team) => Kind::Team,
        Some(InfoKind::Bridge) => Kind::Bridge,
        Some(InfoKind::Veth) => Kind::Veth,
        Some(InfoKind::Tun) => Kind::Tap,
        Some(InfoKind::MacVlan | InfoKind::MacVtap) => Kind::MacVlan,
        Some(InfoKind::IpVlan | InfoKind::IpVtap) => Kind::IpVlan,
        Some(
            InfoKind::Vxlan
            | InfoKind::Geneve
            | InfoKind::GreTap
            | InfoKind::GreTap6
            | InfoKind::ErSpan
            | InfoKind::Ip6ErSpan,
        ) => Kind::EthernetTunnel,
        Some(InfoKind::Vrf) => Kind::Vrf,
        _ => Kind::Ordinary,
    }
}

fn tagging(infos: &[LinkInfo], below: Option<u32>) -> Tagging {
    let mut tagging = Tagging { below, ..Tagging::default() };
    let data = infos.iter().filter_map(|info| match info {
        LinkInfo::Data(InfoData::Vlan(data)) => Some(data),
        _ => None,
    });
    for attribute in data.flatten() {
        match attribute {
            InfoVlan::Id(id) => tagging.id = *id,
            InfoVlan::Protocol(protocol) => {
                tagging.provider = *protocol == VlanProtocol::Ieee8021Ad;
            }
            _ => {}
        }
    }
    tagging
}

fn attached(xdp: &[LinkXdp]) -> Option<AttachMode> {
    xdp.iter().find_map(|attribute| match attribute {
        LinkXdp::Attached(XdpAttached::SocketBuffer) => Some(AttachMode::Generic),
        LinkXdp::Attached(XdpAttached::None) => None,
        LinkXdp::Attached(_) => Some(AttachMode::Native),
        _ => None,
    })
}
