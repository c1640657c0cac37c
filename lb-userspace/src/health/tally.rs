//! Rise and fall of one backend: only results in a row count.

use crate::model::health::Runs;

/// What the results so far come to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum State {
    /// Nothing is known yet, which counts as up.
    #[default]
    Unchecked,
    /// It works.
    Up,
    /// It does not.
    Down,
}

/// See the module.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Tally {
    state: State,
    /// Results in a row that speak against the state.
    run: u8,
}

impl Tally {
    /// One that is down from the beginning.
    pub(super) fn down() -> Self {
        Self { state: State::Down, run: 0 }
    }

    pub(super) fn state(self) -> State {
        self.state
    }

    /// Counts anew from here.
    pub(super) fn restart(&mut self) {
        self.run = 0;
    }

    /// Takes note of a result.
    pub(super) fn record(&mut self, passed: bool, rise: Runs, fall: Runs) {
        let (against, needed, other) = match self.state {
            State::Down => (passed, rise, State::Up),
            State::Up | State::Unchecked => (!passed, fall, State::Down),
        };
        if !against {
            self.run = 0;
            if self.state == State::Unchecked {
                self.state = State::Up;
            }
            return;
        }
        // Never wraps: it is below `needed`, or the state would have changed, or `needed` has
        // become smaller meanwhile, and then it changes now.
        self.run = self.run.saturating_add(1);
        if self.run >= needed.get() {
            *self = Self { state: other, run: 0 };
        }
    }
}
