//! What is printed of a difference: as few packets as show it.

use std::fmt::Write;

use anyhow::{Result, bail};

use super::{Difference, Event, Setting, Trial};

impl Trial {
    /// Leaves out whatever the difference does not need.
    fn shrink(&mut self, setting: &Setting, mut events: Vec<Event>) -> Result<Vec<Event>> {
        let mut size = events.len() / 2;
        while size > 0 {
            let mut from = 0;
            while from < events.len() {
                let mut fewer = events.clone();
                fewer.drain(from..(from + size).min(events.len()));
                if self.replay(setting, &fewer)?.is_some() {
                    events = fewer;
                } else {
                    from += size;
                }
            }
            size /= 2;
        }
        Ok(events)
    }

    /// Fails with what is needed to see a difference again.
    pub(super) fn report(
        &mut self,
        seed: u64,
        setting: &Setting,
        events: &[Event],
        first: &Difference,
    ) -> Result<()> {
        let until = events.get(..=first.at).unwrap_or(events);
        let needed = self.shrink(setting, until.to_vec())?;
        let again = self.replay(setting, &needed)?;
        let what = again.as_ref().map_or("not seen again", |found| found.what.as_str());
        let mut text = format!("{}\nafter {} events of the batch; cut down:", first.what, first.at);
        for event in &needed {
            match event {
                Event::Age(ticks) => _ = write!(text, "\n  all gets older by {ticks} ticks"),
                Event::Frame { ingress, bytes } => {
                    let hex: String = bytes.iter().fold(String::new(), |mut hex, byte| {
                        _ = write!(hex, "{byte:02x}");
                        hex
                    });
                    _ = write!(text, "\n  on {ingress}: {hex}");
                }
            }
        }
        bail!(
            "{text}\n{what}\n{setting:?}, {:?}\nreplay with SHUNT_FUZZ_SEED={seed} \
             SHUNT_FUZZ_PACKETS=1; what was found becomes a named case of \
             tests/tests/it/kernel/cases, or of kernel/fuzz/found.rs if it takes several packets",
            self.links
        )
    }
}
