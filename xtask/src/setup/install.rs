//! How things are installed: commands shown before they run, and Debian's packages.

use std::{fmt, path::PathBuf, time::Duration};

use crate::{process::Spec, toolchain::Machine};

/// Limits are given in these.
pub(super) const MINUTE: Duration = Duration::from_mins(1);

/// Never removes a package: what is in the way is for the person to decide.
const INSTALL: &str = "apt-get install -y --no-install-recommends --no-remove";

/// Why something could not be installed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Failure {
    /// The command that failed, if it was one.
    pub(super) command: Option<String>,
    /// What is wrong, or the last lines that the command printed.
    pub(super) said: String,
    /// Where all that it printed is.
    pub(super) log: Option<PathBuf>,
}

impl Failure {
    /// A failure that no command caused.
    pub(super) fn of(said: &str) -> Self {
        Self { command: None, said: said.to_owned(), log: None }
    }

    /// With what had been tried before.
    pub(super) fn after(mut self, earlier: Option<Self>) -> Self {
        if let Some(earlier) = earlier {
            self.said = format!("{earlier}\nthen: {}", self.said);
        }
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.command {
            Some(command) => write!(f, "`{command}`: {}", self.said),
            None => f.write_str(&self.said),
        }
    }
}

/// Runs a command within a time limit.
pub(super) type Execute<'a> = &'a dyn Fn(&Spec, Duration) -> Result<(), Failure>;

/// Installs; remembers what need be done only once.
pub(super) struct Installer<'a> {
    /// The machine to look at.
    pub(super) machine: &'a dyn Machine,
    execute: Execute<'a>,
    package_lists_fresh: bool,
}

impl<'a> Installer<'a> {
    /// An installer; tests give it another machine and another way to execute.
    pub(super) fn new(machine: &'a dyn Machine, execute: Execute<'a>) -> Self {
        Self { machine, execute, package_lists_fresh: false }
    }

    /// Shows a command and runs it.
    pub(super) fn run(&mut self, spec: &Spec, limit: Duration) -> Result<(), Failure> {
        println!("  $ {spec}");
        (self.execute)(spec, limit)
    }

    /// Installs packages of the distribution.
    pub(super) fn apt(&mut self, packages: &[&str]) -> Result<(), Failure> {
        self.refuse_without_apt(&packages.join(", "))?;
        self.refresh_package_lists();
        let packages = packages.iter().map(|&package| package.to_owned());
        let install = self.as_root(INSTALL)?.args(packages);
        self.run(&install, 30 * MINUTE)
    }

    /// Installs a package that would start a service, for its program alone: nothing runs afterwards,
    /// nor after the next start of the machine.
    pub(super) fn apt_without_service(
        &mut self,
        package: &str,
        service: &str,
    ) -> Result<(), Failure> {
        self.refuse_without_apt(package)?;
        self.refresh_package_lists();
        let script = script_without_service(package, service);
        let install = self.as_root("sh -ec")?.args([script]);
        self.run(&install, 30 * MINUTE)
    }

    fn refuse_without_apt(&self, wanted: &str) -> Result<(), Failure> {
        if self.machine.output(&["apt-get", "--version"]).is_some() {
            return Ok(());
        }
        Err(Failure::of(&format!("there is no apt-get to install {wanted} with")))
    }

    /// Brings the package lists up to date, once. A failure is not the end: the lists that are
    /// there may do.
    pub(super) fn refresh_package_lists(&mut self) {
        if self.package_lists_fresh || self.machine.output(&["apt-get", "--version"]).is_none() {
            return;
        }
        self.package_lists_fresh = true;
        let updated = match self.as_root("apt-get update") {
            Ok(update) => self.run(&update, 10 * MINUTE),
            Err(failure) => Err(failure),
        };
        if let Err(failure) = updated {
            println!("  the package lists could not be brought up to date: {}", failure.said);
        }
    }

    fn as_root(&self, line: &str) -> Result<Spec, Failure> {
        let root = self.machine.output(&["id", "-u"]).is_some_and(|id| id.trim() == "0");
        let settings = "DEBIAN_FRONTEND=noninteractive";
        if root {
            return Ok(Spec::words(&format!("env {settings} {line}")));
        }
        if self.machine.output(&["sudo", "--version"]).is_some() {
            return Ok(Spec::words(&format!("sudo {settings} {line}")));
        }
        Err(Failure::of(&format!("`{line}` must be run by root, and there is no sudo")))
    }
}

/// Debian asks `policy-rc.d` before a package starts its service, and 101 forbids it. A policy that is
/// there is the machine's own and stays; ours is gone when the script ends, however it ends.
fn script_without_service(package: &str, service: &str) -> String {
    format!(
        r##"policy=/usr/sbin/policy-rc.d
if ! [ -e $policy ]; then
    trap "rm -f $policy" EXIT
    trap "exit 1" HUP INT TERM
    printf "#!/bin/sh\nexit 101\n" > $policy
    chmod 755 $policy
fi
{INSTALL} {package}
update-rc.d {service} disable
! [ -e /run/{service}.pid ] || service {service} stop"##
    )
}
