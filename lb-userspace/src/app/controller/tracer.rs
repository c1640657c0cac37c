//! What the controller does for whoever traces packets.

use anyhow::Result;
use lb_common::trace::Record;
use tracing::{error, info, warn};

use super::{Controller, answer, failure};
use crate::{
    admin::{RequestError, trace::TraceQuery, types::TraceEvent},
    app::{
        sweep::tick,
        trace::{self, LEASE_TICKS, Names, Reply, Step},
    },
};

impl Controller {
    /// Begins a trace, if nobody else traces.
    pub(super) fn begin_trace(&mut self, query: &TraceQuery, reply: Reply) {
        if !self.tracing.is_idle() {
            let error =
                "another `shunt trace` is running, and one at a time is possible; end it first";
            return answer(reply, Err(RequestError::Conflict(error.to_owned())));
        }
        match trace::filter(query, &self.image, &self.desired, tick() + LEASE_TICKS) {
            Ok(filter) => self.tracing.load(self.desired.daemon.pin_dir.clone(), filter, reply),
            Err(error) => answer(reply, Err(error)),
        }
    }

    /// Does what a trace wants.
    pub(in crate::app) fn traced(&mut self, step: Step) {
        match step {
            Step::Loaded(loaded, filter, reply) => {
                let begun = loaded.and_then(|loaded| {
                    let (twins, ring) = *loaded;
                    let mut filter = *filter;
                    filter.until = tick() + LEASE_TICKS;
                    self.dataplane.begin_trace(twins, &filter)?;
                    Ok(self.tracing.run(ring, filter, trace::since_1970())?)
                });
                if begun.is_err() {
                    self.end_trace("it could not begin");
                } else {
                    info!("tracing packets: the program was replaced by its twin");
                }
                answer(reply, begun.map_err(failure));
            }
            Step::Seen(records) => self.report(&records),
            Step::Renew => {
                if let Err(error) = self.renew_trace() {
                    error!("cannot go on tracing: {error:#}");
                    self.end_trace("the daemon cannot go on; see its log");
                }
            }
            Step::Over => self.end_trace("the client has gone"),
        }
    }

    /// Ends the trace that is running, if one is, and puts the program back.
    pub(in crate::app) fn end_trace(&mut self, reason: &str) {
        self.dataplane.end_trace();
        let Some(client) = self.tracing.end() else { return };
        info!("the trace has ended: {reason}");
        if let Ok(line) = line(&TraceEvent::Ended { reason: reason.to_owned() }) {
            // Whoever takes nothing any more misses this, too.
            _ = client.try_send(line.into());
        }
    }

    fn report(&mut self, records: &[Record]) {
        let names = Names::new(&self.desired, &self.image, &self.links);
        let epoch = self.tracing.epoch();
        let lines: Result<Vec<_>> = records
            .iter()
            .map(|record| line(&TraceEvent::Packet(Box::new(names.view(record, epoch)))))
            .collect();
        let told = lines.and_then(|mut lines| {
            lines.extend(self.lost()?);
            Ok(lines.concat())
        });
        match told {
            Ok(lines) => self.tracing.send(lines),
            Err(error) => warn!("cannot report packets: {error:#}"),
        }
    }

    /// What is to be said of packets that were lost since it was said last.
    fn lost(&mut self) -> Result<Option<Vec<u8>>> {
        match self.tracing.newly_lost(self.dataplane.lost_by_trace()?) {
            0 => Ok(None),
            packets => line(&TraceEvent::Lost { packets }).map(Some),
        }
    }

    fn renew_trace(&mut self) -> Result<()> {
        let Some(filter) = self.tracing.renewed(tick()) else { return Ok(()) };
        self.dataplane.renew_trace(&filter)?;
        if let Some(line) = self.lost()? {
            self.tracing.send(line);
        }
        Ok(())
    }
}

fn line(event: &TraceEvent) -> Result<Vec<u8>> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    Ok(line)
}
