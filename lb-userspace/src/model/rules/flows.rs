//! What a service asks for that needs its flows to be remembered, or their beginning to be seen.

use super::Problem;
use crate::model::{Affinity, Desired, Forward, Name, Protocol, Scheduler, Service, Udp};

/// Finds schedulers and limits of services that remember too little for them.
pub(super) fn check(desired: &Desired, found: &mut Vec<Problem>) {
    for (name, service) in &desired.services {
        if service.scheduler != Scheduler::Maglev {
            let message = unremembered(name, service).or_else(|| together(name, service));
            found.extend(message.map(|text| Problem::of_service(name, "scheduler", text)));
        }
        let limits = [
            ("new-flows", service.new_flows),
            ("new-flows-per-source", service.new_flows_per_source),
        ];
        let opens_none = service.listen.protocol == Protocol::Udp
            && service.udp == Udp::Stateless
            && service.forward != Forward::FullNat;
        for (key, _) in limits.into_iter().filter(|(_, limit)| opens_none && limit.is_some()) {
            let message = format!(
                "`{key}` of service `{name}` would limit nothing: with `udp = \"stateless\"` no packet opens a flow; use `udp = \"tracked\"`, or remove it"
            );
            found.push(Problem::of_service(name, key, message));
        }
    }
}

/// That the scheduler needs a service to remember all of its flows, if this one does not.
fn unremembered(name: &Name, service: &Service) -> Option<String> {
    if service.remembers_all() {
        return None;
    }
    let what_to_do = match service.listen.protocol {
        Protocol::Tcp => "tracking = \"full\"",
        Protocol::Udp => "udp = \"tracked\"",
    };
    Some(format!(
        "`scheduler = \"{}\"` of service `{name}` picks a backend that does not follow from the packet alone, so every flow must be remembered; add `{what_to_do}`, or leave it at \"maglev\"",
        service.scheduler.name()
    ))
}

/// That the scheduler spreads what affinity keeps together, if there is any.
fn together(name: &Name, service: &Service) -> Option<String> {
    (service.affinity == Affinity::ClientIp).then(|| {
        format!(
            "`scheduler = \"{}\"` of service `{name}` spreads the flows of a client, which `affinity = \"client-ip\"` keeps together; leave one of the two out",
            service.scheduler.name()
        )
    })
}
