//! What the tables of flows, ways back and fragments hold, in words that a person can compare.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use anyhow::{Result, bail, ensure};
use lb_common::{
    abi::{self, AddrBe, FlowKey, FlowState, FragmentKey, Ports},
    host::{addr_be, endpoint},
};

use super::{packet::Packet, services::Spec};

/// Entries that either table has room for, in the tests.
pub(crate) const ROOM: u32 = 24;

/// A remembered flow.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Flow {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) protocol: u8,
    pub(crate) backend: u32,
    pub(crate) service: u32,
    /// Ticks since its last packet.
    pub(crate) age: u32,
    pub(crate) epoch: u16,
    pub(crate) state: FlowState,
    /// Source and destination that replace its ends.
    pub(crate) ends: Option<(SocketAddr, SocketAddr)>,
}

/// A remembered way back.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct WayBack {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) protocol: u8,
    pub(crate) backend: u32,
    pub(crate) service: u32,
    /// Ticks since its last packet.
    pub(crate) age: u32,
    pub(crate) state: FlowState,
    pub(crate) client: SocketAddr,
    pub(crate) vip: SocketAddr,
}

/// What the first fragment of a packet told.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Known {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) protocol: u8,
    pub(crate) id: u32,
    /// Ticks since it came.
    pub(crate) age: u32,
}

/// All of these tables.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Memory {
    pub(crate) flows: Vec<Flow>,
    pub(crate) ways: Vec<WayBack>,
    pub(crate) fragments: Vec<Known>,
}

impl Memory {
    /// In an order that does not depend on where it came from.
    pub(crate) fn sorted(mut self) -> Self {
        self.flows.sort();
        self.ways.sort();
        self.fragments.sort();
        self
    }
}

impl Spec {
    /// The flow of a request, just seen, with a backend of the place.
    pub(crate) fn flow(&self, place: u32, request: &Packet, state: FlowState) -> Flow {
        Flow {
            from: request.from,
            to: request.to,
            protocol: request.protocol,
            backend: self.first_backend + place,
            service: self.id,
            age: 0,
            epoch: 0,
            state,
            ends: None,
        }
    }

    /// Both ways of a `full-nat` flow, just seen, with a source.
    pub(crate) fn translation(
        &self,
        place: u32,
        request: &Packet,
        source: SocketAddr,
        state: FlowState,
    ) -> (Flow, WayBack) {
        let backend = self.target(place, request.to);
        let flow = Flow { ends: Some((source, backend)), ..self.flow(place, request, state) };
        (flow, WayBack { to: source, ..self.way_back(place, request, state) })
    }

    /// The way back of a `nat` flow, just seen.
    pub(crate) fn way_back(&self, place: u32, request: &Packet, state: FlowState) -> WayBack {
        WayBack {
            from: self.target(place, request.to),
            to: request.from,
            protocol: request.protocol,
            backend: self.first_backend + place,
            service: self.id,
            age: 0,
            state,
            client: request.from,
            vip: request.to,
        }
    }
}

impl Flow {
    pub(crate) fn age(self, age: u32) -> Self {
        Self { age, ..self }
    }

    pub(crate) fn epoch(self, epoch: u16) -> Self {
        Self { epoch, ..self }
    }

    pub(crate) fn state(self, state: FlowState) -> Self {
        Self { state, ..self }
    }

    /// As it stands in the table in a tick.
    pub(crate) fn encode(&self, now: u32) -> (FlowKey, abi::Flow) {
        let seen = now.wrapping_sub(self.age);
        let mut flow = abi::Flow {
            backend: self.backend,
            service: self.service,
            seen,
            epoch: self.epoch,
            state: self.state as u8,
            ..abi::Flow::default()
        };
        if let Some((source, backend)) = self.ends {
            let (source, backend) = (endpoint(source, 0), endpoint(backend, 0));
            (flow.source_be, flow.source_port_be) = (source.addr_be, source.port_be);
            (flow.backend_be, flow.backend_port_be) = (backend.addr_be, backend.port_be);
        }
        (key(self.from, self.to, self.protocol), flow)
    }

    /// What stands in the table in a tick.
    pub(crate) fn decode(key: &FlowKey, flow: &abi::Flow, now: u32) -> Result<Self> {
        let (from, to) = ends_of(key)?;
        ensure!(flow._pad == 0, "a flow's padding is {:#x}", flow._pad);
        let source = address(flow.source_be, flow.source_port_be);
        let backend = address(flow.backend_be, flow.backend_port_be);
        Ok(Self {
            from,
            to,
            protocol: key.protocol,
            backend: flow.backend,
            service: flow.service,
            age: now.wrapping_sub(flow.seen),
            epoch: flow.epoch,
            state: state(flow.state)?,
            ends: (flow.backend_be != [0; 4] || flow.source_be != [0; 4])
                .then_some((source, backend)),
        })
    }
}

impl WayBack {
    pub(crate) fn age(self, age: u32) -> Self {
        Self { age, ..self }
    }

    pub(crate) fn state(self, state: FlowState) -> Self {
        Self { state, ..self }
    }

    /// As it stands in the table in a tick.
    pub(crate) fn encode(&self, now: u32) -> (FlowKey, abi::Return) {
        let (client, vip) = (endpoint(self.client, 0), endpoint(self.vip, 0));
        let way = abi::Return {
            backend: self.backend,
            service: self.service,
            seen: now.wrapping_sub(self.age),
            state: self.state as u8,
            _pad: [0; 3],
            client_be: client.addr_be,
            vip_be: vip.addr_be,
            client_port_be: client.port_be,
            vip_port_be: vip.port_be,
        };
        (key(self.from, self.to, self.protocol), way)
    }

    /// What stands in the table in a tick.
    pub(crate) fn decode(key: &FlowKey, way: &abi::Return, now: u32) -> Result<Self> {
        let (from, to) = ends_of(key)?;
        ensure!(way._pad == [0; 3], "a way's padding is {:?}", way._pad);
        Ok(Self {
            from,
            to,
            protocol: key.protocol,
            backend: way.backend,
            service: way.service,
            age: now.wrapping_sub(way.seen),
            state: state(way.state)?,
            client: address(way.client_be, way.client_port_be),
            vip: address(way.vip_be, way.vip_port_be),
        })
    }
}

impl Packet {
    /// What its first fragment tells, just seen.
    pub(crate) fn known(&self) -> Known {
        let (protocol, id) = (self.protocol, self.id.into());
        Known { from: self.from, to: self.to, protocol, id, age: 0 }
    }
}

impl Known {
    pub(crate) fn age(self, age: u32) -> Self {
        Self { age, ..self }
    }

    /// As it stands in the table in a tick.
    pub(crate) fn encode(&self, now: u32) -> (FragmentKey, Ports) {
        // An IPv4 identification has two bytes, which stand first in the word.
        let [a, b, c, d] = self.id.to_be_bytes();
        let id = if self.from.is_ipv4() { [c, d, 0, 0] } else { [a, b, c, d] };
        let key = FragmentKey {
            src_be: addr_be(self.from.ip()),
            dst_be: addr_be(self.to.ip()),
            id_be: u32::from_ne_bytes(id),
            protocol: self.protocol,
            _pad: [0; 3],
        };
        let seen = now.wrapping_sub(self.age);
        let (src_port_be, dst_port_be) = (self.from.port().to_be(), self.to.port().to_be());
        (key, Ports { src_port_be, dst_port_be, seen })
    }

    /// What stands in the table in a tick.
    pub(crate) fn decode(key: &FragmentKey, ports: Ports, now: u32) -> Result<Self> {
        ensure!(key._pad == [0; 3], "a key's padding is {:?}", key._pad);
        let from = address(key.src_be, ports.src_port_be);
        let [a, b, c, d] = key.id_be.to_ne_bytes();
        let id = if from.is_ipv4() { [c, d, a, b] } else { [a, b, c, d] };
        Ok(Self {
            from,
            to: address(key.dst_be, ports.dst_port_be),
            protocol: key.protocol,
            id: u32::from_be_bytes(id),
            age: now.wrapping_sub(ports.seen),
        })
    }
}

fn key(from: SocketAddr, to: SocketAddr, protocol: u8) -> FlowKey {
    let (from, to) = (endpoint(from, protocol), endpoint(to, protocol));
    FlowKey {
        src_be: from.addr_be,
        dst_be: to.addr_be,
        src_port_be: from.port_be,
        dst_port_be: to.port_be,
        protocol,
        _pad: [0; 3],
    }
}

fn ends_of(key: &FlowKey) -> Result<(SocketAddr, SocketAddr)> {
    ensure!(key._pad == [0; 3], "a key's padding is {:?}", key._pad);
    Ok((address(key.src_be, key.src_port_be), address(key.dst_be, key.dst_port_be)))
}

fn address(addr_be: AddrBe, port_be: u16) -> SocketAddr {
    let bits = addr_be.iter().fold(0, |bits, word| bits << 32 | u128::from(u32::from_be(*word)));
    let ip = IpAddr::V6(Ipv6Addr::from_bits(bits)).to_canonical();
    (ip, u16::from_be(port_be)).into()
}

fn state(code: u8) -> Result<FlowState> {
    let all = [FlowState::Opening, FlowState::Open, FlowState::Closing];
    match all.into_iter().find(|state| *state as u8 == code) {
        Some(state) => Ok(state),
        None => bail!("a state is {code}"),
    }
}

#[test]
fn entries_survive_the_encoding() -> Result<()> {
    let spec = super::services::full_nat::FULL_V6_TCP;
    let request = spec.request();
    let source = "[2001:db8:5::9]:4000".parse()?;
    let (flow, way) = spec.translation(0, &request, source, FlowState::Closing);
    for flow in [spec.flow(3, &request, FlowState::Open).age(7).epoch(9), flow.age(0)] {
        let (key, value) = flow.encode(3);
        assert_eq!(Flow::decode(&key, &value, 3)?, flow);
    }
    let (key, value) = way.clone().age(5).encode(3);
    assert_eq!(Flow::decode(&key, &abi::Flow::default(), 0)?.from, spec.backend(0));
    assert_eq!(WayBack::decode(&key, &value, 4)?, way.age(6));
    for request in [request, super::services::NAT_V4_TCP.request()] {
        let known = request.known().age(3);
        let (key, value) = known.encode(2);
        assert_eq!(Known::decode(&key, value, 2)?, known);
    }
    Ok(())
}
