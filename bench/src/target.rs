//! What was promised, and whether it is kept.
//!
//! A miss is shown, and nothing else: figures of one machine are no reason to fail on another.

/// A promise and what was found.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    bound: Bound,
    /// None if it was not measured.
    pub(crate) found: Option<f64>,
}

#[derive(Clone, Copy, Debug)]
enum Bound {
    Most(f64),
    Least(f64),
}

impl Target {
    /// At most this.
    pub(crate) fn most(what: String, unit: &'static str, bound: f64, found: Option<f64>) -> Self {
        Self { what, unit, bound: Bound::Most(bound), found }
    }

    /// At least this.
    pub(crate) fn least(what: String, unit: &'static str, bound: f64, found: Option<f64>) -> Self {
        Self { what, unit, bound: Bound::Least(bound), found }
    }

    /// The bound in words.
    pub(crate) fn wanted(&self) -> String {
        match self.bound {
            Bound::Most(bound) => format!("at most {bound}"),
            Bound::Least(bound) => format!("at least {bound}"),
        }
    }

    /// Whether it is kept.
    pub(crate) fn verdict(&self) -> &'static str {
        let Some(found) = self.found else { return "not measured" };
        let met = match self.bound {
            Bound::Most(bound) => found <= bound,
            Bound::Least(bound) => found >= bound,
        };
        if met { "met" } else { "MISSED" }
    }
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn bounds_are_inclusive_and_misses_are_said() {
        let most = |found| Target::most(String::new(), "ns", 40.0, found).verdict();
        assert_eq!(
            [most(Some(40.0)), most(Some(40.1)), most(None)],
            ["met", "MISSED", "not measured"]
        );
        let least = |found| Target::least(String::new(), "×", 0.65, Some(found)).verdict();
        assert_eq!([least(0.65), least(0.64)], ["met", "MISSED"]);
    }
}
