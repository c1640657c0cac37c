//! ICMP about services, as the balancer sends it or sends it on.

use std::net::{IpAddr, SocketAddr};

use lb_common::abi::ForwardMode;

use super::Spec;
use crate::kernel::packet::{ACKNOWLEDGED, Flags, Message, Packet, SEQUENCE};

/// An ICMP error about a packet of a flow to a service.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// A packet of the flow to the service.
    pub(crate) request: Packet,
    /// Who reports it.
    pub(crate) from: IpAddr,
    pub(crate) message: Message,
    /// Bytes that are quoted.
    pub(crate) quoted: usize,
    /// What is different about the error.
    pub(crate) error: fn(Packet) -> Packet,
    /// What is different about the quoted packet.
    pub(crate) about: fn(Packet) -> Packet,
}

impl Report {
    /// A router's, with all of a packet quoted.
    pub(crate) fn new(request: Packet, from: IpAddr, message: Message) -> Self {
        let (error, about): (fn(_) -> _, fn(_) -> _) = (|packet| packet, |packet| packet);
        Self { request, from, message, quoted: usize::MAX, error, about }
    }

    fn build(&self, from: IpAddr, about: &Packet) -> Packet {
        let error = Packet::error(from, about.from.ip(), self.message, about, self.quoted);
        (self.error)(error)
    }

    /// The quoted packet between other ends than those of the request.
    fn between(&self, from: SocketAddr, to: SocketAddr) -> Packet {
        (self.about)(Packet::new(from, to, self.request.protocol).ttl(57))
    }

    /// About a packet from the service to the client, as it comes from the client's side.
    pub(crate) fn to_service(&self) -> Packet {
        let error = self.build(self.from, &self.between(self.request.to, self.request.from));
        error.link(self.request.link_to, self.request.link_from)
    }

    /// The same as a backend gets it, which knows the client by this address.
    pub(crate) fn to_backend(&self, spec: &Spec, place: u32, client: SocketAddr) -> Packet {
        let about = match spec.mode {
            ForwardMode::Nat | ForwardMode::FullNat => {
                self.between(spec.target(place, self.request.to), client)
            }
            ForwardMode::Dsr | ForwardMode::Ipip | ForwardMode::Gue => {
                self.between(self.request.to, self.request.from)
            }
        };
        spec.sent_on(place, &self.build(self.from, &about), spec.hash(&self.request))
    }

    /// About a packet to a backend, which knows the client by this address, as it comes from there.
    pub(crate) fn to_balancer(&self, spec: &Spec, place: u32, client: SocketAddr) -> Packet {
        let error =
            self.build(self.from, &self.between(client, spec.target(place, self.request.to)));
        error.link(spec.own_mac(), spec.backend_mac(place))
    }

    /// The same as the client gets it, from somebody; its link addresses and time to live are as before.
    pub(crate) fn to_client(&self, spec: &Spec, from: IpAddr) -> Packet {
        let error = self.build(from, &self.between(self.request.from, self.request.to));
        error.link(spec.own_mac(), spec.backend_mac(0))
    }
}

impl Packet {
    /// The error that its sender gets from where it went, by the balancer's own hand.
    pub(crate) fn refused(&self, message: Message) -> Self {
        // All of it up to 128 bytes, but whole words.
        let quoted = self.network().len().min(128) / 4 * 4;
        let error = Self::error(self.to.ip(), self.from.ip(), message, self, quoted);
        error.link(self.link_from, self.link_to).tags(&self.tags).by_the_balancer()
    }

    /// The reset that its sender gets from where it went.
    pub(crate) fn reset(&self) -> Self {
        // SYN counts as one, FIN too.
        let of = |more: usize| {
            SEQUENCE.wrapping_add(u32::try_from(self.payload.len() + more).expect("a few bytes"))
        };
        let flags = match self.flags {
            Flags::Opens => Flags::ResetsAfter(of(1)),
            _ => Flags::ResetsAt(ACKNOWLEDGED),
        };
        let reset = Self::new(self.to, self.from, self.protocol).flags(flags).payload([]);
        let reset = reset.link(self.link_from, self.link_to).tags(&self.tags);
        reset.by_the_balancer().class(0)
    }

    /// The reply to an echo request.
    pub(crate) fn echoed(&self) -> Self {
        let kind = if self.is_v4() { 0 } else { 129 };
        let message = Message { kind, ..self.message };
        let reply = Self { message, ..self.clone() }.from(self.to).to(self.from).ttl(64);
        reply.link(self.link_from, self.link_to)
    }

    /// Header fields of what the balancer itself sends.
    fn by_the_balancer(self) -> Self {
        Self { id: 0, flow_label: 0, class: 0xc0, ttl: 64, ..self }
    }
}

/// "Packet too big", or "fragmentation needed".
pub(crate) fn too_big(is_v4: bool, most: u32) -> Message {
    if is_v4 { Message::new(3, 4, most) } else { Message::new(2, 0, most) }
}

/// Nobody has the port.
pub(crate) fn no_port(is_v4: bool) -> Message {
    if is_v4 { Message::new(3, 3, 0) } else { Message::new(1, 4, 0) }
}

/// The time to live, or hop limit, has run out.
pub(crate) fn expired(is_v4: bool) -> Message {
    Message::new(if is_v4 { 11 } else { 3 }, 0, 0)
}
