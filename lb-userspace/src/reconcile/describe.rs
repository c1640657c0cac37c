//! The difference between two configurations, in words: what `apply` shows as its plan.

use std::collections::BTreeMap;

use super::{Edit, difference};
use crate::model::{AttachMode, Backend, BackendState, Desired, Service};

/// One line a difference, `+` for what is new, `-` for what goes, `~` for what changes.
pub fn describe(before: &Desired, after: &Desired) -> Vec<String> {
    let mut lines = Vec::new();
    describe_interfaces(before, after, &mut lines);
    let no_backends = BTreeMap::new();
    for edit in difference(&before.pools, &after.pools) {
        let (name, old, new) = match edit {
            Edit::Added(name, new) => {
                lines.push(format!("+ pool {name}"));
                (name, &no_backends, &new.backends)
            }
            Edit::Changed(name, old, new) => (name, &old.backends, &new.backends),
            Edit::Removed(name, _) => {
                lines.push(format!("- pool {name}"));
                continue;
            }
        };
        for edit in difference(old, new) {
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

fn service(service: &Service) -> String {
    let vip = match &service.vip_interface {
        Some(interface) => format!(", address on {interface}"),
        None => String::new(),
    };
    format!("{} to {} by {}{vip}", service.listen, service.pool, service.forward.name())
}
