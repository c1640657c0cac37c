//! The sockets of listeners: several for one address, among which the kernel spreads connections.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use rustix::net::{
    AddressFamily, SocketFlags, SocketType, bind, listen as start, socket_with,
    sockopt::{set_ipv6_v6only, set_socket_reuseaddr, set_socket_reuseport, set_tcp_nodelay},
};

/// Connections that may wait to be accepted, if the system allows so many.
const BACKLOG: i32 = 4096;

/// A socket that listens on an address besides others of this process.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    set_socket_reuseaddr(&socket, true)?;
    set_socket_reuseport(&socket, true)?;
    if address.is_ipv6() {
        // `0.0.0.0` and `::` are two listeners.
        set_ipv6_v6only(&socket, true)?;
    }
    // Small answers shall not wait for each other. Connections have it from the socket that they come by.
    set_tcp_nodelay(&socket, true)?;
    bind(&socket, &address)?;
    start(&socket, BACKLOG)?;
    Ok(socket.into())
}
