//! The only appender: entries in, durable frames, tiles and signed checkpoints out.
//!
//! Invariants: exactly one frame is not yet synced, so that recovery can tell a torn tail from
//! tampering; nothing above the durable size is ever signed; after an I/O error nothing more is
//! written, because a second fsync may claim success for pages that the system has dropped.

use crate::anchor::{Anchor, Anchored};
use crate::bundle::{BundleBuilder, BundleId};
use crate::epoch::{Epochs, is_seal};
use crate::error::LogError;
use crate::frame::{
    FRAME_ENTRIES_MAX, FRAME_HEADER_BYTES, FRAME_PAYLOAD_BYTES_MAX, FrameHeader, LENGTH_BYTES,
    SEGMENT_DIRECTORY, chain_value, frame_bytes, frame_hash, segment_name,
};
use crate::keys::Keys;
use crate::merkle::{CompactRange, Hash, leaf_hash};
use crate::note::{Checkpoint, SigningKey};
use crate::storage::{LOCK_FILE, Storage, replace_file};
use crate::tile::{TileBuilder, TileId};

/// The newest signed checkpoint.
pub const CHECKPOINT_FILE: &str = "checkpoint";
/// The signed end of the frame chain of a closed log.
pub const WAL_HEAD_FILE: &str = "wal.head";
/// The log's verification key.
pub const VKEY_FILE: &str = "log.vkey";

/// What may be chosen when a log is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// A segment is left for the next one before it would pass this length.
    pub segment_bytes: u64,
    /// Whether closing waits for the tiles to be durable, each is put in place in one step, and
    /// segments are filled with zeros ahead. A log that is made again at will (a replay) needs
    /// none of these; its frames are synced all the same.
    pub sync_tiles: bool,
    /// Whether entry bundles are written beside the tiles. A replay's log does without: they hold
    /// its entries a second time, and `unpack` writes them for whoever has other people's tools.
    pub bundles: bool,
    /// Whether opening begins a new segment, so that those before it can be archived whole.
    pub new_segment: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_bytes: SEGMENT_BYTES, sync_tiles: true, bundles: true, new_segment: false }
    }
}

/// The open log.
#[derive(Debug)]
pub struct Writer<S: Storage> {
    pub(crate) storage: S,
    pub(crate) signing: SigningKey,
    pub(crate) epochs: Epochs,
    pub(crate) options: Options,
    pub(crate) log_id: [u8; 8],
    /// Everything pushed, durable or not.
    pub(crate) range: CompactRange,
    pub(crate) tiles: TileBuilder,
    /// Holds durable entries only.
    pub(crate) bundles: BundleBuilder,
    /// What the next frame's `prev` is.
    pub(crate) chain: Hash,
    pub(crate) durable_size: u64,
    pub(crate) durable_root: Hash,
    pub(crate) segment: Segment,
    /// Header space, then the payload of the frame that is being filled.
    pub(crate) frame: Vec<u8>,
    pub(crate) frame_entries: usize,
    pub(crate) last_utc_ns: u64,
    /// The latest day of a frame, in days of UTC: a live log begins a segment with each day.
    pub(crate) day: u64,
    pub(crate) checkpoint: Option<Checkpoint>,
    pub(crate) anchor: Option<Anchored>,
    /// Partial tiles and the partial bundle of the last checkpoint, to be removed after the next.
    pub(crate) partial_tiles: Vec<TileId>,
    pub(crate) partial_bundle: Option<BundleId>,
    pub(crate) failed: bool,
}

/// The segment that is being written.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) name: String,
    /// Where the next frame goes.
    pub(crate) position: u64,
    /// Up to where zeros were written and synced.
    pub(crate) zeroed: u64,
}

impl<S: Storage> Writer<S> {
    /// Starts a log in an empty directory with these entries: SCHEMA, GENESIS, and what else
    /// belongs to the start. They are durable and under a signed checkpoint on return.
    pub fn create(
        storage: S,
        keys: Keys,
        first_entries: &[&[u8]],
        utc_ns: u64,
        options: Options,
    ) -> Result<Self, LogError> {
        Self::create_anchored(storage, keys, first_entries, utc_ns, options, None)
    }

    /// [`Writer::create`] of a log whose newest checkpoint is also kept by an anchor.
    pub fn create_anchored(
        mut storage: S,
        keys: Keys,
        first_entries: &[&[u8]],
        utc_ns: u64,
        options: Options,
        anchor: Option<Box<dyn Anchor>>,
    ) -> Result<Self, LogError> {
        let anchor = anchor.map(Anchored::of_new).transpose()?;
        let Some(genesis) = first_entries.get(1) else {
            return Err(LogError::FirstEntries { count: first_entries.len() });
        };
        storage.lock()?;
        if let Some(file) = storage.list()?.into_iter().find(|f| f.name != LOCK_FILE) {
            return Err(LogError::Exists { file: file.name });
        }
        let vkey = format!("{}\n", keys.signing.verify_key());
        replace_file(&mut storage, VKEY_FILE, vkey.as_bytes())?;
        let segment = start_segment(&mut storage, 0)?;
        let log_id = log_id_of(genesis);
        let mut writer = Self::empty(storage, keys, options, log_id, segment);
        writer.anchor = anchor;
        for entry in first_entries {
            writer.last_utc_ns = utc_ns;
            writer.push(entry)?;
        }
        writer.commit(utc_ns)?;
        writer.checkpoint()?;
        Ok(writer)
    }

    pub(crate) fn empty(
        storage: S,
        keys: Keys,
        options: Options,
        log_id: [u8; 8],
        segment: Segment,
    ) -> Self {
        let Keys { signing, chain, previous, file } = keys;
        let range = CompactRange::new();
        let mut frame = Vec::with_capacity(FRAME_CAPACITY_BYTES);
        frame.resize(FRAME_HEADER_BYTES, 0);
        Self {
            storage,
            signing,
            epochs: Epochs::new(chain, previous, file),
            options,
            log_id,
            durable_root: range.root(),
            range,
            tiles: TileBuilder::new(),
            bundles: BundleBuilder::default(),
            chain: CHAIN_START,
            durable_size: 0,
            segment,
            frame,
            frame_entries: 0,
            last_utc_ns: 0,
            day: 0,
            checkpoint: None,
            anchor: None,
            partial_tiles: Vec::new(),
            partial_bundle: None,
            failed: false,
        }
    }

    /// Appends an entry and gives its index. It is durable after the next [`Writer::commit`]; a
    /// full frame is committed first, under the time of the last commit.
    ///
    /// # Errors
    /// The entry is too long, it is a KEY_EPOCH ([`Writer::evolve`] writes those), or the writer
    /// has failed.
    #[inline]
    pub fn push(&mut self, entry: &[u8]) -> Result<u64, LogError> {
        if is_seal(entry) { Err(LogError::Seal) } else { self.push_any(entry) }
    }

    #[inline]
    pub(crate) fn push_any(&mut self, entry: &[u8]) -> Result<u64, LogError> {
        if self.failed {
            return Err(LogError::Failed);
        }
        let Ok(length) = u16::try_from(entry.len()) else {
            return Err(LogError::EntryTooLong { bytes: entry.len() });
        };
        if !self.fits(entry.len()) {
            self.commit(self.last_utc_ns)?;
        }
        let index = self.range.size();
        let leaf = leaf_hash(entry);
        let tile_root = self.range.append_to_tile(leaf);
        self.tiles.append_with_root(leaf, tile_root);
        self.frame.extend_from_slice(&length.to_be_bytes());
        self.frame.extend_from_slice(entry);
        self.frame_entries += 1;
        Ok(index)
    }

    /// Whether an entry of this length still goes into the frame that is being filled.
    #[inline]
    pub fn fits(&self, entry_bytes: usize) -> bool {
        let payload = self.frame.len() - FRAME_HEADER_BYTES + LENGTH_BYTES + entry_bytes;
        self.frame_entries < FRAME_ENTRIES_MAX && payload <= FRAME_PAYLOAD_BYTES_MAX
    }

    /// Makes everything pushed durable and gives the durable size.
    pub fn commit(&mut self, utc_ns: u64) -> Result<u64, LogError> {
        if self.failed {
            return Err(LogError::Failed);
        }
        self.last_utc_ns = utc_ns;
        if self.frame_entries == 0 {
            return Ok(self.durable_size);
        }
        let done = self.commit_frame(utc_ns);
        self.note_failure(done)?;
        Ok(self.durable_size)
    }

    /// Writes the tiles of the durable size, signs it, and puts the checkpoint in place.
    pub fn checkpoint(&mut self) -> Result<Checkpoint, LogError> {
        if self.failed {
            return Err(LogError::Failed);
        }
        if let Some(last) = &self.checkpoint
            && last.size == self.durable_size
        {
            return Ok(last.clone());
        }
        let done = self.publish();
        self.note_failure(done)
    }

    /// Ends the log. `close_entry` encodes CLOSE from the size and root before it.
    pub fn close(
        mut self,
        utc_ns: u64,
        close_entry: impl FnOnce(u64, Hash) -> Vec<u8>,
    ) -> Result<Checkpoint, LogError> {
        let entry = close_entry(self.range.size(), self.range.root());
        self.push(&entry)?;
        self.commit(utc_ns)?;
        let done = self.finish();
        self.note_failure(done)
    }

    /// Entries pushed, durable or not.
    pub fn size(&self) -> u64 {
        self.range.size()
    }

    /// The root over everything pushed.
    pub fn root(&self) -> Hash {
        self.range.root()
    }

    /// Entries that no crash can take away.
    pub fn durable_size(&self) -> u64 {
        self.durable_size
    }

    /// Whether an I/O error has ended this writer.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// First 8 bytes of the leaf hash of GENESIS.
    pub fn log_id(&self) -> [u8; 8] {
        self.log_id
    }

    /// The log's origin.
    pub fn origin(&self) -> &str {
        self.signing.verify_key().name()
    }

    /// The files, for what stands beside the log: kill state, requests.
    pub fn storage_mut(&mut self) -> &mut S {
        &mut self.storage
    }

    pub(crate) fn note_failure<T>(&mut self, done: Result<T, LogError>) -> Result<T, LogError> {
        self.failed |= done.is_err();
        done
    }

    fn commit_frame(&mut self, utc_ns: u64) -> Result<(), LogError> {
        let payload_bytes = self.frame.len() - FRAME_HEADER_BYTES;
        let root = self.range.root();
        let header = FrameHeader {
            count: self.frame_entries as u32,
            first_index: self.durable_size,
            key_epoch: self.key_epoch(),
            payload_bytes: payload_bytes as u32,
            payload_crc: crc32c::crc32c(&self.frame[FRAME_HEADER_BYTES..]),
            log_id: self.log_id,
            utc_ns,
        }
        .encode();
        let hash = frame_hash(&header, &self.chain, &root);
        let mac = self.epochs.mac.compute(&hash);
        self.frame[..FRAME_HEADER_BYTES].copy_from_slice(&header);
        for part in [&self.chain, &root, &mac] {
            self.frame.extend_from_slice(part);
        }
        self.frame.resize(frame_bytes(payload_bytes), 0);

        let day = utc_ns / DAY_NS;
        self.make_room(self.frame.len() as u64, self.options.sync_tiles && day > self.day)?;
        self.day = self.day.max(day);
        self.storage.write_at(&self.segment.name, self.segment.position, &self.frame)?;
        self.storage.sync_data(&self.segment.name)?;

        self.segment.position += self.frame.len() as u64;
        self.chain = chain_value(&hash, &mac);
        self.durable_size = self.range.size();
        self.durable_root = root;
        if self.options.bundles {
            let payload = FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + payload_bytes;
            self.bundles.append(&self.frame[payload]);
        }
        self.frame.truncate(FRAME_HEADER_BYTES);
        self.frame_entries = 0;
        if self.backlog_is_full() {
            self.write_full_tiles()?;
        }
        Ok(())
    }

    /// Makes sure that zeros were written and synced where the next frame goes: a sync of the
    /// frame then changes no metadata, which is what makes it fast.
    fn make_room(&mut self, frame_bytes: u64, new_day: bool) -> Result<(), LogError> {
        let full = new_day || self.segment.position + frame_bytes > self.options.segment_bytes;
        if full && self.segment.position > 0 {
            self.next_segment()?;
        }
        let end = self.segment.position + frame_bytes;
        if end <= self.segment.zeroed {
            return Ok(());
        }
        if !self.options.sync_tiles {
            // Zeros make a sync fast for somebody who waits for it. Nobody waits for a log that
            // is made again at will, and it need not write every byte twice.
            self.segment.zeroed = end;
            return Ok(());
        }
        let step = self.segment.zeroed.clamp(ZERO_STEP_BYTES_MIN, ZERO_STEP_BYTES_MAX);
        let wanted = (self.segment.zeroed + step).min(self.options.segment_bytes).max(end);
        let mut at = self.segment.zeroed;
        while at < wanted {
            let count = (wanted - at).min(ZEROS.len() as u64);
            self.storage.write_at(&self.segment.name, at, &ZEROS[..count as usize])?;
            at += count;
        }
        self.storage.sync_data(&self.segment.name)?;
        self.segment.zeroed = wanted;
        Ok(())
    }

    /// Begins a segment at opening, if one is asked for.
    pub(crate) fn begin_segment(&mut self) -> Result<(), LogError> {
        self.day = self.last_utc_ns / DAY_NS;
        let begins = self.options.new_segment && self.segment.position > 0;
        if begins { self.next_segment() } else { Ok(()) }
    }

    /// The old segment ends with its last frame, so that each of its bytes is covered.
    pub(crate) fn next_segment(&mut self) -> Result<(), LogError> {
        self.trim_segment()?;
        self.segment = start_segment(&mut self.storage, self.durable_size)?;
        Ok(())
    }

    fn trim_segment(&mut self) -> Result<(), LogError> {
        self.storage.set_len(&self.segment.name, self.segment.position)?;
        self.storage.sync_data(&self.segment.name)?;
        self.segment.zeroed = self.segment.position;
        Ok(())
    }

    fn finish(&mut self) -> Result<Checkpoint, LogError> {
        self.trim_segment()?;
        let checkpoint = self.publish()?;
        if self.options.sync_tiles {
            // Before the head is signed: a closed log has all its tiles, and no old partial one.
            self.storage.syncfs()?;
        }
        let head = wal_head_text(self.origin(), self.durable_size, self.chain);
        let note = self.signing.sign(&head)?;
        replace_file(&mut self.storage, WAL_HEAD_FILE, note.encode().as_bytes())?;
        Ok(checkpoint)
    }
}

/// The log's id: first 8 bytes of the leaf hash of GENESIS, whose salt no other log has.
pub fn log_id_of(genesis: &[u8]) -> [u8; 8] {
    let leaf = leaf_hash(genesis);
    let mut id = [0; 8];
    id.copy_from_slice(&leaf[..8]);
    id
}

/// The signed text of `wal.head`: like a checkpoint, of the frame chain instead of the tree.
pub(crate) fn wal_head_text(origin: &str, size: u64, chain: Hash) -> String {
    Checkpoint { origin: wal_head_origin(origin), size, root: chain }.encode()
}

pub(crate) fn wal_head_origin(origin: &str) -> String {
    format!("{origin}{WAL_HEAD_SUFFIX}")
}

fn start_segment<S: Storage>(storage: &mut S, first_index: u64) -> Result<Segment, LogError> {
    let name = segment_name(first_index);
    storage.create(&name)?;
    storage.sync_dir(SEGMENT_DIRECTORY)?;
    storage.sync_dir("")?;
    Ok(Segment { name, position: 0, zeroed: 0 })
}

/// The chain value before the first frame.
pub(crate) const CHAIN_START: Hash = [0; 32];
/// How the origin of `wal.head` ends, so that no checkpoint can be taken for one.
const WAL_HEAD_SUFFIX: &str = "/wal-head";
/// A day of UTC.
const DAY_NS: u64 = 24 * 60 * 60 * 1_000_000_000;
/// The length of a segment.
const SEGMENT_BYTES: u64 = 64 << 20;
/// Zeros are written in steps that double: a new log is made quickly, a busy one seldom waits.
const ZERO_STEP_BYTES_MIN: u64 = 256 << 10;
const ZERO_STEP_BYTES_MAX: u64 = 8 << 20;
static ZEROS: [u8; 256 << 10] = [0; 256 << 10];
/// Room for a full frame of hot entries without growing.
const FRAME_CAPACITY_BYTES: usize = 1 << 20;
