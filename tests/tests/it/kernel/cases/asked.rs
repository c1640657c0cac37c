//! What services ask for besides a backend.

mod affinity;
mod limits;
mod no_backend;
mod ranges;
mod sources;
mod tracking;
mod turns;

use super::{Case, Draft, Links, Packet, Spec, case, way_out};

pub(crate) fn cases(links: &Links) -> Vec<Case> {
    [
        ranges::cases(links),
        affinity::cases(links),
        tracking::cases(links),
        turns::cases(links),
        sources::cases(links),
        limits::cases(links),
        no_backend::cases(links),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A packet arrives at `front`.
fn arrives(links: &Links, name: impl Into<String>, packet: &Packet) -> Draft {
    case(name, links.front, packet.build())
}

/// It is sent to a backend by its place.
fn reaches(links: &Links, draft: Draft, spec: &Spec, place: u32, packet: &Packet) -> Case {
    draft.forwards_to(place, way_out(links, spec), spec, spec.delivered_to(place, packet).build())
}
