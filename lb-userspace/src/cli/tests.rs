//! Tests of the command line.

pub(super) mod commands;
mod decap;
mod drops;
mod flow;
pub(super) mod golden;
mod layer7;
mod stats;
mod usage;
