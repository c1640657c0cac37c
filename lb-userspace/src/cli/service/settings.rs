//! What a service asks for besides a backend, if it does.

use crate::{
    admin::types::ServiceView,
    cli::format,
    model::{Affinity, NoBackend, Scheduler, Tracking},
};

/// A line for each setting that is not as in most services.
pub(super) fn lines(service: &ServiceView) -> Vec<(&'static str, String)> {
    let word = |text: &str| text.to_owned();
    let limits =
        [("new-flows", service.new_flows), ("new-flows-per-source", service.new_flows_per_source)];
    let lists = [("allow", service.allow), ("deny", service.deny)];
    let full = service.tracking.filter(|tracking| *tracking != Tracking::JustEnough);
    let mut lines: Vec<(&'static str, String)> = Vec::new();
    lines.extend(service.udp.map(|udp| ("udp", word(udp.name()))));
    lines.extend(full.map(|tracking| ("tracking", word(tracking.name()))));
    if service.scheduler != Scheduler::Maglev {
        lines.push(("scheduler", word(service.scheduler.name())));
    }
    if service.affinity != Affinity::Flow {
        lines.push(("affinity", word(service.affinity.name())));
    }
    let lists = lists.into_iter().filter(|(_, prefixes)| *prefixes > 0);
    lines.extend(lists.map(|(key, prefixes)| (key, prefixes_of(prefixes))));
    lines.extend(limits.into_iter().filter_map(|(key, limit)| Some((key, limit?.to_string()))));
    if service.no_backend != NoBackend::Drop {
        lines.push(("no-backend", word(service.no_backend.name())));
    }
    lines
}

fn prefixes_of(number: usize) -> String {
    match number {
        1 => "1 prefix".to_owned(),
        _ => format!("{} prefixes", format::thousands(number as u64)),
    }
}
