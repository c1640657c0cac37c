//! Tests of the command line.

mod commands;
mod golden;
mod usage;
