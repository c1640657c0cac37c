//! What of the demo can be told without a network.

use super::{
    answers::{Answers, Counts, Row, table},
    config::{beyond, plain},
};

const KNOWN: &str = r#"# Why.
[daemon]
# seed = 0

# Towards clients.
[[interface]]
name = "client0"                 # the first

[[listener]]
name = "edge"
[[listener.route]]
path = "/*.jpg"
"#;

fn counts(counts: &[(&str, usize)]) -> Counts {
    counts.iter().map(|(backend, count)| ((*backend).to_owned(), *count)).collect()
}

fn row(expected: &[(&str, usize)], answered: &[(&str, usize)]) -> Row {
    let (expected, answered) = (counts(expected), counts(answered));
    Row { request: "/a.jpg".to_owned(), pool: "images", expected, answered }
}

#[test]
fn a_configuration_is_shown_without_comments() {
    let shown = "[[interface]]\nname = \"client0\"\n\n[[listener]]\nname = \"edge\"\n[[listener.route]]\npath = \"/*.jpg\"";
    assert_eq!(plain(KNOWN), shown);
    assert_eq!(plain(""), "");
}

#[test]
fn a_new_section_is_shown_with_all_that_it_has() {
    assert_eq!(beyond(KNOWN, KNOWN), "");
    // The route is that of another listener, but belongs to the new one.
    let listener =
        "[[listener]]\nname = \"secure\"\n[listener.tls]\n\n[[listener.route]]\npath = \"/*.jpg\"";
    let text = format!("{KNOWN}\n# New.\n{listener}\n\n[[pool]]\nname = \"b\"\n");
    assert_eq!(beyond(&text, KNOWN), format!("{listener}\n\n[[pool]]\nname = \"b\""));
    // What has changed is new.
    let changed = KNOWN.replace("edge", "other");
    assert!(beyond(&changed, KNOWN).starts_with("[[listener]]\nname = \"other\""));
}

#[test]
fn answers_are_counted_by_backend() {
    let said = "172.17.0.4:1001 serves 172.17.0.1:4000 for 192.0.2.2\ncurl 1 2\n\
                172.17.0.5:1002 serves 172.17.0.1:4001 for 192.0.2.2\ncurl 0 2\n\
                172.17.0.4:1001 serves 172.17.0.1:4000 for 192.0.2.2\ncurl 0 2\n";
    let answers = Answers::read(said).expect("answers of backends");
    assert_eq!(answers.backends, counts(&[("172.17.0.4:1001", 2), ("172.17.0.5:1002", 1)]));
    assert_eq!(answers.clients, ["172.17.0.1 for 192.0.2.2".to_owned()].into());
    assert_eq!((answers.connections, answers.versions), (1, ["2".to_owned()].into()));
    for nobody in ["<html>no route</html>", "curl", "curl x 2"] {
        let error = Answers::read(nobody).expect_err(nobody).to_string();
        assert!(error.contains(nobody), "{error}");
    }
}

#[test]
fn a_wrong_or_missing_answer_fails() {
    let right = [("172.17.0.6:1003", 40)];
    assert!(row(&right, &right).verify().is_ok());
    for answered in [
        &[("172.17.0.6:1003", 39)][..],
        &[("172.17.0.6:1003", 39), ("172.17.0.4:1001", 1)],
        &[("172.17.0.6:1003", 40), ("172.17.0.4:1001", 1)],
        &[("172.17.0.4:1001", 40)],
        &[],
    ] {
        let error = row(&right, answered).verify().expect_err("another answered").to_string();
        assert!(error.contains("`/a.jpg`") && error.contains("pool images"), "{error}");
    }
    assert!(row(&right, &[]).verify().is_err_and(|error| error.to_string().ends_with("by nobody")));
}

#[test]
fn the_table_shows_strangers_too() {
    let rows = [row(&[("172.17.0.6:1003", 2)], &[("172.17.0.4:1001", 1), ("172.17.0.6:1003", 1)])];
    let expected = [
        "  REQUEST  POOL    BACKEND          EXPECTED  ANSWERED\n",
        "  /a.jpg   images  172.17.0.4:1001         0         1\n",
        "                   172.17.0.6:1003         2         1\n",
    ];
    assert_eq!(table(&rows), expected.concat());
}
