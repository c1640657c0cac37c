//! `shunt stats`: the traffic of services and backends, as totals or again and again as rates.

mod traffic;

use std::{
    io::Write,
    num::NonZeroU64,
    time::{Duration, Instant},
};

use anyhow::Context;
use serde::Serialize;
use tokio::time::{self, MissedTickBehavior};

pub(super) use self::traffic::{Rate, Traffic};
use super::{
    Outcome,
    args::StatsArgs,
    format, print,
    table::{
        self,
        Column::{self, Number, Text},
        Table,
    },
};
use crate::{
    admin::{
        client::Client,
        types::{CounterView, Status},
    },
    model::Name,
};

/// How traffic is shown: the columns of services and of backends, and the two cells of a number.
pub(super) struct Style<C> {
    services: [Column; 7],
    backends: [Column; 5],
    cells: fn(C) -> [String; 2],
}

pub(super) const TOTALS: Style<CounterView> = Style {
    services: [
        Text("SERVICE"),
        Text("LISTEN"),
        Number("FORWARDED"),
        Number("BYTES"),
        Number("RETURNED"),
        Number("BYTES"),
        Number("OTHER"),
    ],
    backends: [Text("POOL"), Text("SERVICES"), Text("BACKEND"), Number("SENT"), Number("BYTES")],
    cells: table::counter,
};

pub(super) const RATES: Style<Rate> = Style {
    services: [
        Text("SERVICE"),
        Text("LISTEN"),
        Number("FORWARDED/S"),
        Number("BITS/S"),
        Number("RETURNED/S"),
        Number("BITS/S"),
        Number("OTHER/S"),
    ],
    backends: [Text("POOL"), Text("SERVICES"), Text("BACKEND"), Number("SENT/S"), Number("BITS/S")],
    cells: |rate| [format::rate(rate.packets_per_second), format::bits(rate.bits_per_second)],
};

/// What passed between two readings.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// How long that was.
    pub(super) seconds: f64,
    #[serde(flatten)]
    pub(super) rates: Traffic<Rate>,
}

pub(super) async fn stats(
    client: &Client,
    args: &StatsArgs,
    out: &mut dyn Write,
) -> anyhow::Result<Outcome> {
    let service = args.service.as_ref();
    let Some(interval) = args.interval else {
        let totals = read(client, service).await?;
        return Outcome::view(&totals, args.output.json, |totals| words(totals, &TOTALS));
    };
    let mut ticks = time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first is due at once.
    ticks.tick().await;
    let mut before = (read(client, service).await?, Instant::now());
    for _ in 0..args.count.map_or(u64::MAX, NonZeroU64::get) {
        ticks.tick().await;
        let after = (read(client, service).await?, Instant::now());
        let report = Report::new(&before.0, &after.0, after.1.duration_since(before.1));
        if !print(out, &report.text(args.output.json)?)? {
            break;
        }
        before = after;
    }
    Ok(Outcome::text(String::new()))
}

async fn read(client: &Client, service: Option<&Name>) -> anyhow::Result<Traffic<CounterView>> {
    let status: Status = client.get("/v1/status").await?;
    Traffic::of(&status, service)
}

impl Report {
    pub(super) fn new(
        before: &Traffic<CounterView>,
        after: &Traffic<CounterView>,
        elapsed: Duration,
    ) -> Self {
        Self { seconds: elapsed.as_secs_f64(), rates: after.since(before, elapsed) }
    }

    /// For people with an empty line behind it, since another report may follow; as JSON a line,
    /// as programs read such streams.
    pub(super) fn text(&self, json: bool) -> anyhow::Result<String> {
        if json {
            return Ok(serde_json::to_string(self).context("cannot write JSON")? + "\n");
        }
        let rates = words(&self.rates, &RATES);
        Ok(format!("in the last {:.1} s:\n\n{rates}\n", self.seconds))
    }
}

pub(super) fn words<C: Copy>(traffic: &Traffic<C>, style: &Style<C>) -> String {
    let mut services = Table::new(&style.services);
    for service in &traffic.services {
        let [forwarded, forwarded_bytes] = (style.cells)(service.forwarded);
        let [returned, returned_bytes] = (style.cells)(service.returned);
        let [other, _] = (style.cells)(service.other);
        services.row([
            service.name.to_string(),
            service.listen.to_string(),
            forwarded,
            forwarded_bytes,
            returned,
            returned_bytes,
            other,
        ]);
    }
    let mut backends = Table::new(&style.backends);
    for backend in &traffic.backends {
        let [sent, bytes] = (style.cells)(backend.sent);
        backends.row([
            backend.pool.to_string(),
            table::names(&backend.services),
            backend.address.to_string(),
            sent,
            bytes,
        ]);
    }
    format!("{services}\n{backends}")
}
