//! The PROXY protocol: what a proxy says in front of a connection that it passes on, so that whoever is
//! behind it knows the client (`proxy-protocol.txt` of `HAProxy`, sections 2.1 and 2.2).
//!
//! Pure: bytes in, a header out, and the other way round. Nothing here reads a socket, and nothing here knows
//! whom to believe: a header is worth as much as who sent it.
//!
//! What of the protocol names no client (`UNKNOWN`, `LOCAL`, sockets of Unix, datagrams) stands for the
//! connection's own addresses. What it tells beyond addresses, in TLVs, is checked and left.

#[cfg(test)]
mod tests;
mod v1;
mod v2;

use std::net::SocketAddr;

use thiserror::Error;

use crate::model::upstream::ProxyProtocol;

/// The two ends of a client's connection.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Ends {
    /// The client.
    pub(crate) source: SocketAddr,
    /// What it has connected to.
    pub(crate) destination: SocketAddr,
}

/// What a header says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Header {
    /// Whom the connection is for.
    Proxied(Ends),
    /// The addresses of the connection are right as they are.
    Own,
}

/// What came of looking at bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Read {
    /// They are the beginning of a header.
    More,
    /// They begin with a header of this length.
    Done(Header, usize),
}

/// Why bytes are no header.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub(crate) enum Fault {
    /// Something else.
    #[error("it does not begin with a header of the PROXY protocol")]
    Missing,
    /// A line without an end.
    #[error("the line of its PROXY header has more than {} bytes", v1::LONGEST)]
    LongLine,
    /// CR or LF alone.
    #[error("the line of its PROXY header does not end with CR and LF")]
    LineEnd,
    /// A protocol other than TCP4, TCP6 and UNKNOWN.
    #[error("its PROXY header names none of the protocols TCP4, TCP6 and UNKNOWN")]
    Protocol,
    /// Too many or too few words.
    #[error("its PROXY header has not two addresses and two ports with one space in front of each")]
    Words,
    /// No address of the family.
    #[error("an address in its PROXY header is none of the family that it names")]
    Address,
    /// No port.
    #[error("a port in its PROXY header is none")]
    Port,
    /// A version that is not known.
    #[error("its PROXY header is of version {0}; 1 and 2 are known")]
    Version(u8),
    /// A command that is not known.
    #[error("its PROXY header has the unknown command {0}")]
    Command(u8),
    /// A family or transport that is not known.
    #[error("its PROXY header has the unknown family and transport {0:#04x}")]
    Family(u8),
    /// Larger than anything reasonable.
    #[error("its PROXY header says that it has {0} bytes; at most {largest} are taken", largest = v2::LARGEST)]
    Large(u16),
    /// Too small for its addresses.
    #[error("its PROXY header has {0} bytes, too few for the addresses of its family")]
    Small(u16),
    /// A TLV that does not end where the header does.
    #[error("a TLV in its PROXY header is cut off")]
    Tlv,
    /// A checksum that is not that of the header, or several.
    #[error("the checksum in its PROXY header is not right")]
    Checksum,
}

impl Ends {
    /// Two addresses, of which only what the protocol knows is kept. IPv4 in the clothes of IPv6 is IPv4.
    pub(crate) fn new(source: SocketAddr, destination: SocketAddr) -> Self {
        let plain = |at: SocketAddr| SocketAddr::new(at.ip().to_canonical(), at.port());
        Self { source: plain(source), destination: plain(destination) }
    }
}

/// Looks at all that has been read of a connection. However it is cut into pieces, what comes of it is the same.
pub(crate) fn read(bytes: &[u8]) -> Result<Read, Fault> {
    match bytes.first() {
        None => Ok(Read::More),
        Some(b'P') => v1::read(bytes),
        Some(_) => v2::read(bytes),
    }
}

/// A header in bytes.
pub(crate) fn write(version: ProxyProtocol, header: &Header) -> Vec<u8> {
    match version {
        ProxyProtocol::V1 => v1::write(header).into_bytes(),
        ProxyProtocol::V2 => v2::write(header),
    }
}

/// Whether bytes begin with these, as far as there are any. None: not all are there yet.
fn begins(bytes: &[u8], with: &[u8]) -> Option<bool> {
    let seen = bytes.len().min(with.len());
    let same = bytes.get(..seen) == with.get(..seen);
    (!same || seen == with.len()).then_some(same)
}
