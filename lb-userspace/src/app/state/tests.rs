//! Tests of the state directory.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::fs;

use super::{StateError, create_dir, read, write};

#[test]
fn what_is_written_is_read_and_replaced_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("list.json");
    for list in [vec![1, 2, 3], vec![4], vec![]] {
        write(&path, &list).unwrap();
        assert_eq!(read::<Vec<u32>>(&path).unwrap(), list);
        assert!(fs::read_to_string(&path).unwrap().ends_with("]\n"), "ends with a line");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn no_file_is_the_default() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("list.json");
    assert!(read::<Vec<u32>>(&path).unwrap().is_empty());
    assert!(!path.exists());
}

#[test]
fn a_directory_is_made_with_its_parents() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b");
    create_dir(&path).unwrap();
    create_dir(&path).unwrap();
    assert!(path.is_dir());
}

#[test]
fn other_content_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("list.json");
    fs::write(&path, "[1, ").unwrap();
    let error = read::<Vec<u32>>(&path).unwrap_err();
    assert!(matches!(error, StateError::Damaged { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!(
            "{} is damaged (EOF while parsing a value at line 1 column 4); move it away to start without what it says",
            path.display()
        )
    );
}

#[test]
fn what_cannot_be_used_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let below = file.join("list.json");
    let expected = format!(
        "cannot use {}: Not a directory (os error 20); set `state-dir` in [daemon] to a directory that can be written",
        below.display()
    );
    assert_eq!(create_dir(&below).unwrap_err().to_string(), expected);
    assert_eq!(read::<Vec<u32>>(&below).unwrap_err().to_string(), expected);
    assert!(matches!(write(&below, &[1]), Err(StateError::Io { .. })));
    assert_eq!(fs::read(&file).unwrap(), b"");
}
