//! One row of the table: a frame, and everything that must become of it.

use std::fmt::{self, Write};

use anyhow::{Result, ensure};
use lb_common::{
    abi::{Counter, Reason, Verdict},
    slot::Slot,
    time,
};

use super::{
    fixture::SlotRow,
    memory::{Flow, Known, Memory, WayBack},
    services::Spec,
};

/// A frame and what must become of it.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// Interface that the frame arrives on.
    pub(crate) ingress: u32,
    /// Frames that arrive before, by interface; nothing is asserted of them.
    pub(crate) before: Vec<(u32, Vec<u8>)>,
    /// What the tables hold before.
    pub(crate) memory: Memory,
    pub(crate) input: Vec<u8>,
    /// Bytes of room in front of the frame, if there are few.
    pub(crate) headroom: Option<usize>,
    /// No ICMP message of the balancer's own may be sent any more.
    pub(crate) silent: bool,
    pub(crate) expected: Outcome,
    /// Why the kernel cannot be asked, if it cannot.
    pub(crate) host_only: Option<&'static str>,
}

/// What became of a frame.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    /// Every packet counter that was raised, by service and reason.
    pub(crate) counted: Vec<(u32, Reason, Counter)>,
    /// Every backend counter that was raised.
    pub(crate) backends: Vec<(u32, Counter)>,
    /// The frame afterwards.
    pub(crate) frame: Vec<u8>,
    /// What the tables hold afterwards.
    pub(crate) memory: Memory,
    /// Every slot that has another stamp than before.
    pub(crate) stamped: Vec<Stamped>,
}

/// A slot that has been stamped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Stamped {
    pub(crate) service: u32,
    pub(crate) place: u32,
    /// Ticks since the stamp.
    pub(crate) age: u16,
}

impl Stamped {
    /// What was done to a slot, if anything. Only its stamp can be changed.
    pub(crate) fn of(row: &SlotRow, found: Slot, now: u32) -> Result<Option<Self>> {
        let before = row.at(now);
        if found == before {
            return Ok(None);
        }
        let (service, place) = (row.service, row.place);
        ensure!(
            found.stamped(0) == before.stamped(0),
            "slot {place} of service {service} was {before:x?} and is {found:x?}"
        );
        Ok(Some(Self { service, place, age: time::since(found.stamp(), now) }))
    }
}

/// A case whose end is still open.
#[derive(Debug)]
pub(crate) struct Draft {
    name: String,
    ingress: u32,
    before: Vec<(u32, Vec<u8>)>,
    memory: Memory,
    headroom: Option<usize>,
    silent: bool,
    input: Vec<u8>,
}

/// A frame that arrives on an interface.
pub(crate) fn case(name: impl Into<String>, ingress: u32, input: Vec<u8>) -> Draft {
    let (before, memory) = (Vec::new(), Memory::default());
    Draft { name: name.into(), ingress, before, memory, headroom: None, silent: false, input }
}

impl Draft {
    /// After another frame arrived on an interface.
    pub(crate) fn after(mut self, ingress: u32, frame: Vec<u8>) -> Self {
        self.before.push((ingress, frame));
        self
    }

    /// With flows that are remembered.
    pub(crate) fn with_flows(mut self, flows: impl IntoIterator<Item = Flow>) -> Self {
        self.memory.flows.extend(flows);
        self
    }

    /// With ways back that are remembered.
    pub(crate) fn with_ways(mut self, ways: impl IntoIterator<Item = WayBack>) -> Self {
        self.memory.ways.extend(ways);
        self
    }

    /// With the ports of fragmented packets that are remembered.
    pub(crate) fn with_fragments(mut self, fragments: impl IntoIterator<Item = Known>) -> Self {
        self.memory.fragments.extend(fragments);
        self
    }

    /// After so many ICMP messages that no more may be sent.
    pub(crate) fn silent(self) -> Self {
        Self { silent: true, ..self }
    }

    /// With so many bytes of room in front of the frame.
    pub(crate) fn headroom(self, bytes: usize) -> Self {
        Self { headroom: Some(bytes), ..self }
    }

    /// Passes untouched and belongs to no service.
    pub(crate) fn passes(self, reason: Reason) -> Case {
        self.ends(Verdict::Pass, 0, reason, None)
    }

    /// Passes untouched and is counted for a service.
    pub(crate) fn passes_for(self, spec: &Spec, reason: Reason) -> Case {
        self.ends(Verdict::Pass, spec.id, reason, None)
    }

    /// Passes rewritten.
    pub(crate) fn passes_as(self, spec: &Spec, reason: Reason, frame: Vec<u8>) -> Case {
        self.ends(Verdict::Pass, spec.id, reason, Some(frame))
    }

    /// Is dropped after it was changed.
    pub(crate) fn drops_as(self, spec: &Spec, reason: Reason, frame: Vec<u8>) -> Case {
        self.ends(Verdict::Drop, spec.id, reason, Some(frame))
    }

    /// Is dropped.
    pub(crate) fn drops(self, spec: &Spec, reason: Reason) -> Case {
        self.ends(Verdict::Drop, spec.id, reason, None)
    }

    /// Goes out of an interface to a backend.
    pub(crate) fn forwards(self, verdict: Verdict, spec: &Spec, frame: Vec<u8>) -> Case {
        self.forwards_to(0, verdict, spec, frame)
    }

    /// Goes out of an interface to a backend, by its place among the backends of the service.
    pub(crate) fn forwards_to(
        self,
        place: u32,
        verdict: Verdict,
        spec: &Spec,
        frame: Vec<u8>,
    ) -> Case {
        self.delivered(place, verdict, spec, Reason::Forwarded, frame)
    }

    /// An ICMP error that goes to a backend, by its place among the backends of the service.
    pub(crate) fn relays_to(
        self,
        place: u32,
        verdict: Verdict,
        spec: &Spec,
        frame: Vec<u8>,
    ) -> Case {
        self.delivered(place, verdict, spec, Reason::ErrorForwarded, frame)
    }

    fn delivered(
        self,
        place: u32,
        verdict: Verdict,
        spec: &Spec,
        reason: Reason,
        frame: Vec<u8>,
    ) -> Case {
        let counter = Counter { packets: 1, bytes: self.input.len() as u64 };
        let mut case = self.ends(verdict, spec.id, reason, Some(frame));
        case.expected.backends = vec![(spec.first_backend + place, counter)];
        case
    }

    /// Its sender is told something in a frame that goes out of the same interface.
    pub(crate) fn answers(self, spec: &Spec, reason: Reason, frame: Vec<u8>) -> Case {
        self.ends(Verdict::Transmit, spec.id, reason, Some(frame))
    }

    /// An ICMP error that goes to a client.
    pub(crate) fn gives_back(self, verdict: Verdict, spec: &Spec, frame: Vec<u8>) -> Case {
        self.ends(verdict, spec.id, Reason::ErrorReturned, Some(frame))
    }

    /// Goes out of an interface to a client.
    pub(crate) fn returns(self, verdict: Verdict, spec: &Spec, frame: Vec<u8>) -> Case {
        self.ends(verdict, spec.id, Reason::Returned, Some(frame))
    }

    fn ends(self, verdict: Verdict, service: u32, reason: Reason, frame: Option<Vec<u8>>) -> Case {
        let counter = Counter { packets: 1, bytes: self.input.len() as u64 };
        let expected = Outcome {
            verdict,
            counted: vec![(service, reason, counter)],
            backends: Vec::new(),
            frame: frame.unwrap_or_else(|| self.input.clone()),
            memory: self.memory.clone().sorted(),
            stamped: Vec::new(),
        };
        let Self { name, ingress, before, memory, headroom, silent, input } = self;
        Case { name, ingress, before, memory, input, headroom, silent, expected, host_only: None }
    }
}

impl Case {
    /// Only for the host build.
    pub(crate) fn host_only(self, why: &'static str) -> Self {
        Self { host_only: Some(why), ..self }
    }

    /// With these flows and ways back remembered afterwards, and no others.
    pub(crate) fn leaves(
        mut self,
        flows: impl IntoIterator<Item = Flow>,
        ways: impl IntoIterator<Item = WayBack>,
    ) -> Self {
        let (flows, ways) = (flows.into_iter().collect(), ways.into_iter().collect());
        let fragments = self.expected.memory.fragments;
        self.expected.memory = Memory { flows, ways, fragments }.sorted();
        self
    }

    /// With the ports of these fragmented packets remembered afterwards, and no others.
    pub(crate) fn teaches(mut self, fragments: impl IntoIterator<Item = Known>) -> Self {
        self.expected.memory.fragments = fragments.into_iter().collect();
        self
    }

    /// With a slot of the service stamped.
    pub(crate) fn stamps(mut self, spec: &Spec, place: u32) -> Self {
        self.expected.stamped.push(Stamped { service: spec.id, place, age: 0 });
        self
    }

    /// What is wrong with an outcome, if anything is.
    pub(crate) fn complaint(&self, runner: &str, found: &Outcome) -> Option<String> {
        if *found == self.expected {
            return None;
        }
        let mut text = format!("{} ({runner}):", self.name);
        let mut line = |what: &str, expected: &dyn fmt::Debug, found: &dyn fmt::Debug| {
            let (expected, found) = (format!("{expected:?}"), format!("{found:?}"));
            if expected != found {
                _ = write!(text, "\n  {what}: expected {expected}, found {found}");
            }
        };
        line("verdict", &self.expected.verdict, &found.verdict);
        line("counted", &self.expected.counted, &found.counted);
        line("backends", &self.expected.backends, &found.backends);
        line("flows", &self.expected.memory.flows, &found.memory.flows);
        line("ways back", &self.expected.memory.ways, &found.memory.ways);
        line("fragments", &self.expected.memory.fragments, &found.memory.fragments);
        line("stamped", &self.expected.stamped, &found.stamped);
        text.push_str(&hex_diff(&self.expected.frame, &found.frame));
        Some(text)
    }
}

/// The lines of 16 bytes that differ, with a mark under each differing byte.
pub(super) fn hex_diff(expected: &[u8], found: &[u8]) -> String {
    let mut text = String::new();
    if expected.len() != found.len() {
        _ = write!(text, "\n  length: expected {}, found {}", expected.len(), found.len());
    }
    for at in (0..expected.len().max(found.len())).step_by(16) {
        let byte = |bytes: &[u8], i| bytes.get(i).map_or("  ".into(), |byte| format!("{byte:02x}"));
        let row = |bytes: &[u8]| (at..at + 16).map(|i| byte(bytes, i)).collect::<Vec<_>>();
        let (expected, found) = (row(expected), row(found));
        if expected != found {
            let marks: Vec<_> = expected
                .iter()
                .zip(&found)
                .map(|(a, b)| if a == b { "  " } else { "^^" })
                .collect();
            let rows = [("expected", expected.join(" ")), ("found", found.join(" "))];
            for (name, row) in rows {
                _ = write!(text, "\n  {at:04x} {name:>8}: {row}");
            }
            _ = write!(text, "\n  {:13}  {}", "", marks.join(" ").trim_end());
        }
    }
    text
}

#[test]
fn a_difference_is_shown_where_it_is() {
    let expected: Vec<u8> = (0..20).collect();
    let mut found = expected.clone();
    found.splice(17..18, [0xff]);
    assert_eq!(
        hex_diff(&expected, &found),
        "\n  0010 expected: 10 11 12 13                                    \
         \n  0010    found: 10 ff 12 13                                    \
         \n                    ^^"
    );
    assert_eq!(hex_diff(&expected, &expected), "");
}
