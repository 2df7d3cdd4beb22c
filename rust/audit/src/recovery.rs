//! Opening a log: walk the frames, cut a torn tail, refuse what no crash can leave behind.
//!
//! Source: design note "audit", section 4, "Open, recovery, rollback". The rule that tells a
//! crash from an attack: only the last frame can be unsynced, so a good frame behind a bad one
//! means tampering; and whatever was signed must still be there.

use cwts_types::RecoveryCause;

use crate::anchor::Anchor;
use crate::bundle::{BundleId, last_bundle};
use crate::epoch::EpochAt;
use crate::error::{LogError, VisitError};
use crate::frame::{
    Entries, Frame, FrameHeader, SEGMENT_DIRECTORY, Window, find_later_frame, nonzero_end,
    parse_segment_name,
};
use crate::keys::Keys;
use crate::merkle::{Hash, leaf_hash};
use crate::signed::{Signed, SignedRoots};
use crate::storage::{FileStat, Storage, TEMPORARY};
use crate::tiers::is_unfinished;
use crate::tile::{TILE_DIRECTORY, TILE_LEVELS, TileId, right_edge_tile};
use crate::tile_file::{Stored, stored_file, stored_tile, write_derived, write_tile};
use crate::writer::{Options, Segment, Writer, log_id_of};

/// Sees every entry, in order, while a log is opened; an error refuses the log.
pub type Visitor<'a> = dyn FnMut(u64, &[u8]) -> Result<(), VisitError> + 'a;

/// What was found when a log was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// `None` after a clean shutdown; else the caller appends a RECOVERY entry with this cause.
    pub cause: Option<RecoveryCause>,
    /// Good entries; the last good index is one below.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
    /// Bytes of a torn frame that were cut.
    pub cut_bytes: u64,
    /// Tiles that were missing or differed and were written again.
    pub tiles_rebuilt: u64,
    /// When the last good frame was committed.
    pub last_commit_utc_ns: u64,
}

impl Opened {
    /// Whether the last shutdown was clean.
    pub fn is_clean(&self) -> bool {
        self.cause.is_none()
    }
}

impl<S: Storage> Writer<S> {
    /// Opens a log, giving every entry to `visit` in order, and cuts a torn tail.
    ///
    /// # Errors
    /// `InUse` while another writer lives; `Tamper` and `Rollback` for what no crash can do: the
    /// log is then left as it is.
    pub fn open(
        storage: S,
        keys: Keys,
        options: Options,
        visit: &mut Visitor<'_>,
    ) -> Result<(Self, Opened), LogError> {
        Self::open_anchored(storage, keys, options, None, visit)
    }

    /// [`Writer::open`] of a log whose newest checkpoint is also kept by an anchor, which the log
    /// must have gone on from.
    pub fn open_anchored(
        mut storage: S,
        keys: Keys,
        options: Options,
        anchor: Option<Box<dyn Anchor>>,
        visit: &mut Visitor<'_>,
    ) -> Result<(Self, Opened), LogError> {
        storage.lock()?;
        let files = storage.list()?;
        let segments: Vec<&FileStat> =
            files.iter().filter(|f| parse_segment_name(&f.name).is_some()).collect();
        if segments.is_empty() {
            return Err(LogError::Empty);
        }
        let verify_key = keys.signing.verify_key().clone();
        let (signed, anchored) = Signed::read(&storage, anchor, &verify_key)?;
        let placeholder = Segment { name: String::new(), position: 0, zeroed: 0 };
        let mut writer = Self::empty(storage, keys, options, [0; 8], placeholder);

        let mut walk = Walk {
            signed: &signed,
            roots: signed.roots(),
            head_found: false,
            repairs: Repairs::default(),
            frames: 0,
            last_frame: None,
            epoch: EpochAt::default(),
        };
        let end = writer.walk_segments(&segments, &mut walk, visit)?;
        if writer.durable_size == 0 {
            return Err(LogError::Empty);
        }
        let frames = walk.frames;
        signed.check(&walk.roots, walk.head_found, frames, writer.durable_size)?;
        writer.epochs.fit(&walk.epoch)?;

        // From here on files change: everything that could refuse the log has been looked at.
        // Room behind CLOSE was made for a frame that never came.
        let at_end = writer.segment.position == writer.segment.zeroed;
        let clean = end.cut_bytes == 0
            && (at_end && writer.segment.position > 0)
            && signed
                .wal_head
                .as_ref()
                .is_some_and(|head| head.size == writer.durable_size && head.root == writer.chain);
        let cause = match (clean, end.cut_bytes) {
            (true, _) => None,
            (false, 0) => Some(RecoveryCause::NoClose),
            (false, _) => Some(RecoveryCause::TornTail),
        };
        if !clean {
            writer.sync_again(walk.last_frame)?;
        }
        if end.cut_bytes > 0 {
            writer.storage.set_len(&writer.segment.name, writer.segment.position)?;
            writer.storage.sync_data(&writer.segment.name)?;
            writer.segment.zeroed = writer.segment.position;
        }
        let signed_size = signed.checkpoint.as_ref().map_or(0, |c| c.size);
        writer.epochs.settle(walk.epoch, signed_size)?;
        writer.anchor = anchored;
        writer.checkpoint.clone_from(&signed.checkpoint);
        writer.repair_full_tiles(&mut walk.repairs)?;
        let mut rebuilt = walk.repairs.missing_written;
        for (tile, hashes) in walk.repairs.differing.drain(..) {
            write_tile(&mut writer.storage, tile, &hashes)?;
            rebuilt += 1;
        }
        for (bundle, bytes) in walk.repairs.differing_bundles.drain(..) {
            write_derived(&mut writer.storage, &bundle.path(), &bytes, true)?;
            rebuilt += 1;
        }
        rebuilt += writer.repair_partial_tiles(&files)?;
        if signed.checkpoint.is_none() {
            // Its creation was cut short. With a second frame and no checkpoint it would be taken
            // for one that was rolled back.
            writer.checkpoint()?;
        }
        writer.begin_segment()?;
        let opened = Opened {
            cause,
            size: writer.durable_size,
            root: writer.durable_root,
            cut_bytes: end.cut_bytes,
            tiles_rebuilt: rebuilt,
            last_commit_utc_ns: writer.last_utc_ns,
        };
        Ok((writer, opened))
    }

    /// Makes durable what was read. A process that was killed, or whose sync failed, leaves a last
    /// frame that can be read and is on no disk: the system may have marked its pages clean, so
    /// that a sync alone would write nothing. The frames before it were synced before it was
    /// written.
    fn sync_again(&mut self, last_frame: Option<(String, u64, u64)>) -> Result<(), LogError> {
        if let Some((name, start, bytes)) = last_frame {
            let mut window = Window::new(&name);
            let frame = window.read(&self.storage, start, bytes as usize)?.to_vec();
            self.storage.write_at(&name, start, &frame)?;
            self.storage.sync_data(&name)?;
        }
        self.storage.sync_dir(SEGMENT_DIRECTORY)?;
        Ok(self.storage.sync_dir("")?)
    }

    /// Walks every frame, and leaves the writer at the end of the last good one.
    fn walk_segments(
        &mut self,
        segments: &[&FileStat],
        walk: &mut Walk<'_>,
        visit: &mut Visitor<'_>,
    ) -> Result<End, LogError> {
        for (number, file) in segments.iter().enumerate() {
            let first_index = parse_segment_name(&file.name).unwrap_or(u64::MAX);
            if first_index != self.durable_size {
                return Err(LogError::Tamper {
                    file: file.name.clone(),
                    offset: 0,
                    what: format!("the log goes on at {}, not there", self.durable_size),
                });
            }
            let (mut offset, mut last_frame) = (0, None);
            let mut window = Window::new(&file.name);
            let fault = loop {
                if offset == file.size_bytes {
                    break None;
                }
                match self.take_frame(&mut window, offset, walk, visit)? {
                    Ok(frame_bytes) => {
                        last_frame = Some((offset, frame_bytes));
                        offset += frame_bytes;
                    }
                    Err(what) => break Some(what),
                }
            };
            if let Some((start, bytes)) = last_frame {
                walk.last_frame = Some((file.name.clone(), start, bytes));
            }
            self.segment =
                Segment { name: file.name.clone(), position: offset, zeroed: file.size_bytes };
            let Some(what) = fault else { continue };
            return self.end_at(&segments[number..], offset, &what);
        }
        Ok(End { cut_bytes: 0 })
    }

    /// A bad frame at `offset` of the first of `segments`: the end, a torn tail, or tampering.
    fn end_at(&self, segments: &[&FileStat], offset: u64, what: &str) -> Result<End, LogError> {
        let expected = self.durable_size;
        let log_id = (expected > 0).then_some(self.log_id);
        for (number, file) in segments.iter().enumerate() {
            // The bad frame's own header may be good; one behind it must not be.
            let from = if number == 0 { offset + 1 } else { 0 };
            let size = file.size_bytes;
            let found = find_later_frame(&self.storage, &file.name, from, size, log_id, expected)?;
            if let Some((at, header)) = found {
                return Err(LogError::Tamper {
                    file: segments[0].name.clone(),
                    offset,
                    what: format!(
                        "{what}, and yet frame {} stands in `{}` at {at}",
                        header.first_index, file.name
                    ),
                });
            }
        }
        if let Some(later) = segments.get(1) {
            // A segment is begun only when every frame of the one before is durable.
            return Err(LogError::Tamper {
                file: segments[0].name.clone(),
                offset,
                what: format!("{what}, and yet segment `{}` was begun", later.name),
            });
        }
        let file = segments[0];
        let end = nonzero_end(&self.storage, &file.name, offset, file.size_bytes)?;
        Ok(End { cut_bytes: end - offset })
    }

    /// Takes in one frame if every check holds, and gives its length.
    fn take_frame(
        &mut self,
        window: &mut Window<'_>,
        offset: u64,
        walk: &mut Walk<'_>,
        visit: &mut Visitor<'_>,
    ) -> Result<Result<u64, String>, LogError> {
        let frame = match window.frame(&self.storage, offset)? {
            Ok(frame) => frame,
            Err(fault) => return Ok(Err(fault.to_string())),
        };
        let mut range = self.range.clone();
        let mut leaves = Vec::with_capacity(frame.header.count as usize);
        let mut roots = walk.roots;
        let checked = check_frame(&frame, self.durable_size, &self.chain, |entry| {
            let leaf = leaf_hash(entry);
            leaves.push((leaf, range.append_to_tile(leaf)));
            roots.see(&range);
        });
        if let Err(what) = checked {
            return Ok(Err(what));
        }
        let log_id = if self.durable_size == 0 {
            match Entries::new(frame.payload).nth(1) {
                Some(Ok((_, genesis))) => log_id_of(genesis),
                _ => return Ok(Err("the first frame holds no GENESIS".to_owned())),
            }
        } else {
            self.log_id
        };
        if frame.header.log_id != log_id {
            return Ok(Err("the frame is of another log".to_owned()));
        }
        if range.root() != *frame.root_after {
            return Ok(Err("the entries do not give the frame's root".to_owned()));
        }
        let hash = frame.hash();
        let before = (self.durable_size, &self.durable_root, &self.chain);
        let epoch = match self.epochs.of_frame(&walk.epoch, &frame, &hash, before)? {
            Ok(epoch) => epoch,
            Err(what) => return Ok(Err(what)),
        };
        let first_index = self.durable_size;
        for (position, entry) in Entries::new(frame.payload).enumerate() {
            if let Ok((_, entry)) = entry {
                let index = first_index + position as u64;
                visit(index, entry).map_err(|source| LogError::Visit { index, source })?;
            }
        }
        walk.frames += 1;
        walk.epoch = epoch;
        walk.roots = roots;
        let frame_bytes = frame.size_bytes() as u64;
        self.chain = crate::frame::chain_value(&hash, frame.mac);
        self.last_utc_ns = frame.header.utc_ns;
        self.log_id = log_id;
        self.durable_size = range.size();
        self.durable_root = range.root();
        self.range = range;
        for (leaf, tile_root) in leaves {
            self.tiles.append_with_root(leaf, tile_root);
        }
        let head = walk.signed.wal_head.as_ref();
        walk.head_found |=
            head.is_some_and(|h| h.size == self.durable_size && h.root == self.chain);
        if self.options.bundles {
            self.bundles.append(frame.payload);
        }
        if self.backlog_is_full() {
            self.repair_full_tiles(&mut walk.repairs)?;
        }
        Ok(Ok(frame_bytes))
    }

    /// Compares the tiles that are full with those stored. Missing ones are written at once; one
    /// that differs may be evidence, so it is only remembered until the log has proved sound.
    fn repair_full_tiles(&mut self, repairs: &mut Repairs) -> Result<(), LogError> {
        let (tiles, storage) = (&mut self.tiles, &mut self.storage);
        self.bundles.take_full(|bundle, bytes| {
            match stored_file(storage, &bundle.path(), bytes)? {
                Stored::Equal => {}
                Stored::Missing => {
                    write_derived(storage, &bundle.path(), bytes, true)?;
                    repairs.missing_written += 1;
                }
                Stored::Differs if repairs.bundle_bytes < DIFFERING_BUNDLE_BYTES_MAX => {
                    repairs.bundle_bytes += bytes.len();
                    repairs.differing_bundles.push((bundle, bytes.to_vec()));
                }
                // Left as it is: `verify` names it.
                Stored::Differs => {}
            }
            Ok::<(), LogError>(())
        })?;
        tiles.take_full(self.durable_size, |tile, hashes| {
            match stored_tile(storage, tile, hashes)? {
                Stored::Equal => {}
                Stored::Missing => {
                    write_tile(storage, tile, hashes)?;
                    repairs.missing_written += 1;
                }
                Stored::Differs if repairs.differing.len() < DIFFERING_TILES_MAX => {
                    repairs.differing.push((tile, hashes.to_vec()));
                }
                // Left as it is: `verify` names it.
                Stored::Differs => {}
            }
            Ok(())
        })
    }

    /// Brings the partial tiles to those of the last checkpoint, and removes temporary files.
    fn repair_partial_tiles(&mut self, files: &[FileStat]) -> Result<u64, LogError> {
        let size = self.checkpoint.as_ref().map_or(0, |c| c.size);
        let wanted: Vec<TileId> =
            (0..TILE_LEVELS).filter_map(|level| right_edge_tile(size, level)).collect();
        let bundle = last_bundle(size).filter(|_| self.options.bundles);
        for file in files {
            let stale = TileId::parse(&file.name)
                .is_some_and(|tile| tile.width < 256 && !wanted.contains(&tile))
                || BundleId::parse(&file.name)
                    .is_some_and(|held| held.width < 256 && Some(held) != bundle);
            let ours = file.name.starts_with(TILE_DIRECTORY) || !file.name.contains('/');
            if stale || is_unfinished(&file.name, files) || (ours && file.name.ends_with(TEMPORARY))
            {
                self.storage.unlink(&file.name)?;
            }
        }
        // A tile of the checkpoint's size that is lost comes back with the next checkpoint, which
        // is always written: forgetting the old one makes it so.
        let mut lost = 0;
        for tile in &wanted {
            let stat = files.iter().find(|f| f.name == tile.path());
            lost += u64::from(stat.is_none_or(|f| f.size_bytes != tile.size_bytes() as u64));
        }
        // Of a bundle only the presence is asked: its length follows from no name.
        let there = |bundle: &BundleId| files.iter().any(|f| f.name == bundle.path());
        lost += u64::from(bundle.is_some_and(|bundle| !there(&bundle)));
        self.partial_tiles = wanted;
        self.partial_bundle = bundle;
        if lost > 0 {
            self.checkpoint = None;
        }
        Ok(lost)
    }
}

/// Tiles that were lost or changed since they were written.
#[derive(Default)]
struct Repairs {
    missing_written: u64,
    differing: Vec<(TileId, Vec<Hash>)>,
    differing_bundles: Vec<(BundleId, Vec<u8>)>,
    bundle_bytes: usize,
}

/// Tiles kept in memory until the log has proved sound: 32 MiB.
const DIFFERING_TILES_MAX: usize = 4096;
/// Bundles kept in memory until the log has proved sound.
const DIFFERING_BUNDLE_BYTES_MAX: usize = 32 << 20;

/// The checks of a frame that need no key; `entry` sees each entry in order.
pub(crate) fn check_frame(
    frame: &Frame<'_>,
    first_index: u64,
    chain: &Hash,
    mut entry: impl FnMut(&[u8]),
) -> Result<(), String> {
    let FrameHeader { count, first_index: stated, .. } = frame.header;
    if stated != first_index {
        return Err(format!("the frame starts at {stated}, and {first_index} is next"));
    }
    if frame.prev != chain {
        return Err("the frame does not follow the one before".to_owned());
    }
    if !frame.payload_is_whole() {
        return Err("the payload's crc32c is wrong".to_owned());
    }
    if frame.padding.iter().any(|b| *b != 0) {
        return Err("the padding is not zero".to_owned());
    }
    let mut seen = 0;
    for item in Entries::new(frame.payload) {
        let (_, bytes) = item.map_err(|f| format!("an entry's length leads past {}", f.offset))?;
        entry(bytes);
        seen += 1;
    }
    if seen == count { Ok(()) } else { Err(format!("the frame holds {seen} entries, not {count}")) }
}

/// Where the frames end.
struct End {
    cut_bytes: u64,
}

/// What the walk looks for on its way.
struct Walk<'a> {
    signed: &'a Signed,
    roots: SignedRoots,
    head_found: bool,
    repairs: Repairs,
    frames: u64,
    epoch: EpochAt,
    /// Where the last good frame starts in the last segment that has one, and its length.
    last_frame: Option<(String, u64, u64)>,
}
