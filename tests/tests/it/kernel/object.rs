//! The object itself: it loads, holds no panic, and has the maps that the daemon expects.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use aya::{maps::MapInfo, programs::Xdp};
use lb_common::parse::rare::Work;
use lb_common::{
    abi::{
        AddrBe, Backend, Counter, Endpoint, Explanation, Flow, FlowKey, FragmentKey, Limits, Meta,
        Origin, Ports, Ranges, Return, Scratch, ServerId, Service, ServiceRow, SourceBucket,
        SourceKey, Vlan,
    },
    limits::{
        EXPLAIN_PROGRAM, MAX_BACKENDS, MAX_COUNTERS, MAX_DIRECT_FLOWS, MAX_FLOWS, MAX_FRAGMENTS,
        MAX_INTERFACES, MAX_LIMITED_SOURCES, MAX_SERVER_IDS, MAX_SERVICES, MAX_TURNS, MAX_VLANS,
        PROGRAM, RING_CHUNKS, SERVICE_ROWS, SERVICE_WORDS, SOURCE_ENTRIES, SOURCE_FILTER_WORDS,
        Stage, maps,
    },
};
use lb_userspace::dataplane::object::{DECAP_OBJECT, OBJECT, TRACE_OBJECT};

use super::{kernel_is_ready, machine};

/// Name, size of a key and of a value, and number of entries of each map. An interface is stored
/// with the program that runs behind the redirect (`struct bpf_devmap_val`), or without in kernels
/// before 5.8.
const MAPS: [(&str, usize, usize, u32); 35] = [
    (maps::META, 4, size_of::<Meta>(), 1),
    (maps::SERVICES, size_of::<Endpoint>(), size_of::<Service>(), MAX_SERVICES),
    (maps::SERVICE_INDEX, 4, size_of::<u32>(), SERVICE_WORDS),
    (maps::SERVICE_ROWS, 4, size_of::<ServiceRow>(), SERVICE_ROWS),
    (maps::RINGS, 4, 4, RING_CHUNKS),
    (maps::BACKENDS, 4, size_of::<Backend>(), MAX_BACKENDS),
    (maps::ORIGINS, size_of::<Endpoint>(), size_of::<Origin>(), MAX_BACKENDS),
    (maps::FLOWS, size_of::<FlowKey>(), size_of::<Flow>(), MAX_FLOWS),
    (maps::RETURNS, size_of::<FlowKey>(), size_of::<Return>(), MAX_FLOWS),
    (maps::SERVER_IDS, size_of::<ServerId>(), size_of::<u32>(), MAX_SERVER_IDS),
    (maps::SCRATCH, 4, size_of::<Scratch>(), 1),
    (maps::WORK, 4, size_of::<Work>(), 1),
    (maps::EXPLANATION, 4, size_of::<Explanation>(), 1),
    (maps::DIRECT_FLOWS, size_of::<FlowKey>(), size_of::<u32>(), MAX_DIRECT_FLOWS),
    (maps::DIRECT_SEEN, 4, size_of::<u32>(), MAX_BACKENDS),
    (maps::PROGRAMS, 4, 4, 4),
    (maps::VIPS, size_of::<AddrBe>(), 4, MAX_SERVICES),
    (maps::FRAGMENTS, size_of::<FragmentKey>(), size_of::<Ports>(), MAX_FRAGMENTS),
    (maps::TAGS, 4, 4, MAX_BACKENDS),
    (maps::VLANS, 4, size_of::<Vlan>(), MAX_VLANS),
    (maps::ICMP_LIMIT, 4, 8, 1),
    (maps::INTERFACES, 4, 8, MAX_INTERFACES),
    (maps::PACKET_COUNTERS, 4, size_of::<Counter>(), MAX_COUNTERS),
    (maps::BACKEND_COUNTERS, 4, size_of::<Counter>(), MAX_BACKENDS),
    (maps::RANGES, 4, size_of::<Ranges>(), MAX_SERVICES + 1),
    (maps::LIMITS, 4, size_of::<Limits>(), MAX_SERVICES + 1),
    (maps::SERVICE_BUCKETS, 4, 8, MAX_SERVICES + 1),
    (maps::SOURCE_BUCKETS, size_of::<SourceBucket>(), 8, MAX_LIMITED_SOURCES),
    (maps::SOURCES, 4 + size_of::<SourceKey>(), 4, SOURCE_ENTRIES),
    (maps::SOURCE_FILTER, 4, 8, SOURCE_FILTER_WORDS),
    (maps::TURNS, 4, 4, MAX_TURNS),
    (maps::TURNS_TAKEN, 4, 8, MAX_SERVICES + 1),
    (maps::WEIGHTS, 4, 4, MAX_BACKENDS),
    (maps::FLOWS_OPENED, 4, 8, MAX_BACKENDS),
    (maps::FLOWS_COUNTED, 4, 8, MAX_BACKENDS),
];

/// The verifier gives up after a million instructions; this leaves room for its other versions.
const MOST_INSTRUCTIONS: u32 = 400_000;

/// An unconditional jump to itself, as an instruction.
const ENDLESS_LOOP: [u8; 8] = [0x05, 0, 0xff, 0xff, 0, 0, 0, 0];

#[test]
fn the_programs_load() -> Result<()> {
    if !kernel_is_ready() {
        return Ok(());
    }
    let ebpf = machine::load()?;
    for name in programs() {
        let program: &Xdp = ebpf.program(name).context("no such program")?.try_into()?;
        let info = program.info()?;
        assert_eq!(info.name_as_str(), Some(name));
        let verified = info.verified_instruction_count();
        let shown = |number: Option<u32>| number.map_or("?".into(), |number| number.to_string());
        println!(
            "{name}: the verifier followed {} instructions; {} bytes translated",
            shown(verified),
            shown(info.size_translated())
        );
        let few = verified.is_none_or(|count| count < MOST_INSTRUCTIONS);
        assert!(few, "{name}: {verified:?} instructions");
    }
    Ok(())
}

/// The attached program, and those that it hands packets to.
fn programs() -> impl Iterator<Item = &'static str> {
    [PROGRAM, EXPLAIN_PROGRAM].into_iter().chain(Stage::ALL.map(Stage::program))
}

#[test]
fn the_maps_are_those_of_the_abi() -> Result<()> {
    if !kernel_is_ready() {
        return Ok(());
    }
    let ebpf = machine::load()?;
    let names: BTreeSet<&str> = ebpf.maps().map(|(name, _)| name).collect();
    assert_eq!(names, BTreeSet::from(maps::ALL), "maps of the object, and those of `limits`");
    assert_eq!(names, MAPS.iter().map(|(name, ..)| *name).collect(), "maps, and those asserted");

    let mut ids = BTreeSet::new();
    for name in programs() {
        let program: &Xdp = ebpf.program(name).context("no such program")?.try_into()?;
        ids.extend(program.info()?.map_ids()?.context("the kernel does not tell")?);
    }
    let mut seen = BTreeSet::new();
    for id in ids {
        let info = MapInfo::from_id(id)?;
        let kernel_name = info.name_as_str().context("a map without a name")?;
        // The kernel keeps 15 bytes of a name.
        let (name, key, value, entries) = MAPS
            .into_iter()
            .find(|(name, ..)| name.get(..15).unwrap_or(name) == kernel_name)
            .with_context(|| format!("nobody expects a map {kernel_name}"))?;
        let sizes = (info.key_size() as usize, info.value_size() as usize, info.max_entries());
        assert_eq!(sizes, (key, value, entries), "{name}: key, value, entries");
        seen.insert(name);
    }
    let unused: Vec<_> = names.difference(&seen).collect();
    assert!(unused.is_empty(), "maps that no program uses: {unused:?}");
    Ok(())
}

/// A panic would be a call of a function of `core::panicking`, or, when the compiler put our panic
/// handler in its place, an endless loop.
#[test]
fn no_panic_is_in_the_objects() {
    let objects =
        [("shunt-xdp", OBJECT), ("shunt-decap", DECAP_OBJECT), ("shunt-trace", TRACE_OBJECT)];
    for (name, object) in objects {
        let strings =
            object.split(|byte| *byte == 0).filter_map(|bytes| str::from_utf8(bytes).ok());
        // In debug information the name of the module may stand without any function of it.
        let panics: Vec<_> =
            strings.filter(|name| name.contains("panic") && *name != "panicking").collect();
        assert!(panics.is_empty(), "panics in {name}: {panics:?}");

        let (instructions, _) = object.as_chunks::<8>();
        assert!(!instructions.contains(&ENDLESS_LOOP), "the panic handler is in {name}");
    }
}
