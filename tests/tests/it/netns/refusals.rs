//! What the command line says when it cannot do what it is asked for: one line, and the right exit
//! code.

use std::{fs, process::Command, time::Duration};

use anyhow::Result;
use tests::{
    run::{self, Finished},
    topology::Family,
};

use super::scene::{POOL, Scene, Wants};

const BOUND: Duration = Duration::from_secs(10);
/// The user and group `nobody`.
const NOBODY: &str = "65534";

#[test]
fn no_daemon() {
    Wants::new(Family::V4, "nat").network(|network| {
        let files = network.files();
        let socket = files.socket.to_string_lossy();
        for args in
            [&["status"][..], &["backend", "list"], &["backend", "drain", POOL, "192.0.2.4:80"]]
        {
            let mut command = Command::new(&files.binary);
            let refused = run::run(command.args(["--socket", &socket]).args(args), BOUND)?;
            one_line(&refused, 1, &["not running", &socket]);
        }
        Ok(())
    });
}

#[test]
fn no_permission() {
    Wants::new(Family::V4, "nat").scene(|scene| {
        // Where everybody may reach it, which is not so of every build directory.
        let files = scene.network.files();
        let binary = files.config.with_file_name("shunt");
        fs::copy(&files.binary, &binary)?;
        let mut command = Command::new("setpriv");
        command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]);
        command.arg(&binary).arg("--socket").arg(&files.socket).arg("status");
        one_line(&run::run(&mut command, BOUND)?, 1, &["permission", "root"]);
        Ok(())
    });
}

#[test]
fn wrong_changes() {
    Wants::new(Family::V4, "nat").scene(|scene| {
        let known = scene.network.backend(1).to_string();
        let cases: [(&[&str], i32, &[&str]); 9] = [
            (&["backend", "add", "nopool", "192.0.2.9:80"], 1, &["nopool", "shunt pool list"]),
            (&["pool", "show", "nopool"], 1, &["nopool"]),
            (&["service", "show", "noservice"], 1, &["noservice"]),
            (&["backend", "add", POOL, &known], 1, &[&known, "already"]),
            (&["backend", "remove", POOL, "192.0.2.99:80"], 1, &["192.0.2.99:80"]),
            (&["backend", "add", POOL, "[2001:db8::9]:80"], 1, &["2001:db8::9", "family"]),
            (&["backend", "add", POOL, "192.0.2.300:80"], 2, &["192.0.2.300:80", "such as"]),
            (&["backend", "add", POOL, "192.0.2.9"], 2, &["192.0.2.9", "such as"]),
            (&["backend", "weight", POOL, &known, "0"], 2, &["drain"]),
        ];
        for (args, code, words) in cases {
            one_line(&scene.daemon.cli(args)?, code, words);
        }
        unchanged(scene)
    });
}

fn unchanged(scene: &Scene) -> Result<()> {
    assert_eq!(scene.spread(50)?.len(), 2, "a refused change had an effect");
    let status = scene.daemon.status()?;
    assert_eq!(status["pools"][0]["backends"].as_array().map(Vec::len), Some(2));
    Ok(())
}

fn one_line(refused: &Finished, code: i32, words: &[&str]) {
    assert_eq!(refused.code, Some(code), "{refused}");
    let said = refused.stderr.trim_end();
    assert!(!said.is_empty() && said.lines().count() == 1, "not one line: {refused}");
    assert!(refused.stdout.is_empty(), "an error belongs on standard error: {refused}");
    for word in words {
        assert!(said.contains(word), "`{word}` is missing: {refused}");
    }
}
