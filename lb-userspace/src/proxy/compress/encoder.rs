//! The codings themselves. How hard they try is moderate, and how far they look back is short: what they hold for each answer, and
//! the time that a worker spends on it, are as small as may be for nearly the same gain. Measured on JSON, in release:
//!
//! | | level | window | holds | CPU time a MiB | leaves |
//! |---|---|---|---|---|---|
//! | `gzip` | 5 | 32 KiB | 0.4 MiB | 7 ms | 9 % |
//! | `br` | 4 | 64 KiB | 1.6 MiB | 9 ms | 9 % |
//! | `zstd` | 3 | 128 KiB | 0.9 MiB | 4 ms | 9 % |

use std::io::{self, Write};

use brotli::CompressorWriter;
use flate2::{Compression, write::GzEncoder};
use zstd::{stream::write::Encoder as ZstdEncoder, zstd_safe::CParameter};

use crate::model::listener::Coding;

const GZIP_LEVEL: u32 = 5;
const BROTLI_LEVEL: u32 = 4;
/// As powers of two, in bytes.
const BROTLI_WINDOW: u32 = 16;
const ZSTD_LEVEL: i32 = 3;
const ZSTD_WINDOW: u32 = 17;
/// Entries of its tables, likewise.
const ZSTD_TABLES: u32 = 16;
/// Bytes that Brotli writes at one time.
const BROTLI_PIECE: usize = 4 << 10;

/// Codes one body.
pub(super) enum Encoder {
    Gzip(Box<GzEncoder<Vec<u8>>>),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    Zstd(ZstdEncoder<'static, Vec<u8>>),
}

impl Encoder {
    /// Fails for want of memory only.
    pub(super) fn new(coding: Coding) -> io::Result<Self> {
        let out = Vec::new();
        Ok(match coding {
            Coding::Gzip => Self::Gzip(Box::new(GzEncoder::new(out, Compression::new(GZIP_LEVEL)))),
            Coding::Brotli => Self::Brotli(Box::new(CompressorWriter::new(
                out,
                BROTLI_PIECE,
                BROTLI_LEVEL,
                BROTLI_WINDOW,
            ))),
            Coding::Zstd => {
                let mut encoder = ZstdEncoder::new(out, ZSTD_LEVEL)?;
                encoder.set_parameter(CParameter::WindowLog(ZSTD_WINDOW))?;
                encoder.set_parameter(CParameter::HashLog(ZSTD_TABLES))?;
                encoder.set_parameter(CParameter::ChainLog(ZSTD_TABLES))?;
                Self::Zstd(encoder)
            }
        })
    }

    /// Takes bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.write_all(bytes),
            Self::Brotli(encoder) => encoder.write_all(bytes),
            Self::Zstd(encoder) => encoder.write_all(bytes),
        }
    }

    /// Gives out all that it has taken, so that the other end can decode it.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.flush(),
            Self::Brotli(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }

    /// What it has given out since the last time.
    pub(super) fn take(&mut self) -> Vec<u8> {
        match self {
            Self::Gzip(encoder) => std::mem::take(encoder.get_mut()),
            Self::Brotli(encoder) => std::mem::take(encoder.get_mut()),
            Self::Zstd(encoder) => std::mem::take(encoder.get_mut()),
        }
    }

    /// The rest.
    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(encoder) => encoder.finish(),
            Self::Brotli(encoder) => Ok(encoder.into_inner()),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}
