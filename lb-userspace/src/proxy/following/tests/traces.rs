//! `traceparent`: a table, and random bytes.

use hyper::HeaderMap;
use proptest::prelude::*;

use super::{Following, told};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn followed(lines: &[(&'static str, &str)]) -> HeaderMap {
    let following = Following { trace_context: true, ..Following::default() };
    told(&following, false, lines)
}

/// What becomes of a value, with a `tracestate` beside it; nothing if a new trace is begun.
fn passed(value: &str) -> Option<String> {
    let told = followed(&[("traceparent", value), ("tracestate", "a=1"), ("tracestate", "b=2")]);
    let parent = told["traceparent"].to_str().unwrap();
    let states: Vec<_> = told.get_all("tracestate").iter().collect();
    if states.is_empty() {
        assert!(is_new(parent) && !parent.contains(TRACE), "{value}: {parent}");
        return None;
    }
    assert_eq!(states, ["a=1", "b=2"]);
    Some(parent.to_owned())
}

fn is_new(parent: &str) -> bool {
    let parts: Vec<_> = parent.split('-').collect();
    let [version, trace, span, flags] = parts[..] else { return false };
    let hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let lengths = (trace.len(), span.len()) == (32, 16);
    (version, flags) == ("00", "03") && lengths && hex(trace) && hex(span)
}

#[test]
fn what_is_valid_is_passed_on() {
    for flags in ["00", "01", "03", "ff"] {
        let value = format!("00-{TRACE}-00f067aa0ba902b7-{flags}");
        assert_eq!(passed(&value).unwrap(), value);
    }
    let least = format!("00-{:032}-{:016}-00", 1, 1);
    assert_eq!(passed(&least).unwrap(), least);
}

#[test]
fn versions_to_come_are_passed_on_in_ours() {
    for (more, flags, ours) in
        [("", "01", "01"), ("-", "00", "00"), ("-what-comes", "ff", "03"), ("-\u{fc}", "fe", "02")]
    {
        for version in ["01", "cc", "fe"] {
            let value = format!("{version}-{TRACE}-00f067aa0ba902b7-{flags}{more}");
            let expected = format!("00-{TRACE}-00f067aa0ba902b7-{ours}");
            assert_eq!(passed(&value).unwrap(), expected, "{value}");
        }
    }
}

#[test]
fn what_is_malformed_begins_a_new_trace() {
    let zeros = format!("00-{:032}-00f067aa0ba902b7-01", 0);
    let no_span = format!("00-{TRACE}-{:016}-01", 0);
    let upper = GIVEN.to_uppercase();
    for value in [
        "",
        "00",
        &zeros,
        &no_span,
        &upper,
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-011",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7a-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736a-00f067aa0ba902b-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902bG-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-A1",
        "+0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes",
        "FE-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01what-comes",
        "0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-001",
        "00-4bf92f3577b34da6a3ce929d0e0e4736--0f067aa0ba902b7-01",
        "\u{fc}0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ] {
        assert_eq!(passed(value), None, "{value}");
    }
    let twice = [("traceparent", GIVEN), ("traceparent", GIVEN), ("tracestate", "a=1")];
    let told = followed(&twice);
    assert_eq!(told.get_all("traceparent").iter().count(), 1);
    assert!(is_new(told["traceparent"].to_str().unwrap()) && !told.contains_key("tracestate"));
    let alone = followed(&[("tracestate", "a=1")]);
    assert!(is_new(alone["traceparent"].to_str().unwrap()) && !alone.contains_key("tracestate"));
}

proptest! {
    #[test]
    fn whatever_comes_what_goes_is_valid(value in "[ -~]{0,64}|[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.{0,9})?") {
        let Ok(given) = hyper::header::HeaderValue::from_bytes(value.as_bytes()) else { return Ok(()) };
        let told = followed(&[("traceparent", std::str::from_utf8(given.as_bytes()).unwrap())]);
        let parent = told["traceparent"].to_str().unwrap().to_owned();
        // What is valid is passed on as it is.
        let again = followed(&[("traceparent", &parent)]);
        prop_assert_eq!(again["traceparent"].to_str().unwrap(), parent);
    }

    #[test]
    fn a_valid_one_is_never_replaced(trace in 1..=u128::MAX, span in 1..=u64::MAX, flags: u8) {
        let value = format!("00-{trace:032x}-{span:016x}-{flags:02x}");
        prop_assert_eq!(passed(&value), Some(value));
    }
}
