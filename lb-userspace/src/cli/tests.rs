//! Tests of the command line.

mod commands;
mod decap;
mod drops;
mod golden;
mod stats;
mod usage;
