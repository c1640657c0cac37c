//! What the program reports of packets, in the API's words.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use lb_common::{
    abi::{Backend, Reason},
    trace::{Ending, Record},
};
use rustix::time::{ClockId, clock_gettime};

use crate::{
    admin::types::{FrameView, TracedPacket},
    dataplane::netlink::Links,
    model::{Desired, Name},
    reconcile::{
        Image,
        compile::{address_of, vip_endpoint},
    },
};

/// Names for the numbers in records.
pub(in crate::app) struct Names<'a> {
    services: HashMap<u32, &'a Name>,
    interfaces: HashMap<u32, &'a str>,
}

impl<'a> Names<'a> {
    pub(in crate::app) fn new(desired: &'a Desired, image: &Image, links: &'a Links) -> Self {
        let services = desired.services.iter().filter_map(|(name, service)| {
            Some((image.services.get(&vip_endpoint(service.listen))?.id, name))
        });
        let interfaces = links.iter().map(|(name, link)| (link.index, name.as_str()));
        Self { services: services.collect(), interfaces: interfaces.collect() }
    }

    /// What became of a packet; `epoch` is when its clock began, in nanoseconds since 1970.
    pub(in crate::app) fn view(&self, record: &Record, epoch: u64) -> TracedPacket {
        let time = Duration::from_nanos(epoch.saturating_add(record.time));
        let reason = Reason::ALL.iter().find(|reason| **reason as u8 == record.reason);
        let ending = Ending::ALL.into_iter().find(|ending| *ending as u8 == record.ending);
        let (seconds, nanoseconds) = (time.as_secs(), time.subsec_nanos());
        let name = |index| match self.interfaces.get(&index) {
            Some(name) => (*name).to_owned(),
            None => format!("interface {index}"),
        };
        let before = FrameView {
            interface: name(record.ingress),
            length: record.before_len,
            bytes: record.before().to_vec(),
        };
        let after = leaves_by(record).map(|index| FrameView {
            interface: name(index),
            length: record.after_len,
            bytes: record.after().to_vec(),
        });
        TracedPacket {
            seconds,
            nanoseconds,
            // The program is of this daemon's own build, so it has no others.
            verdict: ending.map_or("unknown", Ending::name).to_owned(),
            reason: reason.map_or("unknown", |reason| reason.name()).to_owned(),
            service: self.services.get(&record.service).map(|name| (*name).clone()),
            backend: backend(record),
            before,
            after,
        }
    }
}

/// The interface where the packet afterwards is worth showing: where it was sent, or where it came from
/// if the kernel got another than had arrived.
fn leaves_by(record: &Record) -> Option<u32> {
    if record.egress != 0 {
        return Some(record.egress);
    }
    let changed = record.before_len != record.after_len || record.before() != record.after();
    (record.ending == Ending::Passed as u8 && changed).then_some(record.ingress)
}

fn backend(record: &Record) -> Option<SocketAddr> {
    let (addr_be, port_be) = (record.backend_be, record.backend_port_be);
    (port_be != 0).then(|| address_of(&Backend { addr_be, port_be, ..Backend::default() }))
}

/// When the monotonic clock began, in nanoseconds since 1970.
pub(in crate::app) fn since_1970() -> u64 {
    let now = |clock| {
        let now = clock_gettime(clock);
        i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec)
    };
    u64::try_from(now(ClockId::Realtime) - now(ClockId::Monotonic)).unwrap_or(0)
}
