//! What the daemon may copy to and from maps.
#![expect(unsafe_code, reason = "aya::Pod is an unsafe trait")]

use super::{
    Backend, Counter, Endpoint, Explanation, Flow, FlowKey, FragmentKey, Limits, Meta, Origin,
    Ports, Ranges, Return, ServerId, Service, ServiceRow, SourceBucket, SourceKey, Vlan,
};

macro_rules! pod {
    ($($name:ident),+) => {$(
        // SAFETY: repr(C), made of integers only, and the assertions beside it leave no room for
        // padding that is not a named field.
        unsafe impl aya::Pod for $name {}
    )+};
}

pod!(
    Meta,
    Endpoint,
    Service,
    ServiceRow,
    Ranges,
    Limits,
    SourceBucket,
    SourceKey,
    Backend,
    Origin,
    FlowKey,
    Flow,
    Return,
    ServerId,
    FragmentKey,
    Ports,
    Vlan,
    Explanation,
    Counter
);
