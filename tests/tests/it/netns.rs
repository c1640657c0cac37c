//! The daemon in networks of namespaces, with real clients and servers.
//!
//! Each test builds a network of its own. What they share is in [`scene`].

mod forwarding;
mod harness;
mod passing;
mod scene;
