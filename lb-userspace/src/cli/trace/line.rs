//! A packet as a line, its parts below those of the lines before.

use std::fmt::Write as _;

use super::{fate, frame};
use crate::{
    admin::types::{FrameView, TracedPacket},
    cli::format,
};

/// Parts of a line.
const PARTS: usize = 8;
/// Parts grow by so many characters, so that they stay below each other most of the time.
const STEP: usize = 4;

/// Writes lines, and remembers how wide their parts were.
#[derive(Default)]
pub(super) struct Lines {
    widths: [usize; PARTS],
}

impl Lines {
    /// The line of a packet.
    pub(super) fn line(&mut self, packet: &TracedPacket) -> String {
        let optional = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let parts: [String; PARTS] = [
            time(packet),
            packet.before.interface.clone(),
            shown(&packet.before),
            format!("-> {}", fate(packet)),
            optional(packet.service.as_ref().map(ToString::to_string)),
            optional(packet.backend.map(|backend| backend.to_string())),
            packet.after.as_ref().map(|after| after.interface.clone()).unwrap_or_default(),
            packet.after.as_ref().map(shown).unwrap_or_default(),
        ];
        let mut line = String::new();
        for (part, width) in parts.iter().zip(&mut self.widths) {
            *width = part.chars().count().next_multiple_of(STEP).max(*width);
            _ = write!(line, "{part:width$}  ", width = *width);
        }
        line.truncate(line.trim_end().len());
        line + "\n"
    }
}

fn shown(frame: &FrameView) -> String {
    format!("{}, {} B", frame::words(&frame.bytes), format::thousands(frame.length.into()))
}

/// The time of day (UTC), to the microsecond.
fn time(packet: &TracedPacket) -> String {
    let second = packet.seconds % 86_400;
    let (hours, minutes, seconds) = (second / 3600, second / 60 % 60, second % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{:06}", packet.nanoseconds / 1000)
}
