//! The order in which backends take turns.

use lb_common::limits::MAX_SERVICE_TURNS;

use crate::model::rules::capacity::gcd;

/// One round of smooth weighted round robin, as nginx does it: each backend as often as its weight says,
/// and spread over the round. Weights that come to too many turns are rounded.
pub(super) fn of(backends: impl Iterator<Item = (u32, u32)>) -> Vec<u32> {
    let mut backends: Vec<(u32, u32)> = backends.collect();
    // The order of the configuration, not that of ids, which depends on what was there before.
    reduce(&mut backends);
    let total: i64 = backends.iter().map(|(_, weight)| i64::from(*weight)).sum();
    let mut due = vec![0; backends.len()];
    let turn = |_| {
        for (due, (_, weight)) in due.iter_mut().zip(&backends) {
            *due += i64::from(*weight);
        }
        // The first of those that are most due.
        let (next, _) = due.iter().enumerate().rev().max_by_key(|(_, due)| **due)?;
        *due.get_mut(next)? -= total;
        backends.get(next).map(|(id, _)| *id)
    };
    (0..total).filter_map(turn).collect()
}

/// Makes weights as small as their proportions allow, and as few turns as fit. Every backend keeps one.
fn reduce(backends: &mut [(u32, u32)]) {
    let divisor = backends.iter().map(|(_, weight)| *weight).fold(0, gcd).max(1);
    for (_, weight) in &mut *backends {
        *weight /= divisor;
    }
    let sum = |backends: &[(u32, u32)]| -> u64 {
        backends.iter().map(|(_, weight)| u64::from(*weight)).sum()
    };
    let most = u64::from(MAX_SERVICE_TURNS);
    let whole = sum(backends);
    if whole <= most {
        return;
    }
    let weights: Vec<u64> = backends.iter().map(|(_, weight)| u64::from(*weight)).collect();
    let mut wanted = most;
    loop {
        for ((_, weight), exact) in backends.iter_mut().zip(&weights) {
            let scaled = (exact * wanted + whole / 2) / whole;
            *weight = u32::try_from(scaled).unwrap_or(u32::MAX).max(1);
        }
        let excess = sum(backends).saturating_sub(most);
        if excess == 0 || wanted == 0 {
            return;
        }
        wanted = wanted.saturating_sub(excess);
    }
}

#[cfg(test)]
mod tests;
