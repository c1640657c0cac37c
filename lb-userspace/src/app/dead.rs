//! What the tables still say about health when a daemon starts.

use std::collections::BTreeSet;

use lb_common::abi::{BACKEND_DEAD, BACKEND_EXPIRED};

use crate::{
    health::Key,
    model::Desired,
    reconcile::{Image, compile::identity},
};

/// Backends that the last daemon had found down. Those that are dead because their drain time is
/// over are not among them.
pub(super) fn of(image: &Image, desired: &Desired) -> BTreeSet<Key> {
    let dead = |flags| flags & BACKEND_DEAD != 0 && flags & BACKEND_EXPIRED == 0;
    let entries = image.backends.values().filter(|backend| dead(backend.flags));
    let dead: BTreeSet<u64> = entries.map(|backend| backend.identity).collect();
    let all = desired
        .pools
        .iter()
        .flat_map(|(name, pool)| pool.backends.keys().map(move |address| (name.clone(), *address)));
    all.filter(|(name, address)| dead.contains(&identity(name, *address))).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use lb_common::abi::{BACKEND_DEAD, BACKEND_EXPIRED, BACKEND_LEAVING, Backend};

    use super::of;
    use crate::{
        config,
        reconcile::{Image, compile::identity},
    };

    #[test]
    fn only_what_failed_and_is_still_there() {
        let desired = config::parse(
            "f",
            "[[interface]]\nname = \"e\"\n[[pool]]\nname = \"a\"\nbackends = [\"10.0.0.1:80\", \"10.0.0.2:80\", \"10.0.0.3:80\"]",
        );
        let name = "a".parse().unwrap();
        let mut image = Image::default();
        let entries = [
            ("10.0.0.1:80", BACKEND_DEAD | BACKEND_LEAVING),
            ("10.0.0.2:80", BACKEND_DEAD | BACKEND_LEAVING | BACKEND_EXPIRED),
            ("10.0.0.3:80", BACKEND_LEAVING),
            ("10.0.0.4:80", BACKEND_DEAD),
        ];
        for (id, (address, flags)) in (1..).zip(entries) {
            let identity = identity(&name, address.parse().unwrap());
            image.backends.insert(id, Backend { identity, flags, ..Backend::default() });
        }
        let expected = [(name, "10.0.0.1:80".parse().unwrap())];
        assert_eq!(of(&image, &desired.unwrap()), expected.into());
    }
}
