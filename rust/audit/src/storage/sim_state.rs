//! A disk that remembers what was never synced, and can lose any part of it.
//!
//! Source: design note "audit", section 16. What POSIX promises is kept: bytes and length of a
//! file after `sync_data`, names of a directory after `sync_dir`, everything after `syncfs`, and
//! a rename happens wholly or not at all. Of the rest a crash keeps any part: whole operations in
//! order, any sectors, half a sector, none. A sync that fails leaves its bytes readable and marks
//! them clean, as Linux does: no later sync writes them.

use std::collections::{BTreeMap, BTreeSet};

use crate::crash::Random;

/// The bytes that a disk writes as one, unless the power fails while it does.
pub const SECTOR_BYTES: usize = 512;

/// What a crash leaves of that which was never synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// Everything is kept.
    Nothing,
    /// All of it is lost.
    Everything,
    /// Names are lost, bytes are kept.
    Names,
    /// Bytes are lost, names are kept.
    Bytes,
    /// What came after some operation is lost.
    Tail,
    /// Any sectors and any names are lost.
    Sectors,
    /// As with sectors, and one sector is half written.
    Torn,
}

/// All kinds of loss.
pub const LOSSES: [Loss; 7] = [
    Loss::Nothing,
    Loss::Everything,
    Loss::Names,
    Loss::Bytes,
    Loss::Tail,
    Loss::Sectors,
    Loss::Torn,
];

impl Loss {
    /// Its name in a report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Everything => "everything",
            Self::Names => "names",
            Self::Bytes => "bytes",
            Self::Tail => "tail",
            Self::Sectors => "sectors",
            Self::Torn => "torn",
        }
    }
}

/// One change of a disk, as it was asked for and as it went.
#[derive(Clone, Debug)]
pub enum DiskStep {
    /// An empty file, with the directories above it.
    Create(String),
    /// Bytes at a position.
    Write(String, u64, Vec<u8>),
    /// A length.
    SetLen(String, u64),
    /// A file's sync, and whether it went well.
    Sync(String, bool),
    /// Another name.
    Rename(String, String),
    /// A name less.
    Unlink(String),
    /// A directory's sync.
    SyncDir(String),
    /// Everything's sync.
    SyncFs,
}

/// Bytes or a length not yet synced; `at` is the step's number.
#[derive(Clone, Debug)]
enum Dirty {
    Write { at: u64, offset: usize, bytes: Vec<u8> },
    SetLen { at: u64, size: usize },
}

#[derive(Clone, Debug, Default)]
struct Inode {
    visible: Vec<u8>,
    durable: Vec<u8>,
    dirty: Vec<Dirty>,
    /// What a failed sync marked clean: readable, and perhaps never written.
    doubtful: Vec<Dirty>,
}

#[derive(Clone, Debug)]
enum NameStep {
    Directory(String),
    Link(String, usize),
    Rename(String, String, usize),
    Unlink(String),
}

/// A disk at one moment: what can be read, and what a crash could leave.
#[derive(Clone, Debug, Default)]
pub struct DiskState {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    directories: BTreeSet<String>,
    durable_names: BTreeMap<String, usize>,
    durable_directories: BTreeSet<String>,
    unsynced: Vec<(u64, NameStep)>,
    steps: u64,
}

impl DiskState {
    /// A disk on which these files are durable.
    pub fn from_image(files: &BTreeMap<String, Vec<u8>>) -> Self {
        let mut disk = Self::default();
        for (name, bytes) in files {
            disk.apply(&DiskStep::Create(name.clone()));
            disk.apply(&DiskStep::Write(name.clone(), 0, bytes.clone()));
        }
        disk.apply(&DiskStep::SyncFs);
        disk.steps = 0;
        disk
    }

    /// Whether a crash has anything to lose.
    pub fn is_synced(&self) -> bool {
        let synced = |inode: &Inode| inode.dirty.is_empty() && inode.doubtful.is_empty();
        self.unsynced.is_empty() && self.inodes.iter().all(synced)
    }

    /// Does one step. A file that is not there is left alone: the step was refused when it was
    /// tried.
    pub fn apply(&mut self, step: &DiskStep) {
        self.steps += 1;
        let at = self.steps;
        match step {
            DiskStep::Create(name) => {
                for (slash, _) in name.match_indices('/') {
                    let directory = name[..slash].to_owned();
                    if self.directories.insert(directory.clone()) {
                        self.unsynced.push((at, NameStep::Directory(directory)));
                    }
                }
                if let Some(&inode) = self.names.get(name) {
                    self.inodes[inode].set_len(at, 0);
                } else {
                    self.names.insert(name.clone(), self.inodes.len());
                    self.unsynced.push((at, NameStep::Link(name.clone(), self.inodes.len())));
                    self.inodes.push(Inode::default());
                }
            }
            DiskStep::Write(name, offset, bytes) => {
                if let Some(inode) = self.inode(name) {
                    write(&mut inode.visible, *offset as usize, bytes);
                    let (offset, bytes) = (*offset as usize, bytes.clone());
                    inode.dirty.push(Dirty::Write { at, offset, bytes });
                }
            }
            DiskStep::SetLen(name, size) => {
                if let Some(inode) = self.inode(name) {
                    inode.set_len(at, *size as usize);
                }
            }
            DiskStep::Sync(name, well) => {
                if let Some(inode) = self.inode(name) {
                    inode.sync(*well);
                }
            }
            DiskStep::Rename(from, to) => {
                if let Some(inode) = self.names.remove(from) {
                    self.names.insert(to.clone(), inode);
                    self.unsynced.push((at, NameStep::Rename(from.clone(), to.clone(), inode)));
                }
            }
            DiskStep::Unlink(name) => {
                if self.names.remove(name).is_some() {
                    self.unsynced.push((at, NameStep::Unlink(name.clone())));
                }
            }
            DiskStep::SyncDir(directory) => self.sync_names(|name| parent(name) == directory),
            DiskStep::SyncFs => {
                self.sync_names(|_| true);
                self.inodes.iter_mut().for_each(|inode| inode.sync(true));
            }
        }
    }

    /// The files that a crash at this moment leaves.
    pub fn crash(&self, loss: Loss, random: &mut Random) -> BTreeMap<String, Vec<u8>> {
        let odds = [10, 50, 90][random.below(3) as usize];
        let cut = random.below(self.steps + 1);
        let keeps = |at: u64, names: bool, random: &mut Random| match loss {
            Loss::Nothing => true,
            Loss::Everything => false,
            Loss::Names => !names,
            Loss::Bytes => names,
            Loss::Tail => at <= cut,
            Loss::Sectors | Loss::Torn => random.below(100) < odds,
        };
        let mut names = self.durable_names.clone();
        let mut directories = self.durable_directories.clone();
        for (at, step) in &self.unsynced {
            if keeps(*at, true, random) {
                apply_name(&mut names, &mut directories, step);
            }
        }
        let mut torn = loss == Loss::Torn;
        let mut image = BTreeMap::new();
        for (name, inode) in names {
            let mut above = name.match_indices('/').map(|(slash, _)| &name[..slash]);
            if above.all(|directory| directories.contains(directory)) {
                let mut keeps = |at, random: &mut Random| keeps(at, false, random);
                let bytes = self.inodes[inode].crash(&mut keeps, &mut torn, random);
                image.insert(name, bytes);
            }
        }
        image
    }

    /// The files as they can be read.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let names = self.names.iter();
        names.map(|(name, inode)| (name.as_str(), self.inodes[*inode].visible.as_slice()))
    }

    pub(super) fn file(&self, name: &str) -> Option<&[u8]> {
        self.names.get(name).map(|&inode| self.inodes[inode].visible.as_slice())
    }

    pub(super) fn size_of(&self, name: &str) -> Option<usize> {
        self.file(name).map(<[u8]>::len)
    }

    fn inode(&mut self, name: &str) -> Option<&mut Inode> {
        self.names.get(name).map(|&inode| &mut self.inodes[inode])
    }

    fn sync_names(&mut self, concerns: impl Fn(&str) -> bool) {
        for (at, step) in std::mem::take(&mut self.unsynced) {
            let (NameStep::Directory(name)
            | NameStep::Link(name, _)
            | NameStep::Rename(name, ..)
            | NameStep::Unlink(name)) = &step;
            if concerns(name) {
                apply_name(&mut self.durable_names, &mut self.durable_directories, &step);
            } else {
                self.unsynced.push((at, step));
            }
        }
    }
}

fn apply_name(
    names: &mut BTreeMap<String, usize>,
    directories: &mut BTreeSet<String>,
    step: &NameStep,
) {
    match step {
        NameStep::Directory(name) => {
            directories.insert(name.clone());
        }
        NameStep::Link(name, inode) => {
            names.insert(name.clone(), *inode);
        }
        NameStep::Rename(from, to, inode) => {
            if names.get(from) == Some(inode) {
                names.remove(from);
            }
            names.insert(to.clone(), *inode);
        }
        NameStep::Unlink(name) => {
            names.remove(name);
        }
    }
}

impl Inode {
    fn set_len(&mut self, at: u64, size: usize) {
        self.visible.resize(size, 0);
        self.dirty.push(Dirty::SetLen { at, size });
    }

    fn sync(&mut self, well: bool) {
        for step in std::mem::take(&mut self.dirty) {
            if well {
                step.write_to(&mut self.durable);
                // What is written again is no longer in doubt.
                self.doubtful.retain(|old| !step.covers(old));
                self.doubtful.iter_mut().for_each(|old| step.write_over(old));
            } else {
                self.doubtful.push(step);
            }
        }
    }

    fn crash(
        &self,
        keeps: &mut impl FnMut(u64, &mut Random) -> bool,
        torn: &mut bool,
        random: &mut Random,
    ) -> Vec<u8> {
        let mut left = self.durable.clone();
        for step in self.doubtful.iter().chain(&self.dirty) {
            let Dirty::Write { at, offset, bytes } = step else {
                if keeps(step.at(), random) {
                    step.write_to(&mut left);
                }
                continue;
            };
            let mut from = 0;
            while from < bytes.len() {
                let to = (from + SECTOR_BYTES - (offset + from) % SECTOR_BYTES).min(bytes.len());
                if keeps(*at, random) {
                    // One sector in four is the torn one, the first time that it could be.
                    let tears = *torn && random.below(4) == 0;
                    let half = from + random.below((to - from) as u64 + 1) as usize;
                    *torn &= !tears;
                    write(&mut left, offset + from, &bytes[from..if tears { half } else { to }]);
                }
                from = to;
            }
        }
        left
    }
}

impl Dirty {
    fn at(&self) -> u64 {
        match self {
            Self::Write { at, .. } | Self::SetLen { at, .. } => *at,
        }
    }

    fn write_to(&self, file: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes, .. } => write(file, *offset, bytes),
            Self::SetLen { size, .. } => file.resize(*size, 0),
        }
    }

    /// Where this step and an older write meet, this one says what the bytes are from now on.
    fn write_over(&self, old: &mut Self) {
        let Self::Write { offset: start, bytes: old, .. } = old else { return };
        match self {
            Self::Write { offset, bytes, .. } => {
                let from = (*offset).max(*start);
                let to = (offset + bytes.len()).min(*start + old.len());
                if from < to {
                    let new = &bytes[from - offset..to - offset];
                    old[from - *start..to - *start].copy_from_slice(new);
                }
            }
            Self::SetLen { size, .. } => old.truncate(size.saturating_sub(*start)),
        }
    }

    fn covers(&self, old: &Self) -> bool {
        match (self, old) {
            (Self::Write { offset, bytes, .. }, Self::Write { offset: o, bytes: b, .. }) => {
                o >= offset && o + b.len() <= offset + bytes.len()
            }
            (Self::SetLen { size, .. }, Self::Write { offset, .. }) => offset >= size,
            (_, Self::SetLen { .. }) => true,
        }
    }
}

fn write(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    file[offset..end].copy_from_slice(bytes);
}

fn parent(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(directory, _)| directory)
}
