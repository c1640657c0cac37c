//! The command line: a thin client of the admin API, and the way to start the daemon.
//!
//! Commands do not know the terminal: each returns an [`Outcome`], which [`run`] prints, and one that
//! goes on and on is given where to write. Whatever a command refuses is one line a problem on
//! standard error.

mod apply;
mod args;
mod backend;
mod check;
mod daemon;
mod decap;
mod drops;
mod flow;
mod format;
mod generate;
mod listener;
mod logs;
mod pool;
mod route;
mod service;
mod stats;
mod status;
mod table;
#[cfg(test)]
mod tests;
mod trace;

use std::{
    ffi::OsString,
    io::{self, ErrorKind, Write},
    process::ExitCode,
};

use anyhow::Context;
use clap::{Parser, error};
use serde::Serialize;

use self::args::{Command, ListenerCommand, LogsCommand, PoolCommand, ServiceCommand};
pub use self::{args::Cli, daemon::Daemon, decap::Decap};
use crate::{admin::client::Client, model::Rule};

/// Exit code of a command that was refused or failed.
const FAILED: u8 = 1;

/// Exit code of a command line that cannot be understood; also clap's own.
const MISUSED: u8 = 2;

/// What a command came to.
#[derive(Debug)]
struct Outcome {
    /// For standard output.
    out: String,
    /// Whether it did what it was asked for.
    done: bool,
}

impl Outcome {
    fn text(out: String) -> Self {
        Self { out, done: true }
    }

    /// A view as JSON, or in words.
    fn view<T: Serialize + ?Sized>(
        view: &T,
        json: bool,
        words: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<Self> {
        if !json {
            return Ok(Self::text(words(view)));
        }
        let mut out = serde_json::to_string_pretty(view).context("cannot write JSON")?;
        out.push('\n');
        Ok(Self::text(out))
    }
}

/// Reads the command line. When it is wrong or asks for help, that has been printed, and the exit
/// code comes back.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, ExitCode> {
    Cli::try_parse_from(args).and_then(Cli::checked).map_err(|error| {
        if error.kind() == error::ErrorKind::ValueValidation {
            // The message of our own parsers says it all; clap would add a paragraph on --help.
            let message = error.to_string();
            eprintln!("{}", message.lines().next().unwrap_or_default());
            return ExitCode::from(MISUSED);
        }
        // A terminal that is gone needs no message.
        _ = error.print();
        u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
    })
}

/// Carries out a command and prints what it came to.
pub fn run(cli: Cli, daemon: &Daemon) -> ExitCode {
    let mut out = io::stdout();
    let result = execute(cli, daemon, &mut out).and_then(|outcome| {
        print(&mut out, &outcome.out)?;
        Ok(outcome.done)
    });
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILED),
        Err(error) => {
            for line in explain(&error).lines() {
                eprintln!("error: {line}");
            }
            ExitCode::from(FAILED)
        }
    }
}

/// An error and its causes in one message. Many messages repeat their cause; it is said once.
fn explain(error: &anyhow::Error) -> String {
    let mut message = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if message.is_empty() {
            message = cause;
        } else if !message.contains(&cause) {
            message = format!("{message}: {cause}");
        }
    }
    message
}

/// Writes everything, and says whether the reader wants more. One that has seen enough, as in
/// `shunt status | head`, is no failure.
fn print(out: &mut dyn Write, text: &str) -> anyhow::Result<bool> {
    print_bytes(out, text.as_bytes())
}

fn print_bytes(out: &mut dyn Write, bytes: &[u8]) -> anyhow::Result<bool> {
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        result => result.map(|()| true).context("cannot write to standard output"),
    }
}

fn execute(cli: Cli, daemon: &Daemon, out: &mut dyn Write) -> anyhow::Result<Outcome> {
    let client = Client::new(cli.socket);
    match cli.command {
        Command::Run { config } => daemon::run(daemon, &config),
        Command::Check { file, output } => check::check(&file, output.json),
        Command::Apply { file, dry_run, output } => {
            wait(apply::apply(&client, &file, dry_run, output.json))
        }
        Command::Status { output } => wait(status::status(&client, output.json)),
        Command::Stats(args) => wait(stats::stats(&client, &args, out)),
        Command::Drops { service, all, output } => {
            wait(drops::drops(&client, service.as_ref(), all, output.json))
        }
        Command::Flow(args) => wait(flow::flow(&client, &args)),
        Command::Trace(args) => wait(trace::trace(&client, &args, out)),
        Command::Service(ServiceCommand::List { output }) => {
            wait(service::list(&client, output.json))
        }
        Command::Service(ServiceCommand::Show { name, output }) => {
            wait(service::show(&client, &name, output.json))
        }
        Command::Route(args) => wait(route::route(&client, &args)),
        Command::Listener(ListenerCommand::List { output }) => {
            wait(listener::list(&client, output.json))
        }
        Command::Listener(ListenerCommand::Show { name, output }) => {
            wait(listener::show(&client, &name, output.json))
        }
        Command::Service(ServiceCommand::Allow(of)) => {
            wait(service::lists(&client, Rule::Allow, of))
        }
        Command::Service(ServiceCommand::Deny(of)) => wait(service::lists(&client, Rule::Deny, of)),
        Command::Logs(LogsCommand::Reopen { output }) => wait(logs::reopen(&client, output.json)),
        Command::Pool(PoolCommand::List { output }) => wait(pool::list(&client, output.json)),
        Command::Pool(PoolCommand::Show { name, output }) => {
            wait(pool::show(&client, &name, output.json))
        }
        Command::Backend(command) => wait(backend::backend(&client, command)),
        Command::Detach { pin_dir, state_dir } => {
            daemon::detach(daemon, &client, pin_dir.as_deref(), state_dir.as_deref())
        }
        Command::Decap(args) => decap::decap(&daemon.decap, args),
        Command::Completions { shell } => Ok(generate::completions(shell)),
        Command::Man { out } => generate::man(out.as_deref()),
    }
}

/// Runs the asynchronous part of a command.
fn wait<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the run-time")?;
    runtime.block_on(work)
}
