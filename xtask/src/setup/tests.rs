//! `setup` on machines that exist only here.

use std::{cell::RefCell, collections::BTreeSet, path::Path};

use super::{
    ebpf,
    install::{Failure, Installer},
    install_each,
    need::{Need, Probe},
    needs::{self, at_least},
    report,
};
use crate::{
    process::Spec,
    toolchain::{LINKED, Linker, Machine, OVERRIDE, choose, linker},
};

/// A machine described by a few facts. Commands that install change them.
#[derive(Default)]
struct Fake {
    facts: RefCell<BTreeSet<String>>,
    ran: RefCell<Vec<String>>,
    variables: Vec<(&'static str, &'static str)>,
}

impl Fake {
    /// `nightly 22`: a toolchain and its LLVM; `source nightly`; `linker 22`; `package llvm-22-dev`
    /// (can be had); `rustup`; `rustup-server`; `deb-server`.
    fn with(facts: &[&str]) -> Self {
        let facts = facts.iter().map(|&fact| fact.to_owned()).collect();
        Self { facts: RefCell::new(facts), ..Self::default() }
    }

    fn has(&self, fact: &str) -> bool {
        self.facts.borrow().contains(fact)
    }

    fn add(&self, fact: &str) {
        self.facts.borrow_mut().insert(fact.to_owned());
    }

    fn number(&self, what: &str) -> Option<String> {
        let facts = self.facts.borrow();
        let number = |fact: &String| fact.strip_prefix(what)?.strip_prefix(' ').map(str::to_owned);
        facts.iter().find_map(number)
    }

    fn rustc(&self, name: &str, argument: &str) -> Option<String> {
        let llvm = self.number(name)?;
        let version = format!("rustc\nrelease: 1.96.0\nLLVM version: {llvm}.1.8\n");
        Some(if argument == "-vV" { version } else { format!("/sysroot/{name}\n") })
    }

    /// What an installing command does to this machine.
    fn execute(&self, spec: &Spec) -> Result<(), Failure> {
        let line = spec.to_string();
        self.ran.borrow_mut().push(line.clone());
        let done = if line.contains("component add rust-src") {
            self.has("rustup-server").then(|| self.add("source nightly"))
        } else if line.contains("rust-web-src") {
            self.has("deb-server").then(|| self.add("debian 22"))
        } else if line.contains("toolchain link") {
            self.add(&format!("{LINKED} 22"));
            self.add(&format!("source {LINKED}"));
            Some(())
        } else if let Some((_, llvm)) = line.split_once("--features llvm-") {
            self.facts.borrow_mut().retain(|fact| !fact.starts_with("linker"));
            self.add(&format!("linker {}", &llvm[..2]));
            Some(())
        } else {
            self.has("deb-server").then_some(())
        };
        let failure = Failure { command: Some(line), said: "no network".to_owned(), log: None };
        done.ok_or(failure)
    }

    fn set_up(&self, needs: &[Need]) -> Vec<(&'static str, Failure)> {
        let execute = |spec: &Spec, _| self.execute(spec);
        let mut installer = Installer::new(self, &execute);
        let failures = install_each(needs, &mut installer);
        failures.into_iter().map(|(need, failure)| (need.name, failure)).collect()
    }

    fn ran(&self, part: &str) -> bool {
        self.ran.borrow().iter().any(|line| line.contains(part))
    }
}

impl Machine for Fake {
    fn output(&self, argv: &[&str]) -> Option<String> {
        match argv {
            ["rustup", "--version"] => self.has("rustup").then(String::new),
            ["rustup", "run", name, "rustc", argument] => self.rustc(name, argument),
            ["rustc", argument] => self.rustc("path", argument),
            ["ldd", _] if self.has("linker static") => Some("libc.so.6 => x".to_owned()),
            ["ldd", _] => Some(format!("libLLVM.so.{}.1 => x", self.number("linker")?)),
            ["/bin/bpf-linker", "--version"] => Some("bpf-linker 0.13.0\n".to_owned()),
            ["apt-cache", "show", package] => {
                self.has(&format!("package {package}")).then(String::new)
            }
            ["apt-get", "--version"] => Some(String::new()),
            ["id", "-u"] => Some("0\n".to_owned()),
            _ => None,
        }
    }

    fn exists(&self, path: &Path) -> bool {
        let path = path.display().to_string();
        match path.strip_prefix("/sysroot/").and_then(|rest| rest.split_once('/')) {
            Some((name, _)) => self.has(&format!("source {name}")),
            None => path == "/bin/bpf-linker" && self.number("linker").is_some(),
        }
    }

    fn var(&self, name: &str) -> Option<String> {
        let set = self.variables.iter().find(|(variable, _)| *variable == name);
        set.map(|(_, value)| (*value).to_owned()).or((name == "PATH").then(|| "/bin".to_owned()))
    }
}

const BPF: [Need; 2] = [ebpf::COMPILER, ebpf::LINKER];

#[test]
fn a_nightly_gets_its_source_where_rustup_reaches_its_server() {
    let machine =
        Fake::with(&["rustup", "nightly 22", "rustup-server", "deb-server", "package llvm-22-dev"]);
    assert_eq!(machine.set_up(&BPF), []);
    assert!(!machine.ran("rustc-web"));
    assert_eq!(choose(&machine).expect("a compiler").name.as_deref(), Some("nightly"));
}

#[test]
fn the_distribution_helps_where_rustup_does_not() {
    let machine = Fake::with(&["rustup", "nightly 22", "deb-server", "package llvm-22-dev"]);
    assert_eq!(machine.set_up(&BPF), []);
    assert!(machine.ran("env DEBIAN_FRONTEND=noninteractive apt-get install -y"));
    assert!(machine.ran("LLVM_PREFIX=/usr/lib/llvm-22 cargo install bpf-linker"));
    assert_eq!(choose(&machine).expect("a compiler").name.as_deref(), Some(LINKED));
    let updates = machine.ran.borrow().iter().filter(|line| line.contains("update")).count();
    assert_eq!(updates, 1);
}

#[test]
fn a_nightly_whose_llvm_nobody_has_is_not_taken() {
    let machine = Fake::with(&[
        "rustup",
        "nightly 23",
        "source nightly",
        "deb-server",
        "package llvm-22-dev",
    ]);
    assert_eq!(machine.set_up(&BPF), []);
    assert_eq!(choose(&machine).expect("a compiler").name.as_deref(), Some(LINKED));
}

#[test]
fn a_linker_for_another_llvm_is_replaced() {
    let machine = Fake::with(&["rustup", "nightly 22", "source nightly", "linker 21"]);
    machine.add("deb-server");
    machine.add("package llvm-22-dev");
    assert!(choose(&machine).is_err_and(|lacks| lacks.contains("not built for LLVM 22")));
    assert!(matches!((ebpf::LINKER.probe)(&machine), Probe::Missing(_)));
    assert_eq!(machine.set_up(&BPF), []);
    assert!(machine.ran("--force"));
    assert_eq!(linker(&machine), Linker::Llvm(22));
}

#[test]
fn a_linker_with_an_llvm_of_its_own_is_trusted() {
    let machine = Fake::with(&["rustup", "nightly 23", "source nightly", "linker static"]);
    assert_eq!(linker(&machine), Linker::Static);
    assert!(choose(&machine).is_ok());
}

#[test]
fn what_is_there_is_left_alone() {
    let machine = Fake::with(&["rustup", "nightly 22", "source nightly", "linker 22"]);
    assert_eq!(machine.set_up(&BPF), []);
    assert!(machine.ran.borrow().is_empty());
}

#[test]
fn without_rustup_the_compiler_on_the_path_must_have_the_source() {
    let machine = Fake::with(&["path 22", "linker 22"]);
    let lacks = choose(&machine).expect_err("no source");
    assert!(lacks.contains("cargo xtask setup") && !lacks.contains('\n'));
    machine.add("source path");
    assert_eq!(choose(&machine).expect("a compiler").name, None);
}

#[test]
fn a_toolchain_that_was_asked_for_is_used_or_refused() {
    let mut machine =
        Fake::with(&["rustup", "nightly 22", "source nightly", "mine 22", "linker 22"]);
    machine.variables.push((OVERRIDE, "mine"));
    assert!(choose(&machine).is_err());
    machine.add("source mine");
    assert_eq!(choose(&machine).expect("a compiler").name.as_deref(), Some("mine"));
}

#[test]
fn one_failure_does_not_keep_the_others_back() {
    let machine = Fake::with(&["rustup", "nightly 22"]);
    let curl = needs::all().into_iter().find(|need| need.name == "curl").expect("curl");
    let failures = machine.set_up(&[ebpf::COMPILER, curl]);
    assert_eq!(
        failures.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        ["BPF compiler", "curl"]
    );
    assert!(machine.ran("install -y --no-install-recommends --no-remove curl"));
    let text = report(&ebpf::COMPILER, &failures[0].1);
    for part in ["needed:", "tried:", "rust-web-src", "no network", "to do:", "component add"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn a_package_with_a_service_brings_its_program_alone() {
    let machine = Fake::with(&["deb-server"]);
    let nginx = needs::all().into_iter().find(|need| need.name == "nginx").expect("nginx");
    // It is not found afterwards, because nothing is installed on this machine.
    assert_eq!(machine.set_up(&[nginx]).len(), 1);
    let scripts = machine.ran.borrow();
    let script = scripts.iter().find(|line| line.contains(" nginx")).expect("an installation");
    let place = |part: &str| script.find(part).unwrap_or_else(|| panic!("no {part} in {script}"));
    assert!(place("exit 101") < place("--no-remove nginx"));
    assert!(place("--no-remove nginx") < place("update-rc.d nginx disable"));
}

#[test]
fn versions_are_compared_as_numbers() {
    assert!(at_least("cargo-deny 0.20.2", "0.20.2"));
    assert!(at_least("bpf-linker 0.13.9\n", "0.13.0"));
    assert!(at_least("x 1.0.0", "0.20.2"));
    assert!(!at_least("bpf-linker 0.9.15", "0.13.0"));
    assert!(!at_least("", "0.13.0"));
}
