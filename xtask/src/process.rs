//! Commands as values: shown to the person exactly as they are run.

use std::{
    env, fmt,
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};

/// A command that can be printed, logged and run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Spec {
    argv: Vec<String>,
    env: Vec<(String, String)>,
}

impl Spec {
    /// A command from its words.
    pub(crate) fn new<S: AsRef<str>>(words: &[S]) -> Self {
        Self { argv: words.iter().map(|word| word.as_ref().to_owned()).collect(), env: Vec::new() }
    }

    /// A command from one string whose words hold no spaces.
    pub(crate) fn words(line: &str) -> Self {
        Self::new(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// With a variable of the environment.
    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// With further arguments.
    pub(crate) fn args(mut self, words: impl IntoIterator<Item = String>) -> Self {
        self.argv.extend(words);
        self
    }

    /// For the standard library. `cargo` is the one that runs us.
    pub(crate) fn command(&self) -> Command {
        let program = match self.argv[0].as_str() {
            "cargo" => env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()),
            other => other.to_owned(),
        };
        let mut command = Command::new(program);
        command.args(&self.argv[1..]).envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs it on our terminal; true if it succeeded.
    pub(crate) fn run(&self) -> Result<bool> {
        let status = self.command().status().with_context(|| format!("cannot run `{self}`"))?;
        Ok(status.success())
    }

    /// Runs it on our terminal and also hands each line of its standard output to `line`.
    pub(crate) fn tee(&self, mut line: impl FnMut(&str)) -> Result<bool> {
        let mut child = self
            .command()
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run `{self}`"))?;
        let output = child.stdout.take().context("no standard output")?;
        let mut terminal = std::io::stdout();
        for bytes in BufReader::new(output).split(b'\n') {
            let bytes = bytes.with_context(|| format!("cannot read what `{self}` prints"))?;
            terminal.write_all(&[&bytes[..], b"\n"].concat())?;
            terminal.flush()?;
            line(&String::from_utf8_lossy(&bytes));
        }
        Ok(child.wait()?.success())
    }

    /// Runs it without showing anything; its standard output if it succeeded.
    pub(crate) fn capture(&self) -> Result<Option<String>> {
        let output = self
            .command()
            .stderr(Stdio::null())
            .output()
            .with_context(|| format!("cannot run `{self}`"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(output.status.success().then_some(text))
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = self.env.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
        let words = self.argv.iter().map(|word| quoted(word));
        f.write_str(&settings.chain(words).collect::<Vec<_>>().join(" "))
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{word}'") }
}

/// The root of the workspace; `cargo xtask` may be called from any directory in it.
pub(crate) fn root() -> PathBuf {
    // Cargo sets it when it runs us, too; a binary that was built elsewhere is not misled then.
    let here = env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").into());
    let here = PathBuf::from(here);
    here.parent().map_or(here.clone(), PathBuf::from)
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}
