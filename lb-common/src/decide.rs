//! What happens to a packet: the per-packet state machine.
//!
//! [`process`] is the whole program. It reaches the tables through [`Tables`] and the packet through
//! [`Frame`], so that the kernel, the tests and a simulation run the same decisions. It keeps
//! nothing between packets.
//!
//! The order of the questions is fixed. Is the packet addressed to a service? Then it goes to the
//! backend that its flow belongs to. Does it come from the address of a backend? Then it may be a
//! reply, which gets the address of its service back as its source, unless it is for the balancer
//! itself or for a client that speaks to the backend directly. Everything else passes untouched.

mod choose;
mod forward;
mod reply;
mod tables;
mod translate;

use core::hint::cold_path;

pub use self::tables::{Added, Route, RouteQuery, Tables};
use crate::{
    abi::{ORIGIN_STATELESS, Reason, Verdict},
    parse::{Packet, parse},
    wire::Frame,
};

/// What is to become of a packet, and what it is counted under.
struct Outcome {
    fate: Fate,
    /// Where a packet that is sent leaves; 0 for others. It is no part of [`Fate`], because then it
    /// would be undefined for others, and the compiler would compute with whatever a register
    /// holds: a pointer, say, which the verifier refuses.
    egress: u32,
    reason: Reason,
    service: u32,
}

#[derive(Clone, Copy)]
enum Fate {
    Pass,
    Drop,
    Send,
}

impl Outcome {
    #[inline(always)]
    fn pass(service: u32, reason: Reason) -> Self {
        cold_path();
        Self { fate: Fate::Pass, egress: 0, reason, service }
    }

    #[inline(always)]
    fn drop(service: u32, reason: Reason) -> Self {
        cold_path();
        Self { fate: Fate::Drop, egress: 0, reason, service }
    }

    #[inline(always)]
    const fn send(service: u32, reason: Reason, egress: u32) -> Self {
        Self { fate: Fate::Send, egress, reason, service }
    }

    #[inline(always)]
    const fn verdict(&self, ingress: u32) -> Verdict {
        match self.fate {
            Fate::Pass => Verdict::Pass,
            Fate::Drop => Verdict::Drop,
            Fate::Send if self.egress == ingress => Verdict::Transmit,
            Fate::Send => Verdict::Redirect { ifindex: self.egress },
        }
    }
}

/// Decides on a frame, rewrites it accordingly, and counts it.
#[inline(always)]
pub fn process<F: Frame, T: Tables>(frame: &mut F, tables: &T) -> Verdict {
    let bytes = frame.len() as u64;
    let outcome = match parse(frame) {
        Ok(packet) => decide(frame, tables, &packet),
        Err(reason) => Outcome::pass(0, reason),
    };
    tables.count(outcome.service, outcome.reason, bytes);
    outcome.verdict(frame.ingress())
}

#[inline(always)]
fn decide<F: Frame, T: Tables>(frame: &mut F, tables: &T, packet: &Packet) -> Outcome {
    if let Some(service) = tables.service(&packet.destination()) {
        return forward::to_backend(frame, tables, packet, service)
            .unwrap_or(Outcome::drop(service.id, Reason::Truncated));
    }
    if let Some(origin) = tables.origin(&packet.source()) {
        return reply::to_client(frame, tables, packet, origin)
            .unwrap_or(Outcome::drop(origin.service, Reason::Truncated));
    }
    if let Some(origin) = tables.origin(&packet.destination())
        && origin.flags & ORIGIN_STATELESS != 0
    {
        tables.remember_direct(&packet.flow(), origin.backend);
    }
    Outcome::pass(0, Reason::NotOurs)
}

#[cfg(test)]
mod tests;
