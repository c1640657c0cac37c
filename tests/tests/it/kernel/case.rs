//! One row of the table: a frame, and everything that must become of it.

use std::fmt::{self, Write};

use lb_common::abi::{Counter, Reason, Verdict};

use super::services::Spec;

/// A frame and what must become of it.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// Interface that the frame arrives on.
    pub(crate) ingress: u32,
    /// Frames that arrive before, by interface; nothing is asserted of them.
    pub(crate) before: Vec<(u32, Vec<u8>)>,
    pub(crate) input: Vec<u8>,
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
}

/// A case whose end is still open.
#[derive(Debug)]
pub(crate) struct Draft {
    name: String,
    ingress: u32,
    before: Vec<(u32, Vec<u8>)>,
    input: Vec<u8>,
}

/// A frame that arrives on an interface.
pub(crate) fn case(name: impl Into<String>, ingress: u32, input: Vec<u8>) -> Draft {
    Draft { name: name.into(), ingress, before: Vec::new(), input }
}

impl Draft {
    /// After another frame arrived on an interface.
    pub(crate) fn after(mut self, ingress: u32, frame: Vec<u8>) -> Self {
        self.before.push((ingress, frame));
        self
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
        let counter = Counter { packets: 1, bytes: frame.len() as u64 };
        let mut case = self.ends(verdict, spec.id, Reason::Forwarded, Some(frame));
        case.expected.backends = vec![(spec.first_backend + place, counter)];
        case
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
        };
        let Self { name, ingress, before, input } = self;
        Case { name, ingress, before, input, expected, host_only: None }
    }
}

impl Case {
    /// Only for the host build.
    pub(crate) fn host_only(self, why: &'static str) -> Self {
        Self { host_only: Some(why), ..self }
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
