//! What the packet path has promised to cost.

use super::{
    case::{Family, MANY, Mode, Who},
    memory::Memory,
    samples::Row,
};
use crate::target::Target;

/// Most memory of maps with all services and rings.
const MOST_MEMORY: f64 = 128.0;

/// The rows by their case.
struct Found<'a>(&'a [Row]);

impl Found<'_> {
    fn row(&self, who: Who, mode: Option<Mode>, family: Family, flows: u32) -> Option<&Row> {
        let mode = mode.map(Mode::name);
        let family = family.name();
        self.0
            .iter()
            .find(|row| (row.who, row.mode, row.family, row.flows) == (who, mode, family, flows))
    }

    fn over(&self, who: Who, mode: Mode, family: Family, flows: u32) -> Option<f64> {
        self.row(who, Some(mode), family, flows)?.over_bare_ns
    }

    /// Cost with many flows by the cost with one.
    fn growth(&self, who: Who, mode: Mode, family: Family) -> Option<f64> {
        let cost = |flows| self.row(who, Some(mode), family, flows)?.ns_per_packet;
        Some(cost(MANY)? / cost(1)?)
    }

    fn rate(&self, who: Who, mode: Option<Mode>, flows: u32) -> Option<f64> {
        self.row(who, mode, Family::V4, flows)?.mpps
    }
}

/// All promises. Those of the cost hold for guarded services, too.
pub(crate) fn targets(rows: &[Row], memory: Option<Memory>) -> Vec<Target> {
    let found = Found(rows);
    let mut targets = Vec::new();
    for who in [Who::Shunt, Who::Guarded] {
        costs(&found, who, &mut targets);
        growths(&found, who, &mut targets);
        rates(&found, who, &mut targets);
    }
    let what = "memory of maps without lists, 512 services of 100 backends".to_owned();
    let mebibytes = memory.map(|memory| mebibytes(memory.with_all_rings()));
    targets.push(Target::most(what, "MiB", MOST_MEMORY, mebibytes));
    targets
}

/// What a promise is about.
fn subject(who: Who, mode: Mode, family: Family) -> String {
    let guarded = if who == Who::Guarded { ", guarded" } else { "" };
    format!("{} {}{guarded}", mode.name(), family.name())
}

fn costs(found: &Found<'_>, who: Who, targets: &mut Vec<Target>) {
    for (mode, [one, many], more_v6) in [
        (Mode::Dsr, [40.0, 50.0], 10.0),
        (Mode::Ipip, [40.0, 50.0], 10.0),
        (Mode::Nat, [65.0, 65.0], 0.0),
    ] {
        for (family, more) in [(Family::V4, 0.0), (Family::V6, more_v6)] {
            for (flows, most) in [(1, one), (MANY, many)] {
                let subject = subject(who, mode, family);
                let what = format!(
                    "{subject}: over a bare program with the same changes, {}",
                    flows_in_words(flows)
                );
                let over = found.over(who, mode, family, flows);
                targets.push(Target::most(what, "ns", most + more, over));
            }
        }
    }
}

fn growths(found: &Found<'_>, who: Who, targets: &mut Vec<Target>) {
    let modes: &[Mode] = match who {
        Who::Guarded => &[Mode::Dsr, Mode::Ipip, Mode::Nat],
        _ => &[Mode::Dsr, Mode::Ipip, Mode::Gue, Mode::Nat],
    };
    for mode in modes {
        for family in Family::ALL {
            let what =
                format!("{}: cost with 1M flows, by cost with one", subject(who, *mode, family));
            targets.push(Target::most(what, "×", 1.25, found.growth(who, *mode, family)));
        }
    }
}

fn rates(found: &Found<'_>, who: Who, targets: &mut Vec<Target>) {
    let (dsr, nat) = (subject(who, Mode::Dsr, Family::V4), subject(who, Mode::Nat, Family::V4));
    for (flows, least) in [(1, 0.65), (MANY, 0.6)] {
        let what = format!("{dsr}: rate, by bare XDP_TX, {}", flows_in_words(flows));
        let row = found.row(who, Some(Mode::Dsr), Family::V4, flows);
        targets.push(Target::least(what, "×", least, row.and_then(|row| row.ratio_to_bare)));
    }
    for (flows, least) in [(1, 3.0), (MANY, 10.0)] {
        let what = format!("{nat}: rate, by DNAT of nftables, {}", flows_in_words(flows));
        let nat = found.rate(who, Some(Mode::Nat), flows);
        let ratio = nat.zip(found.rate(Who::Nftables, None, flows)).map(|(a, b)| a / b);
        targets.push(Target::least(what, "×", least, ratio));
    }
}

/// Bytes in a larger unit.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52 bytes")]
pub(crate) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// A number of flows for people.
pub(crate) fn flows_in_words(flows: u32) -> String {
    match flows {
        1 => "one flow".to_owned(),
        MANY => "1M flows".to_owned(),
        10_000 => "10k flows".to_owned(),
        other => format!("{other} flows"),
    }
}

#[cfg(test)]
mod tests {
    use super::targets;

    #[test]
    fn nothing_measured_is_nothing_met() {
        assert!(targets(&[], None).iter().all(|target| target.verdict() == "not measured"));
    }
}
