//! The daemon and command line of Shunt.
