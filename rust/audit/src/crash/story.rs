//! What one log lives through, and what its writer was told on the way.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cwts_types::{
    Body, Close, Entry, Genesis, Header, Kill, KillState, Note, Recovery, RecoveryCause, Register,
    RegisterKind, Scope,
};

use super::{KeyFolder, Random, Rig};
use crate::anchor::{Anchor, MemAnchor, Next};
use crate::error::LogError;
use crate::holds::HoldsFold;
use crate::key_file::create_key_file;
use crate::keys::{KeyChain, Keys};
use crate::note::SigningKey;
use crate::storage::sim::{DiskFault, SimDisk};
use crate::storage::sim_state::DiskStep;
use crate::storage::{Storage, StorageError, replace_file};
use crate::verify::VerifyKeys;
use crate::writer::{Options, Writer, log_id_of};

type Moves = Vec<(usize, Vec<u8>)>;

/// An anchor on a disk that is not the log's, and does not crash with it.
#[derive(Clone, Debug)]
struct SimAnchor {
    kept: MemAnchor,
    disk: SimDisk,
    /// What it kept from which step of the log's disk on.
    moves: Arc<Mutex<Moves>>,
}

impl SimAnchor {
    fn over(disk: &SimDisk, kept: Option<Vec<u8>>) -> Self {
        Self { kept: MemAnchor::keeping(kept), disk: disk.clone(), moves: Arc::default() }
    }

    fn moves(&self) -> MutexGuard<'_, Moves> {
        self.moves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Anchor for SimAnchor {
    fn place(&self) -> String {
        self.kept.place()
    }

    fn read(&self) -> Result<Option<Vec<u8>>, StorageError> {
        self.kept.read()
    }

    fn swap(&mut self, next: &mut Next<'_>) -> Result<(), LogError> {
        self.kept.swap(next)?;
        self.moves().extend(self.kept.kept().map(|kept| (self.disk.steps(), kept)));
        Ok(())
    }
}

/// What the writer's owner learns; it stands before the step with the same number.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// An entry was pushed.
    Pushed(Vec<u8>),
    /// So many entries are durable.
    Acknowledged(u64),
    /// The log was opened, and these entries were in it.
    Opened(Vec<Vec<u8>>),
    /// Files beside the log are written anew.
    Working,
    /// A close ended.
    Closed,
    /// A published checkpoint covers the seal before this epoch: its key is to be gone.
    Erased(u64),
}

/// A story: the steps of its disk, and the events between them.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) steps: Vec<DiskStep>,
    pub(super) events: Vec<(usize, Event)>,
    /// What the anchor kept, from which step on.
    pub(super) anchored: Moves,
    pub(super) disk_errors: u64,
    /// An opening that was refused, and why.
    pub(super) refused: Option<(usize, String)>,
}

/// Tells a story.
pub(super) fn tell<S: Rig>(random: &mut Random) -> Told {
    let disk = SimDisk::default();
    let mut told = Told::default();
    let anchor = SimAnchor::over(&disk, None);
    let sessions = 2 + random.below(3);
    for _ in 0..sessions {
        if random.below(2) == 0 {
            disk.fail_after(random.below(120), FAULTS[random.below(4) as usize]);
        }
        let mut session = Session::<S>::new(&disk, &anchor, &mut told);
        let done = session.live(random);
        match done {
            Ok(()) => {}
            Err(LogError::Storage(_)) => told.disk_errors += 1,
            // A log whose creation was cut short is made again elsewhere.
            Err(LogError::Empty | LogError::Exists { .. }) => break,
            Err(other) => {
                told.refused = Some((disk.steps(), other.to_string()));
                break;
            }
        }
        disk.heal();
    }
    told.steps = disk.steps_from(0);
    told.anchored.clone_from(&anchor.moves());
    told
}

/// Opens what a crash left, with what the anchor kept then, and goes on with it as a gateway does;
/// `told` learns what was pushed.
pub(super) fn go_on<S: Rig>(
    disk: &SimDisk,
    kept: Option<Vec<u8>>,
    told: &mut Told,
) -> Result<(), LogError> {
    let anchor = SimAnchor::over(disk, kept);
    let mut session = Session::<S>::new(disk, &anchor, told);
    let mut writer = session.open()?;
    session.push(&mut writer, Body::Tick)?;
    session.commit(&mut writer)?;
    session.evolve(&mut writer)?;
    session.commit(&mut writer)?;
    session.checkpoint(&mut writer)?;
    told.anchored.clone_from(&anchor.moves());
    Ok(())
}

struct Session<'a, S: Rig> {
    disk: &'a SimDisk,
    anchor: &'a SimAnchor,
    told: &'a mut Told,
    holds: HoldsFold,
    /// The newest seal that this session wrote.
    sealed_at: u64,
    rig: std::marker::PhantomData<S>,
}

impl<'a, S: Rig> Session<'a, S> {
    fn new(disk: &'a SimDisk, anchor: &'a SimAnchor, told: &'a mut Told) -> Self {
        let holds = HoldsFold::new();
        Self { disk, anchor, told, holds, sealed_at: 0, rig: std::marker::PhantomData }
    }

    fn anchor(&self) -> Box<dyn Anchor> {
        Box::new(self.anchor.clone())
    }

    fn event(&mut self, event: Event) {
        self.told.events.push((self.disk.steps(), event));
    }

    fn live(&mut self, random: &mut Random) -> Result<(), LogError> {
        let mut writer =
            if self.told.events.is_empty() { self.create(random)? } else { self.open()? };
        for _ in 0..=random.below(8) {
            match random.below(12) {
                0 => self.kill_files(&mut writer)?,
                1..3 => self.checkpoint(&mut writer)?,
                3 => self.evolve(&mut writer)?,
                _ => {
                    for _ in 0..=random.below(6) {
                        let body = self.body(random, writer.size());
                        self.push(&mut writer, body)?;
                    }
                    self.commit(&mut writer)?;
                }
            }
        }
        // Else the process is killed: what it wrote is still in the system's memory.
        if random.below(3) > 0 { self.close(writer) } else { Ok(()) }
    }

    fn create(&mut self, random: &mut Random) -> Result<Writer<S>, LogError> {
        let account = Register {
            kind: RegisterKind::Account,
            handle: 1,
            parent: 0,
            salt: [1; 16],
            name: "ACC".to_owned(),
        };
        let mut first = vec![self.entry(0, Body::Schema("[]".to_owned()))];
        first.push(self.entry(1, genesis()?));
        first.push(self.entry(2, Body::Register(account)));
        // Some logs start just below a full tile and a full bundle.
        let filled = if random.below(3) == 0 { 240 } else { 3 };
        while first.len() < filled {
            first.push(self.entry(first.len() as u64, Body::Tick));
        }
        for entry in &first {
            self.event(Event::Pushed(entry.clone()));
        }
        let first: Vec<&[u8]> = first.iter().map(Vec::as_slice).collect();
        let mut folder = KeyFolder::new(self.disk.clone());
        create_key_file(&mut folder, log_id()?, &KeyChain::new(K0))?;
        folder.sync_above()?;
        let storage = S::over(self.disk.clone());
        let keys = keys(S::keys_over(self.disk.clone()))?;
        let anchor = Some(self.anchor());
        let writer = Writer::create_anchored(storage, keys, &first, 1, options(), anchor)?;
        self.acknowledge(writer.durable_size());
        Ok(writer)
    }

    /// Opens the log and writes RECOVERY if it was not closed.
    fn open(&mut self) -> Result<Writer<S>, LogError> {
        let mut seen = Vec::new();
        let keys = keys(S::keys_over(self.disk.clone()))?;
        let (storage, anchor) = (S::over(self.disk.clone()), Some(self.anchor()));
        let holds = &mut self.holds;
        let (mut writer, opened) =
            Writer::open_anchored(storage, keys, options(), anchor, &mut |index, bytes| {
                seen.push(bytes.to_vec());
                holds.apply(index, &Entry::decode(bytes)?.body)?;
                Ok(())
            })?;
        self.event(Event::Opened(seen));
        if let Some(cause) = opened.cause {
            let (good_size, cut_bytes, root) = (opened.size, opened.cut_bytes, opened.root);
            let recovery = Recovery { good_size, cut_bytes, cause, root };
            self.push(&mut writer, Body::Recovery(recovery))?;
            self.commit(&mut writer)?;
        }
        Ok(writer)
    }

    fn push(&mut self, writer: &mut Writer<S>, body: Body) -> Result<(), LogError> {
        let entry = self.entry(writer.size(), body);
        self.event(Event::Pushed(entry.clone()));
        writer.push(&entry).map(drop)
    }

    fn commit(&mut self, writer: &mut Writer<S>) -> Result<(), LogError> {
        if writer.storage_mut().acknowledges_early() {
            self.acknowledge(writer.size());
        }
        let size = writer.commit(writer.size())?;
        if writer.storage_mut().acknowledges() {
            self.acknowledge(size);
        }
        Ok(())
    }

    /// Ends the epoch of the frame key.
    fn evolve(&mut self, writer: &mut Writer<S>) -> Result<(), LogError> {
        let index = writer.size();
        writer.evolve(index, |seal| {
            let entry = self.entry(index, Body::KeyEpoch(seal));
            self.event(Event::Pushed(entry.clone()));
            entry
        })?;
        self.sealed_at = index;
        Ok(())
    }

    fn checkpoint(&mut self, writer: &mut Writer<S>) -> Result<(), LogError> {
        let signed = writer.checkpoint()?;
        if signed.size > self.sealed_at {
            self.event(Event::Erased(writer.key_epoch()));
        }
        Ok(())
    }

    fn acknowledge(&mut self, size: u64) {
        self.event(Event::Acknowledged(size));
    }

    fn kill_files(&mut self, writer: &mut Writer<S>) -> Result<(), LogError> {
        self.event(Event::Working);
        for (name, bytes) in self.holds.files() {
            replace_file(writer.storage_mut(), name, &bytes)?;
        }
        Ok(())
    }

    fn close(&mut self, mut writer: Writer<S>) -> Result<(), LogError> {
        self.kill_files(&mut writer)?;
        let (index, root) = (writer.size(), writer.root());
        let entry = self.entry(index, Body::Close(Close { size: index, root }));
        self.event(Event::Pushed(entry.clone()));
        let signed = writer.close(index, |_, _| entry)?;
        self.acknowledge(signed.size);
        self.event(Event::Closed);
        Ok(())
    }

    fn body(&self, random: &mut Random, index: u64) -> Body {
        match random.below(16) {
            0 if self.holds.epoch() < 20 => Body::Kill(Kill {
                hold: u64::from(self.holds.epoch()) + 1,
                epoch: self.holds.epoch() + 1,
                state: KillState::Halted,
                scope: Scope::FIRM,
                rank: 2,
                allow_reduce: false,
                actor: "anna".to_owned(),
                reason: format!("at {index}"),
            }),
            // From a part of a sector to several of them.
            1..5 => {
                Body::Note(Note { salt: [4; 16], text: "x".repeat(random.below(900) as usize) })
            }
            _ => Body::Tick,
        }
    }

    fn entry(&mut self, index: u64, body: Body) -> Vec<u8> {
        // A body of ours is never refused: the fold has seen all before it.
        let _ = self.holds.apply(index, &body);
        Entry { header: header(index), body }.to_bytes()
    }
}

/// What an opening that was not clean tells of its cut.
pub(super) fn tells_of_a_cut(cause: Option<RecoveryCause>, cut_bytes: u64) -> bool {
    (cut_bytes > 0) == (cause == Some(RecoveryCause::TornTail))
}

fn genesis() -> Result<Body, LogError> {
    Ok(Body::Genesis(Genesis {
        origin: ORIGIN.to_owned(),
        log_vkey: SigningKey::from_seed(ORIGIN, &SEED)?.verify_key().to_string(),
        committee_vkey: String::new(),
        software: "cwts".to_owned(),
        k0_sha256: KeyChain::new(K0).digest(),
        retention_years: 7,
        salt: [3; 16],
    }))
}

/// Every story's log has the same GENESIS, and with it the same id.
fn log_id() -> Result<[u8; 8], LogError> {
    Ok(log_id_of(&Entry { header: header(1), body: genesis()? }.to_bytes()))
}

fn header(index: u64) -> Header {
    Header { producer_seq: index, utc_ns: index as i64, ..Header::default() }
}

pub(super) fn keys(folder: Box<dyn Storage + Send>) -> Result<Keys, LogError> {
    Keys::kept(ORIGIN, &SEED, log_id()?, folder)
}

pub(super) fn verify_keys() -> Result<VerifyKeys, LogError> {
    let vkey = Some(SigningKey::from_seed(ORIGIN, &SEED)?.verify_key().clone());
    Ok(VerifyKeys { vkey, others: Vec::new(), k0: Some(KeyChain::new(K0)) })
}

/// Short segments, so that a story has several.
pub(super) fn options() -> Options {
    Options { segment_bytes: 6 * 1024, ..Options::default() }
}

const FAULTS: [DiskFault; 4] =
    [DiskFault::SyncError, DiskFault::WriteError, DiskFault::ShortWrite, DiskFault::NoSpace];
const ORIGIN: &str = "cwts.example/crash";
const SEED: [u8; 32] = [9; 32];
pub(super) const K0: [u8; 32] = [5; 32];
