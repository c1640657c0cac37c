//! `shunt trace`: what becomes of packets, as it happens.

mod frame;
mod line;
mod pcapng;
#[cfg(test)]
mod tests;

use std::{
    io::{self, Write},
    num::NonZeroU64,
    path::Path,
};

use anyhow::{Context as _, bail};
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::{line::Lines, pcapng::Capture};
use super::{Outcome, args::TraceArgs, format, print};
use crate::admin::{
    client::{self, Client},
    types::{TraceEvent, TracedPacket},
};

/// In the place of a file: standard output.
const STDOUT: &str = "-";

pub(super) async fn trace(
    client: &Client,
    args: &TraceArgs,
    out: &mut dyn Write,
) -> anyhow::Result<Outcome> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for signals")?;
    let mut sink = Sink::open(args, out)?;
    let mut events = client.lines(&path(&args.filter)).await?;
    sink.begin()?;
    note("tracing; Ctrl-C ends it");
    let most = args.count.map_or(u64::MAX, NonZeroU64::get);
    let mut seen = Seen::default();
    let ended = async {
        while seen.packets < most {
            let event = next(&mut events, &mut interrupt, &mut terminate).await?;
            let Some(event) = event else { break };
            if !take(&event, &mut seen, &mut sink)? {
                break;
            }
        }
        anyhow::Ok(())
    };
    let ended = ended.await;
    note(&seen.words());
    ended.map(|()| Outcome::text(String::new()))
}

/// Packets so far.
#[derive(Default)]
struct Seen {
    packets: u64,
    lost: u64,
}

impl Seen {
    fn words(&self) -> String {
        let packets = |number: u64| match number {
            1 => "1 packet".to_owned(),
            more => format!("{} packets", format::thousands(more)),
        };
        let shown = format!("{} shown", packets(self.packets));
        match self.lost {
            0 => shown,
            lost => format!(
                "{shown}; {} not shown, for there were too many at once; a filter that wants fewer loses fewer",
                packets(lost)
            ),
        }
    }
}

/// The next event; nothing once the user has had enough.
async fn next(
    events: &mut client::Lines,
    interrupt: &mut Signal,
    terminate: &mut Signal,
) -> anyhow::Result<Option<TraceEvent>> {
    let event = tokio::select! {
        _ = interrupt.recv() => return Ok(None),
        _ = terminate.recv() => return Ok(None),
        event = events.next() => event?,
    };
    event.context("the daemon has ended without a word; see its log").map(Some)
}

/// Shows an event. Says whether the trace goes on.
fn take(event: &TraceEvent, seen: &mut Seen, sink: &mut Sink<'_>) -> anyhow::Result<bool> {
    match event {
        TraceEvent::Packet(_) => seen.packets += 1,
        TraceEvent::Lost { packets } => seen.lost += packets,
        TraceEvent::Ended { reason } => bail!("the daemon has ended the trace: {reason}"),
    }
    sink.show(event)
}

/// For people, and not part of what is shown.
fn note(words: &str) {
    // A terminal that is gone needs no message.
    _ = writeln!(io::stderr(), "{words}");
}

/// Where packets go.
struct Sink<'a> {
    out: &'a mut dyn Write,
    capture: Option<Capture>,
    how: How,
}

/// What is written to standard output.
enum How {
    Lines(Lines),
    Json,
    /// The capture.
    Pcapng,
}

impl<'a> Sink<'a> {
    fn open(args: &TraceArgs, out: &'a mut dyn Write) -> anyhow::Result<Self> {
        let to_stdout = args.pcap.as_deref() == Some(Path::new(STDOUT));
        if to_stdout && args.json {
            bail!("standard output takes either JSON or pcapng; name a file after --pcap");
        }
        let capture = match &args.pcap {
            Some(_) if to_stdout => Some(Capture::unnamed()?),
            Some(path) => Some(Capture::open(path)?),
            None => None,
        };
        let how = match (to_stdout, args.json) {
            (true, _) => How::Pcapng,
            (false, true) => How::Json,
            (false, false) => How::Lines(Lines::default()),
        };
        Ok(Self { out, capture, how })
    }

    /// Once the trace has begun.
    fn begin(&mut self) -> anyhow::Result<()> {
        if let Some(capture) = &mut self.capture {
            capture.begin()?;
            capture.write(self.out)?;
        }
        Ok(())
    }

    /// Whether the reader wants more.
    fn show(&mut self, event: &TraceEvent) -> anyhow::Result<bool> {
        if let (Some(capture), TraceEvent::Packet(packet)) = (&mut self.capture, event) {
            capture.add(packet)?;
            if !capture.write(self.out)? {
                return Ok(false);
            }
        }
        let text = match (&mut self.how, event) {
            (How::Json, event) => serde_json::to_string(event).context("cannot write JSON")? + "\n",
            (How::Lines(lines), TraceEvent::Packet(packet)) => lines.line(packet),
            // Of what is no packet the end tells.
            (How::Pcapng | How::Lines(_), _) => return Ok(true),
        };
        print(self.out, &text)
    }
}

/// What happened to a packet: its reason, and before it what that means for it, unless that is plain.
fn fate(packet: &TracedPacket) -> String {
    let TracedPacket { verdict, reason, .. } = packet;
    if verdict == lb_common::trace::Ending::Forwarded.name() {
        reason.clone()
    } else {
        format!("{verdict} {reason}")
    }
}

/// The call that asks for what a filter wants.
fn path(filter: &[String]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/".contains(&byte);
    let escaped: String = filter
        .join(" ")
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    format!("/v1/trace?filter={escaped}")
}
