//! A status and an event loop for the tests of server, client and command line.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod layer7;
mod packets;

use std::{net::SocketAddr, path::PathBuf};

use tempfile::TempDir;
use tokio::sync::mpsc;

use super::{
    Request, RequestError, server,
    types::{
        BackendView, Changed, CounterView, HealthState, HealthView, InterfaceView, NextHopView,
        PoolView, ServiceView, Status,
    },
};
use crate::model::{
    Affinity, AttachMode, BackendState, Change, ChangeError, Forward, Health, Name, NoBackend,
    Prefix, RateLimit, Rule, Scheduler, Tracking, Udp, Weight,
    access::AccessError,
    health::{HttpProbe, Probe},
};

pub(crate) use self::packets::{flow, traced};

pub(crate) fn name(name: &str) -> Name {
    name.parse().unwrap()
}

pub(crate) fn address(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

pub(crate) fn weight(weight: i64) -> Weight {
    weight.try_into().unwrap()
}

fn counter(packets: u64, bytes: u64) -> CounterView {
    CounterView { packets, bytes }
}

fn backend(at: &str, share: i64, state: BackendState, next_hop: NextHopView) -> BackendView {
    let packets = 100 * u64::try_from(share).unwrap();
    BackendView {
        address: address(at),
        weight: weight(share),
        state,
        health: HealthView::default(),
        next_hop,
        sent: counter(packets, packets * 1_000),
        requests: None,
    }
}

fn resolved(last: u8) -> NextHopView {
    NextHopView::Resolved {
        interface: "eth1".to_owned(),
        mac: format!("02:00:00:00:00:{last:02x}"),
    }
}

fn web() -> PoolView {
    let unresolved = NextHopView::Unresolved {
        reason: "no route to 172.17.0.6; add one with `ip route`".to_owned(),
    };
    let health = |state, seconds, result: &str| HealthView {
        state,
        seconds: Some(seconds),
        result: Some(result.to_owned()),
    };
    let mut backends = vec![
        backend("172.17.0.4:1001", 1, BackendState::Enabled, resolved(4)),
        backend("172.17.0.5:1002", 2, BackendState::Drained, resolved(5)),
        backend("172.17.0.6:1003", 3, BackendState::Enabled, unresolved),
    ];
    backends[0].health = health(HealthState::Up, 11_525, "status 200 OK");
    backends[1].health = health(HealthState::Down, 12, "connection refused");
    PoolView {
        name: name("web"),
        services: vec![name("web")],
        listeners: vec![name("edge")],
        health: Some(Health::new(Probe::Http(HttpProbe::default()))),
        drain_timeout_ms: Some(30_000),
        backends,
    }
}

/// Two services, a listener, three pools, an unresolved backend and a problem.
pub(crate) fn status() -> Status {
    let web_service = ServiceView {
        name: name("web"),
        listen: "192.0.2.10:80/tcp".parse().unwrap(),
        pool: name("web"),
        forward: Forward::Nat,
        source: vec![],
        source_ports: None,
        udp: None,
        tracking: Some(Tracking::JustEnough),
        scheduler: Scheduler::default(),
        affinity: Affinity::default(),
        allow: 0,
        deny: 1,
        new_flows: RateLimit::new(5000, Some(10_000)).ok(),
        new_flows_per_source: None,
        no_backend: NoBackend::default(),
        idle_timeout_ms: 900_000,
        vip_interface: Some("eth0".to_owned()),
        slots: 4096,
        owners: [(address("172.17.0.4:1001"), 1024), (address("172.17.0.6:1003"), 3072)].into(),
        moving: 1365,
        previous: [(address("172.17.0.5:1002"), 1365)].into(),
        server_ids: None,
        packets: [
            ("forwarded".to_owned(), counter(12_345, 1_300_000)),
            ("returned".to_owned(), counter(999, 70_000)),
            ("ttl-expired".to_owned(), counter(2, 120)),
        ]
        .into(),
    };
    let dns_service = ServiceView {
        name: name("dns"),
        listen: "[2001:db8::10]:53/udp".parse().unwrap(),
        pool: name("dns"),
        forward: Forward::Gue,
        source: vec!["2001:db8:5::/112".parse().unwrap()],
        source_ports: None,
        udp: Some(Udp::Quic),
        tracking: None,
        scheduler: Scheduler::default(),
        affinity: Affinity::ClientIp,
        allow: 0,
        deny: 0,
        new_flows: None,
        new_flows_per_source: None,
        no_backend: NoBackend::Reject,
        idle_timeout_ms: 120_000,
        vip_interface: None,
        slots: 4096,
        owners: [(address("[2001:db8::4]:53"), 4096)].into(),
        moving: 0,
        previous: [].into(),
        server_ids: Some([(address("[2001:db8::4]:53"), "d7409b46".to_owned())].into()),
        packets: [].into(),
    };
    let dns = PoolView {
        name: name("dns"),
        services: vec![name("dns")],
        listeners: vec![],
        health: None,
        drain_timeout_ms: None,
        backends: vec![backend("[2001:db8::4]:53", 1, BackendState::Enabled, resolved(0x14))],
    };
    let spare = PoolView {
        name: name("spare"),
        services: vec![],
        listeners: vec![],
        health: None,
        drain_timeout_ms: None,
        backends: vec![],
    };
    Status {
        version: "0.1.0".to_owned(),
        pid: 4242,
        remembered_flows: 1234,
        uptime_seconds: 3 * 3600 + 12 * 60 + 5,
        pin_dir: PathBuf::from("/sys/fs/bpf/shunt"),
        interfaces: vec![InterfaceView {
            name: "eth0".to_owned(),
            configured: AttachMode::Auto,
            attached: Some(AttachMode::Native),
        }],
        services: vec![dns_service, web_service],
        listeners: vec![layer7::edge()],
        pools: vec![dns, spare, web()],
        packets: [
            ("forwarded".to_owned(), counter(12_345, 1_300_000)),
            ("not-ours".to_owned(), counter(1_234_567, 2 << 30)),
            ("other-protocol".to_owned(), counter(8, 600)),
            ("returned".to_owned(), counter(999, 70_000)),
            ("ttl-expired".to_owned(), counter(2, 120)),
        ]
        .into(),
        problems: vec!["eth0 has no IPv4 forwarding; set net.ipv4.ip_forward=1".to_owned()],
    }
}

/// A daemon without a data plane: its socket, and what it was asked to do.
pub(crate) struct Daemon {
    /// Path of the socket.
    pub(crate) socket: PathBuf,
    /// Every change that was asked for.
    pub(crate) changes: mpsc::UnboundedReceiver<Vec<Change>>,
    _directory: TempDir,
}

/// Starts one inside the current runtime.
pub(crate) fn daemon() -> Daemon {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("admin.sock");
    let listener = server::bind(&socket).unwrap();
    let (sender, requests) = mpsc::channel(4);
    let (log, changes) = mpsc::unbounded_channel();
    tokio::spawn(server::serve(listener, sender));
    tokio::spawn(event_loop(requests, log));
    Daemon { socket, changes, _directory: directory }
}

/// Answers from [`status`]; a configuration is refused in the way its text says.
async fn event_loop(
    mut requests: mpsc::Receiver<Request>,
    log: mpsc::UnboundedSender<Vec<Change>>,
) {
    while let Some(request) = requests.recv().await {
        match request {
            Request::Status { reply } => _ = reply.send(Box::new(status())),
            Request::Flow { query, reply } => _ = reply.send(Ok(flow(&query))),
            Request::Route { query, reply } => _ = reply.send(Ok(layer7::taken(&query))),
            Request::Sources { service, list, reply } => {
                let known = status().services.iter().any(|view| view.name == service);
                let error = ChangeError::UnknownService { service };
                let denied = || vec![denied().parse().unwrap()];
                let listed = if list == Rule::Deny { denied() } else { vec![] };
                let error = RequestError::NotFound(error.to_string());
                _ = reply.send(if known { Ok(listed) } else { Err(error) });
            }
            Request::Trace { query, reply } => _ = reply.send(packets::trace(&query)),
            Request::Change { changes, reply } => {
                let verdict = check(&changes);
                _ = log.send(changes);
                _ = reply.send(verdict);
            }
            Request::Apply { apply, reply } => {
                let verdict = match apply.text.as_str() {
                    "invalid" => Err(RequestError::Invalid(vec![
                        format!("{}:1:1: this is wrong", apply.file),
                        format!("{}:2:3: that is wrong, too", apply.file),
                    ])),
                    "failed" => Err(RequestError::Failed("the kernel says no".to_owned())),
                    "same" => Ok(Changed { operations: vec![] }),
                    _ => Ok(changed(&["+ backend 172.17.0.9:1006 in web: weight 1"])),
                };
                _ = reply.send(verdict);
            }
            Request::Reopen { reply } => {
                _ = reply.send(Ok(changed(&["access log /var/log/shunt/access.log: open anew"])));
            }
            Request::Detach { reply } => {
                _ = reply.send(Ok(changed(&["detached the program from eth0"])));
                return;
            }
        }
    }
}

fn changed(operations: &[&str]) -> Changed {
    Changed { operations: operations.iter().map(|&line| line.to_owned()).collect() }
}

fn check(changes: &[Change]) -> Result<Changed, RequestError> {
    for change in changes {
        if let Change::AddSource { service, list, prefix }
        | Change::RemoveSource { service, list, prefix } = change
        {
            source(service, *list, *prefix, matches!(change, Change::AddSource { .. }))?;
        }
        let (Change::AddBackend { pool, address, .. }
        | Change::RemoveBackend { pool, address }
        | Change::SetWeight { pool, address, .. }
        | Change::SetState { pool, address, .. }) = change
        else {
            continue;
        };
        let (pool, address) = (pool.clone(), *address);
        let status = status();
        let Some(view) = status.pools.iter().find(|view| view.name == pool) else {
            return Err(RequestError::NotFound(ChangeError::UnknownPool { pool }.to_string()));
        };
        let known = view.backends.iter().any(|backend| backend.address == address);
        if matches!(change, Change::AddBackend { .. }) {
            if known {
                let error = ChangeError::DuplicateBackend { pool, address };
                return Err(RequestError::Conflict(error.to_string()));
            }
        } else if !known {
            let error = ChangeError::UnknownBackend { pool, address };
            return Err(RequestError::NotFound(error.to_string()));
        }
    }
    Ok(changed(&["done"]))
}

/// What `web` denies.
fn denied() -> &'static str {
    "203.0.113.0/24"
}

/// `web` denies one prefix and allows none.
fn source(service: &Name, list: Rule, prefix: Prefix, added: bool) -> Result<(), RequestError> {
    let status = status();
    if !status.services.iter().any(|view| view.name == *service) {
        let error = ChangeError::UnknownService { service: service.clone() };
        return Err(RequestError::NotFound(error.to_string()));
    }
    let present = list == Rule::Deny && prefix.to_string() == denied();
    let source = match (added, present) {
        (true, true) => AccessError::Present { prefix, rule: list },
        (false, false) => AccessError::Absent { prefix, rule: list },
        _ => return Ok(()),
    };
    let error = ChangeError::Access { service: service.clone(), source };
    Err(if added {
        RequestError::Conflict(error.to_string())
    } else {
        RequestError::NotFound(error.to_string())
    })
}
