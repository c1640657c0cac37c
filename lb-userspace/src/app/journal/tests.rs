//! Tests of the journal.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{fs, path::Path};

use super::Journal;
use crate::{
    config,
    model::{BackendState, Change, Desired, Rule},
};

/// The file: two `nat` services with a pool each.
fn file() -> Desired {
    let text = r#"
        [[interface]]
        name = "eth0"
        [[pool]]
        name = "api"
        backends = ["10.0.1.1:80"]
        [[pool]]
        name = "web"
        backends = ["10.0.0.1:80", "10.0.0.2:80"]
        [[service]]
        name = "api"
        listen = "192.0.2.2:80/tcp"
        forward = "nat"
        pool = "api"
        [[service]]
        name = "web"
        listen = "192.0.2.1:80/tcp"
        forward = "nat"
        pool = "web"
    "#;
    config::parse("f", text).unwrap()
}

fn add(pool: &str, address: &str) -> Change {
    let (pool, address) = (pool.parse().unwrap(), address.parse().unwrap());
    Change::AddBackend { pool, address, weight: 5.try_into().unwrap() }
}

fn remove(pool: &str, address: &str) -> Change {
    Change::RemoveBackend { pool: pool.parse().unwrap(), address: address.parse().unwrap() }
}

fn drain(pool: &str, address: &str) -> Change {
    let (pool, address) = (pool.parse().unwrap(), address.parse().unwrap());
    Change::SetState { pool, address, state: BackendState::Drained }
}

/// What the next daemon makes of the directory.
fn replayed(dir: &Path) -> Desired {
    Journal::replay(dir, &file()).unwrap().1
}

#[test]
fn an_empty_directory_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(replayed(dir.path()), file());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "reading writes nothing");
}

#[test]
fn changes_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let changes = [add("web", "10.0.0.3:80"), drain("web", "10.0.0.3:80")];
    let (mut journal, _) = Journal::replay(dir.path(), &file()).unwrap();
    journal.append(&changes[..1]).unwrap();
    journal.append(&changes[1..]).unwrap();
    assert_eq!(replayed(dir.path()), file().with(&changes).unwrap());

    // The next daemon goes on where the first ended.
    let (mut journal, desired) = Journal::replay(dir.path(), &file()).unwrap();
    let third = remove("web", "10.0.0.1:80");
    journal.append(std::slice::from_ref(&third)).unwrap();
    assert_eq!(replayed(dir.path()), desired.with(&[third]).unwrap());
}

#[test]
fn the_last_changes_are_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let first = add("web", "10.0.0.3:80");
    let (mut journal, _) = Journal::replay(dir.path(), &file()).unwrap();
    journal.append(std::slice::from_ref(&first)).unwrap();
    journal.append(&[drain("web", "10.0.0.3:80"), remove("web", "10.0.0.1:80")]).unwrap();
    journal.take_back().unwrap();
    assert_eq!(replayed(dir.path()), file().with(&[first]).unwrap());
}

/// A list that is changed back and forth does not make the journal grow.
#[test]
fn changes_of_lists_that_undo_each_other_go() {
    let dir = tempfile::tempdir().unwrap();
    let source = |list, prefix: &str, add: bool| {
        let (service, prefix) = ("web".parse().unwrap(), prefix.parse().unwrap());
        if add {
            Change::AddSource { service, list, prefix }
        } else {
            Change::RemoveSource { service, list, prefix }
        }
    };
    let deny = |prefix, add| source(Rule::Deny, prefix, add);
    let (mut journal, _) = Journal::replay(dir.path(), &file()).unwrap();
    let kept = [deny("10.1.0.0/16", true), drain("web", "10.0.0.1:80")];
    journal.append(&kept).unwrap();
    journal.append(&[deny("10.2.0.0/16", true), deny("10.3.0.0/16", true)]).unwrap();
    journal.append(&[deny("10.3.0.0/16", false), deny("10.2.0.0/16", false)]).unwrap();
    assert_eq!(journal.changes, kept);
    journal.take_back().unwrap();
    assert_eq!(journal.changes.len(), 4);
    assert_eq!(replayed(dir.path()), file().with(&journal.changes).unwrap());

    // What is left fits, even if it would not one by one.
    journal.clear().unwrap();
    let allow = |prefix, add| source(Rule::Allow, prefix, add);
    let all = [allow("10.1.0.0/16", true), allow("10.2.0.0/16", true), allow("10.1.0.0/16", false)];
    for change in &all {
        journal.append(std::slice::from_ref(change)).unwrap();
    }
    assert_eq!(journal.changes, all[1..2]);
    assert_eq!(replayed(dir.path()), file().with(&all).unwrap());
}

#[test]
fn cleared_changes_are_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::replay(dir.path(), &file()).unwrap();
    journal.append(&[drain("web", "10.0.0.1:80")]).unwrap();
    journal.clear().unwrap();
    assert_eq!(replayed(dir.path()), file());
    let later = add("web", "10.0.0.3:80");
    journal.append(std::slice::from_ref(&later)).unwrap();
    assert_eq!(replayed(dir.path()), file().with(&[later]).unwrap());
}

#[test]
fn overtaken_changes_are_dropped_and_the_others_made() {
    let dir = tempfile::tempdir().unwrap();
    let fits = drain("web", "10.0.0.1:80");
    let (mut journal, _) = Journal::replay(dir.path(), &file()).unwrap();
    // As if the file had been edited since: a backend added there, one removed, a pool gone.
    let changes = [
        add("web", "10.0.0.2:80"),
        drain("web", "10.0.0.9:80"),
        fits.clone(),
        add("gone", "10.0.0.3:80"),
    ];
    journal.append(&changes).unwrap();
    let (mut journal, desired) = Journal::replay(dir.path(), &file()).unwrap();
    assert_eq!(desired, file().with(std::slice::from_ref(&fits)).unwrap());
    // They do not come back with the next change.
    let next = drain("web", "10.0.0.2:80");
    journal.append(std::slice::from_ref(&next)).unwrap();
    let (journal, desired) = Journal::replay(dir.path(), &file()).unwrap();
    assert_eq!(journal.changes, [fits.clone(), next.clone()]);
    assert_eq!(desired, file().with(&[fits, next]).unwrap());
}

#[test]
fn changes_that_obey_the_rules_only_together_are_replayed_together() {
    let dir = tempfile::tempdir().unwrap();
    // A backend of the wrong address family is replaced by one of the right.
    let wrong = "[2001:db8::1]:80";
    let moved = [add("web", wrong), remove("web", wrong), add("web", "10.0.0.7:80")];
    let (mut journal, desired) = Journal::replay(dir.path(), &file()).unwrap();
    assert!(desired.with(&moved[..1]).is_err());
    let expected = desired.with(&moved).unwrap();
    journal.append(&moved).unwrap();
    assert_eq!(replayed(dir.path()), expected);
}

#[test]
fn a_damaged_file_is_refused_and_left_as_it_is() {
    for content in ["", "[{", "{}", r#"[{"change":"explode"}]"#, "[]]", "\u{0}\u{0}"] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("changes.json");
        fs::write(&path, content).unwrap();
        let error = Journal::replay(dir.path(), &file()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{} is damaged (", path.display())), "{error}");
        assert!(error.ends_with("; move it away to start without what it says"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
}

#[test]
fn what_cannot_be_written_is_not_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let state_dir = dir.path().join("state");
    fs::create_dir(&state_dir).unwrap();
    let (mut journal, _) = Journal::replay(&state_dir, &file()).unwrap();
    journal.append(&[drain("web", "10.0.0.1:80")]).unwrap();
    fs::remove_dir_all(&state_dir).unwrap();
    let refused = drain("web", "10.0.0.2:80");
    assert!(journal.append(&[refused]).is_err());
    assert!(journal.clear().is_err());
    assert_eq!(journal.changes, [drain("web", "10.0.0.1:80")]);
}
