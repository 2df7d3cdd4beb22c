//! Moves whole segments into cold blocks, proves them against the signed root, and only then lets
//! go of what the blocks hold.

use cwts_types::{Archive, ArchiveCodec};
use sha2::{Digest as _, Sha256};

use super::frames::{SEGMENT_BYTES_MAX, SegmentFrames, entries_of};
use super::{FRAMES_ENDING, Index, read_frames};
use crate::archive::{ARCHIVE_DIRECTORY, ArchiveError, name, put_block, range_name, read_block};
use crate::bundle::BundleId;
use crate::cold::Block;
use crate::frame::{SEGMENT_DIRECTORY, parse_segment_name, segment_name};
use crate::merkle::{CompactRange, leaf_hash};
use crate::published::{Published, PublishedError};
use crate::range::RangeFold;
use crate::storage::{Storage, StorageError, replace_file};
use crate::tile::{TILE_WIDTH, TileId};

/// What was packed, and may be let go of once its entries say so durably.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    /// The bodies of the ARCHIVE entries, one a block.
    pub blocks: Vec<Archive>,
    /// First entries of the segments.
    segments: Vec<u64>,
    /// Behind the last entry that is packed now, by this call or earlier.
    pub end: u64,
    /// Bytes of the files that were written.
    pub bytes: u64,
    /// Entries that were packed.
    pub entries: u64,
}

/// Up to which entry whole segments can be packed that end at `before` or earlier; the segment
/// that is written is never among them.
pub fn repack_bound(storage: &impl Storage, before: u64) -> Result<u64, StorageError> {
    let firsts = segments(storage)?;
    Ok(firsts.into_iter().filter(|first| *first <= before).max().unwrap_or(0))
}

fn segments(storage: &impl Storage) -> Result<Vec<u64>, StorageError> {
    let files = storage.list()?;
    let mut firsts: Vec<u64> =
        files.iter().filter_map(|file| parse_segment_name(&file.name)).collect();
    firsts.sort_unstable();
    Ok(firsts)
}

/// Packs every whole segment that ends at `before` or earlier, reads it back, and proves it against
/// the signed root. Everything is durable when this returns, and nothing was removed.
///
/// # Errors
/// No checkpoint covers a segment yet, what was written does not give it back bit for bit, or the
/// storage fails.
pub fn pack(storage: &mut impl Storage, before: u64) -> Result<Packed, ArchiveError> {
    let firsts = segments(storage)?;
    let mut packed = Packed::default();
    for pair in firsts.windows(2) {
        let [first, end] = *pair else { break };
        if end > before {
            break;
        }
        packed.end = end;
        if !storage.is_archived(&segment_name(first))? {
            pack_segment(storage, first, end, &mut packed)?;
        }
    }
    Ok(packed)
}

fn pack_segment(
    storage: &mut impl Storage,
    first: u64,
    end: u64,
    packed: &mut Packed,
) -> Result<(), ArchiveError> {
    let file = segment_name(first);
    let differs = |what| ArchiveError::Differs { file: segment_name(first), what };
    let segment = storage.read_all(&file, SEGMENT_BYTES_MAX)?.ok_or(differs("it is gone"))?;
    let peaks = Published::read(storage)?.peaks(first)?;
    let before = CompactRange::from_peaks(first, &peaks).ok_or(differs("tiles are missing"))?;
    let frames = SegmentFrames::of(&segment, &before).map_err(differs)?;
    if frames.first + frames.entries != end {
        return Err(differs("the next segment does not follow it"));
    }
    let mut names = Vec::new();
    let mut block = Block::new(first);
    for entry in entries_of(&segment) {
        if !block.fits(entry) {
            names.push(name(&block, "cwz"));
            put_block(&block, storage)?;
            block = Block::new(block.first() + block.count());
        }
        let file = name(&block, "cwz");
        block.push(entry).map_err(|source| ArchiveError::Block { file, source })?;
    }
    names.push(name(&block, "cwz"));
    put_block(&block, storage)?;
    let frames_file = range_name(first, end - 1, FRAMES_ENDING);
    replace_file(storage, &frames_file, &frames.encode())?;
    storage.sync_dir(ARCHIVE_DIRECTORY)?;
    storage.sync_dir("")?;

    // What is on disk counts, not what was meant to be there.
    let log = Published::read(storage)?;
    let proof = log.range(first, end)?;
    if proof.root().ok() != Some(log.checkpoint.root) {
        return Err(PublishedError::Root.into());
    }
    let (mut fold, mut faults, mut blocks) = (RangeFold::new(&proof), 0_u64, Vec::new());
    for name in &names {
        let (block, bytes) = read_block(storage, name)?;
        let mut range = CompactRange::new();
        for entry in block.entries() {
            fold.row(entry, leaf_hash(entry), &mut |_| faults += 1);
            range.append(entry);
        }
        packed.blocks.push(Archive {
            first: block.first(),
            last: block.first() + block.count() - 1,
            root: range.root(),
            sha256: Sha256::digest(&bytes).into(),
            codec: ArchiveCodec::Cwz,
            bytes: bytes.len() as u64,
        });
        packed.bytes += bytes.len() as u64;
        blocks.push(block);
    }
    if faults > 0 || !fold.is_complete() {
        return Err(PublishedError::Root.into());
    }
    let frames = read_frames(storage, &frames_file)?;
    let again = frames.segment(blocks.iter().flat_map(Block::entries)).map_err(differs)?;
    if again != segment {
        return Err(differs("its blocks do not give it back bit for bit"));
    }
    packed.bytes += frames.encode().len() as u64;
    packed.entries += frames.entries;
    packed.segments.push(first);
    Ok(())
}

/// Removes what the blocks hold: the packed segments, and the full bundles and tiles of level 0
/// below the last of them. Gives how many bytes that frees.
///
/// The caller has logged [`Packed::blocks`], and that is durable.
pub fn prune(storage: &mut impl Storage, packed: &Packed) -> Result<u64, StorageError> {
    let files = storage.list()?;
    let end = Index::of(&files).end.min(packed.end);
    let mut freed = 0;
    for file in files {
        let is_held = match parse_segment_name(&file.name) {
            Some(first) => packed.segments.contains(&first),
            None => match (BundleId::parse(&file.name), TileId::parse(&file.name)) {
                (Some(bundle), _) => bundle.width == 256 && bundle.number < end / TILE_WIDTH,
                (_, Some(tile)) => {
                    tile.level == 0 && tile.width == 256 && tile.number < end / TILE_WIDTH
                }
                _ => false,
            },
        };
        if is_held && !storage.is_archived(&file.name)? {
            freed += file.size_bytes;
            storage.unlink(&file.name)?;
        }
    }
    storage.sync_dir(SEGMENT_DIRECTORY)?;
    Ok(freed)
}

/// Makes every archived file again in its place; gives how many. The blocks stay until the files
/// are durable, and are removed then.
///
/// # Errors
/// A block differs: nothing is removed then. Or the storage fails.
pub fn put_back(storage: &mut impl Storage) -> Result<u64, StorageError> {
    let mut made = 0;
    for file in storage.list()? {
        if !storage.is_archived(&file.name)? {
            continue;
        }
        let bytes = storage.read_all(&file.name, SEGMENT_BYTES_MAX)?;
        let Some(bytes) = bytes else { continue };
        replace_file(storage, &file.name, &bytes)?;
        made += 1;
    }
    storage.syncfs()?;
    // What a crash leaves without its frames belongs to no segment, and goes at the next opening.
    let mut files = storage.list_under(ARCHIVE_DIRECTORY)?;
    files.sort_by_key(|file| !file.name.ends_with(FRAMES_ENDING));
    for file in files {
        storage.unlink(&file.name)?;
    }
    Ok(made)
}
