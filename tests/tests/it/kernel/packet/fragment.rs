//! Packets in pieces.

use super::Packet;

/// A piece of a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Fragment {
    /// Where it begins, in bytes from the transport header on.
    pub(crate) offset: u16,
    /// Where it ends at most.
    end: u16,
    /// Others come behind it.
    pub(crate) more: bool,
}

impl Fragment {
    pub(super) fn of(self, whole: &[u8]) -> &[u8] {
        let end = usize::from(self.end).min(whole.len());
        whole.get(usize::from(self.offset)..end).expect("a piece that there is")
    }
}

impl Packet {
    /// Its first, middle and last piece. The first has no more than the transport header needs.
    pub(crate) fn fragments(&self) -> [Self; 3] {
        let piece = |offset, end, more| Self {
            fragment: Some(Fragment { offset, end, more }),
            ..self.clone()
        };
        // Nothing that repeats every two bytes, which a checksum might not notice.
        let payload: Vec<u8> = (0..100).collect();
        [piece(0, 24, true), piece(24, 72, true), piece(72, u16::MAX, false)]
            .map(|piece| piece.payload(payload.clone()))
    }

    /// A piece with so many bytes of the packet at most.
    pub(crate) fn cut(self, length: u16) -> Self {
        let fragment = self.fragment.map(|part| Fragment { end: part.offset + length, ..part });
        Self { fragment, ..self }
    }

    /// A piece that is an IP packet of a length.
    pub(crate) fn stretched(self, ip_len: u16) -> Self {
        let headers = u16::try_from(self.clone().cut(0).network().len()).expect("a few");
        let payload: Vec<u8> = (0..=250).cycle().take(2000).collect();
        self.payload(payload).cut(ip_len - headers)
    }

    /// As its only piece (RFC 6946).
    pub(crate) fn atomic(self) -> Self {
        Self { fragment: Some(Fragment { offset: 0, end: u16::MAX, more: false }), ..self }
    }
}
