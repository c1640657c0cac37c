//! Which backend a flow gets, in the API's words.

use lb_common::{
    abi::{Explanation, Reason, Why},
    slot::Slot,
};

use crate::{
    admin::types::{Because, FlowView, SlotView},
    model::{Desired, FlowQuery, Name, Service},
    reconcile::{
        Image,
        compile::{address_of, vip_endpoint},
    },
};

/// What the program said of a packet, with names for the ids.
pub(super) fn view(
    query: &FlowQuery,
    said: &Explanation,
    image: &Image,
    desired: &Desired,
) -> FlowView {
    let service = service(said.service, image, desired);
    let address = |id| image.backends.get(&id).map(address_of);
    let mut entries = image.services.values();
    let entry = entries.find(|entry| said.service != 0 && entry.id == said.service);
    let slot = entry.map(|entry| entry.ring_mask + 1).map(|of| {
        let slot = Slot::from_word(said.slot);
        SlotView {
            place: said.place,
            of,
            moving: slot.is_moving(),
            owner: address(slot.owner()),
            previous: address(slot.previous()).filter(|_| slot.is_moving()),
        }
    });
    let backend = address(said.backend);
    let reason = Reason::ALL.iter().copied().find(|reason| *reason as u8 == said.reason);
    FlowView {
        from: query.from(),
        to: query.to(),
        service: service.map(|(name, _)| name.clone()),
        pool: service.map(|(_, service)| service.pool.clone()),
        forward: service.map(|(_, service)| service.forward),
        backend,
        // The program is of this daemon's own build, so it has no reasons of its own.
        reason: reason.map_or("unknown", Reason::name).to_owned(),
        explanation: reason.map_or("", Reason::explanation).to_owned(),
        why: backend.and(Why::ALL.get(usize::from(said.why))).map(|why| because(*why)),
        slot,
    }
}

fn service<'a>(id: u32, image: &Image, desired: &'a Desired) -> Option<(&'a Name, &'a Service)> {
    desired.services.iter().find(|(_, service)| {
        image.services.get(&vip_endpoint(service.listen)).is_some_and(|entry| entry.id == id)
    })
}

fn because(why: Why) -> Because {
    match why {
        Why::Owner => Because::Owner,
        Why::Remembered => Because::Remembered,
        Why::Previous => Because::Previous,
        Why::Named => Because::Named,
        Why::Scheduled => Because::Scheduled,
    }
}
