//! Tests of the counting, and of tasks that come and go.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod board;
mod running;
mod tally;

use std::{fmt::Write, net::SocketAddr};

use crate::{
    config,
    model::{BackendState, Desired, Name},
};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A configuration with pools, each with its backends and the lines of its check.
fn desired(pools: &[(&str, &[&str], &str)]) -> Desired {
    let mut text = "[[interface]]\nname = \"e\"\n".to_owned();
    for (name, backends, health) in pools {
        _ = writeln!(text, "[[pool]]\nname = \"{name}\"\nbackends = {backends:?}");
        if !health.is_empty() {
            _ = writeln!(text, "[pool.health]\n{health}");
        }
    }
    config::parse("f", &text).unwrap_or_else(|errors| panic!("{errors}"))
}

fn drain(desired: &mut Desired, pool: &str, backend: &str) {
    let pool = desired.pools.get_mut(&name(pool)).unwrap();
    pool.backends.get_mut(&address(backend)).unwrap().state = BackendState::Drained;
}
