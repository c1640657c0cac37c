//! Packets as a pcapng file: how each arrived, and how it left.
//!
//! What belongs to a packet is written at once, so the file is whole whenever the command ends.

use std::{
    borrow::Cow,
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use pcap_file::{
    DataLink,
    pcapng::{
        PcapNgWriter,
        blocks::{
            enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption},
            interface_description::{
                InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
            },
            opt_common::CommonOption,
            section_header::{SectionHeaderBlock, SectionHeaderOption},
        },
    },
};

use super::fate;
use crate::{
    admin::types::{FrameView, TracedPacket},
    cli::print_bytes,
};

/// Flags of a packet that came in.
const INBOUND: u32 = 1;
/// Flags of a packet that goes out.
const OUTBOUND: u32 = 2;

/// A capture, and where it goes.
pub(super) struct Capture {
    target: Option<Target>,
    /// Writes into memory first.
    writer: PcapNgWriter<Vec<u8>>,
    /// Names of interfaces, by their numbers in the file.
    interfaces: Vec<String>,
}

struct Target {
    path: PathBuf,
    file: File,
    /// It was made for this, and nothing is in it: if the trace does not begin, it goes again.
    is_new: bool,
}

impl Drop for Target {
    fn drop(&mut self) {
        if self.is_new {
            // The trace has failed, which is told.
            _ = fs::remove_file(&self.path);
        }
    }
}

impl Capture {
    /// For standard output.
    pub(super) fn unnamed() -> Result<Self> {
        let program = concat!("shunt ", env!("CARGO_PKG_VERSION"));
        let options = vec![SectionHeaderOption::UserApplication(Cow::Borrowed(program))];
        let section = SectionHeaderBlock { options, ..SectionHeaderBlock::default() };
        let writer = PcapNgWriter::with_section_header(Vec::new(), section)?;
        Ok(Self { target: None, writer, interfaces: Vec::new() })
    }

    /// For a file. What is in it stays until the trace has begun.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let is_new = !path.exists();
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .with_context(|| format!("cannot write to {}", path.display()))?;
        let target = Target { path: path.to_owned(), file, is_new };
        Ok(Self { target: Some(target), ..Self::unnamed()? })
    }

    /// Makes room: the trace has begun.
    pub(super) fn begin(&mut self) -> Result<()> {
        let Some(Target { path, file, is_new }) = &mut self.target else { return Ok(()) };
        *is_new = false;
        let emptied = match file.metadata() {
            Ok(metadata) if metadata.is_file() => file.set_len(0),
            // A pipe.
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        emptied.with_context(|| format!("cannot write to {}", path.display()))
    }

    /// Writes what was added, to the file or to standard output. Whether the reader wants more.
    pub(super) fn write(&mut self, out: &mut dyn Write) -> Result<bool> {
        let bytes = std::mem::take(self.writer.get_mut());
        let Some(Target { path, file, .. }) = &mut self.target else {
            return print_bytes(out, &bytes);
        };
        file.write_all(&bytes).with_context(|| format!("cannot write to {}", path.display()))?;
        Ok(true)
    }

    /// Adds a packet, as it arrived and, if it did, as it left.
    pub(super) fn add(&mut self, packet: &TracedPacket) -> Result<()> {
        self.frame(packet, &packet.before, INBOUND)?;
        match &packet.after {
            Some(after) => self.frame(packet, after, OUTBOUND),
            None => Ok(()),
        }
    }

    fn frame(&mut self, packet: &TracedPacket, frame: &FrameView, direction: u32) -> Result<()> {
        let comment = comment(packet, direction);
        let block = EnhancedPacketBlock {
            interface_id: self.interface(&frame.interface)?,
            timestamp: Duration::new(packet.seconds, packet.nanoseconds),
            original_len: frame.length,
            data: Cow::Borrowed(&frame.bytes),
            options: vec![
                EnhancedPacketOption::Common(CommonOption::Comment(comment.into())),
                EnhancedPacketOption::Flags(direction),
            ],
        };
        self.writer.write_pcapng_block(block)?;
        Ok(())
    }

    /// The number of an interface in the file, which is told of it at first.
    fn interface(&mut self, name: &str) -> Result<u32> {
        if let Some(number) = self.interfaces.iter().position(|known| known == name) {
            return Ok(u32::try_from(number)?);
        }
        let snaplen = u32::try_from(lb_common::limits::trace::SNAP)?;
        let mut block = InterfaceDescriptionBlock::new(DataLink::ETHERNET, snaplen);
        block.options.push(InterfaceDescriptionOption::IfName(Cow::Borrowed(name)));
        block.options.push(InterfaceDescriptionOption::IfTsResol(InterfaceTsResolution::NANO));
        self.writer.write_pcapng_block(block)?;
        self.interfaces.push(name.to_owned());
        Ok(u32::try_from(self.interfaces.len() - 1)?)
    }
}

/// What happened to a packet, and whether this is how it arrived or how it left.
fn comment(packet: &TracedPacket, direction: u32) -> String {
    let moment = if direction == INBOUND { "as it arrived" } else { "as it left" };
    let mut words = format!("{moment}: {}", fate(packet));
    if let Some(service) = &packet.service {
        words = format!("{words}, service {service}");
    }
    if let Some(backend) = packet.backend {
        words = format!("{words}, backend {backend}");
    }
    words
}
