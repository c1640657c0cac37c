//! The difference between two configurations, in words: what `apply` shows as its plan.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::{Edit, difference};
use crate::model::{
    Affinity, AttachMode, Backend, BackendState, Desired, Listener, Name, NoBackend, Pool,
    PortRange, Prefix, Route, Rule, Scheduler, Service, Tracking, Udp, duration,
    listener::{AccessLog, ClientLimits, Coding, Following},
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
        match edit {
            Edit::Added(name, new) => lines.push(format!("+ service {name}: {}", service(new))),
            Edit::Removed(name, _) => lines.push(format!("- service {name}")),
            Edit::Changed(name, old, new) => {
                let [before, after] = [old, new].map(service);
                if before != after {
                    lines.push(format!("~ service {name}: {before} -> {after}"));
                }
                lines.extend(lists(old, new).map(|change| format!("~ service {name}: {change}")));
            }
        }
    }
    for edit in difference(&before.listeners, &after.listeners) {
        match edit {
            Edit::Added(name, new) => {
                lines.push(format!("+ listener {name}: {}", listener(new)));
                describe_words(
                    name,
                    ClientLimits::default().words(),
                    new.client.words(),
                    &mut lines,
                );
                describe_pages(name, &BTreeMap::new(), &new.error_pages, &mut lines);
                describe_log(name, None, new.access_log.as_ref(), &mut lines);
                describe_compression(name, &[], &new.compression, &mut lines);
                describe_proxies(name, &BTreeSet::new(), &new.trusted_proxies, &mut lines);
                describe_words(
                    name,
                    Following::default().words(),
                    new.following.words(),
                    &mut lines,
                );
                describe_words(name, redirect(None), redirect(new.redirect_to_https), &mut lines);
                describe_routes(name, &[], &new.routes, &mut lines);
            }
            Edit::Removed(name, _) => lines.push(format!("- listener {name}")),
            Edit::Changed(name, old, new) => {
                if listener(old) != listener(new) {
                    lines.push(format!(
                        "~ listener {name}: {} -> {}",
                        listener(old),
                        listener(new)
                    ));
                }
                describe_words(name, old.client.words(), new.client.words(), &mut lines);
                describe_pages(name, &old.error_pages, &new.error_pages, &mut lines);
                let [before, after] = [old, new].map(|it| it.access_log.as_ref());
                describe_log(name, before, after, &mut lines);
                describe_compression(name, &old.compression, &new.compression, &mut lines);
                describe_proxies(name, &old.trusted_proxies, &new.trusted_proxies, &mut lines);
                describe_words(name, old.following.words(), new.following.words(), &mut lines);
                let [before, after] = [old, new].map(|it| redirect(it.redirect_to_https));
                describe_words(name, before, after, &mut lines);
                describe_routes(name, &old.routes, &new.routes, &mut lines);
            }
        }
    }
    lines
}

fn redirect(port: Option<u16>) -> [(&'static str, String); 1] {
    [("redirect-to-https", port.map_or_else(|| "none".to_owned(), |port| format!("port {port}")))]
}

/// Settings that differ, both times in the same order.
fn describe_words<const N: usize>(
    name: &Name,
    before: [(&str, String); N],
    after: [(&str, String); N],
    lines: &mut Vec<String>,
) {
    for ((what, old), (_, new)) in before.into_iter().zip(after) {
        if old != new {
            lines.push(format!("~ {what} of {name}: {old} -> {new}"));
        }
    }
}

fn describe_compression(name: &Name, before: &[Coding], after: &[Coding], lines: &mut Vec<String>) {
    let words = |codings: &[Coding]| match codings {
        [] => "none".to_owned(),
        codings => codings.iter().map(|coding| coding.name()).collect::<Vec<_>>().join(", "),
    };
    if before != after {
        lines.push(format!("~ compression of {name}: {} -> {}", words(before), words(after)));
    }
}

fn describe_pages(
    name: &Name,
    before: &BTreeMap<u16, PathBuf>,
    after: &BTreeMap<u16, PathBuf>,
    lines: &mut Vec<String>,
) {
    for edit in difference(before, after) {
        lines.push(match edit {
            Edit::Added(status, page) => {
                format!("+ error page {status} of {name}: {}", page.display())
            }
            Edit::Removed(status, _) => format!("- error page {status} of {name}"),
            Edit::Changed(status, old, new) => {
                format!("~ error page {status} of {name}: {} -> {}", old.display(), new.display())
            }
        });
    }
}

fn describe_log(
    name: &Name,
    before: Option<&AccessLog>,
    after: Option<&AccessLog>,
    lines: &mut Vec<String>,
) {
    lines.extend(match (before, after) {
        (None, Some(new)) => Some(format!("+ access log of {name}: {new}")),
        (Some(old), None) => Some(format!("- access log of {name}: {old}")),
        (Some(old), Some(new)) if old != new => {
            Some(format!("~ access log of {name}: {old} -> {new}"))
        }
        _ => None,
    });
}

fn describe_proxies(
    name: &Name,
    before: &BTreeSet<Prefix>,
    after: &BTreeSet<Prefix>,
    lines: &mut Vec<String>,
) {
    let gone = before.difference(after);
    lines.extend(gone.map(|prefix| format!("- trusted proxies of {name}: {prefix}")));
    let new = after.difference(before);
    lines.extend(new.map(|prefix| format!("+ trusted proxies of {name}: {prefix}")));
}

/// Routes that are only in one of two lists. Their order is told by a line of its own.
fn describe_routes(name: &Name, before: &[Route], after: &[Route], lines: &mut Vec<String>) {
    let start = lines.len();
    let gone = before.iter().filter(|route| !after.contains(route));
    lines.extend(gone.map(|route| format!("- route of {name}: {route}")));
    let new = after.iter().filter(|route| !before.contains(route));
    lines.extend(new.map(|route| format!("+ route of {name}: {route}")));
    if lines.len() == start && before != after {
        lines.push(format!("~ order of the routes of {name}"));
    }
}

fn listener(listener: &Listener) -> String {
    let announced = if listener.proxy_protocol { ", PROXY protocol" } else { "" };
    format!("{} {}{announced}", listener.protocol.name(), listener.listen)
}

/// How the lists of a service differ. They may be long, so that is told by numbers.
fn lists(before: &Service, after: &Service) -> impl Iterator<Item = String> {
    [Rule::Allow, Rule::Deny].into_iter().filter_map(move |rule| {
        let [old, new] = [before, after].map(|it| it.access.list(rule).collect::<BTreeSet<_>>());
        let (more, fewer) = (new.difference(&old).count(), old.difference(&new).count());
        let numbers =
            [(more, "more"), (fewer, "fewer")].into_iter().filter(|(number, _)| *number > 0);
        let numbers: Vec<_> = numbers.map(|(number, word)| format!("{number} {word}")).collect();
        (!numbers.is_empty()).then(|| format!("{} list {}", rule.name(), numbers.join(", ")))
    })
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
    let [old, new] = [before, after].map(|pool| pool.http.words());
    for ((what, old), (_, new)) in old.into_iter().zip(new) {
        setting(what, Some(old), Some(new));
    }
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

/// Where its packets go, and what is set besides: defaults are not mentioned, and lists are not.
fn service(service: &Service) -> String {
    let Service { listen, pool, forward, source, source_ports, .. } = service;
    let mut said = vec![format!("{listen} to {pool} by {}", forward.name())];
    said.extend(source.iter().map(|prefix| format!("source {prefix}")));
    if *source_ports != PortRange::default() {
        said.push(format!("ports {source_ports}"));
    }
    let words = [
        ("udp", service.udp.name(), service.udp == Udp::default()),
        ("tracking", service.tracking.name(), service.tracking == Tracking::default()),
        ("scheduler", service.scheduler.name(), service.scheduler == Scheduler::default()),
        ("affinity", service.affinity.name(), service.affinity == Affinity::default()),
        ("no-backend", service.no_backend.name(), service.no_backend == NoBackend::default()),
    ];
    let words = words.into_iter().filter(|(.., is_default)| !is_default);
    said.extend(words.map(|(key, value, _)| format!("{key} {value}")));
    let limits =
        [("new-flows", service.new_flows), ("new-flows-per-source", service.new_flows_per_source)];
    said.extend(limits.into_iter().filter_map(|(key, limit)| Some(format!("{key} {}", limit?))));
    if service.idle_timeout != Service::idle_timeout_of(listen.protocol) {
        said.push(format!("idle-timeout {}", duration::text(service.idle_timeout)));
    }
    said.extend(service.vip_interface.iter().map(|interface| format!("address on {interface}")));
    said.join(", ")
}
