//! Tables in hash maps.

use std::{
    boxed::Box,
    cell::{Cell, RefCell},
    collections::{HashMap, HashSet},
    fmt,
    ops::DerefMut,
    vec::Vec,
};

use super::HostFrame;
use crate::{
    abi::{
        AddrBe, Backend, Counter, Endpoint, Flow, FlowKey, FragmentKey, Limits, Origin, PortRange,
        Ports, Ranges, Reason, Return, Scratch, ServerId, Service, SourceBucket, Verdict, Vlan,
    },
    decide::{self, Added, Route, RouteQuery, Step, Tables},
    limit::Rate,
    limits::Stage,
    parse::rare::Work,
    slot::Slot,
};

/// A routing table as a function.
pub struct Router(pub Box<dyn Fn(&RouteQuery) -> Route + Send>);

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Router")
    }
}

/// Tables in hash maps, and the routes of a kernel that the test makes up.
#[derive(Debug, Default)]
pub struct HostTables {
    /// Services by VIP.
    pub services: HashMap<Endpoint, Service>,
    /// The present tick.
    pub now: Cell<u32>,
    /// All rings.
    pub slots: RefCell<HashMap<u32, Slot>>,
    /// Entries that the flow table has room for, and the return table too; 0 for any number.
    pub room: usize,
    /// Remembered flows.
    pub flows: RefCell<HashMap<FlowKey, Flow>>,
    /// Remembered ways back.
    pub ways_back: RefCell<HashMap<FlowKey, Return>>,
    /// Backends by QUIC server id.
    pub servers: HashMap<ServerId, u32>,
    /// Backends by id.
    pub backends: HashMap<u32, Backend>,
    /// Services by backend address.
    pub origins: HashMap<Endpoint, Origin>,
    /// Routes by destination; no entry means no route.
    pub routes: HashMap<[u32; 4], Route>,
    /// Answers in their place, if there is one.
    pub router: Option<Router>,
    /// What one stage hands to the next.
    pub work: RefCell<Work>,
    /// Services by the addresses of their VIPs.
    pub vips: HashMap<AddrBe, u32>,
    /// What first fragments told.
    pub fragments: RefCell<HashMap<FragmentKey, Ports>>,
    /// VLAN tags by backend.
    pub tags: HashMap<u32, u32>,
    /// VLAN interfaces by their numbers.
    pub vlans: HashMap<u32, Vlan>,
    /// No ICMP messages of the balancer's own may be sent any more.
    pub silent: bool,
    /// Flows that go past the service.
    pub direct_flows: RefCell<HashSet<FlowKey>>,
    /// Backends with such flows.
    pub direct_seen: RefCell<HashSet<u32>>,
    /// Packets by service and reason.
    pub counters: RefCell<HashMap<(u32, Reason), Counter>>,
    /// Packets by backend.
    pub backend_counters: RefCell<HashMap<u32, Counter>>,
    /// Flags of the tables as a whole.
    pub meta: u32,
    /// Ranges of ports, by the id of what stands for them.
    pub ranges: HashMap<u32, Ranges>,
    /// Prefixes in lists of sources: the list, first address, bits of it that count, and the rule.
    pub sources: Vec<(u32, AddrBe, u32, u32)>,
    /// Bits of the filter of sources that are set.
    pub source_filter: HashSet<u32>,
    /// How many flows services may open.
    pub limits: HashMap<u32, Limits>,
    /// When sources, and services without one, may open the next flow, in nanoseconds.
    pub buckets: RefCell<HashMap<SourceBucket, u64>>,
    /// The time by which flows are limited, in nanoseconds.
    pub nanoseconds: Cell<u64>,
    /// The backends that get new flows in turn.
    pub turns: HashMap<u32, u32>,
    /// Turns taken, by service.
    pub turns_taken: RefCell<HashMap<u32, u32>>,
    /// What the next random numbers come from.
    pub chance: Cell<u32>,
    /// Weights of backends.
    pub weights: HashMap<u32, u32>,
    /// Flows by backend.
    pub backend_flows: RefCell<HashMap<u32, i64>>,
    /// The last reason counted.
    pub last: Cell<Option<(u32, Reason)>>,
}

impl HostTables {
    /// [`decide::process`] and all stages that it may come to, compiled here once for all: a simulation
    /// calls it millions of times, and this crate is optimised in tests, too.
    pub fn process(&self, frame: &mut HostFrame) -> Verdict {
        let first = decide::process(frame, self);
        self.go_on(frame, first)
    }

    /// The stages alone, which decide on common packets just as well.
    pub fn process_as_rare(&self, frame: &mut HostFrame) -> Verdict {
        self.go_on(frame, Step::Next(Stage::Read))
    }

    fn go_on(&self, frame: &mut HostFrame, mut step: Step) -> Verdict {
        loop {
            match step {
                Step::Done(verdict) => return verdict,
                Step::Next(stage) => step = decide::go_on(stage, frame, self),
            }
        }
    }

    /// Writes slots from an index on.
    pub fn put_slots(&self, first: u32, words: &[u64]) {
        let words = words.iter().map(|word| Slot::from_word(*word));
        self.slots.borrow_mut().extend((first..).zip(words));
    }

    /// Reads as many slots from an index on.
    pub fn ring(&self, first: u32, slots: u32) -> Vec<u64> {
        (first..first + slots).map(|index| self.slot(index).word()).collect()
    }

    fn has_room<V>(&self, table: &HashMap<FlowKey, V>, key: &FlowKey) -> bool {
        self.room == 0 || table.len() < self.room || table.contains_key(key)
    }
}

impl Tables for HostTables {
    type FlowRef = FlowKey;
    type ReturnRef = FlowKey;
    type Scratch = Box<Scratch>;

    fn scratch(&self) -> Option<Box<Scratch>> {
        Some(Box::default())
    }

    fn work(&self) -> Option<impl DerefMut<Target = Work>> {
        self.work.try_borrow_mut().ok()
    }

    fn now(&self) -> u32 {
        self.now.get()
    }

    fn service(&self, vip: &Endpoint) -> Option<&Service> {
        self.services.get(vip)
    }

    fn meta(&self) -> u32 {
        self.meta
    }

    fn service_by_id(&self, id: u32) -> Option<&Service> {
        self.services.values().find(|service| service.id == id)
    }

    fn service_in_range(&self, ranges: u32, port: u16) -> Option<u32> {
        let has =
            |range: &&PortRange| range.service != 0 && (range.first..=range.last).contains(&port);
        self.ranges.get(&ranges)?.ranges.iter().find(has).map(|range| range.service)
    }

    fn slot(&self, index: u32) -> Slot {
        self.slots.borrow().get(&index).copied().unwrap_or_default()
    }

    fn stamp(&self, index: u32, stamp: u16) {
        if let Some(slot) = self.slots.borrow_mut().get_mut(&index) {
            *slot = slot.stamped(stamp);
        }
    }

    fn server(&self, id: &ServerId) -> Option<u32> {
        self.servers.get(id).copied()
    }

    fn flow(&self, key: &FlowKey) -> Option<(Flow, FlowKey)> {
        self.flows.borrow().get(key).map(|flow| (*flow, *key))
    }

    fn refresh_flow(&self, at: FlowKey, seen: u32, state: u8) {
        if let Some(flow) = self.flows.borrow_mut().get_mut(&at) {
            (flow.seen, flow.state) = (seen, state);
        }
    }

    fn put_flow(&self, key: &FlowKey, flow: &Flow) -> bool {
        let mut flows = self.flows.borrow_mut();
        let room = self.has_room(&flows, key);
        if room {
            flows.insert(*key, *flow);
        }
        room
    }

    fn forget_flow(&self, key: &FlowKey) {
        self.flows.borrow_mut().remove(key);
    }

    fn way_back(&self, key: &FlowKey) -> Option<(Return, FlowKey)> {
        self.ways_back.borrow().get(key).map(|way| (*way, *key))
    }

    fn refresh_way_back(&self, at: FlowKey, seen: u32, state: u8) {
        if let Some(way) = self.ways_back.borrow_mut().get_mut(&at) {
            (way.seen, way.state) = (seen, state);
        }
    }

    fn add_way_back(&self, key: &FlowKey, way: &Return) -> Added {
        let mut ways = self.ways_back.borrow_mut();
        if ways.contains_key(key) {
            return Added::Taken;
        }
        if !self.has_room(&ways, key) {
            return Added::Full;
        }
        ways.insert(*key, *way);
        Added::New
    }

    fn forget_way_back(&self, key: &FlowKey) {
        self.ways_back.borrow_mut().remove(key);
    }

    fn backend(&self, id: u32) -> Option<&Backend> {
        self.backends.get(&id)
    }

    fn origin(&self, backend: &Endpoint) -> Option<&Origin> {
        self.origins.get(backend)
    }

    fn route(&self, query: &RouteQuery) -> Route {
        match &self.router {
            Some(Router(answer)) => answer(query),
            None => self.routes.get(&query.dst_be).copied().unwrap_or(Route::None),
        }
    }

    fn may_be_listed(&self, bit: u32) -> bool {
        self.source_filter.contains(&bit)
    }

    fn source_rule(&self, list: u32, addr: &AddrBe) -> Option<u32> {
        let bits = |addr: &AddrBe| {
            addr.iter().fold(0, |all, word| all << 32 | u128::from(u32::from_be(*word)))
        };
        let covers = |(of, first, length, _): &&(u32, AddrBe, u32, u32)| {
            let differs = bits(first) ^ bits(addr);
            *of == list && differs.checked_shr(128 - length).unwrap_or(0) == 0
        };
        let longest = self.sources.iter().filter(covers).max_by_key(|(_, _, length, _)| *length);
        longest.map(|(_, _, _, rule)| *rule)
    }

    fn limits(&self, service: u32) -> Option<&Limits> {
        self.limits.get(&service)
    }

    fn take_of_source(&self, source: &SourceBucket, rate: Rate) -> bool {
        let mut buckets = self.buckets.borrow_mut();
        let word = buckets.entry(*source).or_default();
        let next = rate.take(*word, self.nanoseconds.get());
        *word = next.unwrap_or(*word);
        next.is_some()
    }

    fn take_of_service(&self, service: u32, rate: Rate) -> bool {
        self.take_of_source(&SourceBucket { service, ..SourceBucket::default() }, rate)
    }

    fn turn(&self, service: &Service) -> u32 {
        let turn = self.next_turn(service);
        *self.turns_taken.borrow_mut().entry(service.id).or_default() += 1;
        turn
    }

    fn next_turn(&self, service: &Service) -> u32 {
        let taken = self.turns_taken.borrow().get(&service.id).copied().unwrap_or_default();
        let turn = taken.checked_rem(service.turns).map(|turn| service.first_turn + turn);
        turn.and_then(|turn| self.turns.get(&turn)).copied().unwrap_or_default()
    }

    /// Numbers by which nothing is left to chance: each once in 2^32 (a Weyl sequence).
    fn random(&self) -> u32 {
        self.chance.set(self.chance.get().wrapping_add(0x9e37_79b9));
        self.chance.get()
    }

    fn flows(&self, backend: u32) -> u64 {
        let flows = self.backend_flows.borrow().get(&backend).copied().unwrap_or_default();
        u64::try_from(flows).unwrap_or_default()
    }

    fn weight(&self, backend: u32) -> u32 {
        self.weights.get(&backend).copied().unwrap_or_default()
    }

    fn add_flows(&self, backend: u32, by: i64) {
        *self.backend_flows.borrow_mut().entry(backend).or_default() += by;
    }

    fn direct_seen(&self, backend: u32) -> bool {
        self.direct_seen.borrow().contains(&backend)
    }

    fn is_direct(&self, flow: &FlowKey) -> bool {
        self.direct_flows.borrow().contains(flow)
    }

    fn remember_direct(&self, flow: &FlowKey, backend: u32) {
        self.direct_flows.borrow_mut().insert(*flow);
        self.direct_seen.borrow_mut().insert(backend);
    }

    fn forget_direct(&self, flow: &FlowKey) {
        self.direct_flows.borrow_mut().remove(flow);
    }

    fn vip(&self, addr: &AddrBe) -> Option<u32> {
        self.vips.get(addr).copied()
    }

    fn fragment(&self, key: &FragmentKey) -> Option<Ports> {
        self.fragments.borrow().get(key).copied()
    }

    fn remember_fragment(&self, key: &FragmentKey, ports: &Ports) {
        self.fragments.borrow_mut().insert(*key, *ports);
    }

    fn tags(&self, backend: u32) -> u32 {
        self.tags.get(&backend).copied().unwrap_or_default()
    }

    fn vlan(&self, ifindex: u32) -> Option<Vlan> {
        self.vlans.get(&ifindex).copied()
    }

    fn may_answer(&self) -> bool {
        !self.silent
    }

    fn count(&self, service: u32, reason: Reason, bytes: u64) {
        self.last.set(Some((service, reason)));
        *self.counters.borrow_mut().entry((service, reason)).or_default() +=
            Counter { packets: 1, bytes };
    }

    fn count_backend(&self, backend: u32, bytes: u64) {
        *self.backend_counters.borrow_mut().entry(backend).or_default() +=
            Counter { packets: 1, bytes };
    }
}
