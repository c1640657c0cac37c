//! Frames sent as they are, from an interface: a packet socket (packet(7)).

use std::{
    ptr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rustix::{
    fd::OwnedFd,
    io::read,
    net::{
        AddressFamily, SendFlags, SocketType,
        addr::{SocketAddrArg, SocketAddrLen, SocketAddrOpaque},
        eth,
        netdevice::name_to_index,
        sendto, socket,
        sockopt::{Timeout, set_socket_timeout},
    },
};
use serde_json::Value;
use tests::netns::Netns;

/// How long a frame may take.
const BOUND: Duration = Duration::from_secs(5);

/// An interface that frames are sent from. It hears what arrives at any.
pub(super) struct Link {
    socket: OwnedFd,
    address: Address,
}

impl Link {
    pub(super) fn open(netns: &Netns, interface: &str) -> Result<Self> {
        netns.enter(|| {
            let socket = socket(AddressFamily::PACKET, SocketType::RAW, Some(eth::ALL))
                .context("cannot make a packet socket")?;
            set_socket_timeout(&socket, Timeout::Recv, Some(BOUND))?;
            let ifindex = name_to_index(&socket, interface)?.try_into()?;
            Ok(Self { socket, address: Address { family: AF_PACKET, ifindex, ..ANY } })
        })
    }

    pub(super) fn send(&self, frame: &[u8]) -> Result<()> {
        let sent = sendto(&self.socket, frame, SendFlags::empty(), &self.address)?;
        ensure!(sent == frame.len(), "{sent} of {} bytes sent", frame.len());
        Ok(())
    }

    /// Waits for a frame.
    pub(super) fn hear(&self, is_it: impl Fn(&[u8]) -> bool) -> Result<()> {
        let begun = Instant::now();
        let mut buffer = vec![0; 1 << 16];
        while begun.elapsed() < BOUND {
            let length = read(&self.socket, &mut buffer[..]).context("no such frame")?;
            if is_it(&buffer[..length]) {
                return Ok(());
            }
        }
        bail!("no such frame among others")
    }
}

/// MAC address of an interface.
pub(super) fn mac(netns: &Netns, interface: &str) -> Result<[u8; 6]> {
    let links: Value = serde_json::from_str(&netns.ip(&format!("-j link show {interface}"))?)?;
    let text = links[0]["address"].as_str().context("an interface without an address")?;
    let bytes: Result<Vec<u8>, _> =
        text.split(':').map(|byte| u8::from_str_radix(byte, 16)).collect();
    bytes?.try_into().ok().with_context(|| format!("{text} is no MAC address"))
}

const AF_PACKET: u16 = AddressFamily::PACKET.as_raw();
const ANY: Address = Address {
    family: 0,
    protocol_be: 0,
    ifindex: 0,
    hatype: 0,
    pkttype: 0,
    halen: 0,
    addr: [0; 8],
};

/// `struct sockaddr_ll` of packet(7). Of a frame that has its header, only the interface matters.
#[repr(C)]
struct Address {
    family: u16,
    protocol_be: u16,
    ifindex: i32,
    hatype: u16,
    pkttype: u8,
    halen: u8,
    addr: [u8; 8],
}

const _: () = assert!(size_of::<Address>() == 20);

// SAFETY: the pointer is to the whole of a `sockaddr_ll`, which is borrowed for the call.
unsafe impl SocketAddrArg for Address {
    unsafe fn with_sockaddr<R>(
        &self,
        call: impl FnOnce(*const SocketAddrOpaque, SocketAddrLen) -> R,
    ) -> R {
        const LENGTH: SocketAddrLen = 20;
        call(ptr::from_ref(self).cast(), LENGTH)
    }
}
