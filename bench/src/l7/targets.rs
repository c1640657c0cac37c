//! What the proxy has promised to cost.

use super::{
    case::{Case, Who, Work},
    samples::{Row, Samples},
};
use crate::target::Target;

/// All promises.
pub(crate) fn targets(samples: &Samples) -> Vec<Target> {
    let rows = samples.rows();
    let row = |work, who| rows.iter().find(|row| row.case == Case { work, who });
    let by_nginx = |work| row(work, Who::Shunt).and_then(|row| row.proxy_by_nginx);
    let mut targets: Vec<Target> = [
        (Work::KeepAlive, 1.05),
        (Work::Connections, 1.0),
        (Work::Handshakes, 0.65),
        (Work::Large, 0.9),
        (Work::Http2, 1.0),
    ]
    .into_iter()
    .map(|(work, most)| {
        let what = format!("{}: CPU of a request, by nginx", work.name());
        Target::most(what, "×", most, by_nginx(work))
    })
    .collect();
    let rate = row(Work::KeepAlive, Who::Shunt).and_then(|row| row.rate_by_nginx);
    let what = format!("{}: requests per second, by nginx", Work::KeepAlive.name());
    targets.push(Target::least(what, "×", 0.95, rate));
    let cost = |who| row(Work::KeepAlive, who).and_then(|row: &Row| row.proxy_us);
    let routes = cost(Who::ShuntManyRoutes).zip(cost(Who::ShuntRoutes)).map(|(a, b)| a / b);
    let what = "CPU of a request with 10,000 routes, by that with ten".to_owned();
    targets.push(Target::most(what, "×", 1.05, routes));
    let idle = samples.idle().get(&Who::Shunt).map(|bytes| bytes / 1000.0);
    let what = "memory of an idle connection, beyond the kernel's".to_owned();
    targets.push(Target::most(what, "kB", 2.0, idle));
    targets
}

#[cfg(test)]
mod tests {
    use super::{Samples, Target, Who, targets};

    #[test]
    fn nothing_measured_is_nothing_met() {
        let targets = targets(&Samples::default());
        assert!(targets.iter().all(|target| target.verdict() == "not measured"));
    }

    #[test]
    fn memory_is_in_thousands_of_bytes() {
        let mut samples = Samples::default();
        samples.add_idle(Who::Shunt, 1999.0);
        let targets = targets(&samples);
        assert_eq!(targets.last().map(Target::verdict), Some("met"));
    }
}
