//! Reads a `ClientHello` as far as the name in it (RFC 6066 section 3), however it is cut into pieces.
//!
//! Pure: bytes in, name out. The reading itself is done by rustls, which reads it for a living.

#[cfg(test)]
mod tests;

use std::io;

use rustls::server::Acceptor;

/// Bytes of the largest `ClientHello`: some carry large keys, none is larger than this.
const LARGEST: usize = 64 << 10;

/// See the module.
#[derive(Default)]
pub(super) struct Hello {
    acceptor: Acceptor,
    said: Vec<u8>,
}

impl Hello {
    /// Takes a piece. Once the hello is complete, the name, which is empty if there is none.
    pub(super) fn read(&mut self, piece: &[u8]) -> io::Result<Option<String>> {
        self.said.extend_from_slice(piece);
        if self.said.len() > LARGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the ClientHello is too large"));
        }
        let mut rest = piece;
        loop {
            match self.acceptor.accept() {
                Ok(Some(accepted)) => {
                    let hello = accepted.client_hello();
                    return Ok(Some(hello.server_name().unwrap_or_default().to_owned()));
                }
                Ok(None) if rest.is_empty() => return Ok(None),
                Ok(None) => _ = self.acceptor.read_tls(&mut rest)?,
                Err((error, _)) => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                }
            }
        }
    }

    /// All that was read.
    pub(super) fn said(self) -> Vec<u8> {
        self.said
    }
}
