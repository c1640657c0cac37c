//! One row of the table: a frame, and everything that must become of it.

use std::fmt::Write as _;

use lb_common::{
    abi::{Counter, Verdict},
    decap::Reason,
};

use super::super::case::hex_diff;

/// A frame and what must become of it.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) input: Vec<u8>,
    pub(super) expected: Outcome,
}

/// What became of a frame.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Outcome {
    pub(super) verdict: Verdict,
    pub(super) reason: Reason,
    pub(super) counter: Counter,
    /// The frame afterwards.
    pub(super) frame: Vec<u8>,
}

impl Case {
    /// Is unpacked to another frame, and passes.
    pub(super) fn unpacks(name: impl Into<String>, input: Vec<u8>, frame: Vec<u8>) -> Self {
        Self::new(name, input, Verdict::Pass, Reason::Decapsulated, Some(frame))
    }

    /// Passes untouched.
    pub(super) fn passes(name: impl Into<String>, reason: Reason, input: Vec<u8>) -> Self {
        Self::new(name, input, Verdict::Pass, reason, None)
    }

    /// Is dropped.
    pub(super) fn drops(name: impl Into<String>, reason: Reason, input: Vec<u8>) -> Self {
        Self::new(name, input, Verdict::Drop, reason, None)
    }

    fn new(
        name: impl Into<String>,
        input: Vec<u8>,
        verdict: Verdict,
        reason: Reason,
        frame: Option<Vec<u8>>,
    ) -> Self {
        let counter = Counter { packets: 1, bytes: input.len() as u64 };
        let frame = frame.unwrap_or_else(|| input.clone());
        let expected = Outcome { verdict, reason, counter, frame };
        Self { name: name.into(), input, expected }
    }

    /// What is wrong with an outcome, if anything is.
    pub(super) fn complaint(&self, runner: &str, found: &Outcome) -> Option<String> {
        let expected = &self.expected;
        if found == expected {
            return None;
        }
        let mut text = format!("{} ({runner}):", self.name);
        let shown = |outcome: &Outcome| {
            format!("{:?}, {:?}, {:?}", outcome.verdict, outcome.reason, outcome.counter)
        };
        if shown(found) != shown(expected) {
            _ = write!(text, "\n  expected {}\n  found    {}", shown(expected), shown(found));
        }
        text.push_str(&hex_diff(&expected.frame, &found.frame));
        Some(text)
    }
}
