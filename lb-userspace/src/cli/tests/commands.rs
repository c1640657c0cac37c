//! Commands from the command line to the daemon's answer, over a real socket.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, io::Write, path::Path};

use clap::Parser;
use serde_json::Value;
use tokio::task;

use crate::{
    admin::fixture::{self, Daemon, address, name, weight},
    cli::{self, Cli, Outcome, execute, explain, tests::decap},
    model::{BackendState, Change, Rule},
};

/// A daemon that only says what it was asked to do.
const DAEMON: cli::Daemon = cli::Daemon {
    run: |config| anyhow::bail!("ran with {}", config.display()),
    detach: |pin_dir, state_dir| {
        let there = state_dir != Path::new("/nothing");
        Ok(there
            .then(|| format!("{} {}", pin_dir.display(), state_dir.display()))
            .into_iter()
            .collect())
    },
    decap: decap::STUB,
};

/// Carries out a command line against a socket; what it writes on the way comes first in the outcome.
pub(in crate::cli) async fn shunt(socket: &Path, line: &str) -> anyhow::Result<Outcome> {
    let (written, outcome) = shunt_into(Vec::new(), socket, line).await;
    let mut outcome = outcome?;
    outcome.out.insert_str(0, std::str::from_utf8(&written).unwrap());
    Ok(outcome)
}

/// Carries out a command line that writes to `out` on the way.
pub(super) async fn shunt_into<W: Write + Send + 'static>(
    mut out: W,
    socket: &Path,
    line: &str,
) -> (W, anyhow::Result<Outcome>) {
    let words = ["shunt", "--socket", socket.to_str().unwrap()];
    let cli = Cli::try_parse_from(words.into_iter().chain(line.split(' '))).unwrap();
    // A command has a run-time of its own, which cannot be inside that of the test.
    let work = move || {
        let outcome = execute(cli, &DAEMON, &mut out);
        (out, outcome)
    };
    task::spawn_blocking(work).await.unwrap()
}

pub(in crate::cli) async fn failure(daemon: &Daemon, line: &str) -> String {
    explain(&shunt(&daemon.socket, line).await.unwrap_err())
}

#[tokio::test]
async fn listings_are_tables_or_json() {
    let daemon = fixture::daemon();
    let whole = serde_json::to_value(fixture::status()).unwrap();
    let cases = [
        ("status", "! eth0 has no IPv4 forwarding", whole.clone()),
        ("service list", "[2001:db8::10]:53/udp  gue", whole["services"].clone()),
        ("service show web", "25.0 %", whole["services"][1].clone()),
        ("pool list", "spare         0", whole["pools"].clone()),
        ("pool show web", "health         http / every 1s", whole["pools"][2].clone()),
    ];
    for (line, fragment, expected) in cases {
        let words = shunt(&daemon.socket, line).await.unwrap();
        assert!(words.done, "{line}");
        assert!(words.out.contains(fragment), "{line}: {}", words.out);
        assert!(words.out.lines().all(|line| line == line.trim_end()), "{line}: {}", words.out);
        let json = shunt(&daemon.socket, &format!("{line} --json")).await.unwrap().out;
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), expected, "{line}");
    }
}

#[tokio::test]
async fn backends_are_listed_with_their_pool() {
    let daemon = fixture::daemon();
    let all = shunt(&daemon.socket, "backend list").await.unwrap().out;
    assert_eq!(all.lines().count(), 5, "{all}");
    assert!(all.starts_with("POOL  BACKEND "), "{all}");
    let web = shunt(&daemon.socket, "backend list web").await.unwrap().out;
    assert_eq!(web.lines().count(), 4, "{web}");
    let json = shunt(&daemon.socket, "backend list dns --json").await.unwrap().out;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json[0]["pool"], &json[0]["address"]),
        (&"dns".into(), &"[2001:db8::4]:53".into())
    );
}

#[tokio::test]
async fn changes_are_asked_for_and_reported() {
    let mut daemon = fixture::daemon();
    let pool = name("web");
    let (old, new) = (address("172.17.0.4:1001"), address("172.17.0.8:1005"));
    let state = |state| Change::SetState { pool: pool.clone(), address: old, state };
    let cases = [
        (
            "backend add web 172.17.0.8:1005",
            "added 172.17.0.8:1005 to pool web (weight 1)\n",
            Change::AddBackend { pool: pool.clone(), address: new, weight: weight(1) },
        ),
        (
            "backend remove web 172.17.0.4:1001",
            "removed 172.17.0.4:1001 from pool web\n",
            Change::RemoveBackend { pool: pool.clone(), address: old },
        ),
        (
            "backend weight web 172.17.0.4:1001 5",
            "set the weight of 172.17.0.4:1001 in pool web to 5\n",
            Change::SetWeight { pool: pool.clone(), address: old, weight: weight(5) },
        ),
        (
            "backend drain web 172.17.0.4:1001",
            "drained 172.17.0.4:1001 in pool web\n",
            state(BackendState::Drained),
        ),
        (
            "backend enable web 172.17.0.4:1001",
            "enabled 172.17.0.4:1001 in pool web\n",
            state(BackendState::Enabled),
        ),
    ];
    for (line, expected, change) in cases {
        let outcome = shunt(&daemon.socket, line).await.unwrap();
        assert_eq!(outcome.out, expected, "{line}");
        assert_eq!(daemon.changes.recv().await.unwrap(), [change], "{line}");
    }
}

#[tokio::test]
async fn lists_are_looked_at_and_changed() {
    let mut daemon = fixture::daemon();
    let listed = shunt(&daemon.socket, "service deny web list").await.unwrap().out;
    assert_eq!(listed, "203.0.113.0/24\n");
    let json = shunt(&daemon.socket, "service deny web list --json").await.unwrap().out;
    assert_eq!(
        serde_json::from_str::<Value>(&json).unwrap(),
        serde_json::json!(["203.0.113.0/24"])
    );
    assert_eq!(shunt(&daemon.socket, "service allow web list").await.unwrap().out, "");

    let change = |add: bool, list, prefix: &str| {
        let (service, prefix) = (name("web"), prefix.parse().unwrap());
        if add {
            Change::AddSource { service, list, prefix }
        } else {
            Change::RemoveSource { service, list, prefix }
        }
    };
    let line = "service deny web add 198.51.100.7 2001:db8::/32";
    assert_eq!(
        shunt(&daemon.socket, line).await.unwrap().out,
        "added 198.51.100.7/32 to `deny` of service web\nadded 2001:db8::/32 to `deny` of service web\n"
    );
    let both = ["198.51.100.7", "2001:db8::/32"].map(|it| change(true, Rule::Deny, it));
    assert_eq!(daemon.changes.recv().await.unwrap(), both);
    assert_eq!(
        shunt(&daemon.socket, "service deny web remove 203.0.113.0/24").await.unwrap().out,
        "removed 203.0.113.0/24 from `deny` of service web\n"
    );
    let removed = [change(false, Rule::Deny, "203.0.113.0/24")];
    assert_eq!(daemon.changes.recv().await.unwrap(), removed);
    shunt(&daemon.socket, "service allow web add 10.0.0.0/8").await.unwrap();
    assert_eq!(daemon.changes.recv().await.unwrap(), [change(true, Rule::Allow, "10.0.0.0/8")]);

    for (line, words) in [
        ("service deny web add 203.0.113.0/24", "203.0.113.0/24 is in `deny` already"),
        ("service deny web remove 10.0.0.0/8", "10.0.0.0/8 is not in `deny`"),
        ("service deny wbe list", "there is no service `wbe`"),
        ("service allow wbe add 10.0.0.0/8", "there is no service `wbe`"),
    ] {
        let error = failure(&daemon, line).await;
        assert!(error.contains(words), "{line}: {error}");
    }
}

#[tokio::test]
async fn several_backends_are_one_call() {
    let mut daemon = fixture::daemon();
    let line = "backend add web 172.17.0.8:1005 172.17.0.9:1006 --weight 2";
    let outcome = shunt(&daemon.socket, line).await.unwrap();
    assert_eq!(
        outcome.out,
        "added 172.17.0.8:1005 to pool web (weight 2)\nadded 172.17.0.9:1006 to pool web (weight 2)\n"
    );
    assert_eq!(daemon.changes.recv().await.unwrap().len(), 2);
    assert!(daemon.changes.try_recv().is_err(), "a second call");
}

#[tokio::test]
async fn refusals_are_one_line_each() {
    let daemon = fixture::daemon();
    let cases = [
        ("pool show nope", "there is no pool `nope`; `shunt pool list` shows those there are"),
        (
            "service show nope",
            "there is no service `nope`; `shunt service list` shows those there are",
        ),
        ("stats nope", "there is no service `nope`; those there are: dns, web"),
        ("stats nope --interval 1s", "there is no service `nope`; those there are: dns, web"),
        ("drops nope --all", "there is no service `nope`; those there are: dns, web"),
        ("backend list nope", "there is no pool `nope`; `shunt pool list` shows those there are"),
        (
            "backend add web 172.17.0.4:1001",
            "pool `web` has backend 172.17.0.4:1001 already; `shunt backend weight` changes its weight",
        ),
        (
            "backend drain web 172.17.0.99:1001",
            "pool `web` has no backend 172.17.0.99:1001; `shunt backend list web` shows those it has",
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(failure(&daemon, line).await, expected, "{line}");
    }
}

#[tokio::test]
async fn a_configuration_is_applied() {
    let daemon = fixture::daemon();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("shunt.toml");
    let at = file.display();
    let apply = async |text: &str, flags: &str| {
        fs::write(&file, text).unwrap();
        shunt(&daemon.socket, &format!("apply {at}{flags}")).await
    };
    let operation = "+ backend 172.17.0.9:1006 in web: weight 1";
    let out = apply("x", "").await.unwrap().out;
    assert_eq!(out, format!("{at}: applied, 1 operation:\n  {operation}\n"));
    let out = apply("x", " --dry-run").await.unwrap().out;
    let expected =
        format!("{at}: 1 operation to do (dry run, nothing was changed):\n  {operation}\n");
    assert_eq!(out, expected);
    let out = apply("x", " --json").await.unwrap().out;
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["operations"][0], operation);
    assert_eq!(apply("same", "").await.unwrap().out, format!("{at}: nothing to change\n"));
    let error = apply("invalid", "").await.unwrap_err().to_string();
    assert_eq!(error, format!("{at}:1:1: this is wrong\n{at}:2:3: that is wrong, too"));
    fs::remove_file(&file).unwrap();
    let error = failure(&daemon, &format!("apply {at}")).await;
    assert!(error.starts_with(&format!("cannot read {at}: No such file")), "{error}");
}

#[tokio::test]
async fn a_running_daemon_detaches_itself() {
    let daemon = fixture::daemon();
    let outcome = shunt(&daemon.socket, "detach --pin-dir /sys/fs/bpf/shunt").await.unwrap();
    assert_eq!(outcome.out, "detached the program from eth0\n");
}

#[tokio::test]
async fn a_daemon_of_another_pin_directory_is_left_alone() {
    let daemon = fixture::daemon();
    let outcome =
        shunt(&daemon.socket, "detach --pin-dir /other --state-dir /state").await.unwrap();
    assert_eq!(outcome.out, "/other /state\n");
    shunt(&daemon.socket, "status").await.unwrap();
}

#[tokio::test]
async fn without_a_daemon_what_it_left_behind_is_removed() {
    let nobody = Path::new("/nonexistent/admin.sock");
    let outcome = shunt(nobody, "detach").await.unwrap();
    assert_eq!(outcome.out, "/sys/fs/bpf/shunt /var/lib/shunt\n");
    let outcome = shunt(nobody, "detach --state-dir /nothing").await.unwrap();
    assert!(outcome.done);
    assert_eq!(outcome.out, "nothing to remove: nothing is pinned in /sys/fs/bpf/shunt\n");
}

#[tokio::test]
async fn run_is_the_daemon() {
    let error = shunt(Path::new("/s"), "run --config shunt.toml").await.unwrap_err();
    assert_eq!(error.to_string(), "ran with shunt.toml");
}

#[tokio::test]
async fn check_needs_no_daemon() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("shunt.toml");
    let at = file.display().to_string();
    let nobody = Path::new("/nonexistent/admin.sock");
    fs::write(
        &file,
        r#"
        [[interface]]
        name = "eth0"
        [[pool]]
        name = "web"
        backends = ["172.17.0.4:1001", "172.17.0.5:1002"]
        [[service]]
        name = "web"
        listen = "192.0.2.10:80/tcp"
        pool = "web"
        forward = "nat"
        "#,
    )
    .unwrap();
    let outcome = shunt(nobody, &format!("check {at}")).await.unwrap();
    assert_eq!(outcome.out, format!("{at}: ok: 1 service, 1 pool, 2 backends, 1 interface\n"));
    let outcome = shunt(nobody, &format!("check {at} --json")).await.unwrap();
    let json: Value = serde_json::from_str(&outcome.out).unwrap();
    assert_eq!((&json["ok"], &json["backends"]), (&true.into(), &2.into()));
    assert_eq!(json["errors"], Value::Array(vec![]));

    fs::write(&file, "[[pool]]\nname = \"a/b\"\n[[service]]\n").unwrap();
    let errors = shunt(nobody, &format!("check {at}")).await.unwrap_err().to_string();
    assert!(errors.lines().count() >= 2, "{errors}");
    assert!(errors.lines().all(|line| line.starts_with(&format!("{at}:"))), "{errors}");
    let outcome = shunt(nobody, &format!("check {at} --json")).await.unwrap();
    assert!(!outcome.done);
    let json: Value = serde_json::from_str(&outcome.out).unwrap();
    assert_eq!((&json["ok"], &json["errors"][0]["line"]), (&false.into(), &1.into()));
}

#[tokio::test]
async fn without_a_daemon_every_call_says_how_to_start_it() {
    for line in [
        "status",
        "stats",
        "drops",
        "service list",
        "pool show web",
        "backend drain web 10.0.0.1:80",
    ] {
        let error = shunt(Path::new("/nonexistent/admin.sock"), line).await.unwrap_err();
        let message = explain(&error);
        assert!(message.starts_with("the daemon is not running (no socket at "), "{message}");
        assert!(message.contains("`shunt run --config FILE`"), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}
