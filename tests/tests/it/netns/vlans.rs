//! Frames with one VLAN tag or two, from a sender that writes them itself: the kernel need not know
//! VLANs. Their datagrams reach the backends, and the answers come back without tags, by the route.

mod link;

use std::net::{IpAddr, SocketAddr};

use anyhow::{Result, bail, ensure};
use etherparse::{
    DoubleVlanHeader, IpHeaders, PacketBuilder, PacketBuilderStep, SingleVlanHeader, VlanHeader,
    VlanId,
};
use tests::{blob::blob, topology::Family, udp::UdpClient};

use self::link::{Link, mac};
use super::{
    scene::{Scene, Wants},
    tunnels::unpack,
};

const CLIENTS: u64 = 10;
const BYTES: usize = 1_000;
const TTL: u8 = 64;
const IPV4_LEN: usize = 20;
const IPV6_LEN: usize = 40;
const OUTER: u16 = 200;
const INNER: u16 = 100;

macro_rules! modes {
    ($($name:ident: $forward:literal, $family:ident;)+) => {
        $(
            #[test]
            fn $name() {
                are_taken_off(Wants::new(Family::$family, $forward));
            }
        )+
    };
}

modes! {
    nat_v4: "nat", V4;
    nat_v6: "nat", V6;
    full_nat_v4: "full-nat", V4;
    full_nat_v6: "full-nat", V6;
    dsr_v4: "dsr", V4;
    dsr_v6: "dsr", V6;
    gue_v4: "gue", V4;
    gue_v6: "gue", V6;
}

#[test]
fn generic() {
    are_taken_off(Wants { attach: "generic", ..Wants::new(Family::V4, "nat") });
}

fn are_taken_off(wants: Wants) {
    wants.scene(|scene| {
        let _decaps = if wants.forward == "gue" { unpack(scene)? } else { Vec::new() };
        for tags in [one_tag()?, two_tags()?] {
            let before = scene.counted("forwarded")?;
            for n in 0..CLIENTS {
                ask(scene, &tags, n)?;
            }
            let forwarded = scene.counted("forwarded")? - before;
            ensure!(forwarded == CLIENTS, "{forwarded} of {CLIENTS} with the tags {tags:?}");
        }
        Ok(())
    });
}

/// A request in a tagged frame, and its answer.
fn ask(scene: &Scene, tags: &VlanHeader, n: u64) -> Result<()> {
    let server = scene.network.vip();
    let topology = &scene.network.topology;
    let client = UdpClient::new(&topology.client, server)?;
    let local = client.connect(server)?;
    let macs = macs(scene)?;
    let payload = blob(n, BYTES);
    let network = network(macs, tags.clone(), [local.ip(), server.ip()], TTL)?;
    let frame = datagram(network, [local, server], &payload)?;
    Link::open(&topology.client, "eth0")?.send(&frame)?;
    let echo = client.answer()?;
    ensure!(echo.payload == payload, "a datagram with the tags {tags:?} came back changed");
    Ok(())
}

#[test]
fn are_on_answers_v4() {
    are_on_answers(Family::V4);
}

#[test]
fn are_on_answers_v6() {
    are_on_answers(Family::V6);
}

/// What the balancer itself answers goes back with the tags of what was asked.
fn are_on_answers(family: Family) {
    Wants::new(family, "nat").scene(|scene| {
        let _answers = scene.client_hears_answers()?;
        let (vip, netns) = (scene.network.vip(), &scene.network.topology.client);
        let local = UdpClient::new(netns, vip)?.connect(vip)?;
        let link = Link::open(netns, "eth0")?;
        let macs = macs(scene)?;
        let to_vip = |ttl| network(macs, two_tags()?, [local.ip(), vip.ip()], ttl);

        link.send(&echo_request(to_vip(TTL)?, family)?)?;
        hear_behind_tags(&link, macs, family, [0, 129])?;
        link.send(&datagram(to_vip(1)?, [local, vip], b"far?")?)?;
        hear_behind_tags(&link, macs, family, [11, 3])
    });
}

/// Waits for an ICMP message in a tagged frame, of the types that it has in IPv4 and IPv6. The kernel
/// takes the outer tag away before any socket sees the frame, so what it leaves is the inner one.
fn hear_behind_tags(
    link: &Link,
    [own, balancer]: [[u8; 6]; 2],
    family: Family,
    [v4, v6]: [u8; 2],
) -> Result<()> {
    let [high, low] = INNER.to_be_bytes();
    let (kind, at, network) = match family {
        Family::V4 => (v4, IPV4_LEN, [0x08, 0x00]),
        Family::V6 => (v6, IPV6_LEN, [0x86, 0xdd]),
    };
    let header = [&own[..], &balancer, &[0x81, 0x00, high, low], &network].concat();
    link.hear(|frame| {
        frame.strip_prefix(&*header).is_some_and(|packet| packet.get(at) == Some(&kind))
    })
}

/// Of the client and of the balancer.
fn macs(scene: &Scene) -> Result<[[u8; 6]; 2]> {
    let topology = &scene.network.topology;
    Ok([mac(&topology.client, "eth0")?, mac(&topology.balancer, "client0")?])
}

/// The headers up to IP of a frame with tags.
fn network(
    [from, to]: [[u8; 6]; 2],
    tags: VlanHeader,
    ends: [IpAddr; 2],
    ttl: u8,
) -> Result<PacketBuilderStep<IpHeaders>> {
    let link = PacketBuilder::ethernet2(from, to).vlan(tags);
    match ends {
        [IpAddr::V4(from), IpAddr::V4(to)] => Ok(link.ipv4(from.octets(), to.octets(), ttl)),
        [IpAddr::V6(from), IpAddr::V6(to)] => Ok(link.ipv6(from.octets(), to.octets(), ttl)),
        [from, to] => bail!("{from} cannot send to {to}"),
    }
}

fn datagram(
    network: PacketBuilderStep<IpHeaders>,
    [source, destination]: [SocketAddr; 2],
    payload: &[u8],
) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    network.udp(source.port(), destination.port()).write(&mut bytes, payload)?;
    Ok(bytes)
}

fn echo_request(network: PacketBuilderStep<IpHeaders>, family: Family) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match family {
        Family::V4 => network.icmpv4_echo_request(1, 1).write(&mut bytes, b"hi")?,
        Family::V6 => network.icmpv6_echo_request(1, 1).write(&mut bytes, b"hi")?,
    }
    Ok(bytes)
}

fn one_tag() -> Result<VlanHeader> {
    Ok(VlanHeader::Single(tag(INNER)?))
}

/// The outer one is of 802.1ad, which the frame's type says.
fn two_tags() -> Result<VlanHeader> {
    Ok(VlanHeader::Double(DoubleVlanHeader { outer: tag(OUTER)?, inner: tag(INNER)? }))
}

fn tag(id: u16) -> Result<SingleVlanHeader> {
    Ok(SingleVlanHeader { vlan_id: VlanId::try_new(id)?, ..SingleVlanHeader::default() })
}
