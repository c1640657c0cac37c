//! The table of packet cases, by subject.

use super::{case::Case, network::Links};

mod checksums;
mod direct;
mod foreign;
mod forward;
mod lengths;
mod next_hop;
mod ports;
mod replies;
mod sizes;
mod truncated;
mod ttl;

/// Every case, for interfaces with these numbers.
pub(crate) fn all(links: &Links) -> Vec<Case> {
    [
        forward::cases(links),
        replies::cases(links),
        direct::cases(links),
        next_hop::cases(links),
        ttl::cases(links),
        ports::cases(links),
        checksums::cases(links),
        sizes::cases(links),
        foreign::cases(links),
        lengths::cases(links),
        truncated::cases(links),
    ]
    .into_iter()
    .flatten()
    .collect()
}
