//! The body of a request, by its length or in chunks (RFC 9112 sections 6 and 7.1).

use super::{
    CHUNK_LINE, Limits,
    fault::Fault,
    head::{are_of_value, is_token, split},
};

/// Where in a body the client is.
#[derive(Debug)]
pub(super) enum Body {
    /// So many bytes are left, and nothing behind them.
    Length(u64),
    /// In front of a chunk.
    Size,
    /// So many bytes of a chunk are left.
    Data(u64),
    /// Behind its data.
    DataEnd,
    /// Behind the last chunk, after so many fields.
    Trailer(usize),
    /// Behind the end.
    Over,
}

impl Body {
    pub(super) const fn of(length: u64) -> Self {
        Self::Length(length)
    }

    pub(super) const fn chunked() -> Self {
        Self::Size
    }

    /// Bytes that are next, and of no meaning.
    pub(super) const fn data(&self) -> u64 {
        match self {
            Self::Length(left) | Self::Data(left) => *left,
            _ => 0,
        }
    }

    /// Takes as many of so many bytes as belong to it; how many that was.
    pub(super) fn take(&mut self, bytes: usize) -> usize {
        let taken = usize::try_from(self.data()).map_or(bytes, |left| left.min(bytes));
        match self {
            Self::Length(left) => *left -= taken as u64,
            Self::Data(left) => {
                *left -= taken as u64;
                if *left == 0 {
                    *self = Self::DataEnd;
                }
            }
            _ => {}
        }
        taken
    }

    pub(super) const fn is_over(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Over)
    }

    /// Whether the next line may be so long.
    pub(super) const fn fits(&self, length: usize, limits: &Limits) -> Result<(), Fault> {
        match self {
            Self::Trailer(_) if length > limits.field_line => Err(Fault::LongField),
            Self::DataEnd if length > 0 => Err(Fault::ChunkEnd),
            Self::Size if length > CHUNK_LINE => Err(Fault::LongChunkLine),
            _ => Ok(()),
        }
    }

    /// The next line, where lines are.
    pub(super) fn line(&mut self, line: &[u8], limits: &Limits) -> Result<(), Fault> {
        match self {
            Self::Size => {
                *self = match size(line)? {
                    0 => Self::Trailer(0),
                    size => Self::Data(size),
                };
            }
            Self::DataEnd if line.is_empty() => *self = Self::Size,
            Self::Trailer(_) if line.is_empty() => *self = Self::Over,
            Self::Trailer(fields) => {
                *fields += 1;
                if *fields > limits.fields {
                    return Err(Fault::ManyFields);
                }
                let (name, _) = split(line)?;
                if FRAMING.iter().any(|framing| name.eq_ignore_ascii_case(framing)) {
                    return Err(Fault::Trailer);
                }
            }
            Self::DataEnd | Self::Length(_) | Self::Data(_) | Self::Over => {
                return Err(Fault::ChunkEnd);
            }
        }
        Ok(())
    }
}

/// Fields that come too late in a trailer.
const FRAMING: [&[u8]; 4] = [b"transfer-encoding", b"content-length", b"host", b"trailer"];

/// The size of a chunk; its extensions are looked at and mean nothing.
fn size(line: &[u8]) -> Result<u64, Fault> {
    let end = line.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(line.len());
    let (digits, extension) = line.split_at_checked(end).ok_or(Fault::ChunkSize)?;
    // More digits than any number has that anybody sends.
    if digits.is_empty() || digits.len() > 15 {
        return Err(Fault::ChunkSize);
    }
    match extension {
        [] => {}
        [b';', rest @ ..] => {
            let first = rest.first().is_some_and(|byte| is_token(*byte));
            if !first || !are_of_value(rest) {
                return Err(Fault::ChunkExtension);
            }
        }
        _ => return Err(Fault::ChunkSize),
    }
    let digits = std::str::from_utf8(digits).map_err(|_| Fault::ChunkSize)?;
    u64::from_str_radix(digits, 16).map_err(|_| Fault::ChunkSize)
}
