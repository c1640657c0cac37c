//! Lists of sources: which services share one, and by which id.
//!
//! A list may change in place if all who use it change with it. Otherwise who changes gets a new one,
//! which is complete before the service's entry names it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use lb_common::abi::{Endpoint, SERVICE_LISTED};

use super::keys::vip_endpoint;
use crate::{
    model::{Desired, access::Rules},
    reconcile::{
        Image,
        filter::{Filter, Filters},
    },
};

/// The lists that shall be.
#[derive(Debug)]
pub(super) struct Lists {
    /// The list of each service that has one.
    ids: BTreeMap<Endpoint, u32>,
    flags: BTreeMap<u32, u16>,
    pub(super) rules: BTreeMap<u32, Arc<Rules>>,
    pub(super) filter: Arc<Filter>,
}

/// Services with equal lists.
struct Group<'a> {
    rules: &'a Arc<Rules>,
    members: BTreeSet<Endpoint>,
    id: Option<u32>,
}

impl Lists {
    pub(super) fn of(desired: &Desired, present: &Image, filters: &Filters) -> Self {
        let mut groups = groups(desired);
        let users = users(present);
        let mut taken: BTreeSet<u32> = BTreeSet::new();
        for group in &mut groups {
            let rules = group.rules;
            let same = |id: &u32| present.lists.get(id).is_some_and(|list| list == rules);
            let id = group.candidates(&users).into_iter().find(same);
            group.id = id;
            taken.extend(group.id);
        }
        for group in groups.iter_mut().filter(|group| group.id.is_none()) {
            let alone =
                |id: &u32| users.get(id).is_some_and(|users| users.is_subset(&group.members));
            let id =
                group.candidates(&users).into_iter().find(|id| !taken.contains(id) && alone(id));
            group.id = id;
            taken.extend(group.id);
        }
        // Those that are about to go are still in use.
        taken.extend(present.lists.keys().chain(users.keys()));
        for group in groups.iter_mut().filter(|group| group.id.is_none()) {
            group.id = (1..=u32::MAX).find(|id| !taken.contains(id));
            taken.extend(group.id);
        }
        let (mut ids, mut rules) = (BTreeMap::new(), BTreeMap::new());
        for group in groups {
            let Some(id) = group.id else { continue };
            ids.extend(group.members.into_iter().map(|member| (member, id)));
            rules.insert(id, Arc::clone(group.rules));
        }
        let (filter, flags) = filters.of(&rules);
        Self { ids, flags, rules, filter }
    }

    /// The list of a service, if it has one.
    pub(super) fn id(&self, vip: &Endpoint) -> Option<u32> {
        self.ids.get(vip).copied()
    }

    /// What a service's entry says of its list.
    pub(super) fn flags(&self, list: u32) -> u16 {
        self.flags.get(&list).copied().unwrap_or_default()
    }
}

impl Group<'_> {
    /// Lists that members have at present.
    fn candidates(&self, users: &BTreeMap<u32, BTreeSet<Endpoint>>) -> Vec<u32> {
        let used = users.iter().filter(|(_, users)| !users.is_disjoint(&self.members));
        used.map(|(id, _)| *id).collect()
    }
}

fn groups(desired: &Desired) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for service in desired.services.values() {
        let rules = service.rules();
        if rules.is_empty() || !desired.pools.contains_key(&service.pool) {
            continue;
        }
        let vip = vip_endpoint(service.listen);
        match groups.iter_mut().find(|group| group.rules == rules) {
            Some(group) => _ = group.members.insert(vip),
            None => groups.push(Group { rules, members: BTreeSet::from([vip]), id: None }),
        }
    }
    groups
}

/// Who uses which list at present.
fn users(present: &Image) -> BTreeMap<u32, BTreeSet<Endpoint>> {
    let mut users: BTreeMap<u32, BTreeSet<Endpoint>> = BTreeMap::new();
    let listed = |flags| flags & SERVICE_LISTED != 0;
    for (vip, service) in present.services.iter().filter(|(_, service)| listed(service.flags)) {
        users.entry(service.list).or_default().insert(*vip);
    }
    users.remove(&0);
    users
}
