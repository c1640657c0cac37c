//! What the kernel's messages say of interfaces.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use rtnetlink::packet_route::link::{
    InfoData, InfoKind, InfoVlan, LinkAttribute, LinkInfo, LinkLayerType, LinkMessage, VlanProtocol,
};

use super::{Kind, Link, Tagging, link};

fn message(layer: LinkLayerType, attributes: &[LinkAttribute]) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = 7;
    message.header.link_layer_type = layer;
    message.attributes = vec![LinkAttribute::IfName("a".to_owned())];
    message.attributes.extend_from_slice(attributes);
    message
}

fn of_kind(kind: InfoKind) -> LinkAttribute {
    LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)])
}

fn vlan(id: u16, protocol: VlanProtocol) -> LinkAttribute {
    let data = vec![InfoVlan::Protocol(protocol), InfoVlan::Id(id)];
    LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Vlan),
        LinkInfo::Data(InfoData::Vlan(data)),
    ])
}

fn kind(layer: LinkLayerType, attributes: &[LinkAttribute]) -> Kind {
    link(&message(layer, attributes)).unwrap().1.kind
}

#[test]
fn a_network_card() {
    let attributes = [
        LinkAttribute::Mtu(1500),
        LinkAttribute::Address(vec![2, 0, 0, 0, 0, 1]),
        LinkAttribute::Controller(9),
    ];
    let expected = Link {
        index: 7,
        mac: [2, 0, 0, 0, 0, 1],
        mtu: 1500,
        controller: Some(9),
        ..Link::default()
    };
    let found = link(&message(LinkLayerType::Ether, &attributes));
    assert_eq!(found, Some(("a".to_owned(), expected)));
}

#[test]
fn kinds() {
    for (info, expected) in [
        (InfoKind::Bond, Kind::Bond),
        (InfoKind::Team, Kind::Team),
        (InfoKind::Bridge, Kind::Bridge),
        (InfoKind::Veth, Kind::Veth),
        (InfoKind::Tun, Kind::Tap),
        (InfoKind::MacVtap, Kind::MacVlan),
        (InfoKind::IpVlan, Kind::IpVlan),
        (InfoKind::Vxlan, Kind::EthernetTunnel),
        (InfoKind::GreTap6, Kind::EthernetTunnel),
        (InfoKind::Vrf, Kind::Vrf),
        (InfoKind::Other("novel".to_owned()), Kind::Ordinary),
    ] {
        assert_eq!(kind(LinkLayerType::Ether, &[of_kind(info)]), expected);
    }
    assert_eq!(kind(LinkLayerType::Loopback, &[]), Kind::Ordinary);
}

#[test]
fn without_an_ethernet_header() {
    for (layer, info) in [
        (LinkLayerType::None, InfoKind::Wireguard),
        (LinkLayerType::None, InfoKind::Tun),
        (LinkLayerType::Tunnel, InfoKind::IpIp),
    ] {
        assert_eq!(kind(layer, &[of_kind(info)]), Kind::Bare);
    }
    assert_eq!(kind(LinkLayerType::Ppp, &[]), Kind::Bare);
}

#[test]
fn a_vlan_names_the_interface_below_it() {
    let below = LinkAttribute::Link(3);
    let vlan = vlan(100, VlanProtocol::Ieee8021Ad);
    let expected = Tagging { below: Some(3), id: 100, provider: true };
    assert_eq!(kind(LinkLayerType::Ether, &[below.clone(), vlan.clone()]), Kind::Vlan(expected));
    // The number is then one of another namespace, where it means another interface.
    let elsewhere = LinkAttribute::LinkNetNsId(0);
    assert_eq!(
        kind(LinkLayerType::Ether, &[below, elsewhere, vlan]),
        Kind::Vlan(Tagging { below: None, ..expected })
    );
}

#[test]
fn a_vlan_is_of_type_802_1q_unless_it_says_otherwise() {
    let bare = of_kind(InfoKind::Vlan);
    let given = vlan(7, VlanProtocol::Ieee8021Q);
    assert_eq!(kind(LinkLayerType::Ether, &[bare]), Kind::Vlan(Tagging::default()));
    let expected = Tagging { below: None, id: 7, provider: false };
    assert_eq!(kind(LinkLayerType::Ether, &[given]), Kind::Vlan(expected));
}
