//! Services that ask for more than a backend: ranges of ports, one backend for each client, a scheduler,
//! lists of sources, limits of new flows, and what to do without a backend.

use lb_common::{
    abi::{
        ForwardMode, Limits, NoBackend, SERVICE_AFFINITY, SERVICE_ALLOWS, SERVICE_LIMITED,
        SERVICE_LIST_V4, SERVICE_LIST_V6, SERVICE_LISTED, Scheduler, SourceRule, Tracking,
    },
    limit::Rate,
    wire::transport::{TCP, UDP},
};

use super::{Ring, Spec};

/// What a service asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) flags: u16,
    pub(crate) scheduler: Scheduler,
    /// Backends whose turn it is, by their places.
    pub(crate) turns: &'static [u32],
    pub(crate) no_backend: NoBackend,
    pub(crate) list: u32,
    pub(crate) limits: Limits,
}

impl Asked {
    pub(super) const NOTHING: Self = Self {
        flags: 0,
        scheduler: Scheduler::Maglev,
        turns: &[],
        no_backend: NoBackend::Drop,
        list: 0,
        limits: Limits { service: NO_LIMIT, source: NO_LIMIT },
    };
}

const NO_LIMIT: Rate = Rate { interval: 0, burst: 0 };
/// So many, and no more for hours.
const fn only(burst: u64) -> Rate {
    Rate { interval: 3_600_000_000_000, burst }
}

impl Spec {
    const fn to(self, last: u16) -> Self {
        Self { last_port: Some(last), ..self }
    }

    const fn asks(self, asked: Asked) -> Self {
        Self { asked, ..self }
    }

    const fn flags(self, flags: u16) -> Self {
        self.asks(Asked { flags, ..Asked::NOTHING })
    }

    const fn schedules(self, scheduler: Scheduler, turns: &'static [u32]) -> Self {
        self.tracking(Tracking::All).asks(Asked { scheduler, turns, ..Asked::NOTHING })
    }

    const fn lists(self, list: u32, flags: u16) -> Self {
        self.asks(Asked { list, flags: SERVICE_LISTED | flags, ..Asked::NOTHING })
    }

    const fn limits(self, service: Rate, source: Rate) -> Self {
        let limits = Limits { service, source };
        self.asks(Asked { limits, flags: SERVICE_LIMITED, ..self.asked })
    }

    const fn empty(self, no_backend: NoBackend) -> Self {
        self.ring(0, Ring::Even(1)).asks(Asked { no_backend, ..Asked::NOTHING })
    }

    /// With ids of backends that no mode's are.
    const fn own_backends(self) -> Self {
        self.first_backend(1000 + self.id * 8)
    }
}

/// Ranges of ports. The port of the backend is of no meaning.
pub(crate) const RANGE_NAT_V4: Spec =
    Spec::nat(87, "192.0.2.210:8000", TCP, "203.0.113.210:9").own_backends().to(8099);
pub(crate) const RANGE_NAT_V6: Spec =
    Spec::nat(88, "[2001:db8:10::210]:5000", UDP, "[2001:db8:2::210]:9").own_backends().to(6000);
pub(crate) const RANGE_FULL_V4: Spec = Spec::nat(89, "192.0.2.211:2000", UDP, "203.0.113.211:9")
    .mode(ForwardMode::FullNat)
    .own_backends()
    .source("203.0.113.1", 32)
    .ports(1024, 65_535)
    .to(2001);
pub(crate) const RANGE_FULL_V6: Spec =
    Spec::nat(90, "[2001:db8:10::211]:2000", TCP, "[2001:db8:2::211]:9")
        .mode(ForwardMode::FullNat)
        .own_backends()
        .source("2001:db8:2::1", 128)
        .ports(1024, 65_535)
        .to(2001);
pub(crate) const RANGE_DSR_V4: Spec =
    Spec::dsr(91, "192.0.2.210:9000", TCP, "203.0.113.212:9").own_backends().to(9000);
pub(crate) const RANGE_IPIP_V6: Spec =
    Spec::nat(92, "[2001:db8:10::210]:7000", UDP, "203.0.113.213:9")
        .mode(ForwardMode::Ipip)
        .own_backends()
        .to(7999);
/// What is for none of the others at their addresses.
pub(crate) const ANY_DSR_V4: Spec =
    Spec::dsr(93, "192.0.2.210:1", TCP, "203.0.113.214:9").own_backends().to(65_535);
pub(crate) const ANY_GUE_V6: Spec =
    Spec::nat(94, "[2001:db8:10::210]:1", UDP, "[2001:db8:2::214]:9")
        .mode(ForwardMode::Gue)
        .own_backends()
        .to(65_535);
/// Exact ports within them.
pub(crate) const EXACT_V4: Spec =
    Spec::nat(95, "192.0.2.210:8050", TCP, "203.0.113.215:8050").own_backends();
pub(crate) const EXACT_V6: Spec =
    Spec::dsr(96, "[2001:db8:10::210]:5353", UDP, "[2001:db8:2::215]:5353").own_backends();

/// All flows of a client have one backend.
pub(crate) const AFFINE_V4: Spec = Spec::nat(97, "192.0.2.220:80", TCP, "203.0.113.220:8097")
    .own_backends()
    .ring(4, Ring::Even(8))
    .flags(SERVICE_AFFINITY);
pub(crate) const AFFINE_V6: Spec = Spec::nat(98, "[2001:db8:10::220]:53", UDP, "203.0.113.224:53")
    .mode(ForwardMode::Gue)
    .own_backends()
    .ring(4, Ring::Even(8))
    .flags(SERVICE_AFFINITY);
pub(crate) const AFFINE_FULL: Spec = Spec::nat(99, "192.0.2.221:80", TCP, "203.0.113.228:8080")
    .mode(ForwardMode::FullNat)
    .own_backends()
    .source("203.0.113.1", 32)
    .ports(1024, 65_535)
    .ring(4, Ring::Even(8))
    .flags(SERVICE_AFFINITY);

/// TCP whose flows are all remembered.
pub(crate) const TRACKED_TCP_V4: Spec = Spec::nat(100, "192.0.2.222:80", TCP, "203.0.113.232:8080")
    .own_backends()
    .tracking(Tracking::All)
    .ring(5, Ring::Moving);
pub(crate) const TRACKED_TCP_V6: Spec =
    Spec::dsr(101, "[2001:db8:10::222]:80", TCP, "[2001:db8:2::232]:80")
        .own_backends()
        .tracking(Tracking::All)
        .ring(5, Ring::Moving);
pub(crate) const TURNS_V4: Spec = Spec::nat(102, "192.0.2.223:80", TCP, "203.0.113.237:8080")
    .own_backends()
    .ring(4, Ring::Even(8))
    .schedules(Scheduler::RoundRobin, &[2, 0, 2, 1]);
pub(crate) const TURNS_V6: Spec =
    Spec::dsr(103, "[2001:db8:10::223]:53", UDP, "[2001:db8:2::237]:53")
        .own_backends()
        .ring(4, Ring::Even(8))
        .schedules(Scheduler::RoundRobin, &[3, 3, 1]);
pub(crate) const TURNS_FULL: Spec = Spec::nat(104, "192.0.2.224:80", TCP, "203.0.113.241:8080")
    .mode(ForwardMode::FullNat)
    .own_backends()
    .source("203.0.113.1", 32)
    .ports(1024, 65_535)
    .ring(4, Ring::Even(8))
    .schedules(Scheduler::RoundRobin, &[1, 2]);
/// It has no turns, and it names one that is dead.
pub(crate) const TURNS_NONE: Spec = Spec::nat(105, "192.0.2.225:80", TCP, "203.0.113.245:8080")
    .own_backends()
    .schedules(Scheduler::RoundRobin, &[]);
pub(crate) const TURNS_DEAD: Spec = Spec::nat(106, "192.0.2.226:80", TCP, "203.0.113.246:8080")
    .own_backends()
    .ring(5, Ring::Moving)
    .schedules(Scheduler::RoundRobin, &[super::moving::DEAD]);
/// Whatever chance wants, there is one backend.
pub(crate) const RANDOM_V6: Spec =
    Spec::nat(107, "[2001:db8:10::224]:80", TCP, "[2001:db8:2::241]:8080")
        .own_backends()
        .schedules(Scheduler::Random, &[]);
pub(crate) const LEAST_V4: Spec = Spec::nat(108, "192.0.2.227:80", TCP, "203.0.113.251:8080")
    .own_backends()
    .schedules(Scheduler::LeastFlows, &[]);

/// Lists of sources.
pub(crate) const DENIES_V4: Spec =
    Spec::nat(109, "192.0.2.230:80", TCP, "203.0.113.11:7109").own_backends().lists(1, 0);
pub(crate) const DENIES_V6: Spec =
    Spec::dsr(110, "[2001:db8:10::230]:53", UDP, "[2001:db8:2::18]:53").own_backends().lists(1, 0);
pub(crate) const ALLOWS_V4: Spec = Spec::dsr(111, "192.0.2.231:53", UDP, "203.0.113.16:53")
    .own_backends()
    .lists(2, SERVICE_ALLOWS);
pub(crate) const ALLOWS_V6: Spec =
    Spec::nat(112, "[2001:db8:10::231]:80", TCP, "[2001:db8:2::13]:7112")
        .own_backends()
        .lists(2, SERVICE_ALLOWS);
/// With prefixes too short for the filter.
pub(crate) const SHORT: Spec = Spec::dsr(113, "192.0.2.232:80", TCP, "203.0.113.15:80")
    .own_backends()
    .lists(3, SERVICE_LIST_V4 | SERVICE_LIST_V6);
pub(crate) const SHORT_V6: Spec =
    Spec::dsr(114, "[2001:db8:10::232]:80", TCP, "[2001:db8:2::17]:80")
        .own_backends()
        .lists(3, SERVICE_ALLOWS | SERVICE_LIST_V4 | SERVICE_LIST_V6);

/// Prefixes in the lists: the list, first address, bits of it that count, and the rule.
pub(crate) const SOURCES: [(u32, &str, u32, SourceRule); 13] = [
    (1, "198.51.100.0", 24, SourceRule::Deny),
    (1, "198.51.100.64", 26, SourceRule::Allow),
    (1, "198.51.100.77", 32, SourceRule::Deny),
    (1, "2001:db8:1::", 48, SourceRule::Deny),
    (1, "2001:db8:1:7::", 64, SourceRule::Allow),
    (1, "2001:db8:1:7::77", 128, SourceRule::Deny),
    (2, "198.51.100.0", 25, SourceRule::Allow),
    (2, "198.51.100.32", 27, SourceRule::Deny),
    (2, "2001:db8:1::", 112, SourceRule::Allow),
    (2, "2001:db8:1::8", 125, SourceRule::Deny),
    (3, "128.0.0.0", 1, SourceRule::Deny),
    (3, "2000::", 3, SourceRule::Allow),
    (3, "2001:db8:1:7::", 64, SourceRule::Deny),
];

/// Limits of new flows.
pub(crate) const LIMITED_V4: Spec = Spec::nat(115, "192.0.2.240:80", TCP, "203.0.113.11:7115")
    .own_backends()
    .limits(only(2), NO_LIMIT);
pub(crate) const LIMITED_V6: Spec =
    Spec::dsr(116, "[2001:db8:10::240]:80", TCP, "[2001:db8:2::17]:80")
        .own_backends()
        .limits(only(4), only(2));
pub(crate) const LIMITED_UDP: Spec = Spec::dsr(117, "192.0.2.241:53", UDP, "203.0.113.16:53")
    .own_backends()
    .tracking(Tracking::All)
    .limits(NO_LIMIT, only(1));
pub(crate) const LIMITED_QUIC: Spec = Spec::dsr(118, "192.0.2.242:443", UDP, "203.0.113.16:443")
    .own_backends()
    .tracking(Tracking::Quic)
    .limits(only(1), NO_LIMIT);
pub(crate) const LIMITED_FULL: Spec =
    Spec::nat(119, "[2001:db8:10::241]:80", TCP, "[2001:db8:2::121]:7119")
        .mode(ForwardMode::FullNat)
        .own_backends()
        .source("2001:db8:2::1", 128)
        .ports(1024, 65_535)
        .limits(NO_LIMIT, only(1));

/// Without a backend.
pub(crate) const REJECTS_V4_TCP: Spec =
    Spec::nat(120, "192.0.2.250:80", TCP, "203.0.113.27:80").empty(NoBackend::Reject);
pub(crate) const REJECTS_V6_TCP: Spec =
    Spec::dsr(121, "[2001:db8:10::250]:80", TCP, "[2001:db8:2::28]:80").empty(NoBackend::Reject);
pub(crate) const REJECTS_V4_UDP: Spec =
    Spec::dsr(122, "192.0.2.250:53", UDP, "203.0.113.27:53").empty(NoBackend::Reject);
pub(crate) const REJECTS_V6_UDP: Spec =
    Spec::nat(123, "[2001:db8:10::250]:53", UDP, "[2001:db8:2::28]:53").empty(NoBackend::Reject);
pub(crate) const REJECTS_FULL: Spec = Spec::nat(124, "192.0.2.251:80", TCP, "203.0.113.27:80")
    .mode(ForwardMode::FullNat)
    .empty(NoBackend::Reject);
pub(crate) const PASSES_V4: Spec =
    Spec::nat(125, "192.0.2.252:80", TCP, "203.0.113.27:80").empty(NoBackend::Pass);
pub(crate) const PASSES_V6: Spec =
    Spec::dsr(126, "[2001:db8:10::252]:53", UDP, "[2001:db8:2::28]:53").empty(NoBackend::Pass);

pub(super) const ALL: [Spec; 40] = [
    RANGE_NAT_V4,
    RANGE_NAT_V6,
    RANGE_FULL_V4,
    RANGE_FULL_V6,
    RANGE_DSR_V4,
    RANGE_IPIP_V6,
    ANY_DSR_V4,
    ANY_GUE_V6,
    EXACT_V4,
    EXACT_V6,
    AFFINE_V4,
    AFFINE_V6,
    AFFINE_FULL,
    TRACKED_TCP_V4,
    TRACKED_TCP_V6,
    TURNS_V4,
    TURNS_V6,
    TURNS_FULL,
    TURNS_NONE,
    TURNS_DEAD,
    RANDOM_V6,
    LEAST_V4,
    DENIES_V4,
    DENIES_V6,
    ALLOWS_V4,
    ALLOWS_V6,
    SHORT,
    SHORT_V6,
    LIMITED_V4,
    LIMITED_V6,
    LIMITED_UDP,
    LIMITED_QUIC,
    LIMITED_FULL,
    REJECTS_V4_TCP,
    REJECTS_V6_TCP,
    REJECTS_V4_UDP,
    REJECTS_V6_UDP,
    REJECTS_FULL,
    PASSES_V4,
    PASSES_V6,
];
