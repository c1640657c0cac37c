//! Smooth weighted round robin, as nginx has it: in each turn everybody earns its weight, and who has
//! most pays the sum of the weights. Turns of a heavy backend are spread among those of the others.

use super::Field;

/// Whose turn it is.
#[derive(Clone, Debug, Default)]
pub(in crate::proxy) struct Turns {
    earned: Vec<i64>,
}

impl Turns {
    /// Turns for other backends: `from` says where each of them was before, if it was there.
    pub(in crate::proxy) fn moved(&self, from: impl Iterator<Item = Option<usize>>) -> Self {
        let earned = |place: Option<usize>| place.and_then(|nth| self.earned.get(nth).copied());
        Self { earned: from.map(|place| earned(place).unwrap_or_default()).collect() }
    }

    /// The next one.
    pub(in crate::proxy) fn next(&mut self, field: &impl Field) -> Option<usize> {
        self.earned.resize(field.len(), 0);
        let mut total = 0;
        let mut best: Option<(usize, i64)> = None;
        for (nth, earned) in self.earned.iter_mut().enumerate() {
            if !field.usable(nth) {
                continue;
            }
            let weight = i64::from(field.weight(nth));
            total += weight;
            *earned += weight;
            if best.is_none_or(|(_, most)| *earned > most) {
                best = Some((nth, *earned));
            }
        }
        let (nth, _) = best?;
        *self.earned.get_mut(nth)? -= total;
        Some(nth)
    }
}
