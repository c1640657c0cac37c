//! Everything that is measured on: networks, programs, balancers with their tables.

use std::time::Duration;

use anyhow::{Context, Result};
use aya::programs::{ProgramFd, Xdp, XdpMode, xdp::XdpLink};

use super::{
    balancer::Balancer,
    case::{Case, Family, MANY, Mode, Spec, Who},
    cpu::Cpu,
    network::{ARRIVALS, BACK, FRONT, FRONT_MAC, Network, ifindex},
    packet::{self, Segment},
    programs::{Load, Programs},
};

/// A flow table cannot hold many flows of both families. So there are three balancers: one for
/// everything else, and one for each family's many flows that are remembered.
const BALANCERS: [&str; 3] = ["all", "v4", "v6"];

/// What is measured on.
pub(crate) struct Stage {
    // Dropped in this order: what is in the namespaces goes before them.
    balancers: Vec<Balancer>,
    pub(crate) programs: Programs,
    /// The program that is attached where the balancer stands.
    attached: Option<XdpLink>,
    /// Interface there that packets come in by.
    front: u32,
    pub(crate) network: Network,
}

impl Stage {
    /// Builds it, and opens the flows that must be remembered.
    pub(crate) fn build(cpu: Cpu, flows: &[u32]) -> Result<Self> {
        let network = Network::build()?;
        let mut programs = Programs::load(cpu)?;
        network
            .far
            .enter(|| ARRIVALS.iter().try_for_each(|end| programs.attach("arrived", end)))?;
        for router in [&network.kernel, &network.nftables] {
            router
                .enter(|| [FRONT, BACK].iter().try_for_each(|end| programs.attach("pass", end)))?;
        }
        let count = if flows.contains(&MANY) { BALANCERS.len() } else { 1 };
        let (front, balancers, attached) = network.balancer.enter(|| {
            let bare = programs.program_mut("bare_tx")?;
            let id = bare.attach(FRONT, XdpMode::Driver)?;
            let attached = bare.take_link(id)?;
            let front = ifindex(FRONT)?;
            let new = |name: &&str| Balancer::new(&format!("{}-{name}", network.name()), front);
            let balancers: Result<Vec<_>> = BALANCERS.iter().take(count).map(new).collect();
            Ok((front, balancers?, Some(attached)))
        })?;
        let mut stage = Self { balancers, programs, attached, front, network };
        for &flows in flows {
            for family in Family::ALL {
                stage.open(Case::of(Who::Shunt, Spec::open(Mode::FullNat, family), flows))?;
            }
        }
        Ok(stage)
    }

    /// Opens all flows of a case, and then lets them be open.
    fn open(&mut self, case: Case) -> Result<()> {
        for segment in [Segment::Opening, Segment::Open] {
            self.run(case, segment, 0, case.flows)?;
        }
        Ok(())
    }

    /// Number of the balancer that a case is about.
    fn place(case: Case) -> usize {
        match (case.mode, case.family) {
            (Some(Mode::FullNat), Family::V4) if case.flows == MANY => 1,
            (Some(Mode::FullNat), Family::V6) if case.flows == MANY => 2,
            _ => 0,
        }
    }

    /// The balancer that a case is about.
    pub(crate) fn balancer(&self, case: Case) -> Result<&Balancer> {
        self.balancers.get(Self::place(case)).context("there are too few balancers")
    }

    /// The balancer that has all services.
    pub(crate) fn balancer_of_all(&self) -> Result<&Balancer> {
        self.balancers.first().context("there is no balancer")
    }

    /// A handle of the program that a case is about.
    fn fd(&self, case: Case) -> Result<ProgramFd> {
        match (case.who, case.mode) {
            (Who::Shunt | Who::Guarded, _) => self.balancer(case)?.fd(),
            (Who::Edits, Some(mode)) => self.programs.fd(&Spec::open(mode, case.family).edits()),
            _ => self.programs.fd("bare_tx"),
        }
    }

    /// Runs the program of a case on so many packets, from a flow on. The CPU time, and the last
    /// frame.
    pub(crate) fn run(
        &mut self,
        case: Case,
        segment: Segment,
        next: u32,
        packets: u32,
    ) -> Result<(Duration, Vec<u8>)> {
        let spec = spec(case);
        let frame = packet::frame(spec, segment, FRONT_MAC);
        let fd = self.fd(case)?;
        self.programs.make(packet::recipe(&frame, case.flows, next))?;
        self.programs.measure(&fd)?;
        let before = self.balancer(case)?.forwarded(spec)?;
        let (programs, front) = (&self.programs, self.front);
        let load = Load { spec, frame: &frame, packets };
        let result = self.network.balancer.enter(|| programs.again(load, front))?;
        if case.who.is_shunt() {
            self.balancer(case)?.check(spec, before, packets)?;
        }
        Ok(result)
    }

    /// CPU time of so many test runs of the bare program, for which no packets are made.
    pub(crate) fn run_bare(&self, case: Case, packets: u32) -> Result<Duration> {
        let spec = spec(case);
        let frame = packet::frame(spec, Segment::Open, FRONT_MAC);
        let load = Load { spec, frame: &frame, packets };
        self.network.balancer.enter(|| self.programs.bare(load, self.front))
    }

    /// Puts the program of a case where the balancer stands.
    pub(crate) fn attach(&mut self, case: Case) -> Result<()> {
        let link = self.attached.take().context("nothing is attached")?;
        let place = Self::place(case);
        let program: &mut Xdp = match (case.who, case.mode) {
            (Who::Shunt | Who::Guarded, _) => self
                .balancers
                .get_mut(place)
                .context("there are too few balancers")?
                .program_mut()?,
            (Who::Edits, Some(mode)) => {
                self.programs.program_mut(&Spec::open(mode, case.family).edits())?
            }
            _ => self.programs.program_mut("bare_tx")?,
        };
        let id = program.attach_to_link(link)?;
        self.attached = Some(program.take_link(id)?);
        Ok(())
    }
}

/// The service that a case sends to. Those who know no modes are sent what `nat` is.
pub(crate) fn spec(case: Case) -> Spec {
    let open = Spec::open(case.mode.unwrap_or(Mode::Nat), case.family);
    Spec { guarded: case.who == Who::Guarded, ..open }
}
