//! Connections by client. There is an entry for each client that has one, so no table is larger than the number of
//! connections.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::Client;

/// Parts of the table, each with a lock of its own: workers rarely meet.
const PARTS: usize = 64;
/// Below this the room of a part is not given back.
const SMALL: usize = 64;

/// See the module.
#[derive(Debug)]
pub(in crate::proxy) struct Connections {
    parts: [Mutex<HashMap<Client, u32>>; PARTS],
}

impl Default for Connections {
    fn default() -> Self {
        Self { parts: std::array::from_fn(|_| Mutex::default()) }
    }
}

impl Connections {
    /// Counts another connection of a client, unless it has its most, which is at least one.
    pub(super) fn enter(self: &Arc<Self>, client: Client, most: u32) -> Option<Entry> {
        let mut part = self.part(client);
        let open = part.entry(client).or_default();
        if *open >= most {
            return None;
        }
        *open += 1;
        Some(Entry(Some((Arc::clone(self), client))))
    }

    fn leave(&self, client: Client) {
        let mut part = self.part(client);
        if let Some(open) = part.get_mut(&client) {
            *open = open.saturating_sub(1);
            if *open == 0 {
                part.remove(&client);
            }
        }
        if part.capacity() > SMALL && part.len() < part.capacity() / 4 {
            let room = part.len() * 2;
            part.shrink_to(room);
        }
    }

    fn part(&self, client: Client) -> MutexGuard<'_, HashMap<Client, u32>> {
        let nth = client.0 % PARTS as u64;
        // In bounds: it is what is left by a division.
        let part = &self.parts[usize::try_from(nth).unwrap_or_default()];
        part.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Clients that have connections.
    #[cfg(test)]
    pub(super) fn clients(&self) -> usize {
        let parts = self.parts.iter();
        parts.map(|part| part.lock().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }
}

/// A connection that counts as one of its client's until it is dropped, or one that is not counted.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Entry(Option<(Arc<Connections>, Client)>);

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some((connections, client)) = &self.0 {
            connections.leave(*client);
        }
    }
}
