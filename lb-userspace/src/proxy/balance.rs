//! Which of the backends of a pool a request goes to.
//!
//! Pure: what is known of the backends is a [`Field`], and draws are an argument. Each worker has its own
//! turns, so that requests share nothing but the counts of what is in flight.

mod ring;
mod slow_start;
mod smooth;
#[cfg(test)]
mod tests;

pub(super) use self::{
    ring::{Ring, hash_of_bytes, hash_of_client},
    slow_start::eased,
    smooth::Turns,
};

/// Weights are counted in this many parts, so that a share can grow in small steps.
pub(super) const PARTS: u32 = 1024;

/// The backends of a pool, by their place.
pub(super) trait Field {
    /// How many there are.
    fn len(&self) -> usize;
    /// Whether this one may get the request.
    fn usable(&self, nth: usize) -> bool;
    /// Its weight in [`PARTS`]; not 0.
    fn weight(&self, nth: usize) -> u32;
    /// How many requests it has.
    fn load(&self, nth: usize) -> u32;
}

/// The one with the fewest requests for its weight. Of equals, the first from `start` on.
pub(super) fn least(field: &impl Field, start: usize) -> Option<usize> {
    let count = field.len();
    let places = (0..count).map(|step| (start % count.max(1) + step) % count);
    let mut best: Option<usize> = None;
    for nth in places.filter(|nth| field.usable(*nth)) {
        if best.is_none_or(|best| lighter(field, nth, best)) {
            best = Some(nth);
        }
    }
    best
}

/// The better of two that are drawn by their weights. `draw` gives a number below its argument.
pub(super) fn two_choices(field: &impl Field, draw: &mut impl FnMut(u64) -> u64) -> Option<usize> {
    let first = random(field, draw)?;
    let other = Without { field, nth: first };
    match random(&other, draw) {
        Some(second) if less_busy(field, second, first) => Some(second),
        _ => Some(first),
    }
}

/// One that is drawn by its weight.
pub(super) fn random(field: &impl Field, draw: &mut impl FnMut(u64) -> u64) -> Option<usize> {
    let usable = || (0..field.len()).filter(|nth| field.usable(*nth));
    let total: u64 = usable().map(|nth| u64::from(field.weight(nth))).sum();
    if total == 0 {
        return None;
    }
    let mut left = draw(total);
    usable().find(|nth| {
        let weight = u64::from(field.weight(*nth));
        let hit = left < weight;
        left = left.saturating_sub(weight);
        hit
    })
}

/// Whether one has fewer requests for its weight than another. Draws have followed the weights already, so
/// that of two without requests the first drawn is taken.
fn less_busy(field: &impl Field, one: usize, other: usize) -> bool {
    let cost = |a: usize, b: usize| u64::from(field.load(a)) * u64::from(field.weight(b));
    cost(one, other) < cost(other, one)
}

/// Whether one would have fewer requests for its weight than another, with one more.
fn lighter(field: &impl Field, one: usize, other: usize) -> bool {
    let cost = |a: usize, b: usize| (u64::from(field.load(a)) + 1) * u64::from(field.weight(b));
    cost(one, other) < cost(other, one)
}

/// A field without one of its backends.
struct Without<'a, F> {
    field: &'a F,
    nth: usize,
}

impl<F: Field> Field for Without<'_, F> {
    fn len(&self) -> usize {
        self.field.len()
    }

    fn usable(&self, nth: usize) -> bool {
        nth != self.nth && self.field.usable(nth)
    }

    fn weight(&self, nth: usize) -> u32 {
        self.field.weight(nth)
    }

    fn load(&self, nth: usize) -> u32 {
        self.field.load(nth)
    }
}
