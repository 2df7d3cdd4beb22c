//! What the benchmark measures, each as a line.

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::Path;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use cwts_audit::merkle::CompactRange;
use cwts_audit::{
    FsStorage, KeyChain, Keys, Level, MemStorage, Options, Storage, VerifyKeys, Writer, verify,
};
use rustix::time::ClockId;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::timing::{Times, cpu, in_turn, now_ns};

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Measured rounds of each side; one more warms up.
    rounds: usize,
    /// Entries that a round appends.
    entries: usize,
}

/// What a figure takes.
pub(crate) const FULL: Size = Size { rounds: 9, entries: 1 << 19 };
/// That everything runs, and nothing more.
pub(crate) const QUICK: Size = Size { rounds: 2, entries: 1 << 13 };

/// Runs the benchmarks and gives their lines.
pub(crate) fn all(dir: &Path, size: Size, say: &mut dyn FnMut(Value)) {
    append(size, say);
    check(&dir.join("live"), size, say);
    durable(dir, size, say);
}

/// A leaf and its place in the tree, in memory: ours keeps what is open, the peer all of it.
fn append(size: Size, say: &mut dyn FnMut(Value)) {
    let (us, them, ratio) = in_turn(
        size.rounds,
        || {
            let mut range = CompactRange::new();
            cpu(size.entries, || {
                for index in 0..size.entries {
                    range.append(&numbered(index));
                }
                black_box(range.root());
            })
        },
        || {
            let mut tree = MemoryBackedTree::<Sha256, [u8; ENTRY_BYTES]>::new();
            cpu(size.entries, || {
                for index in 0..size.entries {
                    tree.push(numbered(index));
                }
                black_box(tree.root());
            })
        },
    );
    say(line("append", "ct-merkle", &us, &them, ratio, json!({ "entry_bytes": ENTRY_BYTES })));
}

/// Everything that verification does of a closed log, against hashing its entries and a node for
/// each: what no verifier can do without.
fn check(live: &Path, size: Size, say: &mut dyn FnMut(Value)) {
    let storage = FsStorage::open(live).unwrap();
    let keys = VerifyKeys::default();
    let entries = {
        let verdict = verify(&storage, &keys, Level::Full).unwrap();
        assert!(verdict.is_ok(), "{:?}", verdict.findings);
        verdict.size as usize
    };
    let (us, them, ratio) = in_turn(
        size.rounds,
        || {
            cpu(entries, || {
                black_box(verify(&storage, &keys, Level::Full).unwrap());
            })
        },
        || cpu(entries, || hash_alone(entries, LIVE_ENTRY_BYTES)),
    );
    let detail = json!({ "entries": entries });
    say(line("verify", "raw hash loop", &us, &them, ratio, detail));
}

fn hash_alone(entries: usize, bytes: usize) {
    let mut node = [1; 65];
    for index in 0..entries {
        let entry = numbered(index);
        let leaf = Sha256::new_with_prefix([0]).chain_update(&entry[..bytes]).finalize();
        node[33..].copy_from_slice(&leaf);
        let parent = Sha256::digest(node);
        node[1..33].copy_from_slice(&parent);
    }
    black_box(node);
}

/// Entries until they are on disk, a frame of 4,096 at a time, on the wall; against the slower of
/// its two halves alone.
fn durable(dir: &Path, size: Size, say: &mut dyn FnMut(Value)) {
    let mut number = 0;
    let mut made = |options: Options| {
        number += 1;
        let place = dir.join(format!("durable-{number}"));
        let took = write(FsStorage::create(&place).unwrap(), size.entries, options);
        std::fs::remove_dir_all(place).unwrap();
        took
    };
    let plain = Options { bundles: false, ..Options::default() };
    let mut rounds: Vec<[f64; 5]> = (0..=size.rounds)
        .map(|_| {
            let ours = made(Options::default());
            let hash = write(MemStorage::new(), size.entries, plain);
            let disk = disk_alone(&dir.join("disk"), size.entries);
            [ours, hash, disk, hash.max(disk), made(plain)]
        })
        .collect();
    rounds.remove(0);
    let side = |at: usize| Times::of(rounds.iter().map(|round| round[at]).collect());
    let ratio = Times::of(rounds.iter().map(|round| round[3] / round[0]).collect()).median();
    let detail = json!({
        "hash_alone_ns": side(1).median(), "disk_alone_ns": side(2).median(),
        "without_bundles_ns": side(4).median(), "entries": size.entries,
    });
    say(line("durable", "the slower half", &side(0), &side(3), ratio, detail));
}

fn write<S: Storage>(storage: S, entries: usize, options: Options) -> f64 {
    let keys = Keys::new("cwts.example/bench", &[1; 32], KeyChain::new([2; 32])).unwrap();
    let opening = [[7_u8; 100], [8; 100]];
    let opening: Vec<&[u8]> = opening.iter().map(<[u8; 100]>::as_slice).collect();
    let mut writer = Writer::create(storage, keys, &opening, 0, options).unwrap();
    let start = now_ns(ClockId::Monotonic);
    for index in 0..entries {
        writer.push(&numbered(index)).unwrap();
        if index % FRAME_ENTRIES == FRAME_ENTRIES - 1 {
            writer.commit(index as u64).unwrap();
        }
    }
    writer.commit(entries as u64).unwrap();
    (now_ns(ClockId::Monotonic) - start) as f64 / entries as f64
}

/// As many bytes in writes of a frame, each synced, into room that was filled before.
fn disk_alone(path: &Path, entries: usize) -> f64 {
    let frame = vec![3; FRAME_ENTRIES * (ENTRY_BYTES + 2) + 512];
    let frames = entries.div_ceil(FRAME_ENTRIES);
    let file = File::create(path).unwrap();
    for at in 0..frames {
        file.write_all_at(&vec![0; frame.len()], (at * frame.len()) as u64).unwrap();
    }
    file.sync_data().unwrap();
    let start = now_ns(ClockId::Monotonic);
    for at in 0..frames {
        file.write_all_at(&frame, (at * frame.len()) as u64).unwrap();
        file.sync_data().unwrap();
    }
    let took = now_ns(ClockId::Monotonic) - start;
    std::fs::remove_file(path).unwrap();
    took as f64 / entries as f64
}

fn numbered(index: usize) -> [u8; ENTRY_BYTES] {
    let mut entry = [3; ENTRY_BYTES];
    entry[8..16].copy_from_slice(&(index as u64).to_le_bytes());
    entry
}

fn line(name: &str, peer: &str, us: &Times, them: &Times, ratio: f64, detail: Value) -> Value {
    let mut line = json!({
        "name": name, "peer": peer, "unit": "ns/entry", "ratio": ratio,
        "ours": us.median(), "ours_min": us.min(),
        "peer_value": them.median(), "peer_min": them.min(),
    });
    if let (Value::Object(line), Value::Object(detail)) = (&mut line, detail) {
        line.extend(detail);
    }
    line
}

/// The longest entry that two blocks of SHA-256 take.
const ENTRY_BYTES: usize = 118;
/// An order's and a decision's: two blocks as well.
const LIVE_ENTRY_BYTES: usize = 104;
/// Entries of a full frame.
const FRAME_ENTRIES: usize = 4_096;
