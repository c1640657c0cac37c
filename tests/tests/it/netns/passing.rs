//! A program that passes everything: the balancer's own, without a service in its maps.
//!
//! What a program transmits out of the interface it came in by (`XDP_TX`) is lost on a veth pair
//! whose other end has no program: the frames are queued there, but nobody is woken to take them
//! (`veth_xdp_flush` in the kernel). Redirected frames need no such help.

use std::io::ErrorKind;

use anyhow::{Context, Result};
use aya::{
    Ebpf, EbpfLoader,
    programs::{ProgramError, Xdp, XdpMode},
};
use lb_common::limits::{PROGRAM, maps};
use lb_userspace::dataplane::object::OBJECT;
use tests::netns::Netns;

/// How often loading is tried, as libbpf does.
const ATTEMPTS: usize = 5;

/// Attaches the program until what is returned is dropped.
pub(crate) fn attach(netns: &Netns, interface: &str) -> Result<Ebpf> {
    let mut ebpf = EbpfLoader::new().map_max_entries(maps::RINGS, 1).load(OBJECT)?;
    let program: &mut Xdp = ebpf.program_mut(PROGRAM).context("no such program")?.try_into()?;
    load(program)?;
    netns.enter(|| Ok(program.attach(interface, XdpMode::Driver).map(drop)?))?;
    Ok(ebpf)
}

/// The verifier gives up (`EAGAIN`) when its thread is disturbed, which happens on a busy machine.
fn load(program: &mut Xdp) -> Result<()> {
    for _ in 1..ATTEMPTS {
        match program.load() {
            Err(ProgramError::LoadError { io_error, .. })
                if io_error.kind() == ErrorKind::WouldBlock => {}
            ended => return Ok(ended?),
        }
    }
    Ok(program.load()?)
}
