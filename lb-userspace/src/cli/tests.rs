//! Tests of the command line.

mod commands;
mod decap;
mod drops;
mod flow;
mod golden;
mod stats;
mod usage;
