//! Changes made while the daemon runs: done whole or refused.

use super::{
    super::{BackendState, Change, ChangeError, Desired, Forward, names::backend_address},
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
