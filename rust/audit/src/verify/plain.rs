//! Verifies a plain C2SP tlog-tiles directory: a checkpoint, tiles and bundles, and no frames.
//!
//! What another log made, or `cwts log unpack` wrote. Entries that are ours are read as in a log.

use cwts_types::{Body, Entry};

use super::entries::{EntryChecks, Place};
use super::finding::{Finding, FindingKind, Stop, hex};
use super::tiles::{Authentic, LeafPlace, TileCheck};
use super::{Check, VerifyKeys};
use crate::bundle::{BUNDLE_BYTES_MAX, BundleId, bundles_of_size};
use crate::epoch::{check_seal, is_seal};
use crate::frame::Entries;
use crate::keys::KeyChain;
use crate::merkle::{CompactRange, leaf_hash};
use crate::storage::{Storage, StorageError};
use crate::tile::TileId;
use crate::verify::finding::Verdict;
use crate::writer::{CHECKPOINT_FILE, VKEY_FILE};

/// Verifies a directory that holds a tlog-tiles log and nothing else of CWTS.
///
/// # Errors
/// A file that cannot be read: the check could not be finished.
pub fn verify_plain(storage: &dyn Storage, keys: &VerifyKeys) -> Result<Verdict, StorageError> {
    let mut check = Check::new(storage, keys, storage.list()?, super::FINDINGS_MAX);
    let ran = check.run_plain();
    check.verdict(ran)
}

impl Check<'_> {
    fn run_plain(&mut self) -> Result<(), Stop> {
        let known = |name: &str| {
            [CHECKPOINT_FILE, VKEY_FILE].contains(&name)
                || TileId::parse(name).is_some()
                || BundleId::parse(name).is_some()
        };
        let strange = self.files.iter().filter(|file| !known(&file.name)).count();
        if strange > 0 {
            self.verdict.not_checked.push(format!("{strange} files that no tlog-tiles log has"));
        }
        let vkey = self.log_key()?;
        let checkpoint = self.read_signed(CHECKPOINT_FILE)?;
        if checkpoint.is_none() {
            self.missing(CHECKPOINT_FILE)?;
        }
        if let Some(vkey) = &vkey {
            vkey.name().clone_into(&mut self.verdict.origin);
        }
        let authentic = self.check_signature(checkpoint.as_ref(), vkey.as_ref())?;
        let Some(signed) = checkpoint.as_ref().and_then(super::SignedFile::head) else {
            return Ok(());
        };
        let mut tiles = TileCheck::new(self.storage, &self.files, self.findings.max);
        let mut entries = EntryChecks::new();
        let (mut range, mut lost, mut ours) = (CompactRange::new(), false, true);
        let mut names = Vec::new();
        let mut seals = Seals::default();
        for bundle in bundles_of_size(signed.size) {
            let name = bundle.path();
            let place = |offset| LeafPlace { file: names.len() as u32, offset };
            let bytes = self.storage.read_all(&name, BUNDLE_BYTES_MAX)?;
            let finding = |kind| {
                let first = bundle.first();
                Finding::new(kind, &name).range(first, first + u64::from(bundle.width))
            };
            if bytes.is_none() {
                let says = finding(FindingKind::BundleMissing).says("an entry bundle", "none");
                self.findings.push(says)?;
            }
            let bytes = bytes.unwrap_or_default();
            let mut items = Entries::new(&bytes);
            let mut end = 0;
            for at in 0..u64::from(bundle.width) {
                let index = bundle.first() + at;
                let Some(Ok((position, entry))) = items.next() else {
                    if !lost {
                        let kind = FindingKind::BundleLength;
                        let says = finding(kind).at(end).says(bundle.width, at);
                        self.findings.push(says)?;
                    }
                    lost = true;
                    tiles.leaf(None, None, place(end))?;
                    continue;
                };
                let offset = position as u64;
                end = offset + entry.len() as u64;
                let leaf = leaf_hash(entry);
                ours &= index > 0 || Entry::decode(entry).is_ok();
                if ours {
                    let before = (!lost).then_some(&range);
                    let place = Place { file: &name, offset, index };
                    self.check_plain_seal(&mut seals, &place, entry, before)?;
                    entries.take(&place, entry, before, &mut self.findings)?;
                }
                range.append_leaf_hash(leaf);
                tiles.leaf(Some(leaf), None, place(offset))?;
            }
            if items.next().is_some() {
                let says = finding(FindingKind::BundleLength).at(end).says("its end", "more bytes");
                self.findings.push(says)?;
            }
            names.push(name);
        }
        self.verdict.size = signed.size;
        self.verdict.root = if lost { signed.root } else { range.root() };
        self.verdict.clean = entries.last == Some(cwts_types::EntryType::Close);
        self.verdict.entry_counts = std::mem::take(&mut entries.counts);
        if signed.size > 0 && !ours {
            let what = "the meaning of the entries: they are not those of CWTS";
            self.verdict.not_checked.push(what.to_owned());
        }
        self.verdict.not_checked.push("frames, MACs and kill files: there are none".to_owned());
        if seals.count > 0 && seals.chain.is_none() {
            let what = "MACs of the seals of key epochs: the log's K_0 was not given";
            self.verdict.not_checked.push(what.to_owned());
        }
        let files = &self.files;
        tiles.finish(signed.size, false, files, &mut self.findings, &mut self.verdict.notes)?;
        let root_is_right = !lost && range.root() == signed.root;
        let mismatches = std::mem::take(&mut tiles.mismatches);
        let told_before = self.findings.list.len();
        let signed = Some(signed).filter(|_| authentic);
        Authentic::new(self.storage, signed)?.blame(
            mismatches,
            |_| root_is_right,
            |file| names.get(file as usize).cloned().unwrap_or_default(),
            &mut self.findings,
        )?;
        if let Some(signed) = signed
            && !root_is_right
            && self.findings.list.len() == told_before
        {
            self.findings.push(
                Finding::new(FindingKind::Inconsistent, CHECKPOINT_FILE)
                    .range(0, signed.size)
                    .says(hex(&signed.root), hex(&range.root()))
                    .by("the signed checkpoint"),
            )?;
        }
        Ok(())
    }

    /// What a seal says of the entries before it, and with `K_0` its MAC: it outlives the frames.
    fn check_plain_seal(
        &mut self,
        seals: &mut Seals,
        place: &Place<'_>,
        entry: &[u8],
        before: Option<&CompactRange>,
    ) -> Result<(), Stop> {
        let opens = place.index == 1;
        if !opens && !is_seal(entry) {
            return Ok(());
        }
        match Entry::decode(entry).map(|entry| entry.body) {
            Ok(Body::Genesis(genesis)) if opens => {
                let given = self.keys.k0.clone();
                seals.chain = given.filter(|chain| chain.digest() == genesis.k0_sha256);
                Ok(())
            }
            Ok(Body::KeyEpoch(seal)) => {
                let root = before.map(CompactRange::root);
                let public =
                    check_seal(&seal, seals.count, place.index, root.as_ref(), &seal.chain);
                let chain = seals.chain.take();
                let by_key = chain.as_ref().is_none_or(|c| c.frame_mac().verify_seal(&seal));
                seals.chain = chain.map(|chain| chain.evolved());
                seals.count += 1;
                let keyless = || format!("not by the key of epoch {}", seal.epoch);
                let Err(what) = public.and_then(|()| by_key.then_some(()).ok_or_else(keyless))
                else {
                    return Ok(());
                };
                let wanted = format!("the seal of key epoch {}", seals.count - 1);
                self.findings.push(place.finding(FindingKind::EpochMac).says(wanted, what))
            }
            _ => Ok(()),
        }
    }
}

/// The key epochs of a log without frames.
#[derive(Default)]
struct Seals {
    /// Epochs that have ended.
    count: u64,
    /// The key of the next, if `K_0` was given.
    chain: Option<KeyChain>,
}
