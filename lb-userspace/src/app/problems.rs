//! What on this host keeps packets from flowing, and what to do about it.

mod interfaces;
mod sources;

use std::{fs, net::IpAddr};

use crate::{
    dataplane::netlink::{Links, NextHops},
    health::Checks,
    model::{Desired, Forward, Name},
};

/// Every problem, as a sentence that says what to do.
pub(super) fn problems(
    desired: &Desired,
    links: &Links,
    next_hops: &NextHops,
    local: &[(u32, IpAddr)],
) -> Vec<String> {
    let mut found = Vec::new();
    interfaces::check(desired, links, &mut found);
    vip_interfaces(desired, links, &mut found);
    sysctls(desired, links, local, &mut found);
    sources::check(desired, local, &mut found);
    interfaces::check_next_hops(desired, links, next_hops, &mut found);
    interfaces::check_replies(desired, links, &mut found);
    for (address, next_hop) in next_hops {
        if let Err(reason) = next_hop {
            found.push(format!("backend {address}: {reason}"));
        }
    }
    found
}

/// Backends and pools that are down.
pub(super) fn health(desired: &Desired, checks: &Checks, found: &mut Vec<String>) {
    let whole = checks.pools_down(desired);
    found.extend(whole.iter().map(|(pool, fails_open)| pool_down(pool, *fails_open)));
    for (name, pool) in &desired.pools {
        for address in pool.backends.keys() {
            let Some(standing) = checks.standing(name, *address) else { continue };
            if standing.down == Some(true) {
                let reason = standing.result.unwrap_or("not probed yet");
                found.push(format!("backend {address} of {name} is down: {reason}"));
            }
        }
    }
}

/// That every enabled backend of a pool is down, and what that means.
pub(super) fn pool_down(pool: &Name, fails_open: bool) -> String {
    if fails_open {
        format!(
            "pool {pool} fails open: all its enabled backends are down, so packets go to all of them as if none were; look at the check, the way to the backends, and the backends"
        )
    } else {
        format!(
            "all enabled backends of pool {pool} are down, so its services have none (their `no-backend` says what becomes of packets); look at the backends, the way to them, and the check"
        )
    }
}

fn vip_interfaces(desired: &Desired, links: &Links, found: &mut Vec<String>) {
    for (name, service) in &desired.services {
        if let Some(interface) = &service.vip_interface
            && !links.contains_key(interface)
        {
            found.push(format!(
                "service {name}: there is no interface {interface} to put {} on",
                service.listen.address.ip()
            ));
        }
    }
}

/// Replies in `nat` and `full-nat` are routed by the kernel's tables, which it consults only where it may
/// forward.
fn sysctls(desired: &Desired, links: &Links, local: &[(u32, IpAddr)], found: &mut Vec<String>) {
    for ipv4 in [true, false] {
        let vips: Vec<IpAddr> = desired
            .services
            .values()
            .filter(|service| matches!(service.forward, Forward::Nat | Forward::FullNat))
            .map(|service| service.listen.address.ip())
            .filter(|vip| vip.is_ipv4() == ipv4)
            .collect();
        if vips.is_empty() {
            continue;
        }
        let family = if ipv4 { "ipv4" } else { "ipv6" };
        for interface in &desired.interfaces {
            let name = &interface.name;
            for name in interfaces::runs_on(name, links) {
                if is_off(&format!("{family}/conf/{name}/forwarding")) {
                    found.push(format!(
                        "`nat` and `full-nat` need forwarding on {name}, or no reply gets back to its client: sysctl -w net.{family}.conf.{name}.forwarding=1"
                    ));
                }
            }
            let vip_is_local = vips.iter().any(|vip| local.iter().any(|(_, ip)| ip == vip));
            let refuses_local = ipv4
                && is_off(&format!("ipv4/conf/{name}/accept_local"))
                && is_off("ipv4/conf/all/accept_local");
            if vip_is_local && refuses_local {
                found.push(format!(
                    "the VIP is an address of this host, so the kernel drops replies that it should resolve the next hop for: sysctl -w net.ipv4.conf.{name}.accept_local=1"
                ));
            }
        }
    }
}

fn is_off(sysctl: &str) -> bool {
    fs::read_to_string(format!("/proc/sys/net/{sysctl}")).is_ok_and(|value| value.trim() == "0")
}
