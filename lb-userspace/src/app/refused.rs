//! New flows that were refused lately, for want of ports or room: the operator must give more.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use lb_common::abi::Reason;

/// What refuses flows that would be taken if there were more of something.
pub(super) const REASONS: [Reason; 2] = [Reason::PortsExhausted, Reason::FlowTableFull];

/// How long a refusal is reported.
const LATELY: Duration = Duration::from_mins(5);

/// Refusals by service and reason: how many there were when they were last looked at, and when
/// there were last more.
#[derive(Debug, Default)]
pub(super) struct Refused {
    seen: BTreeMap<(String, Reason), (u64, Option<Instant>)>,
}

impl Refused {
    /// Takes note of a counter. Says so if a service has just begun to refuse flows.
    pub(super) fn note(
        &mut self,
        service: &str,
        reason: Reason,
        packets: u64,
        now: Instant,
    ) -> Option<String> {
        let key = (service.to_owned(), reason);
        let Some((before, last)) = self.seen.get_mut(&key) else {
            // What an earlier daemon has reported.
            self.seen.insert(key, (packets, None));
            return None;
        };
        if packets == *before {
            return None;
        }
        let news = last.is_none_or(|last| now.duration_since(last) >= LATELY);
        (*before, *last) = (packets, Some(now));
        news.then(|| sentence(service, reason, packets))
    }

    /// What was refused lately, as sentences that say what to do.
    pub(super) fn problems(&self, now: Instant) -> Vec<String> {
        let lately = |last: Option<Instant>| last.is_some_and(|l| now.duration_since(l) < LATELY);
        let refused = self.seen.iter().filter(|(_, (_, last))| lately(*last));
        refused
            .map(|((service, reason), (packets, _))| sentence(service, *reason, *packets))
            .collect()
    }
}

fn sentence(service: &str, reason: Reason, packets: u64) -> String {
    let what_to_do = match reason {
        Reason::PortsExhausted => {
            "no free source port was found; give it more addresses by `source`, more ports by `source-ports`, or a shorter `idle-timeout`"
        }
        _ => {
            "the flow table is full; a shorter `idle-timeout` ends flows earlier, and more balancers share them"
        }
    };
    format!("service {service} refuses new flows ({packets} packets so far): {what_to_do}")
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use lb_common::abi::Reason::{FlowTableFull, PortsExhausted};

    use super::{LATELY, Refused};

    #[test]
    fn refusals_are_reported_when_they_begin_and_for_a_while() {
        let (mut refused, start) = (Refused::default(), Instant::now());
        assert_eq!(refused.note("web", PortsExhausted, 7, start), None, "an earlier daemon's");
        assert_eq!(refused.note("web", PortsExhausted, 7, start), None);
        assert!(refused.problems(start).is_empty());

        let news = refused.note("web", PortsExhausted, 9, start).expect("they have begun");
        assert!(news.contains("service web") && news.contains("9 packets"), "{news}");
        assert_eq!(refused.note("web", PortsExhausted, 12, start), None, "reported already");
        let [problem] = &refused.problems(start)[..] else { panic!("one problem") };
        assert!(problem.contains("12 packets") && problem.contains("source-ports"), "{problem}");

        assert!(refused.problems(start + LATELY).is_empty());
        assert!(refused.note("web", PortsExhausted, 13, start + LATELY).is_some());
    }

    #[test]
    fn each_service_and_reason_stands_for_itself() {
        let (mut refused, now) = (Refused::default(), Instant::now());
        for (service, reason) in
            [("a", PortsExhausted), ("a", FlowTableFull), ("b", PortsExhausted)]
        {
            assert_eq!(refused.note(service, reason, 0, now), None);
        }
        assert!(refused.note("a", FlowTableFull, 1, now).is_some());
        let [problem] = &refused.problems(now)[..] else { panic!("one problem") };
        assert!(problem.contains("service a") && problem.contains("table is full"), "{problem}");
    }
}
