//! Compares stored entry bundles with the entries in the frames.
//!
//! Both hold the same bytes, so a bundle that differs is wrong if the frames give the signed root.
//! If they do not, the bundle is wrong where its entry is not the one under the stored leaf.

use std::collections::BTreeMap;

use super::finding::{Finding, FindingKind, Findings, Stop, hex};
use super::tiles::read_tile;
use crate::bundle::{BUNDLE_BYTES_MAX, BUNDLE_DIRECTORY, BundleId, bundles_of_size};
use crate::frame::{Entries, LENGTH_BYTES};
use crate::merkle::{Hash, leaf_hash};
use crate::storage::{FileStat, Storage};
use crate::tile::{TILE_WIDTH, TileId};

/// The first entry of a bundle that is not the one in the frames.
#[derive(Debug)]
struct Mismatch {
    bundle: BundleId,
    index: u64,
    offset: u64,
    /// What the frames have there; `None` if the bundle goes on behind its last entry.
    expected: Option<Hash>,
    /// What the bundle has; `None` if its bytes hold no entry there.
    got: Option<Hash>,
    /// Whether the file is a beginning of what it must be: torn, or cut.
    cut: bool,
}

/// The comparison, fed with entries in order.
pub(super) struct BundleCheck<'s> {
    storage: &'s dyn Storage,
    /// Widths stored, by number; what is left at the end belongs to no bundle of the log.
    stored: BTreeMap<u64, Vec<u16>>,
    number: u64,
    /// The entries of the bundle that is being filled, as the file holds them.
    bytes: Vec<u8>,
    /// Where each ends in `bytes`, and whether it could be read.
    ends: Vec<(usize, bool)>,
    mismatches: Vec<Mismatch>,
    mismatches_max: usize,
    none: bool,
}

impl<'s> BundleCheck<'s> {
    pub(super) fn new(storage: &'s dyn Storage, files: &[FileStat], mismatches_max: usize) -> Self {
        let mut stored: BTreeMap<u64, Vec<u16>> = BTreeMap::new();
        for bundle in files.iter().filter_map(|file| BundleId::parse(&file.name)) {
            stored.entry(bundle.number).or_default().push(bundle.width);
        }
        let (bytes, ends, mismatches) = (Vec::new(), Vec::new(), Vec::new());
        let none = stored.is_empty();
        Self { storage, stored, number: 0, bytes, ends, mismatches, mismatches_max, none }
    }

    /// The next entry; `None` for one that could not be read.
    pub(super) fn entry(&mut self, entry: Option<&[u8]>) -> Result<(), Stop> {
        if self.none {
            return Ok(());
        }
        if let Some(entry) = entry {
            self.bytes.extend_from_slice(&(entry.len() as u16).to_be_bytes());
            self.bytes.extend_from_slice(entry);
        }
        self.ends.push((self.bytes.len(), entry.is_some()));
        if self.ends.len() == TILE_WIDTH as usize { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Stop> {
        let widths = self.stored.remove(&self.number).unwrap_or_default();
        let (within, beyond): (Vec<u16>, Vec<u16>) =
            widths.into_iter().partition(|w| usize::from(*w) <= self.ends.len());
        if !beyond.is_empty() {
            self.stored.insert(self.number, beyond);
        }
        for width in within {
            let bundle = BundleId { number: self.number, width };
            if self.mismatches.len() < self.mismatches_max
                && let Some(mismatch) = self.compare(bundle)?
            {
                self.mismatches.push(mismatch);
            }
        }
        self.number += 1;
        self.bytes.clear();
        self.ends.clear();
        Ok(())
    }

    fn compare(&self, bundle: BundleId) -> Result<Option<Mismatch>, Stop> {
        let ends = &self.ends[..usize::from(bundle.width)];
        let expected = &self.bytes[..ends.last().map_or(0, |end| end.0)];
        let name = bundle.path();
        let Some(stored) = self.storage.read_all(&name, BUNDLE_BYTES_MAX)? else { return Ok(None) };
        let all_known = ends.iter().all(|(_, known)| *known);
        if all_known && stored == expected {
            return Ok(None);
        }
        let cut = all_known && expected.starts_with(&stored);
        let mut items = Entries::new(&stored);
        let (mut start, mut offset) = (0, 0);
        for (at, (end, known)) in ends.iter().enumerate() {
            let wanted = self.bytes.get(start + LENGTH_BYTES..*end).unwrap_or_default();
            let got = items.next().and_then(Result::ok);
            if got.is_none() || (*known && got.is_some_and(|(_, entry)| entry != wanted)) {
                return Ok(Some(Mismatch {
                    bundle,
                    index: bundle.first() + at as u64,
                    offset,
                    expected: known.then(|| leaf_hash(wanted)),
                    got: got.map(|(_, entry)| leaf_hash(entry)),
                    cut,
                }));
            }
            offset = got.map_or(offset, |(position, entry)| (position + entry.len()) as u64);
            start = *end;
        }
        let index = bundle.first() + ends.len() as u64 - 1;
        let longer = stored.len() as u64 > offset;
        let (expected, got, cut) = (None, None, false);
        Ok(longer.then_some(Mismatch { bundle, index, offset, expected, got, cut }))
    }

    /// Tells a bundle of the signed size that differs, unexplained, where one sign is enough.
    pub(super) fn first_sign(&self, signed_size: u64, findings: &mut Findings) -> Result<(), Stop> {
        let Some(mismatch) = self.mismatches.last() else { return Ok(()) };
        if !mismatch.bundle.is_of_size(signed_size) {
            return Ok(());
        }
        findings.push(
            Finding::new(FindingKind::BundleChanged, &mismatch.bundle.path())
                .at(mismatch.offset)
                .index(mismatch.index)
                .says("the entries in the frames", "others"),
        )
    }

    /// Whether the directory holds no bundle at all.
    pub(super) fn is_empty(&self) -> bool {
        self.none
    }

    /// The log has ended: the right edge, then the set of files with `signed_size`.
    pub(super) fn finish(
        &mut self,
        signed_size: u64,
        clean: bool,
        files: &[FileStat],
        findings: &mut Findings,
        notes: &mut Vec<String>,
    ) -> Result<(), Stop> {
        self.flush()?;
        self.mismatches.retain(|mismatch| {
            // A crash may tear a bundle that nothing signed needs; opening makes it again.
            let torn = !clean && mismatch.cut && !mismatch.bundle.is_of_size(signed_size);
            if torn {
                notes.push(format!("`{}` is torn", mismatch.bundle.path()));
            }
            !torn
        });
        for (number, widths) in std::mem::take(&mut self.stored) {
            for width in widths {
                let bundle = BundleId { number, width };
                findings.push(
                    Finding::new(FindingKind::Rollback, &bundle.path())
                        .index(bundle.first())
                        .says("entries in every bundle", "none")
                        .by("a bundle is written only over durable entries"),
                )?;
            }
        }
        let there = |bundle: &BundleId| {
            let path = bundle.path();
            files.binary_search_by(|f| f.name.as_str().cmp(&path)).is_ok()
        };
        if self.none && signed_size > 0 {
            // A log of an earlier build: told once.
            return findings.push(
                Finding::new(FindingKind::BundleMissing, BUNDLE_DIRECTORY)
                    .range(0, signed_size)
                    .says("entry bundles", "none; opening the log makes them"),
            );
        }
        for bundle in bundles_of_size(signed_size) {
            let wider =
                || (bundle.width + 1..=256).any(|width| there(&BundleId { width, ..bundle }));
            if !there(&bundle) && (clean || !wider()) {
                let first = bundle.first();
                findings.push(
                    Finding::new(FindingKind::BundleMissing, &bundle.path())
                        .range(first, first + u64::from(bundle.width))
                        .says("a bundle of the signed size", "none; opening the log makes it"),
                )?;
            }
        }
        for file in files {
            let Some(bundle) = BundleId::parse(&file.name) else { continue };
            if bundle.is_of_size(signed_size) {
                continue;
            }
            findings.beyond_signed("bundle", &file.name, clean, notes)?;
        }
        Ok(())
    }

    /// Tells the bundles that are wrong. `entries_right` tells whether the entries in the frames
    /// are those signed.
    pub(super) fn blame(
        &mut self,
        signed_size: u64,
        entries_right: impl Fn(u64) -> bool,
        findings: &mut Findings,
    ) -> Result<(), Stop> {
        for mismatch in std::mem::take(&mut self.mismatches) {
            let Mismatch { bundle, index, offset, expected, got, .. } = mismatch;
            let right = entries_right(index);
            // The frames' entry is the changed one, and told as such, if the bundle has the other.
            if !right && got.is_some() && got == stored_leaf(self.storage, signed_size, index)? {
                continue;
            }
            let show = |hash: Option<Hash>, none: &str| {
                hash.map_or_else(|| none.to_owned(), |hash| format!("leaf {}", hex(&hash)))
            };
            let by = if right { "the entries in the frames" } else { "the tiles" };
            findings.push(
                Finding::new(FindingKind::BundleChanged, &bundle.path())
                    .at(offset)
                    .index(index)
                    .says(show(expected, "the end of the bundle"), show(got, "other bytes"))
                    .by(by),
            )?;
        }
        Ok(())
    }
}

/// The leaf that the stored tile of the signed size has at an index.
fn stored_leaf(storage: &dyn Storage, signed_size: u64, index: u64) -> Result<Option<Hash>, Stop> {
    let number = index / TILE_WIDTH;
    let width = signed_size.saturating_sub(number * TILE_WIDTH).min(TILE_WIDTH) as u16;
    let tile = read_tile(storage, TileId { level: 0, number, width })?;
    Ok(tile.and_then(|hashes| hashes.get((index % TILE_WIDTH) as usize).copied()))
}
