//! What was measured, round by round, and what it comes to.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use super::{
    case::{Case, Who, Work},
    stage::Measured,
};
use crate::stats::{median, rounded};

/// The measurements of a case, one of each round, for a request.
#[derive(Clone, Debug, Default)]
struct Sample {
    /// Microseconds of the proxy's CPU.
    proxy: Vec<f64>,
    /// Microseconds of CPU of all that take part.
    all: Vec<f64>,
    rate: Vec<f64>,
    /// Microseconds from a request to its answer.
    latency: Vec<f64>,
}

/// The measurements of all cases.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples {
    cases: BTreeMap<Case, Sample>,
    idle: BTreeMap<Who, f64>,
}

/// A row of the results. What was not measured is null.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) work: &'static str,
    pub(crate) who: &'static str,
    /// Microseconds of the proxy's CPU for a request.
    pub(crate) proxy_us: Option<f64>,
    /// The same, by what nginx's took in the same round.
    pub(crate) proxy_by_nginx: Option<f64>,
    /// Microseconds of everybody's CPU for a request.
    pub(crate) all_us: Option<f64>,
    /// The same, less what it takes with nobody in between.
    pub(crate) added_us: Option<f64>,
    pub(crate) requests_per_second: Option<f64>,
    /// The same, by nginx's.
    pub(crate) rate_by_nginx: Option<f64>,
    pub(crate) latency_us: Option<f64>,
    #[serde(skip)]
    pub(crate) case: Case,
}

impl Samples {
    /// Notes a measurement.
    pub(crate) fn add(&mut self, case: Case, measured: Measured, requests: u32) {
        let each = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(requests);
        let sample = self.cases.entry(case).or_default();
        sample.proxy.extend(measured.proxy.map(each));
        sample.all.push(each(measured.all));
        sample.rate.push(measured.seen.rate);
        sample.latency.push(measured.seen.latency.as_secs_f64() * 1e6);
    }

    /// Notes the bytes of an idle connection.
    pub(crate) fn add_idle(&mut self, who: Who, bytes: f64) {
        self.idle.insert(who, bytes);
    }

    /// Bytes of an idle connection.
    pub(crate) fn idle(&self) -> &BTreeMap<Who, f64> {
        &self.idle
    }

    /// Medians over the rounds.
    pub(crate) fn rows(&self) -> Vec<Row> {
        self.cases.iter().map(|(case, sample)| self.row(*case, sample)).collect()
    }

    fn row(&self, case: Case, sample: &Sample) -> Row {
        let of = |work, who| self.cases.get(&Case { work, who });
        let nginx = of(case.work, Who::Nginx);
        let by = |own: &[f64], others: Option<&[f64]>| {
            median(&pairs(own, others?, |own, other| own / other)).map(rounded)
        };
        let routed = of(without_tls(case.work), Who::Direct);
        let added = routed.and_then(|routed| {
            median(&pairs(&sample.all, &routed.all, |own, other| own - other)).map(rounded)
        });
        Row {
            work: case.work.name(),
            who: case.who.name(),
            proxy_us: median(&sample.proxy).map(rounded),
            proxy_by_nginx: by(&sample.proxy, nginx.map(|it| it.proxy.as_slice())),
            all_us: median(&sample.all).map(rounded),
            added_us: added.filter(|_| case.who != Who::Direct),
            requests_per_second: median(&sample.rate).map(f64::round),
            rate_by_nginx: by(&sample.rate, nginx.map(|it| it.rate.as_slice())),
            latency_us: median(&sample.latency).map(rounded),
            case,
        }
    }
}

/// The same work, as it is where nobody speaks TLS.
const fn without_tls(work: Work) -> Work {
    match work {
        Work::KeepAliveTls => Work::KeepAlive,
        Work::Handshakes => Work::Connections,
        other => other,
    }
}

/// What two cases come to in each round.
fn pairs(own: &[f64], others: &[f64], both: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    own.iter().zip(others).map(|(own, other)| both(*own, *other)).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Case, Measured, Samples, Who, Work};
    use crate::l7::load::Seen;

    fn measured(proxy: Option<u64>, all: u64) -> Measured {
        let seen = Seen { rate: 1000.0, latency: Duration::from_micros(7) };
        let micros = Duration::from_micros;
        Measured { proxy: proxy.map(micros), all: micros(all), seen }
    }

    #[test]
    fn each_round_is_compared_with_itself() {
        let mut samples = Samples::default();
        for (nginx, shunt) in [(100, 110), (200, 220), (50, 60)] {
            for (who, proxy) in
                [(Who::Direct, None), (Who::Nginx, Some(nginx)), (Who::Shunt, Some(shunt))]
            {
                let all = proxy.unwrap_or_default() + 100;
                samples.add(Case { work: Work::KeepAlive, who }, measured(proxy, all), 10);
            }
        }
        let rows = samples.rows();
        let shunt = rows.iter().find(|row| row.who == "shunt-listener").expect("it was measured");
        assert_eq!((shunt.proxy_us, shunt.proxy_by_nginx), (Some(11.0), Some(1.1)));
        assert_eq!((shunt.all_us, shunt.added_us), (Some(21.0), Some(11.0)));
        let routed = rows.iter().find(|row| row.who == "routed").expect("it was measured");
        assert_eq!((routed.proxy_us, routed.added_us), (None, None));
    }

    #[test]
    fn tls_is_compared_with_what_is_routed_without() {
        let mut samples = Samples::default();
        let mut add = |work, who, all| samples.add(Case { work, who }, measured(None, all), 1);
        add(Work::Connections, Who::Direct, 30);
        add(Work::Handshakes, Who::Shunt, 530);
        assert_eq!(samples.rows()[1].added_us, Some(500.0));
    }
}
