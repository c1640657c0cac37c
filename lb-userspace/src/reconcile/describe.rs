//! The difference between two configurations, in words: what `apply` shows as its plan.

use std::collections::BTreeMap;

use super::{Edit, difference};
use crate::model::{
    AttachMode, Backend, BackendState, Desired, Name, Pool, PortRange, Service, Udp, duration,
};

/// One line a difference, `+` for what is new, `-` for what goes, `~` for what changes.
pub fn describe(before: &Desired, after: &Desired) -> Vec<String> {
    let mut lines = Vec::new();
    describe_interfaces(before, after, &mut lines);
    let no_pool = Pool::default();
    for edit in difference(&before.pools, &after.pools) {
        let (name, old, new) = match edit {
            Edit::Added(name, new) => {
                lines.push(format!("+ pool {name}"));
                (name, &no_pool, new)
            }
            Edit::Changed(name, old, new) => (name, old, new),
            Edit::Removed(name, _) => {
                lines.push(format!("- pool {name}"));
                continue;
            }
        };
        describe_pool(name, old, new, &mut lines);
    }
    for edit in difference(&before.services, &after.services) {
        lines.push(match edit {
            Edit::Added(name, new) => format!("+ service {name}: {}", service(new)),
            Edit::Removed(name, _) => format!("- service {name}"),
            Edit::Changed(name, old, new) => {
                format!("~ service {name}: {} -> {}", service(old), service(new))
            }
        });
    }
    lines
}

fn describe_pool(name: &Name, before: &Pool, after: &Pool, lines: &mut Vec<String>) {
    let mut setting = |what: &str, old: Option<String>, new: Option<String>| {
        if old != new {
            let [old, new] = [old, new].map(|value| value.unwrap_or_else(|| "none".to_owned()));
            lines.push(format!("~ {what} of {name}: {old} -> {new}"));
        }
    };
    let health = |pool: &Pool| pool.health.as_ref().map(ToString::to_string);
    setting("health", health(before), health(after));
    let drain = |pool: &Pool| pool.drain_timeout.map(duration::text);
    setting("drain-timeout", drain(before), drain(after));
    for edit in difference(&before.backends, &after.backends) {
        lines.push(match edit {
            Edit::Added(address, new) => {
                format!("+ backend {address} in {name}: {}", backend(*new))
            }
            Edit::Removed(address, _) => format!("- backend {address} in {name}"),
            Edit::Changed(address, old, new) => {
                format!("~ backend {address} in {name}: {} -> {}", backend(*old), backend(*new))
            }
        });
    }
}

fn describe_interfaces(before: &Desired, after: &Desired, lines: &mut Vec<String>) {
    let modes = |desired: &Desired| -> BTreeMap<String, AttachMode> {
        desired.interfaces.iter().map(|i| (i.name.clone(), i.mode)).collect()
    };
    for edit in difference(&modes(before), &modes(after)) {
        lines.push(match edit {
            Edit::Added(name, mode) => format!("+ interface {name}: {}", mode.name()),
            Edit::Removed(name, _) => format!("- interface {name}"),
            Edit::Changed(name, old, new) => {
                format!("~ interface {name}: {} -> {}", old.name(), new.name())
            }
        });
    }
}

fn backend(backend: Backend) -> String {
    match backend.state {
        BackendState::Enabled => format!("weight {}", backend.weight),
        BackendState::Drained => format!("weight {}, drained", backend.weight),
    }
}

/// Where its packets go, and what is set besides: defaults are not mentioned.
fn service(service: &Service) -> String {
    let Service { listen, pool, forward, source, source_ports, .. } = service;
    let mut said = vec![format!("{listen} to {pool} by {}", forward.name())];
    said.extend(source.iter().map(|prefix| format!("source {prefix}")));
    if *source_ports != PortRange::default() {
        said.push(format!("ports {source_ports}"));
    }
    if service.udp != Udp::default() {
        said.push(format!("udp {}", service.udp.name()));
    }
    if service.idle_timeout != Service::idle_timeout_of(listen.protocol) {
        said.push(format!("idle-timeout {}", duration::text(service.idle_timeout)));
    }
    said.extend(service.vip_interface.iter().map(|interface| format!("address on {interface}")));
    said.join(", ")
}
