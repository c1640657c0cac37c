//! Tables that take no notes.

use crate::{
    abi::{
        AddrBe, Backend, Endpoint, Flow, FlowKey, FragmentKey, Limits, Origin, Ports, Reason,
        Return, ServerId, Service, SourceBucket, Vlan,
    },
    decide::{Added, Route, RouteQuery, Tables},
    limit::Rate,
    parse::rare::Work,
    slot::Slot,
};

/// Other tables, which are read and stay as they are.
pub(super) struct Silent<'t, T>(pub(super) &'t T);

/// Answers as the tables behind it.
macro_rules! reads {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)+) => {$(
        #[inline(always)]
        fn $name(&self, $($argument: $type),*) -> $answer {
            self.0.$name($($argument),*)
        }
    )+};
}

/// Does nothing, and answers as if it had been done.
macro_rules! ignores {
    ($($name:ident($($type:ty),*) -> $answer:ty = $value:expr;)+) => {$(
        #[inline(always)]
        fn $name(&self, $(_: $type),*) -> $answer {
            $value
        }
    )+};
}

impl<T: Tables> Tables for Silent<'_, T> {
    type FlowRef = T::FlowRef;
    type ReturnRef = T::ReturnRef;
    type Scratch = T::Scratch;

    #[inline(always)]
    fn work(&self) -> Option<impl core::ops::DerefMut<Target = Work>> {
        self.0.work()
    }

    reads! {
        scratch() -> Option<T::Scratch>;
        now() -> u32;
        meta() -> u32;
        service(vip: &Endpoint) -> Option<&Service>;
        service_by_id(id: u32) -> Option<&Service>;
        service_in_range(ranges: u32, port: u16) -> Option<u32>;
        slot(index: u32) -> Slot;
        backend(id: u32) -> Option<&Backend>;
        server(id: &ServerId) -> Option<u32>;
        origin(backend: &Endpoint) -> Option<&Origin>;
        route(query: &RouteQuery) -> Route;
        flow(key: &FlowKey) -> Option<(Flow, T::FlowRef)>;
        way_back(key: &FlowKey) -> Option<(Return, T::ReturnRef)>;
        may_be_listed(bit: u32) -> bool;
        source_rule(list: u32, addr: &AddrBe) -> Option<u32>;
        limits(service: u32) -> Option<&Limits>;
        next_turn(service: &Service) -> u32;
        random() -> u32;
        flows(backend: u32) -> u64;
        weight(backend: u32) -> u32;
        direct_seen(backend: u32) -> bool;
        is_direct(flow: &FlowKey) -> bool;
        vip(addr: &AddrBe) -> Option<u32>;
        fragment(key: &FragmentKey) -> Option<Ports>;
        tags(backend: u32) -> u32;
        vlan(ifindex: u32) -> Option<Vlan>;
    }

    ignores! {
        stamp(u32, u16) -> () = ();
        refresh_flow(T::FlowRef, u32, u8) -> () = ();
        put_flow(&FlowKey, &Flow) -> bool = true;
        forget_flow(&FlowKey) -> () = ();
        refresh_way_back(T::ReturnRef, u32, u8) -> () = ();
        add_way_back(&FlowKey, &Return) -> Added = Added::New;
        forget_way_back(&FlowKey) -> () = ();
        take_of_source(&SourceBucket, Rate) -> bool = true;
        take_of_service(u32, Rate) -> bool = true;
        add_flows(u32, i64) -> () = ();
        remember_direct(&FlowKey, u32) -> () = ();
        forget_direct(&FlowKey) -> () = ();
        remember_fragment(&FragmentKey, &Ports) -> () = ();
        may_answer() -> bool = false;
        count(u32, Reason, u64) -> () = ();
        count_backend(u32, u64) -> () = ();
    }

    /// It stays somebody else's turn.
    #[inline(always)]
    fn turn(&self, service: &Service) -> u32 {
        self.0.next_turn(service)
    }
}
