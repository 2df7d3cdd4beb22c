//! A root depends on what the input says, and on nothing of how it was read.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::Write as _;
use std::path::Path;

use cwts_feeds::error::FeedError;
use cwts_feeds::event::{Event, Names};
use cwts_feeds::source::{EventSource, InputFacts};
use cwts_gateway::KeyStore;
use cwts_gateway::replay::{Progress, ReplayInput, check_run, is_run, replay, run_log, seal_run};
use support::{csv, flow, input, logged, options, whole};

fn packed(kind: &str, bytes: &[u8]) -> Vec<u8> {
    match kind {
        "gz" => {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            out.write_all(bytes).unwrap();
            out.finish().unwrap()
        }
        "zst" => zstd::encode_all(bytes, 1).unwrap(),
        "xz" => {
            let mut out = liblzma::write::XzEncoder::new(Vec::new(), 1);
            out.write_all(bytes).unwrap();
            out.finish().unwrap()
        }
        _ => bytes.to_vec(),
    }
}

/// A source that gives another number of events at a time, and names no sooner than they are used.
struct Rebatched {
    inner: Box<dyn EventSource>,
    waiting: Vec<Event>,
    batch: usize,
    ended: bool,
}

impl EventSource for Rebatched {
    fn next_batch(&mut self, out: &mut Vec<Event>) -> Result<bool, FeedError> {
        while self.waiting.is_empty() && !self.ended {
            self.ended = !self.inner.next_batch(&mut self.waiting)?;
        }
        let count = self.batch.min(self.waiting.len());
        out.extend(self.waiting.drain(..count));
        Ok(count > 0)
    }

    fn names(&self) -> &Names {
        self.inner.names()
    }

    fn order_texts(&self) -> &[String] {
        self.inner.order_texts()
    }

    fn ignored_columns(&self) -> &[String] {
        self.inner.ignored_columns()
    }

    fn facts(&self) -> InputFacts {
        self.inner.facts()
    }
}

#[test]
fn the_root_is_the_same_for_every_packing_chunk_batch_and_thread() {
    let text = csv(&flow(11, 2_500));
    let (expected, entries) = logged(vec![whole("flow", text.clone())], options());
    let log = &expected.json["log"];
    assert!(entries.len() > 3_000 && expected.json["orders"].as_u64() > Some(1_000));
    assert!(expected.json["accepted"].as_u64() < expected.json["orders"].as_u64());
    let mut threads = [0, 1_000, u64::MAX, u64::MAX].into_iter().cycle();
    for kind in ["plain", "gz", "zst", "xz"] {
        let bytes = packed(kind, &text);
        for chunk in [1, 4 << 10, 1 << 20] {
            for batch in [1, 7, 8_192] {
                let mut options = options();
                options.batch_events = batch;
                options.thread_after = threads.next().unwrap();
                let what = format!("{kind}, {chunk}, {batch}, {}", options.thread_after);
                let ReplayInput { path, source } = input("flow", bytes.clone(), chunk);
                let (waiting, ended) = (Vec::new(), false);
                let source = Rebatched { inner: source, waiting, batch, ended };
                let input = ReplayInput { path, source: Box::new(source) };
                let (found, _) = logged(vec![input], options);
                assert_eq!(&found.json["log"]["root"], &log["root"], "{what}");
                assert_eq!(found.json["decisions_sha256"], expected.json["decisions_sha256"]);
            }
        }
    }
    // And another input has another.
    let (other, _) = logged(vec![whole("flow", csv(&flow(12, 2_500)))], options());
    assert_ne!(other.json["log"]["root"], log["root"]);
}

fn run_of(dir: &Path, keys: &KeyStore, seeds: &[u64]) {
    std::fs::create_dir_all(dir).unwrap();
    for (at, seed) in seeds.iter().enumerate() {
        let mut options = options();
        options.dir = Some(run_log(dir, at + 1));
        options.keys = Some(keys.clone());
        replay(whole("flow", csv(&flow(*seed, 300))), &options, &Progress::default()).unwrap();
    }
}

#[test]
fn a_runs_root_is_the_tree_over_its_checkpoints() {
    let temp = tempfile::tempdir().unwrap();
    let (run, keys) = (temp.path().join("run"), KeyStore::new(temp.path().join("keys")));
    run_of(&run, &keys, &[1, 2, 3]);
    assert!(is_run(&run) && !is_run(&run_log(&run, 1)));
    let unsealed = check_run(&run, &[]).unwrap();
    assert!(unsealed.findings.is_empty() && unsealed.checkpoint.is_none());
    let sealed = seal_run(&run, 3, Some(&keys)).unwrap();

    // RFC 6962 by hand: ((1, 2), 3), each leaf the domain and what the log's key signs.
    use sha2::{Digest as _, Sha256};
    let leaf = |k: usize| -> Vec<u8> {
        let note = std::fs::read_to_string(run_log(&run, k).join("checkpoint")).unwrap();
        let signed = &note[..=note.find("\n\n").unwrap()];
        let leaf = [b"\0cwts/replay-run-leaf/v1\0", signed.as_bytes()].concat();
        Sha256::digest(leaf).to_vec()
    };
    let node = |l: &[u8], r: &[u8]| Sha256::digest([&[1], l, r].concat()).to_vec();
    let root = node(&node(&leaf(1), &leaf(2)), &leaf(3));
    assert_eq!((sealed.size, sealed.root.to_vec()), (3, root));

    let check = check_run(&run, &[]).unwrap();
    assert!(check.findings.is_empty(), "{:#?}", check.findings);
    assert_eq!((check.logs.len(), check.checkpoint), (3, Some(sealed)));
}

#[test]
fn a_run_that_was_changed_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let keys = KeyStore::new(temp.path().join("keys"));
    let kinds = |run: &Path| -> Vec<&'static str> {
        check_run(run, &[]).unwrap().findings.iter().map(|f| f.kind.name()).collect()
    };
    let run = |name: &str| {
        let run = temp.path().join(name);
        run_of(&run, &keys, &[1, 2, 3]);
        seal_run(&run, 3, Some(&keys)).unwrap();
        assert_eq!(kinds(&run), [""; 0]);
        run
    };
    // The last log is gone.
    let short = run("short");
    std::fs::remove_dir_all(run_log(&short, 3)).unwrap();
    assert_eq!(kinds(&short), ["ROLLBACK"]);
    // Two logs that are each intact changed places.
    let swapped = run("swapped");
    std::fs::rename(run_log(&swapped, 1), swapped.join("aside")).unwrap();
    std::fs::rename(run_log(&swapped, 2), run_log(&swapped, 1)).unwrap();
    std::fs::rename(swapped.join("aside"), run_log(&swapped, 2)).unwrap();
    assert_eq!(kinds(&swapped), ["INCONSISTENT"]);
    // A log of another input, by the same key.
    let other = run("other");
    let stranger = temp.path().join("stranger");
    run_of(&stranger, &keys, &[9]);
    std::fs::remove_dir_all(run_log(&other, 2)).unwrap();
    std::fs::rename(run_log(&stranger, 1), run_log(&other, 2)).unwrap();
    assert_eq!(kinds(&other), ["INCONSISTENT"]);
    // A name that belongs to no run; a signature with a bit changed; no note at all.
    let named = run("named");
    std::fs::write(named.join("0009"), "").unwrap();
    assert_eq!(kinds(&named), ["UNKNOWN_FILE"]);
    let path = named.join("checkpoint");
    let note = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(named.join("0009")).unwrap();
    std::fs::write(&path, note.replacen("\n3\n", "\n4\n", 1)).unwrap();
    assert_eq!(kinds(&named), ["BAD_SIGNATURE", "ROLLBACK"]);
    std::fs::write(&path, "hello").unwrap();
    assert_eq!(kinds(&named), ["NOT_CANONICAL"]);
}
