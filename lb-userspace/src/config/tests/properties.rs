//! No text makes the configuration panic, and every error points into its text.

use proptest::prelude::*;

use super::{super::parse, FULL};

/// Reads a text twice and checks what must hold for any.
fn check(text: &str) -> Result<(), TestCaseError> {
    let (first, second) = (parse("f", text), parse("f", text));
    prop_assert_eq!(&first, &second);
    let Err(errors) = first else { return Ok(()) };
    prop_assert!(errors.len() > 0);
    let lines: Vec<_> = text.strip_prefix('\u{feff}').unwrap_or(text).split('\n').collect();
    let mut last = (0, 0);
    for error in &errors {
        let place = (error.line, error.column);
        prop_assert!(last <= place, "sorted: {error}");
        prop_assert!((1..=lines.len()).contains(&error.line), "{error}");
        let width = lines[error.line - 1].chars().count();
        prop_assert!((1..=width + 1).contains(&error.column), "{error}");
        prop_assert!(!error.message.is_empty());
        prop_assert!(!error.message.contains(char::is_control), "{error}");
        last = place;
    }
    Ok(())
}

/// Words that make half-right files.
fn pieces() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "[[pool]]",
        "[pool]",
        "[pool.health]",
        "[[service]]",
        "[[interface]]",
        "[daemon]",
        "[[a.b]]",
        "[a.b.c]",
        "[[listener.route]]",
        "name",
        "backends",
        "listen",
        "pool",
        "type",
        "health",
        "forward",
        "source",
        "source-ports",
        "udp",
        "idle-timeout",
        "seed",
        "service",
        "path",
        "a",
        ".",
        " = ",
        " = ",
        "\n",
        "\n",
        "\n",
        ",",
        "{",
        "}",
        "[",
        "]",
        "\"web\"",
        "\"10.0.0.1:80\"",
        "\"192.0.2.1:80/tcp\"",
        "\"192.0.2.1:80/udp\"",
        "\"full-nat\"",
        "\"198.51.100.64/28\"",
        "\"quic\"",
        "''",
        "5",
        "-1",
        "1.5",
        "true",
        "\"\"\"\n",
        "'ü'",
        "# c",
        "\\",
        "\r\n",
        "\u{feff}",
    ]);
    prop::collection::vec(word, 0..60).prop_map(|words| words.concat())
}

/// A right file with some characters replaced, removed or put in.
fn mutated() -> impl Strategy<Value = String> {
    let edit = (any::<prop::sample::Index>(), 0..3_usize, any::<char>(), 0..12_usize);
    let edits = prop::collection::vec(edit, 1..8);
    edits.prop_map(|edits| {
        let mut text: Vec<char> = FULL.chars().collect();
        for (at, kind, c, length) in edits {
            let at = at.index(text.len() + 1);
            let end = (at + length).min(text.len());
            match kind {
                0 => text.insert(at, c),
                1 => _ = text.drain(at..end),
                _ => {
                    let copy = text[at..end].to_vec();
                    text.extend(copy);
                }
            }
        }
        text.into_iter().collect()
    })
}

/// A right file with its lines removed, repeated and moved: mostly good syntax, mostly bad sense.
fn shuffled() -> impl Strategy<Value = String> {
    let line = any::<prop::sample::Index>();
    prop::collection::vec(line, 0..40).prop_map(|picks| {
        let lines: Vec<_> = FULL.lines().collect();
        let picked: Vec<_> = picks.iter().map(|pick| *pick.get(&lines)).collect();
        picked.join("\n")
    })
}

proptest! {
    #[test]
    fn arbitrary_text(text in any::<String>()) {
        check(&text)?;
    }

    #[test]
    fn half_right_text(text in pieces()) {
        check(&text)?;
    }

    #[test]
    fn mutated_files(text in mutated()) {
        check(&text)?;
    }

    #[test]
    fn shuffled_files(text in shuffled()) {
        check(&text)?;
    }
}
