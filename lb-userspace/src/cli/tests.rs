//! Tests of the command line.

mod commands;
mod decap;
mod golden;
mod usage;
