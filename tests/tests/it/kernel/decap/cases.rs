//! The table of packet cases, by subject.

use super::case::Case;

mod congestion;
mod foreign;
mod gue;
mod lengths;
mod unpacked;

/// Every case.
pub(super) fn all() -> Vec<Case> {
    [unpacked::cases(), congestion::cases(), gue::cases(), lengths::cases(), foreign::cases()]
        .into_iter()
        .flatten()
        .collect()
}
