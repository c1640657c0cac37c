//! Tests of the model.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod changes;
mod modes;
mod quic;
mod requests;
mod rules;
mod source;
mod values;

use std::collections::BTreeMap;

use super::{
    AttachMode, Backend, Daemon, Desired, Forward, Interface, Name, Pool, Service, Weight,
    names::backend_address,
};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn weight(number: i64) -> Weight {
    number.try_into().unwrap()
}

fn pool(backends: &[&str]) -> Pool {
    let backends =
        backends.iter().map(|address| (backend_address(address).unwrap(), Backend::default()));
    Pool { backends: backends.collect(), ..Pool::default() }
}

fn service(listen: &str, pool: &str, forward: Forward) -> Service {
    Service::new(listen.parse().unwrap(), name(pool), forward)
}

fn desired(pools: &[(&str, Pool)], services: &[(&str, Service)]) -> Desired {
    Desired {
        listeners: [].into(),
        daemon: Daemon {
            admin: "/run/a.sock".into(),
            state_dir: "/var/lib/a".into(),
            pin_dir: "/sys/fs/bpf/a".into(),
            seed: 0,
        },
        interfaces: vec![Interface { name: "eth0".to_owned(), mode: AttachMode::Auto }],
        pools: pools.iter().map(|(key, pool)| (name(key), pool.clone())).collect(),
        services: services
            .iter()
            .map(|(key, service)| (name(key), service.clone()))
            .collect::<BTreeMap<_, _>>(),
    }
}
