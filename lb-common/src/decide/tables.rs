//! What the decisions read, and the few things they write.

use core::ops::DerefMut;

use crate::{
    abi::{
        AddrBe, Backend, Endpoint, Flow, FlowKey, FragmentKey, Limits, Origin, Ports, Reason,
        Return, Scratch, ServerId, Service, SourceBucket, Vlan,
    },
    limit::Rate,
    parse::{Family, rare::Work},
    slot::Slot,
};

/// The tables as a packet sees them.
pub trait Tables {
    /// Finds an entry of the flow table again.
    type FlowRef: Copy;
    /// Finds an entry of the return table again.
    type ReturnRef: Copy;
    /// Memory for one packet.
    type Scratch: DerefMut<Target = Scratch>;

    /// Memory for one packet: only one is handed out at a time.
    fn scratch(&self) -> Option<Self::Scratch>;
    /// Memory for one rare packet, whose content is not defined at first, and for its next stage what the
    /// last one left there: only one is handed out at a time.
    fn work(&self) -> Option<impl DerefMut<Target = Work>>;

    /// The present tick ([`time`](crate::time)).
    fn now(&self) -> u32;
    /// The flags of [`Meta`](crate::abi::Meta).
    fn meta(&self) -> u32;
    /// The service at an address.
    fn service(&self, vip: &Endpoint) -> Option<&Service>;
    /// A service by its id.
    fn service_by_id(&self, id: u32) -> Option<&Service>;
    /// The id of the service that has a port, in host order, among [`Ranges`](crate::abi::Ranges).
    fn service_in_range(&self, ranges: u32, port: u16) -> Option<u32>;
    /// A slot by its index in the ring table.
    fn slot(&self, index: u32) -> Slot;
    /// Notes on a slot that a packet went to another than its owner.
    fn stamp(&self, index: u32, stamp: u16);
    /// A backend by its id.
    fn backend(&self, id: u32) -> Option<&Backend>;
    /// The backend that a QUIC connection id names.
    fn server(&self, id: &ServerId) -> Option<u32>;
    /// The service that a backend address answers for.
    fn origin(&self, backend: &Endpoint) -> Option<&Origin>;
    /// The kernel's route for a packet.
    fn route(&self, query: &RouteQuery) -> Route;

    /// A remembered flow.
    fn flow(&self, key: &FlowKey) -> Option<(Flow, Self::FlowRef)>;
    /// Notes a packet of a remembered flow.
    fn refresh_flow(&self, at: Self::FlowRef, seen: u32, state: u8);
    /// Remembers a flow, in the place of what was remembered of it; `false` if there is no room.
    fn put_flow(&self, key: &FlowKey, flow: &Flow) -> bool;
    /// Forgets a flow.
    fn forget_flow(&self, key: &FlowKey);
    /// A remembered way back.
    fn way_back(&self, key: &FlowKey) -> Option<(Return, Self::ReturnRef)>;
    /// Notes a packet of a remembered way back.
    fn refresh_way_back(&self, at: Self::ReturnRef, seen: u32, state: u8);
    /// Remembers a way back, if there is none by that key.
    fn add_way_back(&self, key: &FlowKey, way: &Return) -> Added;
    /// Forgets a way back.
    fn forget_way_back(&self, key: &FlowKey);

    /// Whether a list may have something of the sources with this bit.
    fn may_be_listed(&self, bit: u32) -> bool;
    /// What a list says of a source: the [`SourceRule`](crate::abi::SourceRule) of the longest prefix.
    fn source_rule(&self, list: u32, addr: &AddrBe) -> Option<u32>;
    /// How many flows a service may open.
    fn limits(&self, service: u32) -> Option<&Limits>;
    /// Whether another flow of a source may be opened; asking counts as opening it.
    fn take_of_source(&self, source: &SourceBucket, rate: Rate) -> bool;
    /// Whether another flow of a service may be opened; asking counts as opening it.
    fn take_of_service(&self, service: u32, rate: Rate) -> bool;
    /// The backend whose turn it is, 0 for none; asking counts as taking it.
    fn turn(&self, service: &Service) -> u32;
    /// The backend that would get the next one.
    fn next_turn(&self, service: &Service) -> u32;
    /// Any number.
    fn random(&self) -> u32;
    /// How many flows a backend has, about.
    fn flows(&self, backend: u32) -> u64;
    /// The weight of a backend.
    fn weight(&self, backend: u32) -> u32;
    /// Notes that a backend has so many flows more.
    fn add_flows(&self, backend: u32, by: i64);

    /// Whether any client ever spoke to this backend directly.
    fn direct_seen(&self, backend: u32) -> bool;
    /// Whether this flow, from client to backend, goes past the service.
    fn is_direct(&self, flow: &FlowKey) -> bool;
    /// Remembers that this flow, from client to backend, goes past the service.
    fn remember_direct(&self, flow: &FlowKey, backend: u32);
    /// Forgets that this flow, from client to backend, went past the service.
    fn forget_direct(&self, flow: &FlowKey);

    /// The id of a service at an address.
    fn vip(&self, addr: &AddrBe) -> Option<u32>;
    /// What the first fragment of a packet told.
    fn fragment(&self, key: &FragmentKey) -> Option<Ports>;
    /// Remembers what the first fragment of a packet tells.
    fn remember_fragment(&self, key: &FragmentKey, ports: &Ports);
    /// The word of the VLAN tags of frames to a backend ([`Tags`](crate::vlan::Tags)).
    fn tags(&self, backend: u32) -> u32;
    /// The VLAN that an interface stands for.
    fn vlan(&self, ifindex: u32) -> Option<Vlan>;
    /// Whether another ICMP message of the balancer's own may be sent; asking counts as sending it.
    fn may_answer(&self) -> bool;

    /// Counts a packet; `service` is 0 for packets of none.
    fn count(&self, service: u32, reason: Reason, bytes: u64);
    /// Counts a packet sent to a backend.
    fn count_backend(&self, backend: u32, bytes: u64);
}

/// What became of a new entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Added {
    /// It is there.
    New,
    /// There was one by its key.
    Taken,
    /// There is no room.
    Full,
}

/// A packet whose route is wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RouteQuery {
    /// Interface that it arrived on.
    pub ingress: u32,
    /// Family of the addresses.
    pub family: Family,
    /// Transport protocol.
    pub protocol: u8,
    /// Length from the IP header on.
    pub ip_len: u16,
    /// Source address that it will have.
    pub src_be: AddrBe,
    /// Destination address.
    pub dst_be: AddrBe,
}

/// The kernel's answer to a [`RouteQuery`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Route {
    /// To a next hop.
    Via {
        /// Outgoing interface.
        ifindex: u32,
        /// Destination and source MAC address, as they stand in the frame.
        link: [u32; 3],
    },
    /// To a next hop whose MAC address is not known yet.
    Unresolved,
    /// Nowhere else: the address is the balancer's own, or not a unicast address, or no route leads
    /// there. The kernel gives the same answer for all of them.
    Local,
    /// Too large for the way there, which has room for so many bytes.
    TooBig(u32),
    /// Forbidden by a route, or forwarding is switched off.
    None,
}
