//! Links between namespaces.

use anyhow::Result;
use serde_json::Value;

use crate::netns::{Netns, system};

/// One end of a veth pair: the namespace and the name of the interface in it.
#[derive(Clone, Copy, Debug)]
pub struct End<'a>(pub &'a Netns, pub &'a str);

/// Joins two namespaces by a veth pair and brings both ends up.
///
/// Two settings make veth fit for XDP. Checksum offload is off, for otherwise packets carry partial
/// checksums, which a program that rewrites addresses would have to finish. Receive offload (GRO)
/// is on, because it gives the end a NAPI instance, without which it drops frames that a program
/// redirects to the other end. It is switched on while both ends are up: only then does the kernel
/// note that the other end can now be redirected to. Frames that a program at the other end sends
/// back (`XDP_TX`) need more: a program at this end, too.
pub fn veth(one: End, other: End) -> Result<()> {
    one.0.ip(&format!(
        "link add {} type veth peer name {} netns {}",
        one.1,
        other.1,
        other.0.name()
    ))?;
    for End(netns, interface) in [one, other] {
        netns.ip(&format!("link set {interface} up"))?;
    }
    for End(netns, interface) in [one, other] {
        let offloads = ["-K", interface, "tx", "off", "tso", "off", "gso", "off", "gro", "on"];
        netns.run("ethtool", &offloads)?.success()?;
    }
    Ok(())
}

/// Makes a bridge that forwards at once and floods what it does not know.
pub fn bridge(netns: &Netns, name: &str) -> Result<()> {
    netns
        .ip(&format!("link add {name} type bridge stp_state 0 forward_delay 0 mcast_snooping 0"))?;
    netns.ip(&format!("link set {name} up"))?;
    Ok(())
}

/// Programs this module needs besides those of the namespaces.
pub const NEEDS: [&str; 3] = ["ip", "nsenter", "ethtool"];

/// Whether an interface has an XDP program, by what the kernel says.
pub fn has_xdp(netns: &Netns, interface: &str) -> Result<bool> {
    Ok(xdp(netns, interface)?.is_some())
}

/// Id of the XDP program of an interface.
pub fn xdp_id(netns: &Netns, interface: &str) -> Result<Option<u64>> {
    let xdp = xdp(netns, interface)?;
    Ok(xdp.as_ref().and_then(|xdp| xdp.pointer("/prog/id")).and_then(Value::as_u64))
}

fn xdp(netns: &Netns, interface: &str) -> Result<Option<Value>> {
    let shown = system("ip", &["-n", netns.name(), "-j", "-d", "link", "show", interface])?;
    let links: Value = serde_json::from_str(&shown)?;
    Ok(links.pointer("/0/xdp").cloned())
}
