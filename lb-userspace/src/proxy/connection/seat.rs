//! What a client is connected by, and how its socket is taken from it for a while.
//!
//! tokio learns of a socket when it must be waited for, and not before: a connection of a single request, which comes
//! with it, begins and ends without that. To register a socket and to take it back are two system calls, a block of
//! memory, and a turn of the event loop for each thing that happens there.

#[cfg(test)]
mod tests;

use std::{
    io::{self, IoSlice, Read},
    mem,
    net::{SocketAddr, TcpStream as Bare},
    os::fd::AsFd,
    pin::Pin,
    task::{Context, Poll, ready},
};

use rustix::net::{SendAncillaryBuffer, SendFlags, Shutdown, sendmsg, shutdown};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use crate::proxy::http1::Outlet;

/// Bytes that are read at most of a socket that tokio does not know: a head, or what TLS begins with.
const FIRST: usize = 4 << 10;

/// See the module.
pub(super) trait Socket: AsyncRead + Outlet + Send + 'static {
    /// Whether it is nothing but a socket: neither TLS nor its agreement about the version of HTTP.
    const IS_PLAIN: bool;

    /// What there is above the socket.
    type Above: 'static;

    /// The socket at the bottom, which tokio knows no more, and what is above.
    fn apart(self) -> io::Result<(Bare, Self::Above)>;

    /// The opposite.
    fn together(socket: Bare, above: Self::Above) -> Self;
}

impl Socket for Seat {
    const IS_PLAIN: bool = true;
    type Above = ();

    fn apart(mut self) -> io::Result<(Bare, ())> {
        Ok((self.take_socket()?, ()))
    }

    fn together(socket: Bare, (): ()) -> Self {
        Self::of(socket)
    }
}

impl Socket for TlsStream<Seat> {
    const IS_PLAIN: bool = false;
    type Above = Self;

    fn apart(mut self) -> io::Result<(Bare, Self)> {
        Ok((self.get_mut().0.take_socket()?, self))
    }

    fn together(socket: Bare, mut above: Self) -> Self {
        *above.get_mut().0 = Seat::of(socket);
        above
    }
}

/// Where a socket is. A session of TLS cannot be moved from one stream to another, so the socket comes and goes.
pub(in crate::proxy) struct Seat {
    state: State,
    /// Whether the end comes at once behind what is written.
    ends: bool,
}

enum State {
    /// A socket that does not block, and that tokio does not know.
    Bare {
        socket: Bare,
        /// Whether it has been read since it came, which was because there is something.
        read: bool,
    },
    Known(TcpStream),
    Empty,
}

impl Seat {
    /// Of a socket that does not block, and probably has something to read.
    pub(in crate::proxy) fn of(socket: Bare) -> Self {
        Self { state: State::Bare { socket, read: false }, ends: false }
    }

    /// Its own address.
    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.state {
            State::Bare { socket, .. } => socket.local_addr(),
            State::Known(socket) => socket.local_addr(),
            State::Empty => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// The socket as tokio knows it, from now on if not before.
    pub(super) fn known(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        if !matches!(self.state, State::Known(_)) {
            self.state = State::Known(TcpStream::from_std(self.take_socket()?)?);
        }
        match &mut self.state {
            State::Known(socket) => Ok(Pin::new(socket)),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// The socket, which tokio knows no more.
    fn take_socket(&mut self) -> io::Result<Bare> {
        match mem::replace(&mut self.state, State::Empty) {
            State::Bare { socket, .. } => Ok(socket),
            State::Known(socket) => socket.into_std(),
            State::Empty => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Writes at once if that can be, and waits otherwise.
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let more = if self.ends { SendFlags::MORE } else { SendFlags::empty() };
        if let State::Bare { socket, .. } = &self.state
            && let Some(sent) = at_once(send(socket, slices, more))
        {
            return Poll::Ready(sent);
        }
        let ends = self.ends;
        let socket = self.known()?;
        if !ends {
            return match slices {
                [only] => socket.poll_write(cx, only),
                several => socket.poll_write_vectored(cx, several),
            };
        }
        loop {
            ready!(socket.poll_write_ready(cx))?;
            let sent = socket.try_io(Interest::WRITABLE, || send(&*socket, slices, more));
            if let Some(sent) = at_once(sent) {
                return Poll::Ready(sent);
            }
        }
    }
}

/// Sends as one message. What is sent with `MORE` waits for what comes behind it, for 200 ms at most (tcp(7), `TCP_CORK`).
fn send(socket: &impl AsFd, slices: &[IoSlice<'_>], more: SendFlags) -> io::Result<usize> {
    let flags = SendFlags::NOSIGNAL | more;
    Ok(match slices {
        [only] => rustix::net::send(socket, only, flags),
        several => sendmsg(socket, several, &mut SendAncillaryBuffer::default(), flags),
    }?)
}

/// What was done, unless it has to be waited for.
fn at_once(done: io::Result<usize>) -> Option<io::Result<usize>> {
    use io::ErrorKind::{Interrupted, WouldBlock};
    match done {
        Err(error) if matches!(error.kind(), WouldBlock | Interrupted) => None,
        done => Some(done),
    }
}

impl AsyncRead for Seat {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let State::Bare { socket, read } = &mut self.state
            && !mem::replace(read, true)
        {
            let room = buffer.initialize_unfilled_to(buffer.remaining().min(FIRST));
            if let Some(read) = at_once(socket.read(room)) {
                buffer.advance(read?);
                return Poll::Ready(Ok(()));
            }
        }
        self.known()?.poll_read(cx, buffer)
    }
}

impl AsyncWrite for Seat {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A socket keeps nothing to itself, but for what waits for the end.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = match &self.state {
            State::Bare { socket, .. } => shutdown(socket, Shutdown::Write),
            State::Known(socket) => shutdown(socket, Shutdown::Write),
            State::Empty => Ok(()),
        };
        Poll::Ready(done.map_err(Into::into))
    }
}

impl Outlet for Seat {
    fn ends(&mut self) {
        self.ends = true;
    }
}

impl Outlet for TlsStream<Seat> {
    fn ends(&mut self) {
        self.get_mut().0.ends();
    }
}
