//! What is started, stopped, heard and concluded.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use proptest::{collection::vec, prelude::*};

use super::{
    super::{
        board::{Action, Board, Change, Key, Outcome, Report},
        check::Check,
    },
    address, desired, drain, name,
};
use crate::model::Desired;

const ONE: &str = "10.0.0.1:80";
const TWO: &str = "10.0.0.2:80";
const CHECK: &str = "type = \"tcp\"\nrise = 2\nfall = 2";

/// A board together with what runs on its behalf.
struct World {
    board: Board,
    now: Instant,
    running: BTreeMap<Key, u64>,
}

impl World {
    fn new() -> Self {
        Self { board: Board::default(), now: Instant::now(), running: BTreeMap::new() }
    }

    /// Follows a configuration, and says what was started (+) and stopped (-).
    fn follow(&mut self, desired: &Desired) -> Vec<String> {
        let pools = desired.pools.iter();
        let settings: BTreeMap<_, _> = pools
            .filter_map(|(name, pool)| Some((name.clone(), Arc::new(Check::of(pool)?))))
            .collect();
        let actions = self.board.follow(desired, &settings.iter().collect(), self.now);
        let said = actions.iter().map(|action| match action {
            Action::Start((pool, address), _) => format!("+{pool} {address}"),
            Action::Stop((pool, address)) => format!("-{pool} {address}"),
        });
        let said = said.collect();
        for action in actions {
            match action {
                Action::Start(key, generation) => {
                    assert_eq!(self.running.insert(key, generation), None, "two at a time");
                }
                Action::Stop(key) => _ = self.running.remove(&key).unwrap(),
            }
        }
        said
    }

    /// A probe of a running check comes to an end.
    fn probe(&mut self, pool: &str, backend: &str, outcome: Outcome) -> Option<Change> {
        let key = (name(pool), address(backend));
        let generation = self.running[&key];
        let report = Report { key, generation, outcome };
        self.board.record(report, self.now).map(|news| news.change)
    }

    fn fails(&mut self, pool: &str, backend: &str) -> Option<Change> {
        self.probe(pool, backend, Outcome::Failed("no".to_owned()))
    }

    fn passes(&mut self, pool: &str, backend: &str) -> Option<Change> {
        self.probe(pool, backend, Outcome::Passed("yes".to_owned()))
    }

    fn down(&self, desired: &Desired) -> Vec<String> {
        let down = self.board.down(desired);
        down.iter().map(|(pool, address)| format!("{pool} {address}")).collect()
    }
}

#[test]
fn probes_come_and_go_with_their_backends() {
    let mut world = World::new();
    let both = desired(&[("a", &[ONE, TWO], CHECK), ("b", &[ONE], ""), ("c", &[ONE], CHECK)]);
    let all = ["+a 10.0.0.1:80", "+a 10.0.0.2:80", "+c 10.0.0.1:80"];
    assert_eq!(world.follow(&both), all);
    assert_eq!(world.follow(&both), [""; 0]);
    let fewer = desired(&[("a", &[TWO], CHECK), ("b", &[ONE], CHECK), ("c", &[ONE], "")]);
    assert_eq!(world.follow(&fewer), ["-a 10.0.0.1:80", "-c 10.0.0.1:80", "+b 10.0.0.1:80"]);
    assert_eq!(world.follow(&desired(&[])), ["-a 10.0.0.2:80", "-b 10.0.0.1:80"]);
}

#[test]
fn other_settings_are_other_probes_of_the_same_state() {
    let mut world = World::new();
    let before = desired(&[("a", &[ONE, TWO], CHECK)]);
    world.follow(&before);
    world.fails("a", ONE);
    assert_eq!(world.fails("a", ONE), Some(Change::Down));
    world.fails("a", TWO);
    let old = world.running.clone();

    let after = desired(&[("a", &[ONE, TWO], "type = \"http\"\nrise = 2\nfall = 2")]);
    let restarted = ["-a 10.0.0.1:80", "+a 10.0.0.1:80", "-a 10.0.0.2:80", "+a 10.0.0.2:80"];
    assert_eq!(world.follow(&after), restarted);
    assert_eq!(world.down(&after), ["a 10.0.0.1:80"]);
    // What was stopped is not heard.
    for (key, generation) in old {
        let outcome = Outcome::Failed("late".to_owned());
        let report = Report { key, generation, outcome };
        assert_eq!(world.board.record(report, world.now), None);
    }
    assert_eq!(world.fails("a", TWO), None, "the count began anew");
    assert_eq!(world.fails("a", TWO), Some(Change::Down));
}

#[test]
fn a_backend_that_comes_back_is_a_new_one() {
    let mut world = World::new();
    let with = desired(&[("a", &[ONE, TWO], CHECK)]);
    world.follow(&with);
    world.fails("a", ONE);
    world.fails("a", ONE);
    assert_eq!(world.down(&with), ["a 10.0.0.1:80"]);
    world.follow(&desired(&[("a", &[TWO], CHECK)]));
    world.follow(&with);
    assert_eq!(world.down(&with), [""; 0]);
    assert_eq!(world.board.standing(&name("a"), address(ONE)).unwrap().down, None);
}

#[test]
fn what_was_down_before_stays_down_until_it_has_risen() {
    let mut world = World::new();
    let mut config = desired(&[("a", &[ONE, TWO], CHECK), ("b", &[ONE], "")]);
    let gone = address("10.0.0.9:80");
    let keys = [(name("a"), address(ONE)), (name("b"), address(ONE)), (name("a"), gone)];
    world.board.adopt(keys);
    world.follow(&config);
    assert_eq!(world.down(&config), ["a 10.0.0.1:80"]);
    assert_eq!(world.passes("a", ONE), None);
    assert_eq!(world.fails("a", ONE), None);
    assert_eq!(world.passes("a", ONE), None);
    assert_eq!(world.passes("a", ONE), Some(Change::Up));
    assert_eq!(world.down(&config), [""; 0]);
    // The past is over: what comes later is new.
    let pool = config.pools.get_mut(&name("a")).unwrap();
    pool.backends.insert(gone, crate::model::Backend::default());
    world.follow(&config);
    assert_eq!(world.down(&config), [""; 0]);
}

#[test]
fn a_pool_that_is_down_fails_open_or_does_not() {
    for (fail_open, down) in [(true, vec![]), (false, vec!["a 10.0.0.1:80", "a 10.0.0.2:80"])] {
        let mut world = World::new();
        let config = desired(&[("a", &[ONE, TWO], &format!("{CHECK}\nfail-open = {fail_open}"))]);
        world.follow(&config);
        for backend in [ONE, TWO] {
            world.fails("a", backend);
            world.fails("a", backend);
            if backend == ONE {
                assert_eq!(world.down(&config), ["a 10.0.0.1:80"]);
                assert!(world.board.pools_down(&config).is_empty());
            }
        }
        assert_eq!(world.down(&config), down);
        assert_eq!(world.board.pools_down(&config), [(name("a"), fail_open)].into());
        let standing = world.board.standing(&name("a"), address(ONE)).unwrap();
        assert_eq!((standing.down, standing.result), (Some(true), Some("no")));
        // One that rises ends it.
        world.passes("a", ONE);
        world.passes("a", ONE);
        assert_eq!(world.down(&config), ["a 10.0.0.2:80"]);
    }
}

#[test]
fn only_enabled_backends_decide_whether_a_pool_is_down() {
    let mut world = World::new();
    let mut config = desired(&[("a", &[ONE, TWO], CHECK)]);
    world.follow(&config);
    for _ in 0..2 {
        world.fails("a", ONE);
    }
    drain(&mut config, "a", TWO);
    world.follow(&config);
    assert_eq!(world.board.pools_down(&config).len(), 1, "the other one is drained");
    assert_eq!(world.down(&config), [""; 0]);
    drain(&mut config, "a", ONE);
    assert!(world.board.pools_down(&config).is_empty(), "there is nothing to be down");
    assert_eq!(world.down(&config), ["a 10.0.0.1:80"]);
}

#[test]
fn probes_that_could_not_be_made_count_neither_way() {
    let mut world = World::new();
    let config = desired(&[("a", &[ONE, TWO], CHECK)]);
    world.follow(&config);
    let skipped = || Outcome::Skipped("no file descriptors".to_owned());
    world.fails("a", ONE);
    assert_eq!(world.probe("a", ONE, skipped()), Some(Change::Skipped));
    assert_eq!(world.probe("a", ONE, skipped()), None, "said once");
    assert_eq!(world.fails("a", ONE), Some(Change::Down));
    world.passes("a", ONE);
    world.probe("a", ONE, skipped());
    assert_eq!(world.passes("a", ONE), Some(Change::Up));
}

#[test]
fn the_time_of_a_state_is_that_of_its_beginning() {
    let mut world = World::new();
    world.follow(&desired(&[("a", &[ONE], CHECK)]));
    let start = world.now;
    let mut since = Vec::new();
    for _ in 0..3 {
        world.now += Duration::from_secs(1);
        world.fails("a", ONE);
        let standing = world.board.standing(&name("a"), address(ONE)).unwrap();
        since.push((standing.down, standing.since.duration_since(start).as_secs()));
    }
    assert_eq!(since, [(None, 0), (Some(true), 2), (Some(true), 2)]);
}

proptest! {
    /// Whatever happens: probes run exactly for what is checked, and down are only backends whose
    /// last results failed, never all of a pool that fails open.
    #[test]
    fn any_sequence(steps in vec((0_usize..6, 0_u8..4, any::<bool>()), 1..80)) {
        let configs = [
            desired(&[("a", &[ONE, TWO], CHECK), ("b", &[ONE], CHECK)]),
            desired(&[("a", &[TWO], CHECK), ("b", &[ONE, TWO], "type = \"tcp\"\nfall = 1")]),
            desired(&[("a", &[ONE, TWO], "type = \"tcp\"\nfail-open = false"), ("b", &[], "")]),
            desired(&[("a", &[ONE], "")]),
        ];
        let mut world = World::new();
        let mut config = &configs[0];
        world.follow(config);
        let mut last: BTreeMap<Key, bool> = BTreeMap::new();
        for (what, which, passed) in steps {
            if what == 0 {
                config = &configs[usize::from(which)];
                world.follow(config);
                last.retain(|key, _| world.running.contains_key(key));
            } else if let Some(key) = world.running.keys().nth(usize::from(which)).cloned() {
                let outcome = if passed { Outcome::Passed } else { Outcome::Failed };
                world.probe(key.0.as_str(), &key.1.to_string(), outcome(String::new()));
                last.insert(key, passed);
            }
            let checked: BTreeSet<Key> = config.pools.iter()
                .filter(|(_, pool)| pool.health.is_some())
                .flat_map(|(name, pool)| pool.backends.keys().map(|a| (name.clone(), *a)))
                .collect();
            prop_assert_eq!(&world.running.keys().cloned().collect::<BTreeSet<_>>(), &checked);
            let down = world.board.down(config);
            prop_assert!(down.is_subset(&checked));
            for key in &down {
                prop_assert!(last.contains_key(key), "down without a single result");
            }
            for (name, pool) in &config.pools {
                let open = pool.health.as_ref().is_some_and(|health| health.fail_open);
                let all = pool.backends.keys().all(|a| down.contains(&(name.clone(), *a)));
                prop_assert!(pool.backends.is_empty() || !(open && all));
            }
        }
    }
}
