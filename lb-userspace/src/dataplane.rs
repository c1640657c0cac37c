//! The XDP program and its maps: the only module that talks to aya.

pub mod object;
