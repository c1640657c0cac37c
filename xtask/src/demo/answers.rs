//! Who answered which requests, beside who should have.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use anyhow::{Context as _, Result, ensure};

/// Answers by backend.
pub(super) type Counts = BTreeMap<String, usize>;

/// What curl tells of some requests: the bodies of the answers, and after each a line of
/// [`Answers::FORMAT`].
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Answers {
    /// How many each backend gave.
    pub(super) backends: Counts,
    /// The clients that backends saw, without ports, and on whose behalf.
    pub(super) clients: BTreeSet<String>,
    /// Connections that were opened.
    pub(super) connections: usize,
    /// Versions of HTTP.
    pub(super) versions: BTreeSet<String>,
}

impl Answers {
    /// What curl is to say after each answer.
    pub(super) const FORMAT: &str = "curl %{num_connects} %{http_version}\\n";

    /// Reads what curl has printed.
    pub(super) fn read(said: &str) -> Result<Self> {
        let mut answers = Self::default();
        for line in said.lines() {
            answers.line(line).with_context(|| format!("not the answer of a backend: `{line}`"))?;
        }
        Ok(answers)
    }

    fn line(&mut self, line: &str) -> Option<()> {
        if let Some(told) = line.strip_prefix("curl ") {
            let (connections, version) = told.split_once(' ')?;
            self.connections += connections.parse::<usize>().ok()?;
            self.versions.insert(version.to_owned());
            return Some(());
        }
        let (backend, client) = line.split_once(" serves ")?;
        *self.backends.entry(backend.to_owned()).or_default() += 1;
        self.clients.insert(without_port(client));
        Some(())
    }
}

/// `ADDRESS:PORT for CLIENT` without the port, which is another for each connection.
fn without_port(client: &str) -> String {
    let (seen, behalf) = client.split_once(' ').unwrap_or((client, ""));
    let address = seen.rsplit_once(':').map_or(seen, |(address, _)| address);
    format!("{address} {behalf}").trim_end().to_owned()
}

/// A line of the table: requests of one kind.
pub(super) struct Row {
    /// What was asked for.
    pub(super) request: String,
    /// The pool that it is for.
    pub(super) pool: &'static str,
    /// Who should have answered.
    pub(super) expected: Counts,
    /// Who did.
    pub(super) answered: Counts,
}

impl Row {
    /// An error unless exactly those answered who should have.
    pub(super) fn verify(&self) -> Result<()> {
        let Self { request, pool, expected, answered } = self;
        ensure!(
            answered == expected,
            "`{request}` should have been answered by pool {pool}, that is {}, but was by {}",
            words(expected),
            words(answered)
        );
        Ok(())
    }
}

fn words(counts: &Counts) -> String {
    if counts.is_empty() {
        return "nobody".to_owned();
    }
    let each: Vec<_> = counts.iter().map(|(backend, n)| format!("{backend} ({n})")).collect();
    each.join(", ")
}

/// The rows as a table, a line for each backend that answered or should have.
pub(super) fn table(rows: &[Row]) -> String {
    let mut cells = vec![["REQUEST", "POOL", "BACKEND", "EXPECTED", "ANSWERED"].map(str::to_owned)];
    for Row { request, pool, expected, answered } in rows {
        let backends: BTreeSet<_> = expected.keys().chain(answered.keys()).collect();
        for (nth, backend) in backends.into_iter().enumerate() {
            let [request, pool] = if nth == 0 { [request.as_str(), *pool] } else { [""; 2] };
            let [expected, answered] =
                [expected, answered].map(|counts| counts.get(backend).copied().unwrap_or(0));
            cells.push([
                request.to_owned(),
                pool.to_owned(),
                backend.clone(),
                expected.to_string(),
                answered.to_string(),
            ]);
        }
    }
    let width = |column: usize| cells.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let [request, pool, backend] = [0, 1, 2].map(width);
    let mut out = String::new();
    for [a, b, c, d, e] in &cells {
        _ = writeln!(out, "  {a:<request$}  {b:<pool$}  {c:<backend$}  {d:>8}  {e:>8}");
    }
    out
}
