//! What was measured, round by round, and what it comes to.

use std::collections::BTreeMap;

use serde::Serialize;

use super::case::{Case, Who};
use crate::stats::{median, rounded, spread};

/// The measurements of a case, one of each round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    /// Nanoseconds for a packet.
    pub(crate) nanoseconds: Vec<f64>,
    /// The same, less what was measured just before: the same changes by a bare program or, for
    /// such a program, one that changes nothing.
    pub(crate) over: Vec<f64>,
    /// Million packets for a second of CPU time.
    pub(crate) rate: Vec<f64>,
    /// The same, as a part of what was measured of the bare program in the same round.
    pub(crate) ratio: Vec<f64>,
}

/// The measurements of all cases.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(BTreeMap<Case, Sample>);

/// A row of the results. What was not measured is null.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    /// Whose cost it is.
    pub(crate) case: &'static str,
    pub(crate) mode: Option<&'static str>,
    pub(crate) family: &'static str,
    pub(crate) flows: u32,
    pub(crate) ns_per_packet: Option<f64>,
    pub(crate) over_bare_ns: Option<f64>,
    pub(crate) mpps: Option<f64>,
    pub(crate) ratio_to_bare: Option<f64>,
    /// How far off a typical measurement of `over_bare_ns` was.
    #[serde(skip)]
    pub(crate) spread: Option<f64>,
    #[serde(skip)]
    pub(crate) who: Who,
}

impl Samples {
    /// The measurements of a case so far.
    pub(crate) fn of(&mut self, case: Case) -> &mut Sample {
        self.0.entry(case).or_default()
    }

    /// Medians over the rounds.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let row = |(case, sample): (&Case, &Sample)| Row {
            case: case.who.name(),
            mode: case.mode.map(super::case::Mode::name),
            family: case.family.name(),
            flows: case.flows,
            ns_per_packet: median(&sample.nanoseconds).map(rounded),
            over_bare_ns: median(&sample.over).map(rounded),
            mpps: median(&sample.rate).map(rounded),
            ratio_to_bare: median(&sample.ratio).map(rounded),
            spread: spread(&sample.over),
            who: case.who,
        };
        self.0.iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Samples;
    use crate::l4::case::{Case, Family, Who};

    #[test]
    fn rows_have_the_keys_that_were_promised() {
        let mut samples = Samples::default();
        let sample = samples.of(Case::plain(Who::Kernel, Family::V6, 7));
        sample.rate.extend([1.0, 2.0, 3.2345]);
        let json = serde_json::to_value(samples.rows()).expect("rows are JSON");
        let expected = serde_json::json!([{
            "case": "kernel-forwarding", "mode": null, "family": "v6", "flows": 7,
            "ns_per_packet": null, "over_bare_ns": null, "mpps": 2.0, "ratio_to_bare": null,
        }]);
        assert_eq!(json, expected);
    }
}
