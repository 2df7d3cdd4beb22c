//! Whether an erased frame key is gone: from the disk, and from the memory of a live process.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod common;

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{ORIGIN, SEED, START_NS, fill};
use cwts_audit::{
    EPOCH_KEY_FILE, FsStorage, KeyChain, Keys, MemStorage, Options, Writer, create_key_file,
    log_id_of,
};
use cwts_types::Body;
use hkdf::Hkdf;
use sha2::Sha256;

/// The folder of the child's log and keys; it is set in the child alone.
const CHILD: &str = "CWTS_TEST_EPOCH_MEMORY";
const EPOCHS: u64 = 3;

/// A writer that evolves, and then waits with its last key.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let folder = Path::new(&folder);
    let mut maker = common::Maker::default();
    let opening = maker.opening();
    let id = log_id_of(&opening[1]);
    let keys = FsStorage::private(&folder.join("keys")).unwrap();
    let keys = Keys::kept(ORIGIN, &SEED, id, Box::new(keys)).unwrap();
    let log = FsStorage::create(&folder.join("log")).unwrap();
    let opening: Vec<&[u8]> = opening.iter().map(Vec::as_slice).collect();
    let mut writer = Writer::create(log, keys, &opening, START_NS, Options::default()).unwrap();
    for epoch in 1..=EPOCHS {
        fill(&mut writer, &mut maker, 20 * epoch, 8);
        let index = writer.size();
        writer.evolve(START_NS, |seal| maker.entry(index, Body::KeyEpoch(seal))).unwrap();
    }
    fill(&mut writer, &mut maker, 20 * EPOCHS + 20, 8);
    writer.checkpoint().unwrap();
    println!("erased");
    let _ = std::io::stdin().read(&mut [0]);
    assert_eq!(writer.key_epoch(), EPOCHS);
}

/// `K_e` and `M_e` as bytes. They are never in the child's environment or arguments.
fn secrets(k0: &[u8; 32], epoch: u64) -> [Vec<u8>; 2] {
    let mut chain = KeyChain::resume(0, k0);
    while chain.epoch() < epoch {
        chain = chain.evolved();
    }
    let mut folder = MemStorage::new();
    create_key_file(&mut folder, [0; 8], &chain).unwrap();
    let secret = folder.image()[EPOCH_KEY_FILE][32..64].to_vec();
    let mut mac = vec![0; 32];
    Hkdf::<Sha256>::from_prk(&secret).unwrap().expand(b"cwts/log-key-mac/v1", &mut mac).unwrap();
    [secret, mac]
}

/// How often the bytes stand in the memory of a process that can be written to.
fn in_memory(pid: u32, wanted: &[u8]) -> usize {
    let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut found = 0;
    for line in fs::read_to_string(format!("/proc/{pid}/maps")).unwrap().lines() {
        let mut fields = line.split(' ');
        let (range, rights) = (fields.next().unwrap(), fields.next().unwrap());
        let (from, to) = range.split_once('-').unwrap();
        let [from, to] = [from, to].map(|text| u64::from_str_radix(text, 16).unwrap());
        if !rights.starts_with("rw") {
            continue;
        }
        let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
        // Pages that were never touched, or belong to the kernel, cannot be read.
        if memory.read_exact_at(&mut bytes, from).is_ok() {
            found += bytes.windows(wanted.len()).filter(|window| *window == wanted).count();
        }
    }
    found
}

#[test]
fn an_erased_key_is_in_no_file_and_in_no_memory_of_the_writer() {
    let temp = tempfile::tempdir().unwrap();
    let keys = temp.path().join("keys");
    fs::create_dir(&keys).unwrap();
    // A key that no program text or stack holds by chance.
    let mut k0 = [0; 32];
    File::open("/dev/urandom").unwrap().read_exact(&mut k0).unwrap();
    let id = log_id_of(&common::Maker::default().opening()[1]);
    let mut folder = FsStorage::private(&keys).unwrap();
    create_key_file(&mut folder, id, &KeyChain::resume(0, &k0)).unwrap();

    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(CHILD, temp.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().ends_with("erased")), "the child has failed");

    let mut places = Vec::new();
    for epoch in 0..=EPOCHS {
        let [secret, mac] = secrets(&k0, epoch);
        for (name, wanted) in [("K", &secret), ("M", &mac)] {
            places.push((format!("{name}_{epoch}"), in_memory(child.id(), wanted)));
        }
        let mut files = 0;
        for folder in ["keys", "log", "log/wal"] {
            for entry in fs::read_dir(temp.path().join(folder)).unwrap() {
                let path = entry.unwrap().path();
                let bytes = if path.is_file() { fs::read(path).unwrap() } else { Vec::new() };
                files += usize::from(bytes.windows(32).any(|window| window == secret));
            }
        }
        assert_eq!(files, usize::from(epoch == EPOCHS), "files with K_{epoch}");
    }
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    // The scan sees what is there: the key that serves. Of those before there is none.
    let (before, last) = places.split_at(2 * EPOCHS as usize);
    assert!(last[0].1 > 0, "{places:?}");
    assert!(before.iter().all(|(_, count)| *count == 0), "{places:?}");
}
