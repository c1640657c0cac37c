//! The balancer with its tables, which are made of a configuration in its own way.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, ensure};
use aya::{
    Ebpf, EbpfLoader,
    programs::{ProgramFd, Xdp},
};
use lb_common::{
    abi::Reason,
    limits::{MAX_SOURCES, PROGRAM, maps},
};
use lb_userspace::{
    config,
    dataplane::{Dataplane, object::OBJECT},
    reconcile::{
        self, Image,
        compile::{Inputs, Target, Targets, compile, vip_endpoint},
        filter::Filters,
    },
};

use super::{
    case::{BACKENDS, Family, Mode, Spec},
    network::{FRONT, FRONT_MAC},
    packet::{PORT, vip},
};

/// Where the kernel has its BPF file system.
const BPF_FS: &str = "/sys/fs/bpf";

/// A balancer that has the services of all modes.
pub(crate) struct Balancer {
    dataplane: Dataplane,
    /// The program once more, over the same tables: the benchmark runs and attaches it itself.
    ebpf: Ebpf,
    image: Image,
    pins: PathBuf,
}

impl Balancer {
    /// Loads it in the namespace that the thread is in. Backends are behind the interface that
    /// packets come in by.
    pub(crate) fn new(name: &str, ifindex: u32) -> Result<Self> {
        let pins = Path::new(BPF_FS).join(name);
        // Read at once, and never again.
        let list = tempfile::NamedTempFile::new()?;
        fs::write(list.path(), denied())?;
        let text = configuration(list.path());
        let desired = config::parse("the benchmark's configuration", &text);
        let desired = desired.map_err(|errors| anyhow!("{errors}"))?;
        let nothing = Image::default();
        let inputs = Inputs {
            desired: &desired,
            down: &BTreeSet::new(),
            targets: &targets(ifindex),
            interfaces: &BTreeSet::from([ifindex]),
            vlans: &BTreeMap::new(),
            unreferenced: &BTreeSet::new(),
            filters: &Filters::default(),
            tick: 0,
        };
        let image = compile(&inputs, &nothing)?;
        let mut dataplane = Dataplane::open(&pins)?;
        for op in reconcile::plan(&nothing, &image) {
            dataplane.apply(&op)?;
        }
        let mut loader = EbpfLoader::new();
        for name in maps::ALL {
            loader.map_pin_path(name, pins.join(name));
        }
        let mut balancer = Self { dataplane, ebpf: loader.load(OBJECT)?, image, pins };
        // What it hands rare packets to is the daemon's, by the pinned table.
        balancer.program_mut()?.load()?;
        Ok(balancer)
    }

    /// The program.
    pub(crate) fn program_mut(&mut self) -> Result<&mut Xdp> {
        Ok(self.ebpf.program_mut(PROGRAM).context("no such program")?.try_into()?)
    }

    /// A handle of the program.
    pub(crate) fn fd(&self) -> Result<ProgramFd> {
        let program: &Xdp = self.ebpf.program(PROGRAM).context("no such program")?.try_into()?;
        Ok(program.fd()?.try_clone()?)
    }

    /// Packets of a service that went to a backend so far.
    pub(crate) fn forwarded(&self, spec: Spec) -> Result<u64> {
        let listen = format!("{}/tcp", vip(spec)).parse().map_err(|error| anyhow!("{error}"))?;
        let service = self.image.services.get(&vip_endpoint(listen)).context("no such service")?;
        let counters = self.dataplane.packets(service.id)?;
        Ok(counters.get(&Reason::Forwarded).map_or(0, |counter| counter.packets))
    }

    /// Makes sure that a service sent so many packets on since it had sent others.
    pub(crate) fn check(&self, spec: Spec, before: u64, packets: u32) -> Result<()> {
        let forwarded = self.forwarded(spec)? - before;
        ensure!(
            forwarded == u64::from(packets),
            "{spec}: of {packets} packets {forwarded} were forwarded"
        );
        Ok(())
    }

    /// Where its maps are pinned.
    pub(crate) fn pins(&self) -> &Path {
        &self.pins
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.pins) {
            eprintln!("{} could not be removed: {error}", self.pins.display());
        }
    }
}

/// A service of every mode and family, each with a pool of its own, and guarded ones.
fn configuration(list: &Path) -> String {
    let interface = format!("[[interface]]\nname = \"{FRONT}\"\n");
    let services = Spec::all().chain(Spec::guarded()).map(|spec| service(spec, list));
    services.fold(interface, |text, service| text + &service)
}

/// As many prefixes as a list may have, of addresses that send nothing: half of each family.
fn denied() -> String {
    let v4 = (0..MAX_SOURCES / 2).map(|n| {
        let first = Ipv4Addr::from((16 << 24) + n * 256);
        format!("{first}/{}\n", 24 + n % 9)
    });
    let v6 = (0..MAX_SOURCES / 2).map(|n| {
        let [.., a, b, c] = n.to_be_bytes();
        let first = Ipv6Addr::new(
            0x2001,
            0xdb8,
            0x4000 + u16::from(a),
            u16::from_be_bytes([b, c]),
            0,
            0,
            0,
            0,
        );
        format!("{first}/64\n")
    });
    v4.chain(v6).collect()
}

fn service(spec: Spec, list: &Path) -> String {
    let (mode, vip) = (spec.mode.name(), vip(spec));
    let port = match spec.mode {
        // Backends answer for the VIP, so they listen where it does.
        Mode::Dsr | Mode::Ipip | Mode::Gue => PORT,
        // A port of its own tells whose replies they are.
        Mode::Nat | Mode::FullNat => 8000 + u16::from(spec.number()),
    };
    let address = |n| format!("\"{}\"", SocketAddr::new(backend(spec.family, n), port));
    let backends: Vec<String> = (1..=BACKENDS).map(address).collect();
    let source = match (spec.mode, spec.family) {
        (Mode::Dsr | Mode::Nat, _) => "",
        (_, Family::V4) => "source = [\"198.51.100.0/24\"]\n",
        (_, Family::V6) => "source = [\"2001:db8:3::/120\"]\n",
    };
    let guard = format!(
        "deny-file = \"{}\"\nnew-flows = {{ rate = 10000000 }}\n\
         new-flows-per-source = {{ rate = 1000000 }}\n",
        list.display()
    );
    let guard = if spec.guarded { guard.as_str() } else { "" };
    format!(
        "[[pool]]\nname = \"{spec}\"\nbackends = [{}]\n\
         [[service]]\nname = \"{spec}\"\nlisten = \"{vip}/tcp\"\npool = \"{spec}\"\n\
         forward = \"{mode}\"\n{source}{guard}",
        backends.join(", ")
    )
}

fn backend(family: Family, number: u16) -> IpAddr {
    let [_, low] = number.to_be_bytes();
    match family {
        Family::V4 => Ipv4Addr::new(203, 0, 113, low).into(),
        Family::V6 => Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, number).into(),
    }
}

/// Every backend is next to the interface.
fn targets(ifindex: u32) -> Targets {
    let target = |family, number: u16| Target {
        ifindex,
        tags: 0,
        mac: [0x02, 0, 0, 0, 0x02, number.to_be_bytes()[1]],
        source_mac: FRONT_MAC,
        mtu: 1500,
        source: backend(family, 254),
    };
    let of = |family| (1..=BACKENDS).map(move |n| (backend(family, n), target(family, n)));
    Family::ALL.into_iter().flat_map(of).collect()
}
