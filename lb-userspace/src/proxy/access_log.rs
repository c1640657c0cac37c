//! Access logs: what is noted of each request while it is answered, and how that becomes a line of a file.
//!
//! ```text
//!  worker: Noted --(when the reply is dropped)--> line --> its shard of the Queue
//!                                                              |
//!  writer (a thread for each log): takes all shards, writes whole lines, naps
//! ```
//!
//! A worker never waits for a disk: it writes a line into memory that it shares with the writer alone, for as long as a
//! pointer takes to be swapped. When that memory is full, lines are lost and counted, rather than requests
//! made to wait. Files are opened by the control loop ([`Logs`]), which alone may have to be told why one cannot be.
//!
//! `tracing-appender` has the queue and the count of what it loses, but opens its files by itself and cannot be told to
//! open one anew or whether that succeeded; `log4rs` and `flexi_logger` block whoever logs. So this is our own.

mod combined;
mod json;
mod line;
mod logs;
mod noted;
mod queue;
#[cfg(test)]
mod tests;
mod writer;

use std::sync::Arc;

pub use self::logs::LogCounts;
pub(super) use self::{
    line::Line,
    logs::{AllLogs, Log, Logs},
    noted::{Asker, Noted, Session},
};
use crate::model::listener::LogFormat;

/// The log of a listener.
#[derive(Clone, Debug)]
pub(super) struct Logging {
    pub(super) log: Arc<Log>,
    pub(super) format: LogFormat,
}
