//! Changes made while the daemon runs: done whole or refused.

use super::{
    super::{BackendState, Change, ChangeError, Desired, Forward, Rule, names::backend_address},
    desired, name, pool, service, weight,
};

const FIRST: &str = "10.0.0.1:80";
const SECOND: &str = "10.0.0.2:80";
const NEW: &str = "10.0.0.3:80";

fn start() -> Desired {
    desired(
        &[("web", pool(&[FIRST, SECOND])), ("other", pool(&["10.0.1.1:80"]))],
        &[("web", service("192.0.2.1:80/tcp", "web", Forward::Nat))],
    )
}

fn add(pool: &str, address: &str) -> Change {
    Change::AddBackend {
        pool: name(pool),
        address: backend_address(address).unwrap(),
        weight: weight(3),
    }
}

fn remove(pool: &str, address: &str) -> Change {
    Change::RemoveBackend { pool: name(pool), address: backend_address(address).unwrap() }
}

fn set_weight(pool: &str, address: &str) -> Change {
    let address = backend_address(address).unwrap();
    Change::SetWeight { pool: name(pool), address, weight: weight(9) }
}

fn set_state(pool: &str, address: &str, state: BackendState) -> Change {
    Change::SetState { pool: name(pool), address: backend_address(address).unwrap(), state }
}

/// Address, weight and state of each backend of pool `web`.
fn web(desired: &Desired) -> Vec<(String, u32, BackendState)> {
    let backends = desired.pools[&name("web")].backends.iter();
    backends.map(|(a, backend)| (a.to_string(), backend.weight.get(), backend.state)).collect()
}

fn expected(backends: &[(&str, u32, BackendState)]) -> Vec<(String, u32, BackendState)> {
    backends
        .iter()
        .map(|(address, weight, state)| ((*address).to_owned(), *weight, *state))
        .collect()
}

#[test]
fn each_change() {
    use BackendState::{Drained, Enabled};
    let cases = [
        (add("web", NEW), vec![(FIRST, 1, Enabled), (SECOND, 1, Enabled), (NEW, 3, Enabled)]),
        (remove("web", FIRST), vec![(SECOND, 1, Enabled)]),
        (set_weight("web", SECOND), vec![(FIRST, 1, Enabled), (SECOND, 9, Enabled)]),
        (set_state("web", FIRST, Drained), vec![(FIRST, 1, Drained), (SECOND, 1, Enabled)]),
        (set_state("web", FIRST, Enabled), vec![(FIRST, 1, Enabled), (SECOND, 1, Enabled)]),
    ];
    for (change, backends) in cases {
        let before = start();
        let after = before.with(std::slice::from_ref(&change)).unwrap();
        assert_eq!(web(&after), expected(&backends), "{change:?}");
        assert_eq!(before, start(), "the original is left alone");
        assert_eq!(after.pools[&name("other")], before.pools[&name("other")]);
        assert_eq!(after.services, before.services);
    }
}

#[test]
fn changes_build_on_each_other() {
    let list =
        [add("web", NEW), set_weight("web", NEW), set_state("web", NEW, BackendState::Drained)];
    let after = start().with(&list).unwrap();
    assert_eq!(web(&after)[2], (NEW.to_owned(), 9, BackendState::Drained));
    assert_eq!(after.with(&[remove("web", NEW)]).unwrap(), start());
    assert_eq!(start().with(&[]).unwrap(), start());
}

#[test]
fn drained_backends_are_not_enabled_ones() {
    let drained = [set_state("web", FIRST, BackendState::Drained)];
    let after = start().with(&drained).unwrap();
    let enabled: Vec<_> = after.pools[&name("web")].enabled().collect();
    assert_eq!(enabled, [(backend_address(SECOND).unwrap(), weight(1))]);
}

#[test]
fn refusals() {
    let no_pool = ChangeError::UnknownPool { pool: name("wbe") };
    let first = backend_address(FIRST).unwrap();
    let new = backend_address(NEW).unwrap();
    let no_backend = ChangeError::UnknownBackend { pool: name("web"), address: new };
    let duplicate = ChangeError::DuplicateBackend { pool: name("web"), address: first };
    let drained = BackendState::Drained;
    let cases = [
        (add("wbe", NEW), &no_pool),
        (remove("wbe", FIRST), &no_pool),
        (set_weight("wbe", FIRST), &no_pool),
        (set_state("wbe", FIRST, drained), &no_pool),
        (remove("web", NEW), &no_backend),
        (set_weight("web", NEW), &no_backend),
        (set_state("web", NEW, drained), &no_backend),
        (add("web", FIRST), &duplicate),
    ];
    for (change, error) in cases {
        assert_eq!(&start().with(&[change]).unwrap_err(), error);
    }
    assert!(no_pool.to_string().contains("`shunt pool list`"));
    assert!(no_backend.to_string().contains("`shunt backend list web`"));
    assert!(duplicate.to_string().contains("already"));
}

#[test]
fn a_change_that_breaks_a_rule() {
    let error = start().with(&[add("web", "[2001:db8::1]:80")]).unwrap_err();
    assert!(matches!(error, ChangeError::Rule { .. }), "{error:?}");
    assert!(error.to_string().contains("address family"), "{error}");
}

/// The last of several is refused: none is made. A rule is asked of the result alone.
#[test]
fn all_or_none() {
    let before = start();
    let list = [add("web", NEW), remove("web", FIRST), add("web", SECOND)];
    assert!(before.with(&list).is_err());
    assert_eq!(before, start());

    let detour = [add("web", "[2001:db8::1]:80"), remove("web", "[2001:db8::1]:80")];
    assert_eq!(before.with(&detour).unwrap(), before);
}

#[test]
fn json() {
    for change in [
        add("web", NEW),
        remove("web", FIRST),
        set_weight("web", FIRST),
        set_state("web", FIRST, BackendState::Drained),
    ] {
        let text = serde_json::to_string(&change).unwrap();
        assert_eq!(serde_json::from_str::<Change>(&text).unwrap(), change, "{text}");
    }
}

fn source(service: &str, list: Rule, prefix: &str, add: bool) -> Change {
    let (service, prefix) = (name(service), prefix.parse().unwrap());
    if add {
        Change::AddSource { service, list, prefix }
    } else {
        Change::RemoveSource { service, list, prefix }
    }
}

#[test]
fn lists_change() {
    let changes = [
        source("web", Rule::Deny, "198.51.100.0/24", true),
        source("web", Rule::Allow, "198.51.100.7", true),
        source("web", Rule::Deny, "2001:db8::/32", true),
    ];
    let listing = start().with(&changes).unwrap();
    let access = &listing.services[&name("web")].access;
    assert_eq!([Rule::Allow, Rule::Deny].map(|rule| access.count(rule)), [1, 2]);
    assert!(access.allows());
    let listed: Vec<String> = access.list(Rule::Deny).map(|prefix| prefix.to_string()).collect();
    assert_eq!(listed, ["198.51.100.0/24", "2001:db8::/32"]);

    let refused = |list, prefix, add, words: &str| {
        let error = listing.with(&[source("web", list, prefix, add)]).unwrap_err().to_string();
        assert!(error.starts_with("service `web`: ") && error.contains(words), "{error}");
    };
    refused(Rule::Deny, "198.51.100.0/24", true, "is in `deny` already");
    refused(Rule::Allow, "198.51.100.0/24", true, "is in `deny`, and cannot be in `allow`");
    refused(Rule::Deny, "198.51.100.0/25", false, "is not in `deny`");
    refused(Rule::Deny, "198.51.100.7/32", false, "is not in `deny`");
    refused(Rule::Deny, "::ffff:10.0.0.0/104", true, "write 10.0.0.0/8");
    refused(Rule::Allow, "198.51.100.7", false, "everybody would be served");
    let unknown = start().with(&[source("wbe", Rule::Deny, "10.0.0.0/8", true)]).unwrap_err();
    assert_eq!(unknown, ChangeError::UnknownService { service: name("wbe") });

    // The last one may be replaced in one go, and what never was there may come and go.
    let replaced = [
        source("web", Rule::Allow, "198.51.100.7", false),
        source("web", Rule::Allow, "198.51.100.8", true),
    ];
    listing.with(&replaced).unwrap();
    let foreign = [source("web", Rule::Allow, "2001:db8:1::/48", true)];
    let error = start().with(&foreign).unwrap_err().to_string();
    assert!(error.contains("no IPv4 prefix in its `allow`"), "{error}");
}

/// As it stands in the journal.
#[test]
fn a_change_of_a_list_as_json() {
    let change = source("web", Rule::Deny, "198.51.100.0/24", true);
    let text =
        r#"{"change":"add-source","service":"web","list":"deny","prefix":"198.51.100.0/24"}"#;
    assert_eq!(serde_json::to_string(&change).unwrap(), text);
    assert_eq!(serde_json::from_str::<Change>(text).unwrap(), change);
}
