//! Requests to a listener, by curl in the client's namespace.

use std::fmt;

use anyhow::{Context as _, Result, ensure};
use tests::{interrupt, run::Finished};

use super::{
    answers::{Answers, Counts, Row},
    stage::Stage,
};
use crate::process::Spec;

/// Arguments that curl always has here.
const FIXED: [&str; 9] =
    ["-sS", "--fail", "--fail-early", "--noproxy", "*", "--max-time", "10", "-w", Answers::FORMAT];

/// A pool, and the backends that it has, counted from 1. They are written down here and not asked
/// of the daemon, whom the demo checks.
#[derive(Clone, Copy)]
pub(super) struct Pool {
    /// Its name.
    pub(super) name: &'static str,
    /// Its backends.
    pub(super) backends: &'static [u8],
}

/// Requests of one kind.
#[derive(Clone, Copy)]
pub(super) struct Ask {
    /// The path.
    pub(super) path: &'static str,
    /// A header.
    pub(super) header: Option<&'static str>,
    /// The pool that they are for.
    pub(super) pool: Pool,
}

/// A listener, as curl reaches it.
pub(super) struct Site {
    /// The URL without a path.
    pub(super) url: String,
    /// Arguments of curl that it takes.
    pub(super) args: Vec<String>,
}

impl Site {
    /// A site whose name no resolver knows, and whose certificate only we trust.
    pub(super) fn secure(stage: &Stage, host: &str, port: u16, certificate: &str) -> Self {
        let resolve = format!("{host}:{port}:{}", stage.vip().ip());
        let args = ["--cacert", certificate, "--resolve", &resolve].map(str::to_owned);
        let port = if port == 443 { String::new() } else { format!(":{port}") };
        Self { url: format!("https://{host}{port}"), args: args.into() }
    }

    /// The command for some requests, as one would type it.
    pub(super) fn shown(&self, ask: &Ask, times: usize) -> Spec {
        Spec::new(&["curl"]).args(self.args.iter().cloned().chain(self.words(ask, times)))
    }

    /// Runs curl.
    pub(super) fn curl(&self, stage: &Stage, words: &[String]) -> Result<Finished> {
        interrupt::check()?;
        let own = self.args.iter().chain(words).map(String::as_str);
        stage.client().run("curl", &FIXED.into_iter().chain(own).collect::<Vec<_>>())
    }

    /// Runs curl for requests that are for a pool, all of which must be answered.
    pub(super) fn answers(&self, stage: &Stage, words: &[String], pool: &str) -> Result<Answers> {
        let said = self.curl(stage, words)?.success();
        said.and_then(|said| Answers::read(&said))
            .with_context(|| format!("a request to {}, for pool {pool}, has failed", self.url))
    }

    /// Asks so many times over one connection; who answered, and what else came out.
    pub(super) fn ask(&self, stage: &Stage, ask: &Ask, times: usize) -> Result<(Row, Answers)> {
        let answers = self.answers(stage, &self.words(ask, times), ask.pool.name)?;
        ensure!(
            answers.connections == 1,
            "curl has opened {} connections to {} instead of one",
            answers.connections,
            self.url
        );
        let backends = ask.pool.backends.iter().map(|n| stage.backend(*n).to_string());
        let row = Row {
            request: ask.to_string(),
            pool: ask.pool.name,
            expected: in_turn(backends, times),
            answered: answers.backends.clone(),
        };
        Ok((row, answers))
    }

    fn words(&self, ask: &Ask, times: usize) -> Vec<String> {
        let header = ask.header.into_iter().flat_map(|header| ["-H".to_owned(), header.to_owned()]);
        // The query is what makes curl ask so many times, and matters to no route.
        header.chain([format!("{}{}?[1-{times}]", self.url, ask.path)]).collect()
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path)?;
        self.header.map_or(Ok(()), |header| write!(f, " with {header}"))
    }
}

/// So many requests to backends in turn.
fn in_turn(backends: impl ExactSizeIterator<Item = String>, requests: usize) -> Counts {
    let each = requests / backends.len().max(1);
    backends.map(|backend| (backend, each)).collect()
}
