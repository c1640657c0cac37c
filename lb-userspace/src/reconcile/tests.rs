//! Tests of planning.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod describing;
mod leaving;
mod listed;
mod moving;
mod places;
mod properties;
mod ranged;
mod sharing;
mod simulation;
mod small_changes;
mod sweeping;
mod turning;
mod vlans;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use lb_common::{abi::Vlan, slot::Slot};

use super::{
    Image, Op,
    compile::{Down, Inputs, Target, Targets, compile, identity, vip_endpoint},
    filter::Filters,
    plan,
};
use crate::model::{
    AttachMode, Backend, BackendState, Daemon, Desired, Forward, Interface, Name, Pool, Service,
    names::backend_address,
};

/// All that [`compile`] looks at, except the tables.
#[derive(Clone, Debug)]
struct World {
    desired: Desired,
    targets: Targets,
    interfaces: BTreeSet<u32>,
    vlans: BTreeMap<u32, Vlan>,
    down: Down,
    unreferenced: BTreeSet<u32>,
    filters: Filters,
    tick: u32,
}

impl World {
    /// No pool and no service.
    fn empty() -> Self {
        let daemon = Daemon {
            admin: "/run/a.sock".into(),
            state_dir: "/var/lib/a".into(),
            pin_dir: "/sys/fs/bpf/a".into(),
            seed: 7,
        };
        let desired = Desired {
            listeners: BTreeMap::new(),
            daemon,
            interfaces: vec![Interface { name: "eth0".to_owned(), mode: AttachMode::Auto }],
            pools: BTreeMap::new(),
            services: BTreeMap::new(),
        };
        Self {
            desired,
            targets: Targets::new(),
            interfaces: BTreeSet::from([2]),
            vlans: BTreeMap::new(),
            down: Down::new(),
            unreferenced: BTreeSet::new(),
            filters: Filters::default(),
            tick: 1000,
        }
    }

    /// One more pool, of backends of weight 10.
    fn pool(mut self, key: &str, backends: &[&str]) -> Self {
        let backend = Backend { weight: 10.try_into().unwrap(), state: BackendState::Enabled };
        let backends = backends.iter().map(|text| (backend_address(text).unwrap(), backend));
        self.desired
            .pools
            .insert(name(key), Pool { backends: backends.collect(), ..Pool::default() });
        self
    }

    /// One more pool, `10.9.x.y:80`, as large as wanted.
    fn large_pool(self, key: &str, backends: usize) -> Self {
        let addresses: Vec<_> =
            (0..backends).map(|i| format!("10.9.{}.{}:80", i / 250, i % 250 + 1)).collect();
        let addresses: Vec<_> = addresses.iter().map(String::as_str).collect();
        self.pool(key, &addresses)
    }

    /// One more service.
    fn service(mut self, key: &str, listen: &str, pool: &str, forward: Forward) -> Self {
        let listen = listen.parse().unwrap();
        let service = Service::new(listen, name(pool), forward);
        self.desired.services.insert(name(key), service);
        self
    }

    /// With the next hop of a backend known.
    fn resolved(mut self, address: &str) -> Self {
        self.targets.insert(address.parse().unwrap(), target(1));
        self
    }

    /// With the next hop of a backend known, which frames get to with VLAN tags.
    fn tagged(mut self, address: &str, tags: u32) -> Self {
        self.targets.insert(address.parse().unwrap(), Target { tags, ..target(1) });
        self
    }

    fn backend_mut(&mut self, pool: &str, address: &str) -> &mut Backend {
        let pool = self.desired.pools.get_mut(&name(pool)).unwrap();
        pool.backends.get_mut(&address.parse().unwrap()).unwrap()
    }

    /// The tables that come after some.
    fn after(&self, present: &Image) -> Image {
        compile(&self.inputs(), present).unwrap()
    }

    fn inputs(&self) -> Inputs<'_> {
        Inputs {
            desired: &self.desired,
            down: &self.down,
            targets: &self.targets,
            interfaces: &self.interfaces,
            vlans: &self.vlans,
            unreferenced: &self.unreferenced,
            filters: &self.filters,
            tick: self.tick,
        }
    }

    /// The tables of a first start.
    fn fresh(&self) -> Image {
        self.after(&Image::default())
    }
}

/// Two pools and three services: both ways to forward, both protocols.
fn example() -> World {
    World::empty()
        .pool("dns", &["10.0.1.1:53", "10.0.1.2:53"])
        .pool("web", &["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"])
        .service("dns-tcp", "192.0.2.2:53/tcp", "dns", Forward::Nat)
        .service("dns-udp", "192.0.2.2:53/udp", "dns", Forward::Nat)
        .service("web", "192.0.2.1:80/tcp", "web", Forward::Dsr)
}

/// The id of a backend.
fn id_of(image: &Image, pool: &str, address: &str) -> u32 {
    let wanted = identity(&name(pool), address.parse().unwrap());
    *image.backends.iter().find(|(_, backend)| backend.identity == wanted).unwrap().0
}

/// The slots of a service.
fn slots_of(image: &Image, listen: &str) -> Vec<Slot> {
    let service = &image.services[&vip_endpoint(listen.parse().unwrap())];
    image.rings[&service.ring_base].iter().map(|word| Slot::from_word(*word)).collect()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn target(last: u8) -> Target {
    let ifindex = u32::from(last % 2) + 1;
    Target {
        ifindex,
        tags: 0,
        mac: [2, 0, 0, 0, 0, last],
        source_mac: [2, 0, 0, 0, 1, last],
        mtu: 1500,
        source: [10, 0, 0, 254].into(),
    }
}

fn last_byte(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(v4) => v4.octets()[3],
        IpAddr::V6(v6) => v6.octets()[15],
    }
}

fn applied(ops: &[Op], mut image: Image) -> Image {
    for op in ops {
        image.apply(op);
    }
    image
}
