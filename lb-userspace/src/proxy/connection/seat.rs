//! What a client is connected by, and how its socket is taken from it for a while.

use std::{
    io::{self, IoSlice},
    net::TcpStream as Bare,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

/// See the module.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Whether it is nothing but a socket: neither TLS nor its agreement about the version of HTTP.
    const IS_PLAIN: bool;

    /// What there is above the socket.
    type Above: 'static;

    /// The socket at the bottom, which tokio knows no more, and what is above.
    fn apart(self) -> io::Result<(Bare, Self::Above)>;

    /// The opposite.
    fn together(socket: TcpStream, above: Self::Above) -> Self;
}

impl Socket for TcpStream {
    const IS_PLAIN: bool = true;
    type Above = ();

    fn apart(self) -> io::Result<(Bare, ())> {
        Ok((self.into_std()?, ()))
    }

    fn together(socket: TcpStream, (): ()) -> Self {
        socket
    }
}

impl Socket for TlsStream<Seat> {
    const IS_PLAIN: bool = false;
    type Above = Self;

    fn apart(mut self) -> io::Result<(Bare, Self)> {
        let socket = self.get_mut().0.0.take().ok_or(io::ErrorKind::NotConnected)?;
        Ok((socket.into_std()?, self))
    }

    fn together(socket: TcpStream, mut above: Self) -> Self {
        *above.get_mut().0 = Seat::of(socket);
        above
    }
}

/// Where TLS has its socket. A session of it cannot be moved from one stream to another.
pub(super) struct Seat(Option<TcpStream>);

impl Seat {
    pub(super) fn of(socket: TcpStream) -> Self {
        Self(Some(socket))
    }

    fn socket(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.0.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl AsyncRead for Seat {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.socket()?.poll_read(cx, buffer)
    }
}

impl AsyncWrite for Seat {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.socket()?.poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.socket()?.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.as_ref().is_some_and(TcpStream::is_write_vectored)
    }
}
