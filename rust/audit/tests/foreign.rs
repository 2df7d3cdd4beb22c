//! Logs of other makers under our verifier, and our logs under theirs.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod common;

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::{all_keys, close_entry, create, fill, keys, write_kill_files};
use cwts_audit::frame::Entries;
use cwts_audit::merkle::{leaf_hash, verify_consistency};
use cwts_audit::{
    Checkpoint, FindingKind, FsStorage, MemStorage, Note, NoteError, NoteKey, Options, Published,
    Receipt, ReceiptError, SigningKey, Storage, VerifyKeys, verify_plain, write_plain,
};
use serde_json::Value;
use signed_note::{Note as OtherNote, StandardVerifier, VerifierList};
use tlog_tiles::{HashReader as _, Tile, TileHashReader, TileReader};

fn shared(name: &str) -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let root = std::env::var_os("CWTS_DATA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let path = root.join("audit").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is not there; set CWTS_DATA", path.display());
    None
}

#[test]
fn the_tessera_log_and_all_its_checkpoints_verify() {
    let Some(path) = shared("tessera_log/log") else { return };
    let vkey = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
    let key: NoteKey = vkey.parse().unwrap();
    let storage = FsStorage::open(&path).unwrap();
    let given = VerifyKeys { vkey: key.as_log().cloned(), ..VerifyKeys::default() };
    let verdict = verify_plain(&storage, &given).unwrap();
    assert_eq!(verdict.findings, []);
    assert_eq!(verdict.size, 15);
    assert!(verdict.not_checked.iter().any(|text| text.contains("not those of CWTS")));

    let log = Published::read(&storage).unwrap();
    assert_eq!(log.root(15).unwrap(), log.checkpoint.root);
    let mut before: Option<Checkpoint> = None;
    for size in 0..=15 {
        let note = std::fs::read(path.join(format!("checkpoint.{size}"))).unwrap();
        let note = Note::parse(&note).unwrap();
        note.check_all(std::slice::from_ref(&key)).unwrap();
        let head = Checkpoint::parse(&note.text).unwrap();
        assert_eq!((head.size, head.root), (size, log.root(size).unwrap()));
        if let Some(old) = before.replace(head.clone()) {
            let proof = log.consistency(old.size, size).unwrap();
            verify_consistency(old.size, size, &old.root, &head.root, &proof).unwrap();
        }
    }
    for index in 0..15 {
        let receipt = log.receipt(index).unwrap();
        let parsed = Receipt::parse(receipt.encode().as_bytes()).unwrap();
        parsed.verify(std::slice::from_ref(&key)).unwrap();
    }

    // One bit of the stored entries, and the finding names the entry.
    let mut image = std::collections::BTreeMap::new();
    for file in storage.list().unwrap() {
        let bytes = storage.read_all(&file.name, 1 << 20).unwrap().unwrap();
        image.insert(file.name, bytes);
    }
    let changed = MemStorage::from_image(image);
    changed.with_file("tile/entries/000.p/15", |bytes| bytes[8] ^= 1);
    let verdict = verify_plain(&changed, &given).unwrap();
    let [finding] = &verdict.findings[..] else { panic!("{:?}", verdict.findings) };
    assert_eq!((finding.kind, finding.index), (FindingKind::EntryChanged, Some(1)));
    assert_eq!(finding.file, "tile/entries/000.p/15");
}

#[test]
fn rekor_entries_get_their_verdicts() {
    let Some(path) = shared("rekor_real_entries.json") else { return };
    let entries: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let (mut included, mut signed, mut extensions) = (0, 0, 0);
    for case in entries.as_array().unwrap() {
        let source = case["source"].as_str().unwrap();
        let mut read = || {
            let note = Note::parse(case["checkpoint"].as_str()?.as_bytes()).ok()?;
            let checkpoint = Checkpoint::parse(&note.text).or_else(|refused| {
                // Old Rekor adds a line of its own. A checkpoint of ours has three, so this is no
                // head of a log for us; the tree under it is judged all the same.
                let end = note.text.match_indices('\n').nth(2).map(|(at, _)| at + 1);
                let extended = note.text[end.unwrap_or(0)..].starts_with("Timestamp: ");
                extensions += u32::from(extended);
                if extended { Checkpoint::parse(&note.text[..end.unwrap()]) } else { Err(refused) }
            });
            let checkpoint = checkpoint.ok()?;
            let entry = STANDARD.decode(case["entry"].as_str()?).ok()?;
            let hash = |h: &Value| STANDARD.decode(h.as_str()?).ok()?.try_into().ok();
            let proof = case["hashes"].as_array()?.iter().map(hash).collect::<Option<Vec<_>>>()?;
            let (entry, index) = (Some(entry), case["index"].as_u64()?);
            Some(Receipt { entry, index, proof, note, checkpoint })
        };
        let receipt = read();
        let leaf = receipt.as_ref().map(|r| leaf_hash(r.entry.as_ref().unwrap()));
        let held = receipt.as_ref().is_some_and(|r| r.verify_leaf(&leaf.unwrap()).is_ok());
        assert_eq!(held, case["inclusion_ok"].as_bool().unwrap(), "{source}");
        included += u32::from(held);
        let Some(vkey) = case["vkey"].as_str() else { continue };
        let keys: [NoteKey; 1] = [vkey.parse().unwrap()];
        let checked = receipt.as_ref().map(|r| r.note.check(&keys));
        let by_log = matches!(checked, Some(Ok(_)));
        assert_eq!(by_log, case["log_sig_ok"].as_bool().unwrap(), "{source}");
        signed += u32::from(by_log);
        // Lines of witnesses whose keys are not given are refused, not passed over.
        let Some(receipt) = receipt else { continue };
        let alone = case["nsigs"] == 1;
        let encoded = receipt.encode();
        let verified = Receipt::parse(encoded.as_bytes()).and_then(|r| r.verify(&keys).map(|_| ()));
        if by_log && !alone {
            let why = ReceiptError::Note(NoteError::UnknownLine {
                name: receipt.note.signatures[1].name.clone(),
            });
            assert_eq!(verified, Err(why), "{source}");
        } else {
            assert_eq!(verified.is_ok(), by_log && held, "{source}");
        }
    }
    assert!(included >= 15 && signed >= 7 && extensions >= 5, "{included} {signed} {extensions}");
}

/// A plain log of `size` raw entries: what the formats say for every size, 0 and 1 included.
fn plain_log(size: u64) -> MemStorage {
    let mut storage = MemStorage::new();
    let key = SigningKey::from_seed(common::ORIGIN, &common::SEED).unwrap();
    let entries: Vec<Vec<u8>> = (0..size).map(entry_at).collect();
    let head = write_plain(&mut storage, &key, entries.iter().map(Vec::as_slice)).unwrap();
    assert_eq!(head.size, size);
    storage
}

fn entry_at(index: u64) -> Vec<u8> {
    let mut entry = format!("entry {index}").into_bytes();
    entry.resize(8 + (index % 200) as usize, b'.');
    entry
}

/// The same directory for the crates of other people, which read tiles of height 8 by their paths.
struct OtherReader<'s>(&'s MemStorage);

impl OtherReader<'_> {
    fn bytes(&self, tile: &Tile) -> Vec<u8> {
        // They write the tile's height and `data`; C2SP writes neither.
        let path = tile.path().replacen("tile/8/data/", "tile/entries/", 1);
        let path = path.replacen("tile/8/", "tile/", 1);
        self.0.read_all(&path, 1 << 25).unwrap().unwrap_or_else(|| panic!("no {path}"))
    }
}

impl TileReader for OtherReader<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        Ok(tiles.iter().map(|tile| self.bytes(tile)).collect())
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

/// What `signed_note` and `tlog_tiles` say of a log: note, checkpoint, every tile and every entry.
fn others_accept(storage: &MemStorage) -> u64 {
    let note = storage.read_all("checkpoint", 1 << 16).unwrap().unwrap();
    let vkey = keys().signing.verify_key().to_string();
    let verifier = StandardVerifier::new(&vkey).unwrap();
    let known = VerifierList::new(vec![Box::new(verifier)]);
    let note = OtherNote::from_bytes(&note).unwrap();
    let (verified, unverified) = note.verify(&known).unwrap();
    assert_eq!((verified.len(), unverified.len()), (1, 0));
    let head = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
    assert_eq!((head.origin(), head.extension()), (common::ORIGIN, ""));
    let (size, root) = (head.size(), *head.hash());
    if size == 0 {
        assert_eq!(root, tlog_tiles::EMPTY_HASH);
        return 0;
    }
    let tiles = OtherReader(storage);
    let hashes = TileHashReader::new(size, root, &tiles);
    for number in 0..size.div_ceil(256) {
        let width = (size - number * 256).min(256) as u32;
        let bundle = tiles.bytes(&Tile::new(8, 0, number, width, true));
        let entries: Vec<&[u8]> = Entries::new(&bundle).map(|item| item.unwrap().1).collect();
        assert_eq!(entries.len() as u32, width);
        let first = number * 256;
        let at: Vec<u64> = (first..first + u64::from(width))
            .map(|n| tlog_tiles::stored_hash_index(0, n))
            .collect();
        // Authenticated against the signed root by their code, tile by tile.
        let leaves = hashes.read_hashes(&at).unwrap();
        for (entry, leaf) in entries.iter().zip(leaves) {
            assert_eq!(tlog_tiles::record_hash(entry), leaf);
        }
    }
    // Their proofs of our tiles, under our verifier, and ours under theirs.
    let log = Published::read(storage).unwrap();
    for index in [0, size / 3, size - 1] {
        let ours = log.receipt(index).unwrap();
        let theirs = tlog_tiles::prove_record(size, index, &hashes).unwrap();
        assert!(ours.proof.iter().zip(&theirs).all(|(a, b)| *a == b.0));
        assert_eq!(ours.proof.len(), theirs.len());
        let leaf = tlog_tiles::record_hash(ours.entry.as_ref().unwrap());
        tlog_tiles::check_record(&theirs, size, root, index, leaf).unwrap();
        let old = index + 1;
        let proof: Vec<_> = log.consistency(old, size).unwrap();
        let proof: Vec<_> = proof.into_iter().map(tlog_tiles::Hash).collect();
        let old_root = tlog_tiles::Hash(log.root(old).unwrap());
        tlog_tiles::check_tree(&proof, size, root, old, old_root).unwrap();
    }
    size
}

#[test]
fn other_crates_accept_plain_logs_of_every_size() {
    for size in [0, 1, 2, 255, 256, 257, 65_535, 65_536, 65_537, 70_000] {
        let log = plain_log(size);
        assert_eq!(others_accept(&log), size);
        let given = VerifyKeys { others: Vec::new(), k0: None, ..all_keys() };
        assert_eq!(verify_plain(&log, &given).unwrap().findings, [], "size {size}");
    }
}

#[test]
fn other_crates_accept_what_the_writer_leaves() {
    for size in [3_u64, 255, 256, 257, 65_535, 65_536, 65_537, 70_000] {
        let storage = MemStorage::new();
        let (mut writer, mut maker) = create(storage.clone(), Options::default()).unwrap();
        // A log of two entries is one that was just made.
        assert!(size > 3 || others_accept(&storage) == 2);
        fill(&mut writer, &mut maker, size - 1, 700);
        writer.checkpoint().unwrap();
        assert_eq!(others_accept(&storage), size - 1);
        write_kill_files(writer.storage_mut(), &maker);
        writer.close(common::START_NS, |n, root| close_entry(&mut maker, n, root)).unwrap();
        assert_eq!(others_accept(&storage), size);
        assert_eq!(common::verdict(&storage).findings, [], "size {size}");
    }
}

#[test]
fn every_bit_of_a_receipt_counts() {
    let storage = common::closed_log(40, 8, Options::default());
    let log = Published::read(&storage).unwrap();
    let keys = [NoteKey::Log(keys().signing.verify_key().clone())];
    let bytes = log.receipt(17).unwrap().encode().into_bytes();
    let verified =
        |bytes: &[u8]| Receipt::parse(bytes).and_then(|r| r.verify(&keys).map(<[u8]>::to_vec));
    assert_eq!(verified(&bytes), Ok(log.entry(17).unwrap()));
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(verified(&flipped).is_err(), "bit {bit}");
    }
    for length in 0..bytes.len() {
        assert!(verified(&bytes[..length]).is_err(), "cut to {length}");
    }
    // Without its entry it proves a hash only, and a head of another kind is no checkpoint.
    let mut bare = log.receipt(17).unwrap();
    bare.entry = None;
    let bare = Receipt::parse(bare.encode().as_bytes()).unwrap();
    assert_eq!(bare.verify(&keys), Err(ReceiptError::NoEntry));
    let head = storage.read_all("wal.head", 1 << 16).unwrap().unwrap();
    let mut other = log.receipt(17).unwrap();
    other.note = Note::parse(&head).unwrap();
    other.checkpoint = Checkpoint::parse(&other.note.text).unwrap();
    assert!(matches!(other.verify(&keys), Err(ReceiptError::Origin { .. })));
}
