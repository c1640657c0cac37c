//! `shunt decap`: sets up, looks at and removes the decapsulator of an interface. No daemon runs
//! for it; each command does its work and ends.

use std::{collections::BTreeSet, fmt::Display, net::IpAddr};

use anyhow::{Context as _, Result, bail};
use caps::{CapSet, Capability};
use rustix::fs::stat;

use crate::{
    admin::types::{CounterView, DecapView},
    dataplane::{
        decap::{self, DecapError, Decapsulator, Lists, Placed},
        netlink::{self, Link, Links},
    },
    model::{AttachMode, DecapSettings, DecapTarget},
};

/// Sets the decapsulator of an interface up, or an existing one anew. Says what it did.
pub fn attach(target: &DecapTarget, settings: &DecapSettings) -> Result<Vec<String>> {
    require_privileges()?;
    let (links, addresses) = network()?;
    let link = find(&links, &target.interface)?;
    let directory = target.directory();
    let linked = decap::is_linked(&directory);
    refuse_other_program(target, link, linked)?;
    refuse_other_mode(target, settings, link, linked)?;
    let lists =
        Lists { addresses: ends(target, settings, link, &addresses)?, from: settings.from.clone() };

    let mut decapsulator = Decapsulator::open(&directory, netns()?)?;
    let placed = decapsulator
        .set(&lists)
        .and_then(|()| decapsulator.attach(&target.interface, settings.mode));
    let placed = match placed {
        Ok(placed) => placed,
        Err(error) => {
            decapsulator.abandon();
            return Err(error.into());
        }
    };
    let mut said = say_placed(target, link, &placed);
    said.push(format!("unpacking what is addressed to {}", list(&lists.addresses)));
    said.push(if lists.from.is_empty() {
        "from anywhere; `--from PREFIX` would limit that".to_owned()
    } else {
        format!("from {}", list(&lists.from))
    });
    said.push(format!("pinned in {}", directory.display()));
    Ok(said)
}

/// Looks at the decapsulator of an interface.
pub fn view(target: &DecapTarget) -> Result<DecapView> {
    require_privileges()?;
    let (links, _) = network()?;
    let directory = target.directory();
    let (lists, packets) = decap::read(&directory).map_err(|error| absent(error, target))?;
    let attached = links.get(&target.interface).and_then(|link| link.attached);
    Ok(DecapView {
        interface: target.interface.clone(),
        attached: attached.filter(|_| decap::is_linked(&directory)),
        pin_dir: directory,
        addresses: lists.addresses.into_iter().collect(),
        from: lists.from.into_iter().collect(),
        packets: packets
            .into_iter()
            .map(|(reason, counter)| {
                let view = CounterView { packets: counter.packets, bytes: counter.bytes };
                (reason.name().to_owned(), view)
            })
            .collect(),
    })
}

/// Removes the decapsulator of an interface, which need not exist any more. Says what went.
pub fn detach(target: &DecapTarget) -> Result<Vec<String>> {
    require_privileges()?;
    let directory = target.directory();
    if !decap::remove(&directory)? {
        return Ok(Vec::new());
    }
    Ok(vec![
        format!("program removed from {}", target.interface),
        format!("maps removed from {}", directory.display()),
    ])
}

fn require_privileges() -> Result<()> {
    let has = |cap| caps::has_cap(None, CapSet::Effective, cap).unwrap_or(false);
    let bpf = has(Capability::CAP_BPF) || has(Capability::CAP_SYS_ADMIN);
    if !bpf || !has(Capability::CAP_NET_ADMIN) {
        bail!("no permission to use XDP programs: it takes CAP_BPF and CAP_NET_ADMIN; run as root");
    }
    Ok(())
}

/// Links and addresses of the network namespace.
fn network() -> Result<(Links, Vec<(u32, IpAddr)>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (netlink, connection, _changes) = netlink::open()?;
        tokio::spawn(connection);
        anyhow::Ok((netlink.links().await?, netlink.addresses().await?))
    })
}

fn find<'a>(links: &'a Links, interface: &str) -> Result<&'a Link> {
    links.get(interface).with_context(|| {
        format!("there is no interface {interface}; this host has: {}", list(links.keys()))
    })
}

/// An interface has room for one program only.
fn refuse_other_program(target: &DecapTarget, link: &Link, linked: bool) -> Result<()> {
    if link.attached.is_some() && !linked {
        bail!(
            "another XDP program is attached to {0}, and an interface takes only one; remove it first (`shunt detach` if it is the balancer's, `ip link set dev {0} xdp off` otherwise), or name its `--pin-dir` if it is a decapsulator pinned elsewhere",
            target.interface
        );
    }
    Ok(())
}

/// The link that is there decides the mode.
fn refuse_other_mode(
    target: &DecapTarget,
    settings: &DecapSettings,
    link: &Link,
    linked: bool,
) -> Result<()> {
    match link.attached {
        Some(mode) if linked && settings.mode != AttachMode::Auto && settings.mode != mode => {
            bail!(
                "{0} has the program in {1} mode already; to change that, detach it first with `shunt decap {0} --detach`",
                target.interface,
                mode.name()
            )
        }
        _ => Ok(()),
    }
}

/// The addresses that tunnels end at.
fn ends(
    target: &DecapTarget,
    settings: &DecapSettings,
    link: &Link,
    addresses: &[(u32, IpAddr)],
) -> Result<BTreeSet<IpAddr>> {
    if !settings.addresses.is_empty() {
        return Ok(settings.addresses.clone());
    }
    let own: BTreeSet<_> = addresses
        .iter()
        .filter(|(index, address)| *index == link.index && !address.is_multicast())
        .map(|(_, address)| *address)
        .collect();
    if own.is_empty() {
        bail!(
            "{} has no address that packets could be addressed to; give it one, or name one of this host with `--address`",
            target.interface
        );
    }
    Ok(own)
}

/// The network namespace that this thread is in, by the number of its inode.
fn netns() -> Result<u64> {
    let path = "/proc/thread-self/ns/net";
    Ok(stat(path).with_context(|| format!("cannot look at {path}"))?.st_ino)
}

fn say_placed(target: &DecapTarget, link: &Link, placed: &Placed) -> Vec<String> {
    let interface = &target.interface;
    match placed {
        Placed::Replaced => {
            let mode = link.attached.map(|mode| format!(", in {} mode as before", mode.name()));
            vec![format!("program replaced on {interface}{}", mode.unwrap_or_default())]
        }
        Placed::Attached(mode, None) => {
            vec![format!("program attached to {interface} in {} mode", mode.name())]
        }
        Placed::Attached(mode, Some(why)) => vec![
            why.to_string(),
            format!("program attached to {interface} in {} mode, which is slower", mode.name()),
        ],
    }
}

fn absent(error: DecapError, target: &DecapTarget) -> anyhow::Error {
    match error {
        DecapError::Absent { path } => anyhow::anyhow!(
            "there is no decapsulator on {0}: nothing is pinned in {1}; `shunt decap {0}` sets one up",
            target.interface,
            path.display()
        ),
        error => error.into(),
    }
}

fn list(values: impl IntoIterator<Item = impl Display>) -> String {
    values.into_iter().map(|value| value.to_string()).collect::<Vec<_>>().join(", ")
}
