//! Entry bundles: the entries themselves, 256 a file, beside the tiles over them.
//!
//! Source: C2SP tlog-tiles. A bundle holds each entry behind its big-endian 16-bit length, as a
//! frame's payload does, so a bundle is cut out of payloads and nothing is encoded again.
//! Invariant: as with tiles, the set of bundles is a function of the size.

use crate::frame::{Entries, LENGTH_BYTES};
use crate::tile::{TILE_WIDTH, parse_place, place_text};

/// Where the bundles stand.
pub const BUNDLE_DIRECTORY: &str = "tile/entries/";
/// The longest bundle: 256 entries of 65,535 bytes.
pub const BUNDLE_BYTES_MAX: usize = 256 * (LENGTH_BYTES + 65_535);

/// A bundle's place. `width` is 256 for a full bundle, 1 to 255 for the one at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BundleId {
    /// Its number: it starts with entry `number * 256`.
    pub number: u64,
    /// How many entries it holds.
    pub width: u16,
}

impl BundleId {
    /// The file's name below the log's directory.
    pub fn path(&self) -> String {
        format!("{BUNDLE_DIRECTORY}{}", place_text(self.number, self.width))
    }

    /// The bundle that this file name names, if it is the name that [`BundleId::path`] gives.
    pub fn parse(path: &str) -> Option<Self> {
        let (number, width) = parse_place(path.strip_prefix(BUNDLE_DIRECTORY)?)?;
        let bundle = Self { number, width };
        (bundle.path() == path).then_some(bundle)
    }

    /// The index of its first entry.
    pub fn first(&self) -> u64 {
        self.number.saturating_mul(TILE_WIDTH)
    }

    /// Whether a log of this size has this bundle.
    pub fn is_of_size(&self, size: u64) -> bool {
        if u64::from(self.width) == TILE_WIDTH {
            self.number < size / TILE_WIDTH
        } else {
            last_bundle(size) == Some(*self)
        }
    }
}

/// Every bundle of a log of this size.
pub fn bundles_of_size(size: u64) -> impl Iterator<Item = BundleId> {
    let full = (0..size / TILE_WIDTH).map(|number| BundleId { number, width: 256 });
    full.chain(last_bundle(size))
}

/// The bundle at the end, unless the last one is full.
pub fn last_bundle(size: u64) -> Option<BundleId> {
    let width = (size % TILE_WIDTH) as u16;
    (width > 0).then_some(BundleId { number: size / TILE_WIDTH, width })
}

/// Cuts payloads of frames into bundles.
#[derive(Debug, Default)]
pub struct BundleBuilder {
    /// Number of the bundle that `bytes` starts with.
    number: u64,
    bytes: Vec<u8>,
    /// Where each full bundle in `bytes` ends.
    ends: Vec<usize>,
    /// Entries behind the last full one.
    tail_entries: u64,
}

impl BundleBuilder {
    /// Appends entries, each behind its length.
    pub fn append(&mut self, payload: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(payload);
        for item in Entries::new(payload) {
            // A payload that does not parse is appended by nobody: frames are checked before.
            let Ok((position, entry)) = item else { break };
            self.tail_entries += 1;
            if self.tail_entries == TILE_WIDTH {
                self.ends.push(start + position + entry.len());
                self.tail_entries = 0;
            }
        }
    }

    /// Bytes that wait for their bundle to be taken.
    pub fn backlog_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Gives every full bundle to `sink` and forgets its bytes.
    pub fn take_full<E>(
        &mut self,
        mut sink: impl FnMut(BundleId, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut start = 0;
        for end in self.ends.drain(..) {
            let bundle = self.bytes.get(start..end).unwrap_or_default();
            sink(BundleId { number: self.number, width: 256 }, bundle)?;
            self.number += 1;
            start = end;
        }
        self.bytes.drain(..start);
        Ok(())
    }

    /// The bundle at the end, if it is not empty. Call [`BundleBuilder::take_full`] first.
    pub fn partial(&self) -> Option<(BundleId, &[u8])> {
        let start = self.ends.last().copied().unwrap_or(0);
        let number = self.number + self.ends.len() as u64;
        let width = self.tail_entries as u16;
        (width > 0).then(|| (BundleId { number, width }, &self.bytes[start..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_canonical() {
        for (bundle, path) in [
            (BundleId { number: 0, width: 256 }, "tile/entries/000"),
            (BundleId { number: 1_234_067, width: 3 }, "tile/entries/x001/x234/067.p/3"),
        ] {
            assert_eq!(bundle.path(), path);
            assert_eq!(BundleId::parse(path), Some(bundle));
            assert_eq!(crate::tile::TileId::parse(path), None);
        }
        for bad in ["tile/entries/0", "tile/entries/000.p/256", "tile/entries/", "tile/0/000"] {
            assert_eq!(BundleId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn any_split_into_payloads_gives_the_same_bundles() {
        let entries: Vec<Vec<u8>> = (0..600_usize).map(|i| vec![i as u8; i % 7]).collect();
        let encode = |range: &[Vec<u8>]| -> Vec<u8> {
            let one = |e: &Vec<u8>| [&(e.len() as u16).to_be_bytes()[..], e].concat();
            range.iter().flat_map(one).collect()
        };
        for group in [1, 255, 256, 257, 600] {
            let mut builder = BundleBuilder::default();
            let mut seen = Vec::new();
            for (n, part) in entries.chunks(group).enumerate() {
                builder.append(&encode(part));
                if n % 2 == 0 {
                    let keep = |id: BundleId, bytes: &[u8]| {
                        seen.push((id, bytes.to_vec()));
                        Ok::<(), ()>(())
                    };
                    builder.take_full(keep).unwrap();
                }
            }
            let whole = |id: BundleId, bytes: &[u8]| {
                seen.push((id, bytes.to_vec()));
                Ok::<(), ()>(())
            };
            builder.take_full(whole).unwrap();
            seen.extend(builder.partial().map(|(id, bytes)| (id, bytes.to_vec())));
            assert_eq!(builder.backlog_bytes(), seen.last().unwrap().1.len());
            let ids: Vec<BundleId> = seen.iter().map(|(id, _)| *id).collect();
            assert_eq!(ids, bundles_of_size(600).collect::<Vec<_>>(), "groups of {group}");
            for (id, bytes) in seen {
                let first = id.first() as usize;
                assert!(bytes == encode(&entries[first..first + usize::from(id.width)]));
            }
        }
    }
}
