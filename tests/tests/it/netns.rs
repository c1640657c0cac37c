//! The daemon in networks of namespaces, with real clients and servers.
//!
//! Each test builds a network of its own; [`scene`] is what they share. Most exist for IPv4 and
//! IPv6, some also for each forwarding mode.

/// The same test in several forwarding modes and families: each has a name.
macro_rules! modes {
    ($check:ident: $($name:ident: $forward:literal, $family:ident;)+) => {$(
        #[test]
        fn $name() {
            $check(Wants::new(Family::$family, $forward));
        }
    )+};
}

mod access_log;
mod attaching;
mod bystanders;
mod changes;
mod clients;
mod decap;
mod drained;
mod echo;
mod far;
mod fleet;
mod flood;
mod flow;
mod forwarding;
mod fragments;
mod greeting;
mod harness;
mod health;
mod icmp;
mod lifecycle;
mod narrow;
mod new_flows;
mod nexthops;
mod no_backend;
mod passing;
mod pmtu;
mod proxy_protocol;
mod quic;
mod ranges;
mod refusals;
mod reload;
mod requests;
mod restart;
mod ring;
mod routes;
mod scene;
mod scheduling;
mod sources;
mod tables;
mod timeouts;
mod trace;
mod transfers;
mod ttl;
mod tunnels;
mod unbroken;
mod vips;
mod vlans;
