//! The cases in the kernel: the built object, loaded and run by `BPF_PROG_TEST_RUN`.

use std::collections::{BTreeMap, btree_map::Entry};

use anyhow::{Context, Result, anyhow, bail};
use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, ArrayOfMaps, DevMapHash, HashMap, Map, MapData, PerCpuArray, PerCpuValues},
    programs::{TestRun, TestRunOptions, Xdp},
    util::nr_cpus,
};
use lb_common::{
    abi::{Backend, Counter, Endpoint, FlowKey, Origin, Reason, Service, Verdict},
    limits::{CHUNK_SLOTS, PROGRAM, REASONS_PER_SERVICE, maps},
};
use lb_userspace::dataplane::object::OBJECT;

use super::{
    case::{Case, Outcome},
    fixture::Rows,
    network::Links,
    services::SERVICES,
};

/// Room for the frame to grow, which it must not.
const SPARE: usize = 64;

/// The loaded program and the maps that a case reads or writes.
pub(crate) struct Machine {
    ebpf: Ebpf,
    interfaces: DevMapHash<MapData>,
    direct_flows: HashMap<MapData, FlowKey, u32>,
    direct_seen: Array<MapData, u32>,
    packets: PerCpuArray<MapData, Counter>,
    backends: PerCpuArray<MapData, Counter>,
    backend_ids: Vec<u32>,
    links: Links,
}

/// The object in the kernel, with empty maps that are pinned nowhere.
pub(crate) fn load() -> Result<Ebpf> {
    let mut ebpf = EbpfLoader::new().load(OBJECT)?;
    let program: &mut Xdp = ebpf.program_mut(PROGRAM).context("no such program")?.try_into()?;
    program.load()?;
    Ok(ebpf)
}

impl Machine {
    /// Loads the object in the namespace that the thread is in, and fills its maps.
    pub(crate) fn new(rows: &Rows, links: Links) -> Result<Self> {
        let mut ebpf = load()?;
        let mut services =
            HashMap::<_, Endpoint, Service>::try_from(take(&mut ebpf, maps::SERVICES)?)?;
        for (vip, service) in &rows.services {
            services.insert(vip, service, 0)?;
        }
        let mut rings =
            ArrayOfMaps::<_, Array<MapData, u64>>::try_from(take(&mut ebpf, maps::RINGS)?)?;
        let mut chunks = BTreeMap::new();
        for (index, slot) in &rows.slots {
            let chunk = match chunks.entry(index / CHUNK_SLOTS) {
                Entry::Occupied(chunk) => chunk.into_mut(),
                Entry::Vacant(vacant) => vacant.insert(Array::create(CHUNK_SLOTS, 0)?),
            };
            chunk.set(index % CHUNK_SLOTS, slot.word(), 0)?;
        }
        for (index, chunk) in &chunks {
            rings.set(*index, chunk, 0)?;
        }
        let mut table = Array::<_, Backend>::try_from(take(&mut ebpf, maps::BACKENDS)?)?;
        for (id, backend) in &rows.backends {
            table.set(*id, backend, 0)?;
        }
        let mut origins =
            HashMap::<_, Endpoint, Origin>::try_from(take(&mut ebpf, maps::ORIGINS)?)?;
        for (backend, origin) in &rows.origins {
            origins.insert(backend, origin, 0)?;
        }
        Ok(Self {
            interfaces: take(&mut ebpf, maps::INTERFACES)?.try_into()?,
            direct_flows: take(&mut ebpf, maps::DIRECT_FLOWS)?.try_into()?,
            direct_seen: take(&mut ebpf, maps::DIRECT_SEEN)?.try_into()?,
            packets: take(&mut ebpf, maps::PACKET_COUNTERS)?.try_into()?,
            backends: take(&mut ebpf, maps::BACKEND_COUNTERS)?.try_into()?,
            backend_ids: rows.backends.iter().map(|(id, _)| *id).collect(),
            ebpf,
            links,
        })
    }

    /// What becomes of the frame in the kernel, with tables as new.
    pub(crate) fn run(&mut self, case: &Case) -> Result<Outcome> {
        let targets = self.open_interfaces(case.expected.verdict)?;
        self.forget_flows()?;
        for (ingress, frame) in &case.before {
            self.test_run(*ingress, frame)?;
        }
        self.take_counters()?;
        let (action, frame) = self.test_run(case.ingress, &case.input)?;
        let (counted, backends) = self.take_counters()?;
        let verdict = verdict(action, &targets)?;
        Ok(Outcome { verdict, counted, backends, frame })
    }

    /// A test run tells that a packet was redirected, not where to. So only the interface that a
    /// case expects can be redirected to, and any other choice is seen as a drop.
    fn open_interfaces(&mut self, expected: Verdict) -> Result<Vec<u32>> {
        let all = [self.links.front, self.links.back, self.links.closed];
        let expected = |ifindex: &u32| match expected {
            Verdict::Redirect { ifindex: expected } => *ifindex == expected,
            _ => true,
        };
        let (open, shut): (Vec<u32>, Vec<u32>) = all.into_iter().partition(expected);
        for ifindex in &open {
            self.interfaces.insert(*ifindex, *ifindex, None, 0)?;
        }
        for ifindex in shut {
            // Most often it is not there.
            _ = self.interfaces.remove(ifindex);
        }
        Ok(open)
    }

    fn forget_flows(&mut self) -> Result<()> {
        let flows: Vec<FlowKey> = self.direct_flows.keys().collect::<Result<_, _>>()?;
        for flow in flows {
            self.direct_flows.remove(&flow)?;
        }
        for id in &self.backend_ids {
            self.direct_seen.set(*id, 0, 0)?;
        }
        Ok(())
    }

    fn test_run(&self, ingress: u32, frame: &[u8]) -> Result<(u32, Vec<u8>)> {
        let program: &Xdp = self.ebpf.program(PROGRAM).context("no such program")?.try_into()?;
        test_run(program, ingress, frame)
    }

    /// Every counter that is not zero, which it is afterwards.
    #[expect(clippy::type_complexity, reason = "the two lists of an `Outcome`")]
    fn take_counters(&mut self) -> Result<(Vec<(u32, Reason, Counter)>, Vec<(u32, Counter)>)> {
        let mut counted = Vec::new();
        for service in [0].into_iter().chain(SERVICES.map(|spec| spec.id)) {
            for &reason in Reason::ALL {
                let index = service * REASONS_PER_SERVICE + reason as u32;
                if let Some(counter) = take_counter(&mut self.packets, index)? {
                    counted.push((service, reason, counter));
                }
            }
        }
        let mut backends = Vec::new();
        for &id in &self.backend_ids {
            if let Some(counter) = take_counter(&mut self.backends, id)? {
                backends.push((id, counter));
            }
        }
        Ok((counted, backends))
    }
}

/// Runs a program on a frame; its return value, and the frame afterwards.
pub(super) fn test_run(program: &Xdp, ingress: u32, frame: &[u8]) -> Result<(u32, Vec<u8>)> {
    let end = u32::try_from(frame.len())?;
    // `struct xdp_md`: data, data_end, data_meta, ingress_ifindex, rx_queue_index,
    // egress_ifindex.
    let context = [0, end, 0, ingress, 0, 0].map(u32::to_ne_bytes).concat();
    let mut out = vec![0; frame.len() + SPARE];
    let options = TestRunOptions {
        data_in: Some(frame),
        data_out: Some(&mut out),
        ctx_in: Some(&context),
        ..TestRunOptions::default()
    };
    let result = program.test_run(options)?;
    out.truncate(result.data_size_out as usize);
    Ok((result.return_value, out))
}

pub(super) fn take(ebpf: &mut Ebpf, name: &str) -> Result<Map> {
    ebpf.take_map(name).with_context(|| format!("the object has no map {name}"))
}

fn take_counter(map: &mut PerCpuArray<MapData, Counter>, index: u32) -> Result<Option<Counter>> {
    let mut sum = Counter::default();
    map.get(&index, 0)?.iter().for_each(|counter| sum += *counter);
    if sum == Counter::default() {
        return Ok(None);
    }
    let cpus = nr_cpus().map_err(|(what, error)| anyhow!("{what}: {error}"))?;
    map.set(index, PerCpuValues::try_from(vec![Counter::default(); cpus])?, 0)?;
    Ok(Some(sum))
}

/// The verdict behind a return value of the program (`enum xdp_action`).
fn verdict(action: u32, targets: &[u32]) -> Result<Verdict> {
    Ok(match (action, targets) {
        (1, _) => Verdict::Drop,
        (2, _) => Verdict::Pass,
        (3, _) => Verdict::Transmit,
        (4, [ifindex]) => Verdict::Redirect { ifindex: *ifindex },
        // Nobody expected it.
        (4, _) => Verdict::Redirect { ifindex: 0 },
        (other, _) => bail!("the program returned {other}"),
    })
}
