//! The daemon and command line of Shunt.

pub mod admin;
pub mod config;
pub mod dataplane;
pub mod model;
