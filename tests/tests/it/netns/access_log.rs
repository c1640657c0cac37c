//! Access logs: files that are renamed and opened anew under load lose no line; standard output and syslog; what
//! cannot be opened.

mod places;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::{
    run::{self, hang_up},
    topology::Family,
    wait,
};

use super::{
    clients::{BOUND, EDGE, HTTP, HTTPS, Site, run, wants},
    scene::{Network, Scene},
};

/// Requests of each client, of which there are four.
const REQUESTS: usize = 6000;
/// Files that there are of each log at least in the end.
const FILES: usize = 8;
/// How long a client may take.
const LOAD: Duration = Duration::from_mins(2);

#[test]
fn no_line_is_lost_v4() {
    run(wants(Family::V4, 2), &["h2load"], config, no_line_is_lost);
}

#[test]
fn no_line_is_lost_v6() {
    run(wants(Family::V6, 2), &["h2load"], config, no_line_is_lost);
}

/// A log of each format.
#[expect(clippy::unnecessary_wraps, reason = "what makes configurations may fail")]
fn config(network: &Network, site: &Site) -> Result<String> {
    let directory = directory(network);
    let log = |name: &str, format: &str| {
        let to = directory.join(name);
        let route = "[[listener.route]]\npath-prefix = \"/own\"\nrespond = 200\n";
        let log = format!("access-log = {{ to = \"{}\", format = \"{format}\" }}", to.display());
        format!("pool = \"plain\"\n{log}\n{route}")
    };
    let listeners = site.listener("edge", HTTP, &log("combined.log", "combined"))
        + &site.https("tls", HTTPS, &log("json.log", "json"));
    Ok(site.pools(network) + &listeners)
}

/// Where the logs are.
fn directory(network: &Network) -> PathBuf {
    network.files().log.with_file_name("")
}

fn no_line_is_lost(scene: &mut Scene, site: &mut Site) -> Result<()> {
    let directory = directory(&scene.network);
    let loads = [(HTTP, "--h1"), (HTTP, ""), (HTTPS, "--h1"), (HTTPS, "")];
    let files = thread::scope(|scope| {
        let running: Vec<_> = (0..)
            .zip(loads)
            .map(|(nth, (port, flag))| {
                let (scene, site, directory) = (&*scene, &*site, &directory);
                scope.spawn(move || load(scene, site, directory, (nth, port, flag)))
            })
            .collect();
        let is_over = || running.iter().all(thread::ScopedJoinHandle::is_finished);
        let files = rotate(scene, &directory, is_over);
        for load in running {
            load.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        files
    })?;
    for name in ["edge", "tls"] {
        wait::until("every line to be written", BOUND, || {
            let log = scene.daemon.json(&["listener", "show", name])?["access_log"].clone();
            ensure!(log["written"] == 2 * REQUESTS, "{log}");
            ensure!(log["lost"] == 0 && log["error"].is_null(), "{log}");
            Ok(())
        })?;
    }
    scene.daemon.stop()?;
    let all = |name: &str| -> Result<Vec<String>> {
        let all = (0..files).map(|nth| directory.join(format!("{name}.{nth}")));
        let mut lines = Vec::new();
        for file in all.chain([directory.join(name)]) {
            let text = fs::read_to_string(&file)?;
            ensure!(text.is_empty() || text.ends_with('\n'), "{}: half a line", file.display());
            lines.extend(text.lines().map(str::to_owned));
        }
        Ok(lines)
    };
    each_once(&all("combined.log")?, &[0, 1], of_combined)?;
    each_once(&all("json.log")?, &[2, 3], of_json)
}

/// One client, each of whose requests has a path of its own.
fn load(
    scene: &Scene,
    site: &Site,
    directory: &Path,
    (nth, port, flag): (usize, u16, &str),
) -> Result<()> {
    let scheme = if port == HTTPS { "https" } else { "http" };
    let url = |request| {
        let own = if request % 2 == 0 { "/own" } else { "" };
        format!("{scheme}://{EDGE}:{port}{own}/{nth}/{request}\n")
    };
    let input = directory.join(format!("urls.{nth}"));
    fs::write(&input, (0..REQUESTS).map(url).collect::<String>())?;
    let mut command = scene.network.topology.client.command("h2load");
    let many = if flag.is_empty() { "-m10" } else { "-m1" };
    command.args([&format!("-n{REQUESTS}"), "-c1", "-t1", many, "-i"]).arg(&input);
    command.arg(format!("--connect-to={}", site.at(port)));
    command.args(Some(flag).filter(|flag| !flag.is_empty()));
    let said = run::run(&mut command, LOAD)?.success()?;
    ensure!(said.contains(&format!("{REQUESTS} 2xx, 0 3xx, 0 4xx, 0 5xx")), "{said}");
    Ok(())
}

/// Renames both files and has them opened anew, by signal and by command in turns, until it is over, and a few times in
/// any case. Says how often.
fn rotate(scene: &Scene, directory: &Path, is_over: impl Fn() -> bool) -> Result<usize> {
    let pid = scene.daemon.pid().context("the daemon has ended")?;
    let logs = ["combined.log", "json.log"].map(|name| directory.join(name));
    let old = |log: &Path, nth: usize| {
        let mut name = log.as_os_str().to_owned();
        name.push(format!(".{nth}"));
        PathBuf::from(name)
    };
    let end = Instant::now() + LOAD;
    let mut nth = 0;
    while nth < FILES || !is_over() {
        ensure!(Instant::now() < end, "the clients take too long");
        for log in &logs {
            fs::rename(log, old(log, nth))?;
        }
        if nth.is_multiple_of(2) {
            hang_up(pid)?;
            wait::until("new files after SIGHUP", BOUND, || {
                ensure!(logs.iter().all(|log| log.exists()));
                Ok(())
            })?;
        } else {
            let said = scene.daemon.ok(&["logs", "reopen"])?;
            ensure!(said.lines().count() == 2, "{said}");
            // Nobody writes to the old ones any more.
            let sizes = || logs.iter().map(|log| Ok(fs::metadata(old(log, nth))?.len()));
            let before: Vec<_> = sizes().collect::<Result<_>>()?;
            thread::sleep(Duration::from_millis(150));
            ensure!(before == sizes().collect::<Result<Vec<_>>>()?);
        }
        thread::sleep(Duration::from_millis(50));
        nth += 1;
    }
    Ok(nth)
}

/// Whether there is a line for each request of some clients, and no other.
fn each_once(
    lines: &[String],
    clients: &[usize],
    path: impl Fn(&str) -> Result<String>,
) -> Result<()> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for line in lines {
        *seen.entry(path(line).with_context(|| format!("in `{line}`"))?).or_default() += 1;
    }
    for (client, request) in
        clients.iter().flat_map(|client| (0..REQUESTS).map(move |request| (client, request)))
    {
        let own = if request % 2 == 0 { "/own" } else { "" };
        let path = format!("{own}/{client}/{request}");
        let times = seen.remove(&path).unwrap_or_default();
        ensure!(times == 1, "{path} has {times} lines");
    }
    ensure!(seen.is_empty(), "lines that nobody asked for: {seen:?}");
    Ok(())
}

/// The path of a line that is whole.
fn of_combined(line: &str) -> Result<String> {
    let parts: Vec<_> = line.split('"').collect();
    let [who, request, numbers, "-", " ", agent, ""] = parts[..] else {
        anyhow::bail!("not the fields that there should be");
    };
    ensure!(who.contains(" - - [") && who.ends_with("] ") && agent.starts_with("h2load"));
    let numbers: Vec<_> = numbers.trim().split(' ').collect();
    ensure!(matches!(numbers[..], ["200", size] if size.parse::<u64>().is_ok()), "{numbers:?}");
    let words: Vec<_> = request.split(' ').collect();
    let ["GET", path, "HTTP/1.1" | "HTTP/2.0"] = words[..] else { anyhow::bail!("no request") };
    Ok(path.to_owned())
}

fn of_json(line: &str) -> Result<String> {
    let line: Value = serde_json::from_str(line)?;
    let own = line["uri"].as_str().is_some_and(|uri| uri.starts_with("/own"));
    ensure!(line["status"] == 200 && line["cause"].is_null() && line["listener"] == "tls");
    ensure!(line["backend"].is_null() == own && line["attempts"] == u64::from(!own));
    ensure!(line["tls_version"] == "TLSv1.3" || line["tls_version"] == "TLSv1.2");
    ensure!(line["tls_name"] == EDGE && line["host"] == format!("{EDGE}:{HTTPS}"));
    let [first, whole] = [&line["first_byte_ms"], &line["duration_ms"]].map(Value::as_f64);
    ensure!(whole.is_some() && first.is_none() == own && first <= whole);
    Ok(line["uri"].as_str().context("no uri")?.to_owned())
}
