//! A batch on both sides: three ways for each packet, and the tables in the end.

use anyhow::Result;
use lb_common::abi::Reason;

use super::{
    Difference, Ended, Event, Setting, Trial, case::hex_diff, host::Sent, machine, verify,
};

/// ICMP messages that the kernel's limit allows at once, with some to spare.
const ANSWERS: u32 = 40;

impl Trial {
    /// Runs events through both sides until there are no more.
    pub(super) fn run(
        &mut self,
        setting: &Setting,
        mut next: impl FnMut(Option<(&Event, &Sent)>) -> Option<Event>,
    ) -> Result<Ended> {
        let now = machine::now();
        self.host.reset(&self.rows, setting, now);
        self.kernel.reset(&self.rows, setting, now)?;
        let (mut at, mut answers, mut difference) = (0, 0, None);
        let mut last: Option<(Event, Sent)> = None;
        while let Some(event) = next(last.as_ref().map(|(event, sent)| (event, sent))) {
            last = None;
            if answers == ANSWERS && !setting.silent {
                self.kernel.limit(false)?;
                answers = 0;
            }
            let what = match (&event, self.host.apply(&event)) {
                (Event::Frame { ingress, bytes }, Some((usual, rare))) => {
                    let what = self.compare(setting, *ingress, bytes, &usual, &rare)?;
                    answers += u32::from(is_answer(&usual));
                    last = Some((event, usual));
                    what
                }
                (Event::Age(ticks), _) => {
                    self.kernel.age(*ticks)?;
                    None
                }
                (Event::Frame { .. }, None) => None,
            };
            if let Some(what) = what {
                difference = Some(Difference { at, what });
                break;
            }
            at += 1;
        }
        if difference.is_none() {
            difference = self.tables()?.map(|what| Difference { at, what });
        }
        if machine::now() != now {
            return Ok(Ended::InAnotherTick);
        }
        Ok(difference.map_or(Ended::Alike, Ended::Different))
    }

    /// Where the three ways of a frame differ.
    fn compare(
        &mut self,
        setting: &Setting,
        ingress: u32,
        bytes: &[u8],
        usual: &Sent,
        rare: &Sent,
    ) -> Result<Option<String>> {
        if usual != rare {
            let diff = hex_diff(&usual.frame, &rare.frame);
            return Ok(Some(format!(
                "usual way: {:?} {:?}, by the stages alone: {:?} {:?}{diff}",
                usual.verdict, usual.counted, rare.verdict, rare.counted
            )));
        }
        let (action, frame) = self.kernel.run(ingress, bytes)?;
        let expected = setting.action(usual.verdict);
        if action != expected || frame != usual.frame {
            let diff = hex_diff(&usual.frame, &frame);
            return Ok(Some(format!(
                "host: {:?} {:?}, which is {expected} by these interfaces, kernel: {action}{diff}",
                usual.verdict, usual.counted
            )));
        }
        Ok(verify::complaint(&self.rows, bytes, usual).map(|what| {
            format!("{:?} {:?}: {what}{}", usual.verdict, usual.counted, hex_diff(bytes, &frame))
        }))
    }

    /// Where the tables differ.
    fn tables(&mut self) -> Result<Option<String>> {
        let (usual, rare) = self.host.held();
        let kernel = self.kernel.take(&self.rows, &usual)?;
        let mut what = usual.difference(["usual way", "stages alone"], &rare);
        what = what.or_else(|| usual.difference(["host", "kernel"], &kernel));
        if what.is_none() && self.all_counters {
            let (packets, backends) = self.kernel.take_all_counters()?;
            let none = packets.is_empty() && backends.is_empty();
            what =
                (!none).then(|| format!("counted by the kernel alone: {packets:?} {backends:?}"));
        }
        Ok(what)
    }

    /// Runs given events; a tick that ends does not matter.
    pub(super) fn replay(
        &mut self,
        setting: &Setting,
        events: &[Event],
    ) -> Result<Option<Difference>> {
        loop {
            let mut rest = events.iter().cloned();
            match self.run(setting, |_| rest.next())? {
                Ended::InAnotherTick => {}
                Ended::Alike => return Ok(None),
                Ended::Different(difference) => return Ok(Some(difference)),
            }
        }
    }
}

/// Whether an ICMP message of the balancer's own was asked for.
fn is_answer(sent: &Sent) -> bool {
    let Some((_, reason)) = sent.counted else { return false };
    matches!(
        reason,
        Reason::EchoAnswered
            | Reason::EchoLimited
            | Reason::TtlExpired
            | Reason::TooBig
            | Reason::Rejected
    )
}
