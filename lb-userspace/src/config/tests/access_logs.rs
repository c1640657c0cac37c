//! `access-log` of listeners as it stands in a file.

use std::fs;

use tempfile::TempDir;

use super::{errors, good};
use crate::{
    config::parse_with_files,
    model::listener::{AccessLog, LogFormat, LogTarget},
};

/// A file with a listener, which begins in line 4.
fn text(lines: &str) -> String {
    format!(
        "[[pool]]\nname = \"web\"\nbackends = []\n[[listener]]\nname = \"edge\"\nlisten = \"127.0.0.1:80\"\npool = \"web\"\n{lines}"
    )
}

fn log(lines: &str) -> AccessLog {
    let desired = good(&text(lines));
    desired.listeners[&"edge".parse().unwrap()].access_log.clone().unwrap()
}

/// The one error of a listener has these words.
fn refused(lines: &str, words: &[&str]) {
    let found: Vec<_> = errors(&text(lines))
        .iter()
        .map(|error| format!("{}:{}: {}", error.line, error.column, error.message))
        .collect();
    assert_eq!(found.len(), 1, "{lines}: {found:#?}");
    for word in words {
        assert!(found[0].contains(word), "{lines}: {}", found[0]);
    }
}

#[test]
fn where_lines_go_and_what_they_look_like() {
    let of = |to, format| AccessLog { to, format };
    let file = || LogTarget::File("/var/log/a.log".into());
    for (lines, expected) in [
        ("access-log = \"/var/log/a.log\"", of(file(), LogFormat::Combined)),
        ("[listener.access-log]\nto = \"/var/log/a.log\"", of(file(), LogFormat::Combined)),
        (
            "access-log = { to = \"/var/log/a.log\", format = \"json\" }",
            of(file(), LogFormat::Json),
        ),
        ("access-log = \"stdout\"", of(LogTarget::Stdout, LogFormat::Combined)),
        (
            "access-log = { to = \"syslog\", format = \"combined\" }",
            of(LogTarget::Syslog("/dev/log".into()), LogFormat::Combined),
        ),
        (
            "access-log = \"syslog:/run/l\"",
            of(LogTarget::Syslog("/run/l".into()), LogFormat::Combined),
        ),
        ("protocol = \"tcp\"\naccess-log = \"stdout\"", of(LogTarget::Stdout, LogFormat::Json)),
    ] {
        assert_eq!(log(lines), expected, "{lines}");
    }
    let none = good(&text(""));
    assert!(none.listeners.values().all(|listener| listener.access_log.is_none()));
}

#[test]
fn each_mistake_is_at_its_line() {
    refused("access-log = \"var/log/a\"", &["8:15: ", "not an absolute path"]);
    refused("access-log = \"stderr\"", &["8:15: ", "no place for a log", "\"stdout\""]);
    refused("access-log = \"syslog:run/l\"", &["8:15: ", "not an absolute path"]);
    refused("access-log = true", &["8:1: ", "must be one table, not the boolean true"]);
    refused("access-log = {}", &["8:14: ", "has no `to`"]);
    refused(
        "access-log = { to = \"stdout\", format = \"jsn\" }",
        &["8:41: ", "did you mean `json`"],
    );
    refused("access-log = { to = \"stdout\", buffer = 1 }", &["8:31: ", "tenth of a second"]);
    refused("access-log = { path = \"/a\" }", &["8:16: ", "write `to`"]);
    refused("access_log = \"/a\"", &["8:1: ", "nginx's word"]);
    let tcp = "protocol = \"tls-passthrough\"\naccess-log = { to = \"/a\", format = \"combined\" }";
    refused(tcp, &["9:37: ", "protocol tls-passthrough reads none; write `format = \"json\"`"]);
}

#[test]
fn one_file_has_one_format() {
    let second = |format: &str| {
        format!(
            "access-log = \"/a\"\n[[listener]]\nname = \"other\"\nlisten = \"127.0.0.1:81\"\npool = \"web\"\naccess-log = {{ to = \"/a\", format = \"{format}\" }}"
        )
    };
    refused(
        &second("json"),
        &["13:14: ", "listener `other` writes to /a as json, and listener `edge` as combined"],
    );
    assert_eq!(good(&text(&second("combined"))).listeners.len(), 2);
}

#[test]
fn what_cannot_be_opened_is_told_and_nothing_is_made() {
    let directory = TempDir::new().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    fs::write(at("file"), "").unwrap();
    let found = |to: &str| {
        let text = text(&format!("access-log = \"{to}\""));
        parse_with_files("f", &text).map_or_else(|errors| errors.to_string(), |_| String::new())
    };
    assert_eq!(found(&at("file")), "");
    assert_eq!(found(&at("new")), "");
    assert!(!directory.path().join("new").exists(), "checking makes nothing");
    for (to, words) in [
        (at("none/a.log"), "none/a.log cannot be made: its directory cannot be used: No such file"),
        (at("file/a.log"), "file/a.log cannot be opened: Not a directory"),
        (directory.path().display().to_string(), "is no regular file"),
        ("/dev/null".to_owned(), "/dev/null is no regular file"),
        (format!("syslog:{}", at("file")), "it is no socket; start it"),
        (format!("syslog:{}", at("new")), "no syslog daemon takes lines at"),
    ] {
        let found = found(&to);
        assert!(found.starts_with("f:8:15: ") && found.contains(words), "{to}: {found}");
    }
}
