//! Disks that fail, and a directory instead of memory.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod common;

use std::cell::Cell;
use std::rc::Rc;

use common::{
    START_NS, all_keys, close_entry, closed_log, create, fill, keys, reopen, small, verdict,
    write_kill_files,
};
use cwts_audit::{
    FileStat, FsStorage, Level, LogError, MemStorage, Options, Storage, StorageError, Writer,
    verify,
};

/// A disk that fails once, at the n-th write or sync, and works again afterwards.
#[derive(Debug)]
struct FailingDisk {
    inner: MemStorage,
    left: Rc<Cell<u64>>,
}

impl FailingDisk {
    fn step(&self, name: &str) -> Result<(), StorageError> {
        let left = self.left.get();
        self.left.set(left.wrapping_sub(1));
        if left != 1 {
            return Ok(());
        }
        let source = std::io::Error::from_raw_os_error(5);
        Err(StorageError::Io { what: "sync", name: name.to_owned(), source })
    }
}

impl Storage for FailingDisk {
    fn lock(&mut self) -> Result<(), StorageError> {
        self.inner.lock()
    }
    fn create(&mut self, name: &str) -> Result<(), StorageError> {
        self.step(name).and_then(|()| self.inner.create(name))
    }
    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        self.step(name).and_then(|()| self.inner.write_at(name, offset, bytes))
    }
    fn set_len(&mut self, name: &str, size_bytes: u64) -> Result<(), StorageError> {
        self.step(name).and_then(|()| self.inner.set_len(name, size_bytes))
    }
    fn sync_data(&mut self, name: &str) -> Result<(), StorageError> {
        self.step(name).and_then(|()| self.inner.sync_data(name))
    }
    fn rename(&mut self, from: &str, to: &str) -> Result<(), StorageError> {
        self.step(from).and_then(|()| self.inner.rename(from, to))
    }
    fn unlink(&mut self, name: &str) -> Result<(), StorageError> {
        self.step(name).and_then(|()| self.inner.unlink(name))
    }
    fn sync_dir(&mut self, directory: &str) -> Result<(), StorageError> {
        self.step(directory).and_then(|()| self.inner.sync_dir(directory))
    }
    fn syncfs(&mut self) -> Result<(), StorageError> {
        self.step("").and_then(|()| self.inner.syncfs())
    }
    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> Result<usize, StorageError> {
        self.inner.read_at(name, offset, buffer)
    }
    fn list(&self) -> Result<Vec<FileStat>, StorageError> {
        self.inner.list()
    }
}

#[test]
fn one_failed_write_ends_the_writer_and_loses_nothing_acknowledged() {
    let (mut failures, mut torn) = (0, 0);
    let modes = [small(), Options { sync_tiles: false, ..small() }];
    for (fail_at, options) in (1..200).flat_map(|at| modes.map(|options| (at, options))) {
        let storage = MemStorage::new();
        let left = Rc::new(Cell::new(0));
        let disk = FailingDisk { inner: storage.clone(), left: Rc::clone(&left) };
        let (mut writer, mut maker) = create(disk, options).unwrap();
        // Just before a tile gets full, so that a full one is written too.
        fill(&mut writer, &mut maker, 230, 8);
        writer.checkpoint().unwrap();
        left.set(fail_at);
        let mut acknowledged = writer.durable_size();
        let failed = loop {
            let index = writer.size();
            if index == 290 {
                break false;
            }
            writer.push(&maker.entry(index, cwts_types::Body::Tick)).unwrap();
            if index % 5 != 0 {
                continue;
            }
            match writer.commit(START_NS) {
                Ok(size) => acknowledged = size,
                Err(error) => {
                    assert!(matches!(error, LogError::Storage(_)), "{error}");
                    break true;
                }
            }
            if index % 10 == 0 && writer.checkpoint().is_err() {
                break true;
            }
        };
        if !failed {
            continue;
        }
        failures += 1;
        // The disk works again, and the writer stays dead: a second sync proves nothing.
        assert!(writer.has_failed());
        assert!(matches!(writer.push(b"x"), Err(LogError::Failed)));
        assert!(matches!(writer.commit(1), Err(LogError::Failed)));
        assert!(matches!(writer.checkpoint(), Err(LogError::Failed)));
        assert!(matches!(writer.close(1, |_, _| vec![1]), Err(LogError::Failed)));
        let live = verdict(&storage);
        assert_eq!(live.findings, [], "failed at step {fail_at}, {options:?}");
        torn += u64::from(live.notes.iter().any(|note| note.ends_with("is torn")));
        let (mut writer, opened, _) = reopen(storage.clone()).unwrap();
        assert!(opened.size >= acknowledged, "failed at step {fail_at}");
        writer.checkpoint().unwrap();
        let mended = verdict(&storage);
        assert_eq!(mended.findings, [], "failed at step {fail_at}, {options:?}");
        assert!(!mended.notes.iter().any(|note| note.contains("tile/")), "{:?}", mended.notes);
    }
    assert!(failures > 100, "{failures}");
    assert!(torn > 5, "{torn}: a tile written directly is torn when the write after it fails");
}

#[test]
fn a_directory_holds_the_same_bytes_as_memory() {
    for sync_tiles in [true, false] {
        check_directory(Options { segment_bytes: 16 * 1024, sync_tiles, ..Options::default() });
    }
}

fn check_directory(options: Options) {
    let directory = tempfile::tempdir().unwrap();
    let (mut writer, mut maker) =
        create(FsStorage::create(directory.path()).unwrap(), options).unwrap();
    let second = FsStorage::open(directory.path()).unwrap();
    let refused = Writer::open(second, keys(), options, &mut |_, _| Ok(()));
    assert!(matches!(refused, Err(LogError::InUse)));
    fill(&mut writer, &mut maker, 299, 8);
    write_kill_files(writer.storage_mut(), &maker);
    writer.close(START_NS, |size, root| close_entry(&mut maker, size, root)).unwrap();

    let storage = FsStorage::open(directory.path()).unwrap();
    let verdict = verify(&storage, &all_keys(), Level::Full).unwrap();
    assert_eq!(verdict.findings, []);
    let memory = closed_log(300, 8, options).image();
    let files = storage.list().unwrap();
    assert_eq!(
        files.iter().map(|f| &f.name).collect::<Vec<_>>(),
        memory.keys().collect::<Vec<_>>()
    );
    for (name, bytes) in &memory {
        assert_eq!(storage.read_all(name, 1 << 20).unwrap().as_ref(), Some(bytes), "{name}");
    }
    let (_, opened) = Writer::open(storage, keys(), options, &mut |_, _| Ok(())).unwrap();
    assert!(opened.is_clean());
    std::os::unix::fs::symlink("/etc/hostname", directory.path().join("kill.state2")).unwrap();
    let storage = FsStorage::open(directory.path()).unwrap();
    assert!(!verify(&storage, &all_keys(), Level::Full).unwrap().is_ok());
    assert!(matches!(storage.read_all("../x", 10), Err(StorageError::Name { .. })));
}
