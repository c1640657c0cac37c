//! Where logs may go besides files, and what becomes of those that cannot be opened.

use std::{
    cell::RefCell,
    fs,
    io::ErrorKind,
    os::unix::{fs::chown, net::UnixDatagram},
    path::Path,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::{run::hang_up, topology::Family, wait};

use super::{
    super::{
        clients::{BOUND, EDGE, HTTP, HTTPS, Site, curl, run, wants},
        scene::{Network, Scene},
    },
    directory,
};

#[test]
fn standard_output_and_syslog_v4() {
    run(wants(Family::V4, 1), &["curl"], elsewhere, standard_output_and_syslog);
}

#[test]
fn standard_output_and_syslog_v6() {
    run(wants(Family::V6, 1), &["curl"], elsewhere, standard_output_and_syslog);
}

#[test]
fn what_cannot_be_opened() {
    run(wants(Family::V4, 1), &["curl"], in_a_directory, directories_come_and_go);
}

#[test]
fn a_hangup_without_any_log() {
    run(wants(Family::V4, 1), &["curl"], without, nothing_happens);
}

/// A port of bytes that are passed on.
const PASSED: u16 = 8085;
/// A user that the daemon does not run as.
const NOBODY: u32 = 65_534;

/// A listener that writes to standard output, and two to a socket that this program has.
fn elsewhere(network: &Network, site: &Site) -> Result<String> {
    let socket = directory(network).join("syslog");
    listen(&socket)?;
    let to = "access-log = { to = \"stdout\", format = \"json\" }\npool = \"plain\"";
    let passed = format!(
        "protocol = \"tcp\"\npool = \"plain\"\naccess-log = \"syslog:{}\"",
        socket.display()
    );
    let named = passed.replace("tcp", "tls-passthrough").replace("plain", "secure");
    let listeners = [("edge", HTTP, to), ("passed", PASSED, &passed), ("named", HTTPS, &named)];
    let listeners = listeners.map(|(name, port, more)| site.listener(name, port, more));
    Ok(site.pools(network) + &listeners.concat())
}

thread_local! {
    static SYSLOG: RefCell<Option<UnixDatagram>> = const { RefCell::new(None) };
}

fn standard_output_and_syslog(scene: &mut Scene, site: &mut Site) -> Result<()> {
    ensure!(curl::ask(scene, site, HTTP, "/out?x", &["-A", "me\\"])?.status == "200");
    wait::until("the line on standard output", BOUND, || {
        // The harness puts the daemon's log there, too.
        let log = scene.daemon.log();
        let mut lines = log.lines().filter(|line| line.starts_with('{'));
        let line: Value = serde_json::from_str(lines.next().context("no line")?)?;
        ensure!(line["user_agent"] == "me\\" && line["status"] == 200, "{line}");
        ensure!(lines.next().is_none());
        Ok(())
    })?;
    ensure!(curl::ask(scene, site, PASSED, "/passed", &[])?.status == "200");
    let line = heard(scene)?;
    ensure!(line["protocol"] == "tcp" && line["listener"] == "passed", "{line}");
    ensure!(line["client"] == client(scene, site) && line["status"].is_null(), "{line}");
    let bytes = |key: &str| line[key].as_u64().unwrap_or_default();
    ensure!(bytes("bytes_sent") > 100 && bytes("bytes_received") > 50, "{line}");
    ensure!(curl::ask(scene, site, HTTPS, "/named", &["-k"])?.status == "200");
    let line = heard(scene)?;
    ensure!(line["protocol"] == "tls-passthrough" && line["tls_name"] == EDGE, "{line}");
    ensure!(line["pool"] == "secure" && line["route"] == 1, "{line}");
    // Both are opened anew, each in its way, and go on.
    ensure!(scene.daemon.ok(&["logs", "reopen"])?.lines().count() == 2);
    syslog_comes_and_goes(scene, site)
}

/// What cannot be told waits, and is told when there is somebody again.
fn syslog_comes_and_goes(scene: &Scene, site: &Site) -> Result<()> {
    let socket = directory(&scene.network).join("syslog");
    SYSLOG.take();
    fs::remove_file(&socket)?;
    ensure!(curl::ask(scene, site, PASSED, "/late", &[])?.status == "200");
    let problem = format!("access log syslog:{} cannot be written: ", socket.display());
    let tells = |is_so: bool| {
        wait::until("the problem to be told, or not any more", BOUND, || {
            let status = scene.daemon.status()?;
            let problems = status["problems"].as_array().context("no problems")?;
            let is_told =
                problems.iter().any(|it| it.as_str().is_some_and(|it| it.starts_with(&problem)));
            ensure!(is_told == is_so, "{problems:?}");
            Ok(())
        })
    };
    tells(true)?;
    let log = scene.daemon.json(&["listener", "show", "passed"])?["access_log"].clone();
    ensure!(log["lost"] == 0 && log["error"].is_string() && log["written"] == 2, "{log}");
    listen(&socket)?;
    ensure!(heard(scene)?["listener"] == "passed");
    tells(false)?;
    ensure!(scene.daemon.log().matches(&problem).count() == 1, "told once");
    Ok(())
}

/// The next line that syslog gets.
fn heard(scene: &Scene) -> Result<Value> {
    let heard = SYSLOG.with_borrow(|syslog| -> Result<String> {
        let mut bytes = [0; 4096];
        let syslog = syslog.as_ref().context("no socket")?;
        let length = loop {
            match syslog.recv(&mut bytes) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                heard => break heard?,
            }
        };
        Ok(String::from_utf8(bytes[..length].to_vec())?)
    })?;
    let (tag, line) = heard.split_once(": ").context("no tag")?;
    let pid = scene.daemon.pid().context("the daemon has ended")?;
    ensure!(tag.starts_with("<190>") && tag.ends_with(&format!(" shunt[{pid}]")), "{tag}");
    Ok(serde_json::from_str(line)?)
}

/// Listens as a syslog daemon would.
fn listen(socket: &Path) -> Result<()> {
    let daemon = UnixDatagram::bind(socket)?;
    daemon.set_read_timeout(Some(BOUND))?;
    SYSLOG.replace(Some(daemon));
    Ok(())
}

/// The address of the client.
fn client(scene: &Scene, site: &Site) -> String {
    let family = if site.at(HTTP).is_ipv4() { Family::V4 } else { Family::V6 };
    scene.network.topology.address(tests::topology::Host::Client, family).to_string()
}

/// A listener whose log is in a directory of its own.
fn in_a_directory(network: &Network, site: &Site) -> Result<String> {
    let logs = directory(network).join("logs");
    fs::create_dir_all(&logs)?;
    let log = format!("access-log = \"{}\"\npool = \"plain\"", logs.join("a.log").display());
    Ok(site.pools(network) + &site.listener("edge", HTTP, &log))
}

fn directories_come_and_go(scene: &mut Scene, site: &mut Site) -> Result<()> {
    let base = directory(&scene.network);
    let (logs, away) = (base.join("logs"), base.join("away"));
    let ask = |scene: &Scene, path: &str| -> Result<()> {
        ensure!(curl::ask(scene, site, HTTP, path, &[])?.status == "200");
        Ok(())
    };
    let has = |file: &Path, path: &str| {
        wait::until("a line", BOUND, || {
            let text = fs::read_to_string(file)?;
            ensure!(text.contains(&format!("\"GET {path} HTTP/1.1\" 200 ")), "{text}");
            Ok(())
        })
    };
    ask(scene, "/one")?;
    has(&logs.join("a.log"), "/one")?;
    // The file cannot be opened anew: it goes on as it was, and both ways to ask say so.
    fs::rename(&logs, &away)?;
    let refused = scene.daemon.cli(&["logs", "reopen"])?;
    ensure!(refused.code == Some(1), "{refused}");
    let why = "goes on as it was: ";
    let what = "its directory cannot be used: No such file or directory (os error 2)";
    ensure!(refused.stderr.contains(why) && refused.stderr.contains(what), "{refused}");
    ask(scene, "/two")?;
    has(&away.join("a.log"), "/two")?;
    hang_up(scene.daemon.pid().context("the daemon has ended")?)?;
    wait::until("the log to tell", BOUND, || {
        ensure!(scene.daemon.log().matches(why).count() == 2);
        Ok(())
    })?;
    ask(scene, "/three")?;
    has(&away.join("a.log"), "/three")?;
    // So it is with a configuration: told with its place, and nothing changes.
    let file = scene.daemon.files().config.clone();
    let text = fs::read_to_string(&file)?;
    let line = text.lines().position(|line| line.starts_with("access-log")).context("no key")? + 1;
    for args in [&["check"][..], &["apply"]] {
        let refused = scene.daemon.cli(&[args, &[&file.to_string_lossy()]].concat())?;
        let place = format!("{}:{line}:15: ", file.display());
        ensure!(refused.code == Some(1) && refused.stderr.contains(&place), "{refused}");
        ensure!(refused.stderr.contains("make the directory first"), "{refused}");
    }
    // With its directory there again it is opened by the next call.
    fs::create_dir(&logs)?;
    scene.daemon.ok(&["logs", "reopen"])?;
    ask(scene, "/four")?;
    has(&logs.join("a.log"), "/four")?;
    scene.daemon.ok(&["apply", &file.to_string_lossy()])?;
    // What only privileges could open is refused beforehand: the daemon has given them up.
    chown(&logs, Some(NOBODY), None)?;
    fs::rename(logs.join("a.log"), logs.join("a.log.1"))?;
    for args in [&["logs", "reopen"][..], &["check", &file.to_string_lossy()]] {
        let refused = scene.daemon.cli(args)?;
        let told = refused.stderr.contains("a.log cannot be") && refused.code == Some(1);
        ensure!(told && refused.stderr.contains("Permission denied"), "{refused}");
    }
    fs::rename(logs.join("a.log.1"), logs.join("a.log"))?;
    // Without a log nothing is written any more.
    fs::write(
        &file,
        text.lines()
            .filter(|line| !line.starts_with("access-log"))
            .fold(String::new(), |all, line| all + line + "\n"),
    )?;
    let plan = scene.daemon.ok(&["apply", &file.to_string_lossy()])?;
    ensure!(plan.contains("- access log of edge: "), "{plan}");
    ask(scene, "/five")?;
    thread::sleep(Duration::from_millis(300));
    ensure!(!fs::read_to_string(logs.join("a.log"))?.contains("/five"));
    ensure!(scene.daemon.json(&["listener", "show", "edge"])?["access_log"].is_null());
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "what makes configurations may fail")]
fn without(network: &Network, site: &Site) -> Result<String> {
    Ok(site.pools(network) + &site.listener("edge", HTTP, "pool = \"plain\""))
}

fn nothing_happens(scene: &mut Scene, site: &mut Site) -> Result<()> {
    let pid = scene.daemon.pid().context("the daemon has ended")?;
    for _ in 0..20 {
        hang_up(pid)?;
    }
    ensure!(curl::ask(scene, site, HTTP, "/", &[])?.status == "200");
    ensure!(scene.daemon.ok(&["logs", "reopen"])? == "no listener has an access log\n");
    hang_up(pid)?;
    let status = scene.daemon.stop()?;
    ensure!(status.success(), "ended by something else than SIGTERM: {status}");
    Ok(())
}
