//! One HTTP connection, and how it ended.

use std::{
    fmt,
    io::{self, BufReader, ErrorKind},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use crate::http::{self, Reply};

/// How long a connection may be silent before it counts as dead, unless there is much traffic.
pub const SILENCE: Duration = Duration::from_secs(5);

/// A connection to a server.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
    server: SocketAddr,
    local: SocketAddr,
}

impl Client {
    /// Connects, from the namespace of this thread.
    pub fn connect(server: SocketAddr) -> io::Result<Self> {
        Self::connect_patiently(server, SILENCE)
    }

    /// Connects, and lets the connection be silent for longer or shorter than [`SILENCE`].
    pub fn connect_patiently(server: SocketAddr, silence: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&server, silence)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(silence))?;
        stream.set_write_timeout(Some(silence))?;
        let local = stream.local_addr()?;
        Ok(Self { stream: BufReader::new(stream), server, local })
    }

    /// Our end.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Sends something along with a request and reads the whole answer.
    pub fn post(&mut self, path: &str, body: &[u8]) -> io::Result<Reply> {
        http::write_post(self.stream.get_mut(), self.server, path, body)?;
        http::read_reply(&mut self.stream)
    }

    /// Asks once and reads the whole answer.
    pub fn get(&mut self, path: &str) -> io::Result<Reply> {
        http::write_request(self.stream.get_mut(), self.server, path)?;
        http::read_reply(&mut self.stream)
    }
}

/// How a connection ended.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum End {
    /// As it should.
    Whole,
    /// It was refused when it was opened.
    Refused,
    /// The other end does not know it.
    Reset,
    /// Nothing came any more.
    Silent,
    /// The other end closed it in the middle.
    Closed,
    /// What came was not what had been sent.
    Damaged(String),
    /// Anything else.
    Other(String),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionRefused => Self::Refused,
            ErrorKind::ConnectionReset => Self::Reset,
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::Silent,
            ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe => Self::Closed,
            ErrorKind::InvalidData => Self::Damaged(error.to_string()),
            _ => Self::Other(error.to_string()),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.pad("ok"),
            Self::Refused => f.pad("refused"),
            Self::Reset => f.pad("reset"),
            Self::Silent => f.pad("timed out"),
            Self::Closed => f.pad("closed in the middle"),
            Self::Damaged(what) | Self::Other(what) => f.pad(what),
        }
    }
}
