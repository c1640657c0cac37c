//! What happens to a packet: the per-packet state machine.
//!
//! [`process`] decides on the packets that nearly all are. The others go through [stages](Stage), each a
//! program of its own in the kernel: so what few packets need costs the others nothing, each stage has a
//! stack of its own, and the verifier follows them one by one. They reach the tables through [`Tables`]
//! and the packet through [`Frame`], so that the kernel, the tests and a simulation run the same
//! decisions. They keep nothing between packets.
//!
//! The order of the questions is fixed. Is the packet addressed to a service? Then it goes to the
//! backend that its flow belongs to. Does it come from the address of a backend? Then it may be a
//! reply, which gets the address of its service back as its source, unless it is for the balancer
//! itself or for a client that speaks to the backend directly. Everything else passes untouched.

mod admit;
mod choose;
mod explain;
mod find;
mod forward;
mod icmp;
mod rare;
mod refuse;
mod reply;
mod schedule;
mod tables;
mod translate;

use core::hint::cold_path;

pub use self::{
    explain::explain,
    tables::{Added, Route, RouteQuery, Tables},
};
use crate::{
    abi::{NoBackend, ORIGIN_STATELESS, Reason, Service, Verdict},
    limits::Stage,
    parse::{Packet, Stop, parse},
    rewrite::icmp::Refusal,
    wire::Frame,
};

/// How far a packet has come.
#[must_use = "a packet that is not handed on passes"]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// It is decided on.
    Done(Verdict),
    /// It goes on there.
    Next(Stage),
}

/// What is to become of a packet, and what it is counted under.
struct Outcome {
    fate: Fate,
    /// Where a packet that is sent leaves; 0 for others. It is no part of [`Fate`], because then it
    /// would be undefined for others, and the compiler would compute with whatever a register
    /// holds: a pointer, say, which the verifier refuses.
    egress: u32,
    reason: Reason,
    service: u32,
    /// The word of the VLAN tags that it is sent with.
    tags: u32,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Fate {
    Pass,
    Drop,
    Send,
    /// Sent back where it came from, with the tags that it came with.
    Answer,
    /// Its sender is told why it cannot be sent on; `egress` is what [`refuse`] is told.
    Refuse,
    /// Left to the rare stages.
    Rare,
}

impl Outcome {
    #[inline(always)]
    fn pass(service: u32, reason: Reason) -> Self {
        cold_path();
        Self { fate: Fate::Pass, egress: 0, reason, service, tags: 0 }
    }

    #[inline(always)]
    fn drop(service: u32, reason: Reason) -> Self {
        cold_path();
        Self { fate: Fate::Drop, egress: 0, reason, service, tags: 0 }
    }

    #[inline(always)]
    const fn send(service: u32, reason: Reason, egress: u32) -> Self {
        Self { fate: Fate::Send, egress, reason, service, tags: 0 }
    }

    #[inline(always)]
    const fn answer(service: u32, reason: Reason) -> Self {
        Self { fate: Fate::Answer, egress: 0, reason, service, tags: 0 }
    }

    /// The sender is told of the refusal.
    #[inline(always)]
    fn refuse(service: u32, refusal: Refusal) -> Self {
        cold_path();
        let (reason, most) = match refusal {
            Refusal::TooBig(most) => (Reason::TooBig, most),
            Refusal::TtlExpired => (Reason::TtlExpired, 0),
            Refusal::NoBackend => (Reason::Rejected, 0),
        };
        Self { fate: Fate::Refuse, egress: most, reason, service, tags: 0 }
    }

    /// The service has no backend for the packet.
    #[inline(always)]
    fn no_backend(service: &Service) -> Self {
        cold_path();
        if service.no_backend == NoBackend::Reject as u8 {
            return Self::refuse(service.id, Refusal::NoBackend);
        }
        if service.no_backend == NoBackend::Pass as u8 {
            return Self::pass(service.id, Reason::NoBackendPassed);
        }
        Self::drop(service.id, Reason::NoBackend)
    }

    /// In place of an outcome that would need more than the program of the common packets has.
    #[inline(always)]
    fn rare() -> Self {
        cold_path();
        Self { fate: Fate::Rare, egress: 0, reason: Reason::NotOurs, service: 0, tags: 0 }
    }

    #[inline(always)]
    const fn tagged(self, tags: u32) -> Self {
        Self { tags, ..self }
    }

    #[inline(always)]
    const fn verdict(&self, ingress: u32) -> Verdict {
        match self.fate {
            // Nobody asks for the verdict of what is left to others.
            Fate::Pass | Fate::Refuse | Fate::Rare => Verdict::Pass,
            Fate::Answer => Verdict::Transmit,
            Fate::Drop => Verdict::Drop,
            Fate::Send if self.egress == ingress => Verdict::Transmit,
            Fate::Send => Verdict::Redirect { ifindex: self.egress },
        }
    }
}

/// Decides on a frame, rewrites it accordingly, and counts it, unless it is a rare one.
#[inline(always)]
pub fn process<F: Frame, T: Tables>(frame: &mut F, tables: &T) -> Step {
    let bytes = frame.len() as u64;
    let outcome = match parse(frame) {
        Ok(packet) => decide::<false, F, T>(frame, tables, &packet, bytes),
        Err(Stop::Pass(reason)) => Outcome::pass(0, reason),
        Err(Stop::Rare) => return Step::Next(Stage::Read),
    };
    // Nothing was changed or counted yet.
    if outcome.fate == Fate::Rare || outcome.fate == Fate::Refuse {
        return Step::Next(Stage::Read);
    }
    tables.count(outcome.service, outcome.reason, bytes);
    Step::Done(outcome.verdict(frame.ingress()))
}

/// A stage of a packet that [`process`] left alone.
#[inline(always)]
pub fn go_on<F: Frame, T: Tables>(stage: Stage, frame: &mut F, tables: &T) -> Step {
    let Some(mut work) = tables.work() else { return Step::Done(Verdict::Pass) };
    match stage {
        Stage::Read => rare::read(frame, tables, &mut work),
        Stage::Balance => rare::balance(frame, tables, &mut work),
        Stage::Icmp => icmp::process(frame, tables, &mut work),
        Stage::Refuse => refuse::process(frame, tables, &work),
    }
}

/// `RARE` says whether this is done for a stage, which has what rare packets need.
#[inline(always)]
fn decide<const RARE: bool, F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    packet: &Packet,
    bytes: u64,
) -> Outcome {
    if let Some(service) = find::service(tables, &packet.destination()) {
        if !admit::serves(tables, service, &packet.src_be) {
            return Outcome::drop(service.id, Reason::SourceDenied);
        }
        rare::teach(tables, packet);
        return forward::to_backend::<RARE, F, T>(frame, tables, packet, service, bytes)
            .unwrap_or(Outcome::drop(service.id, Reason::Truncated));
    }
    if let Some(origin) = find::origin(tables, &packet.source()) {
        rare::teach(tables, packet);
        return reply::to_client::<RARE, F, T>(frame, tables, packet, origin)
            .unwrap_or(Outcome::drop(origin.service, Reason::Truncated));
    }
    if let Some(origin) = tables.origin(&packet.destination())
        && origin.flags & ORIGIN_STATELESS != 0
    {
        rare::teach(tables, packet);
        tables.remember_direct(&packet.flow(), origin.backend);
    }
    Outcome::pass(0, Reason::NotOurs)
}

#[cfg(test)]
mod tests;
