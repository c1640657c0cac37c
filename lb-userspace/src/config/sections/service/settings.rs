//! What need not be given for a service.

use std::{fmt::Display, time::Duration};

use lb_common::time::MAX_TIMEOUT;

use super::{lists, source::source};
use crate::{
    config::{
        field::Field,
        findings::Findings,
        reader::Section,
        sections::{Draft, limit::limit},
    },
    model::{
        Access, Affinity, Forward, NoBackend, PortRange, Protocol, RateLimit, Scheduler, Service,
        SourcePrefix, Tracking, Udp, Vip,
        duration::{DurationError, duration_within},
        names::interface_name,
    },
};

const UDPS: [(&str, Udp); 3] =
    [("stateless", Udp::Stateless), ("tracked", Udp::Tracked), ("quic", Udp::Quic)];

const TRACKINGS: [(&str, Tracking); 2] =
    [("just-enough", Tracking::JustEnough), ("full", Tracking::Full)];

const SCHEDULERS: [(&str, Scheduler); 4] = [
    ("maglev", Scheduler::Maglev),
    ("round-robin", Scheduler::RoundRobin),
    ("random", Scheduler::Random),
    ("least-flows", Scheduler::LeastFlows),
];

const AFFINITIES: [(&str, Affinity); 2] =
    [("flow", Affinity::Flow), ("client-ip", Affinity::ClientIp)];

const NO_BACKENDS: [(&str, NoBackend); 3] =
    [("drop", NoBackend::Drop), ("reject", NoBackend::Reject), ("pass", NoBackend::Pass)];

/// The shortest idle timeout: about the unit that time is kept in.
const LEAST_IDLE: Duration = Duration::from_secs(1);

/// What need not be given.
pub(super) struct Settings {
    udp: Option<Udp>,
    tracking: Option<Tracking>,
    scheduler: Scheduler,
    affinity: Affinity,
    access: Access,
    new_flows: Option<RateLimit>,
    new_flows_per_source: Option<RateLimit>,
    no_backend: NoBackend,
    idle_timeout: Option<Duration>,
    source: Vec<SourcePrefix>,
    source_ports: Option<PortRange>,
    vip_interface: Option<String>,
}

/// Reads them; nothing if one is wrong that rules look at.
pub(super) fn read(
    section: &Section<'_>,
    draft: &mut Draft,
    findings: &mut Findings<'_>,
) -> Option<Settings> {
    let udp = choice(section, "udp", &UDPS, findings);
    let tracking = choice(section, "tracking", &TRACKINGS, findings);
    let scheduler = choice(section, "scheduler", &SCHEDULERS, findings);
    let affinity = choice(section, "affinity", &AFFINITIES, findings);
    let no_backend = choice(section, "no-backend", &NO_BACKENDS, findings);
    let new_flows = limit(section, "new-flows", findings);
    let new_flows_per_source = limit(section, "new-flows-per-source", findings);
    let access = lists::read(section, draft, findings);
    let idle_timeout = value(section, "idle-timeout", idle_timeout, findings);
    let source_ports = value(section, "source-ports", str::parse::<PortRange>, findings);
    let vip_interface = value(section, "vip-interface", interface_name, findings);
    let source = match section.get("source") {
        Some(field) => source(&field, findings),
        None => Some(Vec::new()),
    };
    Some(Settings {
        udp: udp?,
        tracking: tracking?,
        scheduler: scheduler?.unwrap_or_default(),
        affinity: affinity?.unwrap_or_default(),
        access: access?,
        new_flows: new_flows?,
        new_flows_per_source: new_flows_per_source?,
        no_backend: no_backend?.unwrap_or_default(),
        idle_timeout,
        source: source?,
        source_ports,
        vip_interface,
    })
}

/// One of a few words that need not be there; nothing at all if it is another one.
#[expect(clippy::option_option, reason = "wrong, left out and given are three things")]
fn choice<T: Copy>(
    section: &Section<'_>,
    key: &'static str,
    choices: &[(&'static str, T)],
    findings: &mut Findings<'_>,
) -> Option<Option<T>> {
    match section.get(key) {
        Some(field) => field.choice(choices, &[], findings).map(Some),
        None => Some(None),
    }
}

/// A string that need not be there.
fn value<T, E: Display>(
    section: &Section<'_>,
    key: &'static str,
    parse: impl FnOnce(&str) -> Result<T, E>,
    findings: &mut Findings<'_>,
) -> Option<T> {
    let field: Field<'_> = section.get(key)?;
    field.parsed(parse, findings).map(|read| read.value)
}

fn idle_timeout(text: &str) -> Result<Duration, DurationError> {
    duration_within(text, LEAST_IDLE, MAX_TIMEOUT)
}

impl Settings {
    /// Refuses keys that would be read and then have no effect, or contradict each other.
    pub(super) fn refuse_idle_words(
        &self,
        section: &Section<'_>,
        listen: Option<Vip>,
        forward: Option<Forward>,
        findings: &mut Findings<'_>,
    ) {
        if let (Some(_), Some(listen)) = (self.udp, listen)
            && listen.protocol != Protocol::Udp
        {
            let why = format!(
                "{listen} is TCP, whose flows have an opening packet to be known by; remove it (what is remembered of them is `tracking`)"
            );
            section.refuse("udp", &why, findings);
        }
        if let (Some(udp), Some(tracking), Some(Protocol::Udp)) =
            (self.udp, self.tracking, listen.map(|listen| listen.protocol))
            && (udp == Udp::Tracked) != (tracking == Tracking::Full)
        {
            let why = format!(
                "`tracking = \"{}\"` and `udp = \"{}\"` contradict each other: for UDP, `tracking = \"full\"` is another word for `udp = \"tracked\"`; remove one of them",
                tracking.name(),
                udp.name()
            );
            section.refuse("tracking", &why, findings);
        }
        if let (Some(_), Some(forward)) = (self.source_ports, forward)
            && forward != Forward::FullNat
        {
            let why = format!(
                "`{}` keeps the client's port; remove it, or use `full-nat`",
                forward.name()
            );
            section.refuse("source-ports", &why, findings);
        }
    }

    /// A service with these settings.
    pub(super) fn apply(self, service: Service) -> Service {
        let full = self.tracking == Some(Tracking::Full);
        let udp = match service.listen.protocol {
            Protocol::Udp if full => Udp::Tracked,
            _ => self.udp.unwrap_or(service.udp),
        };
        let tracking = match service.listen.protocol {
            Protocol::Tcp => self.tracking.unwrap_or(service.tracking),
            Protocol::Udp => service.tracking,
        };
        Service {
            udp,
            tracking,
            scheduler: self.scheduler,
            affinity: self.affinity,
            access: self.access,
            new_flows: self.new_flows,
            new_flows_per_source: self.new_flows_per_source,
            no_backend: self.no_backend,
            idle_timeout: self.idle_timeout.unwrap_or(service.idle_timeout),
            source: self.source,
            source_ports: self.source_ports.unwrap_or(service.source_ports),
            vip_interface: self.vip_interface,
            ..service
        }
    }
}
