//! Lists of who may connect.

use super::Problem;
use crate::model::{Desired, Name, Rule, Service};

/// Finds services that would serve nobody.
pub(super) fn check(desired: &Desired, found: &mut Vec<Problem>) {
    let message = |(name, service)| Some((name, nobody(name, service)?));
    let messages = desired.services.iter().filter_map(message);
    found.extend(messages.map(|(name, text)| Problem::of_service(name, "allow", text)));
}

fn nobody(name: &Name, service: &Service) -> Option<String> {
    let mut rules = service.rules().values();
    if !service.access.allows() || rules.any(|rule| *rule == Rule::Allow) {
        return None;
    }
    let family = if service.listen.address.is_ipv4() { "IPv4" } else { "IPv6" };
    Some(format!(
        "service `{name}` ({}) has no {family} prefix in its `allow`, so it would serve nobody; add one, or remove `allow`",
        service.listen
    ))
}
