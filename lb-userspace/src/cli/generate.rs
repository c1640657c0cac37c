//! `shunt completions` and `shunt man`: made from the definition of the command line.

use std::{fs, io, path::Path};

use anyhow::Context;
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use super::{Cli, Outcome};

pub(super) fn completions(shell: Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "shunt", &mut script);
    Outcome::text(String::from_utf8_lossy(&script).into_owned())
}

pub(super) fn man(out: Option<&Path>) -> anyhow::Result<Outcome> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let Some(directory) = out else {
        let mut text = Vec::new();
        page(&command).render(&mut text).context("cannot write the page")?;
        return Ok(Outcome::text(String::from_utf8_lossy(&text).into_owned()));
    };
    fs::create_dir_all(directory)
        .and_then(|()| pages(&command, directory))
        .with_context(|| format!("cannot write the pages into {}", directory.display()))?;
    Ok(Outcome::text(format!("wrote the manual pages into {}\n", directory.display())))
}

/// Writes the page of a command and those of the commands below it.
fn pages(command: &Command, directory: &Path) -> io::Result<()> {
    page(command).generate_to(directory)?;
    command.get_subcommands().try_for_each(|below| pages(below, directory))
}

fn page(command: &Command) -> Man {
    // Only the topmost command knows its version.
    Man::new(command.clone()).source(concat!("shunt ", env!("CARGO_PKG_VERSION"))).manual("Shunt")
}
