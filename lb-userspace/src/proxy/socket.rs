//! The sockets of listeners: several for one address, among which the kernel spreads connections.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    os::fd::{AsFd, AsRawFd},
};

use rustix::net::{
    AddressFamily, SocketFlags, SocketType, bind, listen as start, socket_with,
    sockopt::{set_ipv6_v6only, set_socket_reuseaddr, set_socket_reuseport, set_tcp_nodelay},
};

/// Connections that may wait to be accepted, if the system allows so many.
pub(super) const BACKLOG: i32 = 4096;

/// Seconds after which a connection comes even if its client has said nothing.
const SILENCE: libc::c_int = 1;

/// A socket that listens on an address besides others of this process. See [`defer`] for who speaks first.
pub(super) fn listen(address: SocketAddr, clients_speak_first: bool) -> io::Result<TcpListener> {
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
    defer(&socket, clients_speak_first)?;
    bind(&socket, &address)?;
    start(&socket, BACKLOG)?;
    Ok(socket.into())
}

/// Whether connections come when clients have said something, or at once (`TCP_DEFER_ACCEPT` of tcp(7)). Whoever has nothing
/// to say takes no place here then, and whoever has is served in one go.
pub(super) fn defer(socket: &impl AsFd, clients_speak_first: bool) -> io::Result<()> {
    let value = if clients_speak_first { SILENCE } else { 0 };
    let length = libc::socklen_t::try_from(size_of_val(&value)).map_err(io::Error::other)?;
    let (level, option) = (libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT);
    // SAFETY: The file is open while it is borrowed, and the value is as long as is said.
    let set = unsafe {
        let value = (&raw const value).cast();
        libc::setsockopt(socket.as_fd().as_raw_fd(), level, option, value, length)
    };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use std::{
        io::Write,
        net::{SocketAddr, TcpStream},
        time::{Duration, Instant},
    };

    use super::{SILENCE, defer, listen};

    /// In which order connections come of which only the second says something, and how long that took.
    fn first_to_come(clients_speak_first: bool) -> (SocketAddr, [SocketAddr; 2], Duration) {
        let start = Instant::now();
        let socket = listen("127.0.0.1:0".parse().unwrap(), clients_speak_first).unwrap();
        socket.set_nonblocking(false).unwrap();
        let at = socket.local_addr().unwrap();
        // It can be changed at any time.
        defer(&socket, !clients_speak_first).unwrap();
        defer(&socket, clients_speak_first).unwrap();
        let silent = TcpStream::connect(at).unwrap();
        let mut speaks = TcpStream::connect(at).unwrap();
        speaks.write_all(b"x").unwrap();
        let (_, first) = socket.accept().unwrap();
        let time = start.elapsed();
        // The other comes, too: after a while if it was not the first.
        let (_, second) = socket.accept().unwrap();
        let both = [&silent, &speaks].map(|client| client.local_addr().unwrap());
        assert!(both.contains(&second) && first != second);
        (first, both, time)
    }

    #[test]
    fn who_speaks_first_comes_with_what_it_says() {
        let silence = Duration::from_secs(u64::try_from(SILENCE).unwrap());
        loop {
            let (first, [_, speaks], time) = first_to_come(true);
            if time < silence {
                assert_eq!(first, speaks);
                return;
            }
        }
    }

    #[test]
    fn who_waits_to_be_spoken_to_comes_at_once() {
        let (first, [silent, _], _) = first_to_come(false);
        assert_eq!(first, silent);
    }
}
