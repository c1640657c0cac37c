//! The cases on the host build, and in the kernel by `BPF_PROG_TEST_RUN`.

use anyhow::{Context, Result, anyhow, bail};
use aya::{
    Ebpf, EbpfLoader,
    maps::{HashMap, LpmTrie, MapData, PerCpuArray, PerCpuValues, lpm_trie::Key},
    programs::Xdp,
    util::nr_cpus,
};
use lb_common::{
    abi::{AddrBe, Counter, Verdict},
    decap::{
        Reason, SOURCE_BITS_BEFORE_V4, SOURCE_BITS_BEFORE_V6, SourceKey, host::HostTables, process,
        source_key,
    },
    host::{HostFrame, addr_be},
    limits::decap::{ADDRESSES, COUNTERS, MAX_REASONS, PROGRAM, SOURCES},
    parse::Family,
};
use lb_userspace::dataplane::object::DECAP_OBJECT;

use super::{
    super::machine::{take, test_run},
    case::{Case, Outcome},
    packet::{BACKENDS, ip},
};

/// Addresses that tunnels end at.
fn addresses() -> Vec<AddrBe> {
    BACKENDS.map(|backend| addr_be(ip(backend))).to_vec()
}

/// Where tunnels may begin: 192.0.2.0/28 and `2001:db8:2::/64`.
fn sources() -> Vec<(SourceKey, u32)> {
    vec![
        (source_key(Family::V4, &addr_be(ip("192.0.2.0"))), SOURCE_BITS_BEFORE_V4 + 28),
        (source_key(Family::V6, &addr_be(ip("2001:db8:2::"))), SOURCE_BITS_BEFORE_V6 + 64),
    ]
}

/// What becomes of the frame on the host build.
pub(super) fn on_host(case: &Case) -> Outcome {
    let tables = HostTables { addresses: addresses(), sources: sources(), ..HostTables::default() };
    let mut frame = HostFrame::new(case.input.clone(), 1);
    let verdict = process(&mut frame, &tables);
    let mut counters = tables.counters.take().into_iter();
    let (Some((reason, counter)), None) = (counters.next(), counters.next()) else {
        panic!("{}: not one reason was counted", case.name)
    };
    Outcome { verdict, reason, counter, frame: frame.into_bytes() }
}

/// The loaded program and its counters.
pub(super) struct Machine {
    ebpf: Ebpf,
    counters: PerCpuArray<MapData, Counter>,
}

impl Machine {
    /// Loads the object, and fills its maps, which are pinned nowhere.
    pub(super) fn new() -> Result<Self> {
        let mut ebpf = EbpfLoader::new().load(DECAP_OBJECT)?;
        let program: &mut Xdp = ebpf.program_mut(PROGRAM).context("no such program")?.try_into()?;
        program.load()?;
        let mut list = HashMap::<_, AddrBe, u32>::try_from(take(&mut ebpf, ADDRESSES)?)?;
        for address in addresses() {
            list.insert(address, 1, 0)?;
        }
        let mut trie = LpmTrie::<_, SourceKey, u32>::try_from(take(&mut ebpf, SOURCES)?)?;
        for (key, bits) in sources() {
            trie.insert(&Key::new(bits, key), 1, 0)?;
        }
        let counters = take(&mut ebpf, COUNTERS)?.try_into()?;
        Ok(Self { ebpf, counters })
    }

    pub(super) fn program(&self) -> Result<&Xdp> {
        Ok(self.ebpf.program(PROGRAM).context("no such program")?.try_into()?)
    }

    /// What becomes of the frame in the kernel.
    pub(super) fn run(&mut self, case: &Case) -> Result<Outcome> {
        let (action, frame) =
            test_run(self.program()?, 1, &case.input).with_context(|| case.name.clone())?;
        let verdict = match action {
            1 => Verdict::Drop,
            2 => Verdict::Pass,
            other => bail!("{}: the program returned {other}", case.name),
        };
        let (reason, counter) = self.take_counter().with_context(|| case.name.clone())?;
        Ok(Outcome { verdict, reason, counter, frame })
    }

    /// The only counter that is not zero, which it is afterwards.
    fn take_counter(&mut self) -> Result<(Reason, Counter)> {
        let mut found = None;
        for index in 0..MAX_REASONS {
            let mut sum = Counter::default();
            self.counters.get(&index, 0)?.iter().for_each(|counter| sum += *counter);
            if sum == Counter::default() {
                continue;
            }
            let reason = Reason::ALL.iter().find(|reason| **reason as u32 == index);
            let reason = *reason.with_context(|| format!("no reason has the code {index}"))?;
            if let Some((other, _)) = found.replace((reason, sum)) {
                bail!("counted as {other:?} and {reason:?}");
            }
            let cpus = nr_cpus().map_err(|(what, error)| anyhow!("{what}: {error}"))?;
            let zero = PerCpuValues::try_from(vec![Counter::default(); cpus])?;
            self.counters.set(index, zero, 0)?;
        }
        found.context("nothing was counted")
    }
}
