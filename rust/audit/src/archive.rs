//! A cold copy of what a log has published: blocks, a manifest beside each, and the checkpoint.
//!
//! Source: design note "audit", section 9. `archive/<first>-<last>.cwz` holds the entries, and the
//! `.json` of the same name what a reader computes from them: indices, the RFC 6962 root over the
//! range alone, SHA-256 of the file, the codec. The checkpoint is written last, so an archive
//! without one is not finished. Tiles and bundles follow from the entries: [`restore`] makes them.

use sha2::{Digest as _, Sha256};

use crate::cold::{BLOCK_BYTES_MAX, Block, BlockError};
use crate::error::LogError;
use crate::frame::parse_segment_name;
use crate::merkle::CompactRange;
use crate::note::{Checkpoint, NOTE_BYTES_MAX};
use crate::plain::PlainWriter;
use crate::published::{Published, PublishedError};
use crate::storage::{Storage, StorageError, replace_file};
use crate::verify::hex;
use crate::writer::{CHECKPOINT_FILE, VKEY_FILE};

/// Where the blocks stand.
pub const ARCHIVE_DIRECTORY: &str = "archive";
/// A block's file: what cannot be packed is at most twice as long as its entries.
const FILE_BYTES_MAX: usize = 2 * BLOCK_BYTES_MAX;
/// The longest manifest.
const MANIFEST_BYTES_MAX: usize = 1 << 10;

/// Why an archive cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The log, or the archive's checkpoint, cannot be read.
    #[error(transparent)]
    Published(#[from] PublishedError),
    /// The files cannot be written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A block's bytes are none.
    #[error("`{file}`: {source}")]
    Block {
        /// Its file.
        file: String,
        /// What is wrong.
        source: BlockError,
    },
    /// A file of the archive is missing, or is not what belongs there.
    #[error("`{file}`: {what}")]
    Differs {
        /// Which.
        file: String,
        /// What is wrong.
        what: &'static str,
    },
}

impl From<StorageError> for ArchiveError {
    fn from(error: StorageError) -> Self {
        Self::Log(error.into())
    }
}

/// What an archive holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Archived {
    /// Blocks.
    pub blocks: u64,
    /// Entries.
    pub entries: u64,
    /// Bytes of the blocks.
    pub bytes: u64,
}

/// Writes everything that a log has published into an empty storage, and reads it back.
///
/// # Errors
/// The log cannot be read, what was written does not give its signed root, or the storage fails.
pub fn archive(log: &Published<'_>, storage: &mut impl Storage) -> Result<Archived, ArchiveError> {
    let mut block = Block::new(0);
    log.entries(0, log.checkpoint.size, |index, entry| {
        if !block.fits(entry) {
            put_block(&block, storage)?;
            block = Block::new(index);
        }
        block.push(entry).map_err(|source| {
            let file = name(&block, "cwz");
            ArchiveError::Block { file, source }
        })
    })?;
    if block.count() > 0 {
        put_block(&block, storage)?;
    }
    if log.checkpoint.size > 0 {
        storage.sync_dir(ARCHIVE_DIRECTORY)?;
    }
    // What is on disk counts, not what was meant to be there.
    let mut range = CompactRange::new();
    let archived = read(storage, |entry| {
        range.append(entry);
        Ok(())
    })?;
    if range.size() != log.checkpoint.size || range.root() != log.checkpoint.root {
        return Err(PublishedError::Root.into());
    }
    replace_file(storage, CHECKPOINT_FILE, log.note.encode().as_bytes())?;
    Ok(archived)
}

/// Makes a plain tlog-tiles log out of an archive, under the signatures that it has.
///
/// # Errors
/// A block that differs is named; so is what the storage refuses. The checkpoint is written last.
pub fn restore(
    archive: &dyn Storage,
    storage: &mut impl Storage,
) -> Result<(Checkpoint, Archived), ArchiveError> {
    let signed = Published::read(archive)?;
    let mut plain = PlainWriter::new(storage);
    let archived = read(archive, |entry| Ok(plain.push(entry)?))?;
    let (size, root) = plain.finish()?;
    if size != signed.checkpoint.size || root != signed.checkpoint.root {
        return Err(PublishedError::Root.into());
    }
    if let Some(vkey) = archive.read_all(VKEY_FILE, NOTE_BYTES_MAX)? {
        replace_file(storage, VKEY_FILE, &vkey)?;
    }
    storage.syncfs()?;
    replace_file(storage, CHECKPOINT_FILE, signed.note.encode().as_bytes())?;
    Ok((signed.checkpoint, archived))
}

/// Gives every entry of an archive with its index, once all of them have given the signed root.
///
/// # Errors
/// A block that differs is named, and nothing of it was given.
pub fn each_entry(
    archive: &dyn Storage,
    mut each: impl FnMut(u64, &[u8]),
) -> Result<(), ArchiveError> {
    let signed = Published::read(archive)?.checkpoint;
    let mut range = CompactRange::new();
    read(archive, |entry| {
        range.append(entry);
        Ok(())
    })?;
    if range.size() != signed.size || range.root() != signed.root {
        return Err(PublishedError::Root.into());
    }
    let mut index = 0;
    read(archive, |entry| {
        each(index, entry);
        index += 1;
        Ok(())
    })?;
    Ok(())
}

/// Whether a storage holds an archive's blocks, and no log.
pub fn is_archive(storage: &dyn Storage) -> Result<bool, StorageError> {
    let files = storage.list()?;
    // A log with archived blocks still has frames, if only in them.
    let is_log = files.iter().any(|file| parse_segment_name(&file.name).is_some());
    Ok(!is_log && files.iter().any(|file| is_block(&file.name)))
}

/// Gives every entry, in order, once its block has proved to be what its manifest says.
fn read(
    storage: &dyn Storage,
    mut each: impl FnMut(&[u8]) -> Result<(), ArchiveError>,
) -> Result<Archived, ArchiveError> {
    let mut archived = Archived::default();
    // Names have their numbers at full width, so they stand in the order of the entries.
    for file in storage.list()?.into_iter().map(|file| file.name) {
        if !is_block(&file) {
            continue;
        }
        let (block, bytes) = read_block(storage, &file)?;
        if block.first() != archived.entries {
            return Err(ArchiveError::Differs { file, what: "another entry is next" });
        }
        block.entries().try_for_each(&mut each)?;
        archived.blocks += 1;
        archived.entries += block.count();
        archived.bytes += bytes.len() as u64;
    }
    Ok(archived)
}

pub(crate) fn is_block(name: &str) -> bool {
    let path = std::path::Path::new(name);
    path.starts_with(ARCHIVE_DIRECTORY) && path.extension().is_some_and(|ending| ending == "cwz")
}

pub(crate) fn put_block(block: &Block, storage: &mut impl Storage) -> Result<(), StorageError> {
    let bytes = block.encode();
    replace_file(storage, &name(block, "cwz"), &bytes)?;
    replace_file(storage, &name(block, "json"), manifest_text(block, &bytes).as_bytes())
}

/// Reads one block once it has proved to be what its name and its manifest say.
pub(crate) fn read_block(
    storage: &dyn Storage,
    file: &str,
) -> Result<(Block, Vec<u8>), ArchiveError> {
    let differs = |file: &str, what| ArchiveError::Differs { file: file.to_owned(), what };
    let bytes = storage.read_all(file, FILE_BYTES_MAX)?;
    let bytes = bytes.ok_or_else(|| differs(file, "it is gone"))?;
    let block = Block::decode(&bytes)
        .map_err(|source| ArchiveError::Block { file: file.to_owned(), source })?;
    if block.count() == 0 || file != name(&block, "cwz") {
        return Err(differs(file, "its name is not that of its entries"));
    }
    let manifest = name(&block, "json");
    let held = storage.read_all(&manifest, MANIFEST_BYTES_MAX)?;
    let held = held.ok_or_else(|| differs(&manifest, "the manifest of a block is missing"))?;
    if held != manifest_text(&block, &bytes).as_bytes() {
        return Err(differs(&manifest, "it is not what the block beside it gives"));
    }
    Ok((block, bytes))
}

pub(crate) fn name(block: &Block, ending: &str) -> String {
    let last = (block.first() + block.count()).saturating_sub(1);
    range_name(block.first(), last, ending)
}

/// The name of a file about the entries `first..=last`.
pub(crate) fn range_name(first: u64, last: u64, ending: &str) -> String {
    format!("{ARCHIVE_DIRECTORY}/{first:020}-{last:020}.{ending}")
}

/// First and last entry, and the ending, of such a name.
pub(crate) fn parse_range_name(name: &str) -> Option<(u64, u64, &str)> {
    let rest = name.strip_prefix(ARCHIVE_DIRECTORY)?.strip_prefix('/')?;
    let (range, ending) = rest.split_once('.')?;
    let (first, last) = range.split_once('-')?;
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last && range_name(first, last, ending) == name).then_some((first, last, ending))
}

/// The manifest: a function of the block, so that a reader compares and parses nothing.
fn manifest_text(block: &Block, file: &[u8]) -> String {
    let mut range = CompactRange::new();
    for entry in block.entries() {
        range.append(entry);
    }
    let (first, last) = (block.first(), block.first() + block.count() - 1);
    let (root, sha256) = (hex(&range.root()), hex(&Sha256::digest(file)));
    format!(
        "{{\"codec\":\"cwz\",\"first\":{first},\"last\":{last},\"root\":\"{root}\",\
         \"sha256\":\"{sha256}\"}}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::SigningKey;
    use crate::plain::write_plain;
    use crate::storage::MemStorage;
    use crate::verify::{VerifyKeys, verify_plain};

    fn entries(count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|n| [&[0x10; 104], &n.to_le_bytes()[..]].concat()).collect()
    }

    fn archived(entries: &[Vec<u8>]) -> (MemStorage, MemStorage, Archived) {
        let key = SigningKey::from_seed("cwts.example/cold", &[7; 32]).unwrap();
        let (mut log, mut cold) = (MemStorage::default(), MemStorage::default());
        write_plain(&mut log, &key, entries.iter().map(Vec::as_slice)).unwrap();
        let vkey = format!("{}\n", key.verify_key());
        for storage in [&mut log, &mut cold] {
            replace_file(storage, VKEY_FILE, vkey.as_bytes()).unwrap();
        }
        let done = archive(&Published::read(&log).unwrap(), &mut cold).unwrap();
        (log, cold, done)
    }

    fn contents(storage: &MemStorage) -> Vec<(String, Vec<u8>)> {
        let bytes = |name: &str| storage.read_all(name, 1 << 24).unwrap().unwrap();
        let files = storage.list().unwrap().into_iter();
        files.map(|file| (file.name.clone(), bytes(&file.name))).collect()
    }

    #[test]
    fn an_archive_gives_back_every_file_of_the_log() {
        for count in [0, 1, 256, 257, 65_535, 65_536, 65_537] {
            let (log, cold, done) = archived(&entries(count));
            assert_eq!(done.entries, count as u64);
            assert_eq!(done.blocks, (count as u64).div_ceil(65_536));
            let mut back = MemStorage::default();
            let (signed, read) = restore(&cold, &mut back).unwrap();
            assert_eq!((signed.size, read), (count as u64, done));
            assert!(contents(&back) == contents(&log), "{count} entries");
            assert!(verify_plain(&back, &VerifyKeys::default()).unwrap().is_ok());
        }
    }

    #[test]
    fn long_entries_begin_a_new_block() {
        let long: Vec<Vec<u8>> = (0..1100_u32).map(|n| vec![n as u8; 65_535]).collect();
        let (_, cold, done) = archived(&long);
        assert_eq!(done.blocks, 2);
        assert!(restore(&cold, &mut MemStorage::default()).is_ok());
    }

    #[test]
    fn damage_is_named_and_nothing_is_signed() {
        let (_, cold, _) = archived(&entries(70_000));
        let block = |first: u64, last: u64| format!("archive/{first:020}-{last:020}");
        let (one, two) = (block(0, 65_535), block(65_536, 69_999));
        let broken = |change: &dyn Fn(&mut MemStorage)| {
            let mut cold = MemStorage::default();
            for (name, bytes) in contents(&archived(&entries(70_000)).1) {
                replace_file(&mut cold, &name, &bytes).unwrap();
            }
            change(&mut cold);
            let mut back = MemStorage::default();
            let error = restore(&cold, &mut back).unwrap_err();
            assert_eq!(back.read_all(CHECKPOINT_FILE, NOTE_BYTES_MAX).unwrap(), None);
            error.to_string()
        };
        let (cwz, json) = (format!("{two}.cwz"), format!("{two}.json"));
        let text = broken(&|s| s.write_at(&cwz, 300, &[1, 2, 3]).unwrap());
        assert!(text.starts_with(&format!("`{cwz}`: byte 24: the CRC-32C")), "{text}");
        let text = broken(&|s| s.write_at(&json, 36, b"9").unwrap());
        assert_eq!(text, format!("`{json}`: it is not what the block beside it gives"));
        let text = broken(&|s| s.unlink(&json).unwrap());
        assert_eq!(text, format!("`{json}`: the manifest of a block is missing"));
        let text = broken(&|s| s.unlink(&format!("{one}.cwz")).unwrap());
        assert_eq!(text, format!("`{cwz}`: another entry is next"));
        let text = broken(&|s| s.unlink(&cwz).unwrap());
        assert!(text.contains("do not give the signed root"), "{text}");
        // One that is right in itself, of other entries: only the signed root tells.
        let mut other = entries(70_000).split_off(65_536);
        other[9][50] ^= 1;
        let mut forged = Block::new(65_536);
        for entry in &other {
            forged.push(entry).unwrap();
        }
        let text = broken(&|s| put_block(&forged, s).unwrap());
        assert!(text.contains("do not give the signed root"), "{text}");
        let mut unfinished = cold;
        unfinished.unlink(CHECKPOINT_FILE).unwrap();
        assert!(restore(&unfinished, &mut MemStorage::default()).is_err());
    }
}
