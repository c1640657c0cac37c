//! Memory of the balancer's maps, as the kernel accounts for it.

use std::{
    fs,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd},
    path::Path,
};

use anyhow::{Context, Result};
use aya::maps::{Array, ArrayOfMaps, IterableMap as _, Map, MapData, MapError};
use lb_common::limits::{RING_CHUNKS, maps};

/// Bytes of maps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// All but the chunks of the ring table and what follows.
    pub(crate) tables: u64,
    /// Lists of sources, which grow with what an operator puts there.
    pub(crate) lists: u64,
    /// One of those chunks.
    pub(crate) chunk: u64,
    /// How many of them there are.
    pub(crate) chunks: u32,
}

impl Memory {
    /// Of the maps that are pinned in a directory.
    pub(crate) fn of(pins: &Path) -> Result<Self> {
        let (mut tables, mut lists) = (0, 0);
        for name in maps::ALL {
            let bytes = bytes(MapData::from_pin(pins.join(name))?.fd().as_fd())?;
            *if name == maps::SOURCES { &mut lists } else { &mut tables } += bytes;
        }
        let rings = Map::ArrayOfMaps(MapData::from_pin(pins.join(maps::RINGS))?);
        let rings: ArrayOfMaps<MapData, Array<MapData, u64>> = rings.try_into()?;
        let (mut chunk, mut chunks) = (0, 0);
        for index in 0..RING_CHUNKS {
            match rings.get(&index, 0) {
                Ok(array) => {
                    chunk = bytes(array.map().fd().as_fd())?;
                    chunks += 1;
                }
                Err(MapError::KeyNotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Self { tables, lists, chunk, chunks })
    }

    /// As it is.
    pub(crate) fn now(self) -> u64 {
        self.tables + self.lists + u64::from(self.chunks) * self.chunk
    }

    /// With all rings in use, and without lists.
    pub(crate) fn with_all_rings(self) -> u64 {
        self.tables + u64::from(RING_CHUNKS) * self.chunk
    }
}

fn bytes(map: BorrowedFd<'_>) -> Result<u64> {
    let path = format!("/proc/self/fdinfo/{}", map.as_raw_fd());
    let info = fs::read_to_string(&path).with_context(|| path.clone())?;
    memlock(&info).with_context(|| format!("{path} does not tell the memory of a map"))
}

/// The memory that `/proc/PID/fdinfo/FD` of a map tells.
fn memlock(info: &str) -> Option<u64> {
    info.lines().find_map(|line| line.strip_prefix("memlock:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::memlock;

    #[test]
    fn memory_is_found_among_the_lines() {
        assert_eq!(memlock("map_type:\t2\nmemlock:\t4096\nmap_id:\t7\n"), Some(4096));
        assert_eq!(memlock("map_type:\t2\n"), None);
    }
}
