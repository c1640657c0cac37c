//! The daemon and command line of Shunt.

mod access_log;
pub mod admin;
pub mod app;
pub mod cli;
pub mod config;
pub mod dataplane;
pub mod health;
pub mod model;
mod page;
pub mod proxy;
mod proxy_protocol;
pub mod reconcile;
mod tls;
