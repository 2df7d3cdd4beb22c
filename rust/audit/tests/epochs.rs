//! The epochs of the frame key: who can check what, what is erased when, and an intruder.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod common;

use std::collections::BTreeMap;

use common::forge::{forge, frames, heads, right_mac};
use common::{K0, Maker, ORIGIN, SEED, START_NS, all_keys, close_entry, fill, write_kill_files};
use cwts_audit::frame::Entries;
use cwts_audit::{
    CHECKPOINT_FILE, Checkpoint, EPOCH_KEY_FILE, FindingKind, KeyChain, Keys, Level, LogError,
    MemStorage, Options, SigningKey, Storage, Verdict, VerifyKeys, WAL_HEAD_FILE, Writer,
    create_key_file, log_id_of, verify, verify_plain, write_plain,
};
use cwts_types::{Body, Entry, Note};

const WAL: &str = "wal/00000000000000000000.wal";

/// A log in memory, and the folder of its keys.
struct Host {
    log: MemStorage,
    folder: MemStorage,
    maker: Maker,
    writer: Option<Writer<MemStorage>>,
}

fn kept(folder: &MemStorage, log_id: [u8; 8]) -> Result<Keys, LogError> {
    Keys::kept(ORIGIN, &SEED, log_id, Box::new(folder.clone()))
}

impl Host {
    fn new() -> Self {
        let (log, mut folder) = (MemStorage::new(), MemStorage::new());
        let mut maker = Maker::default();
        let opening = maker.opening();
        let id = log_id_of(&opening[1]);
        create_key_file(&mut folder, id, &KeyChain::new(K0)).unwrap();
        let opening: Vec<&[u8]> = opening.iter().map(Vec::as_slice).collect();
        let keys = kept(&folder, id).unwrap();
        let options = Options::default();
        let writer = Writer::create(log.clone(), keys, &opening, START_NS, options).unwrap();
        Self { log, folder, maker, writer: Some(writer) }
    }

    fn writer(&mut self) -> &mut Writer<MemStorage> {
        self.writer.as_mut().unwrap()
    }

    fn fill(&mut self, size: u64) {
        fill(self.writer.as_mut().unwrap(), &mut self.maker, size, 8);
    }

    fn evolve(&mut self) {
        let (writer, maker) = (self.writer.as_mut().unwrap(), &mut self.maker);
        let index = writer.size();
        writer.evolve(START_NS, |seal| maker.entry(index, Body::KeyEpoch(seal))).unwrap();
    }

    /// Entries in three epochs; the keys of the first two are gone.
    fn three_epochs() -> Self {
        let mut host = Self::new();
        for size in [40, 80, 120] {
            host.fill(size);
            if size < 120 {
                host.evolve();
            }
        }
        host.writer().checkpoint().unwrap();
        host
    }

    fn close(&mut self) {
        write_kill_files(self.writer.as_mut().unwrap().storage_mut(), &self.maker);
        let (writer, maker) = (self.writer.take().unwrap(), &mut self.maker);
        writer.close(START_NS, |size, root| close_entry(maker, size, root)).unwrap();
    }

    fn id(&mut self) -> [u8; 8] {
        self.writer.as_ref().unwrap().log_id()
    }

    /// Which of the secrets of epochs 0 to 9 some file of the folder holds.
    fn secrets(&self) -> Vec<u64> {
        let files = self.folder.image();
        (0..10).filter(|epoch| files.values().any(|bytes| holds(bytes, &secret(*epoch)))).collect()
    }

    /// Opens the log again on a copy of its files, as after a crash.
    fn reopened(&self, id: [u8; 8]) -> Result<Self, LogError> {
        let log = MemStorage::from_image(self.log.image());
        let folder = MemStorage::from_image(self.folder.image());
        let keys = kept(&folder, id)?;
        let mut maker = Maker::default();
        let mut take = |index: u64, bytes: &[u8]| {
            let Entry { header, body } = Entry::decode(bytes)?;
            let producers = [&mut maker.gateway_seq, &mut maker.api_seq, &mut maker.decider_seq];
            *producers.into_iter().nth((header.producer as usize).min(2)).unwrap() =
                header.producer_seq + 1;
            maker.after_order = matches!(body, Body::Order(..));
            Ok(maker.folded.apply(index, &body)?)
        };
        let (writer, _) = Writer::open(log.clone(), keys, Options::default(), &mut take)?;
        Ok(Self { log, folder, maker, writer: Some(writer) })
    }
}

/// `K_e` as bytes, by its place in the key file of that epoch.
fn secret(epoch: u64) -> Vec<u8> {
    let mut chain = KeyChain::new(K0);
    while chain.epoch() < epoch {
        chain = chain.evolved();
    }
    let mut folder = MemStorage::new();
    create_key_file(&mut folder, [0; 8], &chain).unwrap();
    folder.image()[EPOCH_KEY_FILE][32..64].to_vec()
}

fn holds(bytes: &[u8], secret: &[u8]) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret)
}

fn checked(log: &MemStorage, keys: &VerifyKeys) -> Verdict {
    verify(log, keys, Level::Full).unwrap()
}

fn without_k0() -> VerifyKeys {
    VerifyKeys { k0: None, ..all_keys() }
}

#[test]
fn each_epoch_has_its_key_and_ends_with_its_seal() {
    let mut host = Host::three_epochs();
    host.close();
    let verdict = checked(&host.log, &all_keys());
    assert_eq!((verdict.findings, verdict.not_checked), (vec![], vec![]));
    assert_eq!(verdict.entry_counts["KEY_EPOCH"], 2);
    let mut epochs = BTreeMap::<u64, u64>::new();
    frames(&host.log.image()[WAL], |frame| {
        epochs.entry(frame.header.key_epoch).or_insert(frame.header.first_index);
    });
    // The seal is the first entry of the first frame under the next key.
    assert_eq!(epochs, BTreeMap::from([(0, 0), (1, 40), (2, 80)]));
    // Who has no K_0 is told what was not looked at.
    let verdict = checked(&host.log, &without_k0());
    assert_eq!(verdict.findings, []);
    assert!(verdict.not_checked[0].contains("seals of key epochs"), "{:?}", verdict.not_checked);
}

#[test]
fn the_key_before_is_erased_when_a_checkpoint_covers_its_seal_and_not_before() {
    let mut host = Host::new();
    host.fill(20);
    assert_eq!(host.secrets(), [0]);
    host.evolve();
    assert_eq!(host.secrets(), [0, 1]);
    // A checkpoint of the frames alone: a crash could still take the seal.
    assert_eq!(host.writer().checkpoint().unwrap().size, 20);
    assert_eq!(host.secrets(), [0, 1]);
    host.fill(24);
    assert_eq!(host.secrets(), [0, 1]);
    host.writer().checkpoint().unwrap();
    assert_eq!(host.secrets(), [1]);
    // There is room for two: the next epoch waits for the checkpoint that frees a place.
    host.evolve();
    host.fill(40);
    host.evolve();
    assert_eq!(host.secrets(), [2, 3]);
    host.close();
    assert_eq!(host.secrets(), [3]);
}

#[test]
fn a_crash_at_each_step_of_an_evolution_is_gone_on_from() {
    let mut host = Host::new();
    let id = host.id();
    host.fill(20);
    // The next key is there, the seal is not: the log goes on in the epoch that it is in.
    host.evolve();
    let mut again = host.reopened(id).unwrap();
    assert_eq!((again.writer().size(), again.writer().key_epoch()), (20, 0));
    again.evolve();
    again.fill(30);
    again.close();
    assert_eq!(checked(&again.log, &all_keys()).findings, []);
    assert_eq!(again.secrets(), [1]);
    // The seal is durable, no checkpoint covers it yet.
    host.fill(28);
    let mut again = host.reopened(id).unwrap();
    assert_eq!((again.writer().key_epoch(), again.secrets()), (1, vec![0, 1]));
    again.writer().checkpoint().unwrap();
    assert_eq!(again.secrets(), [1]);
    // The checkpoint is published, the key is not erased yet, and a replacement was cut short.
    let late = MemStorage::from_image(host.folder.image());
    host.writer().checkpoint().unwrap();
    let old = late.image()[EPOCH_KEY_FILE].clone();
    host.folder.with_file(EPOCH_KEY_FILE, |bytes| bytes.clone_from(&old));
    host.folder.with_file("epoch.key.tmp", |bytes| bytes.clone_from(&old));
    assert_eq!(host.reopened(id).unwrap().secrets(), [1]);
}

#[test]
fn the_reverse_a_key_file_behind_the_log_is_brought_up_to_it() {
    let mut host = Host::new();
    let id = host.id();
    let first = host.folder.image();
    for size in [20, 40, 60] {
        host.fill(size);
        host.evolve();
    }
    host.fill(70);
    // As if an old copy of the secrets were put back: later keys follow from it.
    host.folder = MemStorage::from_image(first);
    let mut again = host.reopened(id).unwrap();
    assert_eq!((again.writer().key_epoch(), again.secrets()), (3, vec![2, 3]));
    again.fill(80);
    again.close();
    assert_eq!(checked(&again.log, &all_keys()).findings, []);
    assert_eq!(again.secrets(), [3]);
}

#[test]
fn an_older_copy_of_a_log_does_not_fit_the_keys() {
    let mut host = Host::new();
    let id = host.id();
    host.fill(20);
    host.writer().checkpoint().unwrap();
    let old = host.log.image();
    host.evolve();
    host.fill(40);
    host.writer().checkpoint().unwrap();
    // Whole and signed, and yet not this log's end: its checkpoint went back with it.
    host.log = MemStorage::from_image(old);
    assert!(matches!(host.reopened(id), Err(LogError::Rollback { .. })));
}

#[test]
fn the_tail_is_checked_with_both_keys_as_long_as_both_are_there() {
    let mut host = Host::new();
    let id = host.id();
    host.fill(20);
    host.evolve();
    host.fill(40);
    let image = host.log.image();
    for (epoch, first) in [(0, 0), (1, 20)] {
        // All links are made to fit, and every other frame has its right MAC.
        let wal = forge(&image[WAL], |_, _| {}, |of| of == epoch, right_mac);
        host.log = MemStorage::from_image(image.clone());
        host.log.with_file(WAL, |bytes| bytes[..wal.len()].copy_from_slice(&wal));
        assert!(host.reopened(id).is_err(), "epoch {epoch}");
        let found = checked(&host.log, &all_keys()).findings;
        assert_eq!((found[0].kind, found[0].index), (FindingKind::WalHmac, Some(first)));
    }
    host.log = MemStorage::from_image(image);
    assert!(host.reopened(id).is_ok());
}

/// Someone with root, the Ed25519 key and `epoch.key` as it lies on the host changes an entry of
/// an earlier epoch and makes everything else fit, frames, tiles, checkpoint and `wal.head`.
#[test]
fn an_intruder_cannot_rewrite_an_earlier_epoch_under_the_eye_of_whoever_keeps_k_0() {
    let mut host = Host::three_epochs();
    let id = host.id();
    host.close();
    // What he finds: the key of epoch 2, and no other.
    assert_eq!(host.secrets(), [2]);
    let stolen = host.folder.image()[EPOCH_KEY_FILE].clone();
    let current = KeyChain::resume(2, stolen[32..64].first_chunk().unwrap());
    let edit = |index: u64, entry: &mut Entry| {
        if let (13, Body::Note(Note { text, .. })) = (index, &mut entry.body) {
            "desk B opened".clone_into(text);
        }
    };
    let best = |epoch: u64, _: u64| (epoch == 2).then(|| current.frame_mac());
    let wal = forge(&host.log.image()[WAL], edit, |_| false, best);
    let (link, range) = heads(&wal);

    let signing = SigningKey::from_seed(ORIGIN, &SEED).unwrap();
    let mut log = host.log.image();
    log.retain(|name, _| !name.starts_with("tile/"));
    log.insert(WAL.to_owned(), wal);
    let (size, root) = (range.size(), range.root());
    for (file, origin, root) in [
        (CHECKPOINT_FILE, ORIGIN.to_owned(), root),
        (WAL_HEAD_FILE, format!("{ORIGIN}/wal-head"), link),
    ] {
        let note = signing.sign(&Checkpoint { origin, size, root }.encode()).unwrap();
        log.insert(file.to_owned(), note.encode().into_bytes());
    }
    let log = MemStorage::from_image(log);
    let keys = kept(&host.folder, id).unwrap();
    // The host itself takes the log for its own, and makes the tiles anew.
    let (mut writer, opened) =
        Writer::open(log.clone(), keys, Options::default(), &mut |_, _| Ok(())).unwrap();
    assert!(opened.is_clean());
    writer.checkpoint().unwrap();
    drop(writer);

    // Without K_0 everybody is fooled: each signature, hash and link is right.
    let fooled = checked(&log, &without_k0());
    assert_eq!((fooled.findings, fooled.clean), (vec![], true));
    // With it nobody is, and the first frame that is not the log's own is named: it has entry 13.
    let found = checked(&log, &all_keys()).findings;
    assert_eq!((found[0].kind, found[0].index), (FindingKind::WalHmac, Some(8)));
    assert_eq!((found[0].index_end, found[0].file.as_str()), (Some(15), WAL));
    assert!(found[0].proved_by.contains("epoch 0"), "{:?}", found[0]);
    let seals: Vec<_> =
        found.iter().filter(|f| f.kind == FindingKind::EpochMac).map(|f| f.index).collect();
    assert_eq!(seals, [Some(40), Some(80)]);
    // What he wrote in the epoch whose key he has is his own: there only a kept checkpoint tells.
    assert!(found.iter().all(|f| f.index < Some(81)), "{found:?}");
}

#[test]
fn epochs_follow_one_another_and_a_seal_says_what_was_before_it() {
    let mut host = Host::three_epochs();
    host.close();
    let image = host.log.image();
    let found = |wal: Vec<u8>| {
        let mut log = image.clone();
        log.insert(WAL.to_owned(), wal);
        // The rest of the log is as it was: only what frames and seals say is asked here.
        let verdict = checked(&MemStorage::from_image(log), &without_k0());
        let told = verdict.findings.into_iter();
        told.filter(|f| [FindingKind::WalHmac, FindingKind::EpochMac].contains(&f.kind))
            .map(|f| (f.kind, f.index, f.got))
            .collect::<Vec<_>>()
    };
    assert_eq!(found(forge(&image[WAL], |_, _| {}, |_| false, right_mac)), []);
    // A seal of another epoch, of another size, or in the middle of a frame.
    let other_epoch = |_: u64, entry: &mut Entry| {
        if let Body::KeyEpoch(seal) = &mut entry.body {
            seal.epoch += 1;
        }
    };
    let told = found(forge(&image[WAL], other_epoch, |_| false, right_mac));
    assert_eq!(
        told.iter().map(|f| (f.0, f.1)).collect::<Vec<_>>(),
        [(FindingKind::EpochMac, Some(40)), (FindingKind::EpochMac, Some(80)),]
    );
    assert!(told[0].2.contains("of epoch 1, and 0 ends here"), "{told:?}");
    let no_seal = |index: u64, entry: &mut Entry| {
        if index == 40 {
            entry.body = Body::Tick;
        }
    };
    let told = found(forge(&image[WAL], no_seal, |_| false, right_mac));
    assert_eq!((told[0].0, told[0].1), (FindingKind::WalHmac, Some(40)));
    let moved = |index: u64, entry: &mut Entry| {
        if index == 42 {
            entry.body = Body::KeyEpoch(KeyChain::new(K0).frame_mac().seal(1, [0; 32], [0; 32]));
        }
    };
    let told = found(forge(&image[WAL], moved, |_| false, right_mac));
    assert_eq!((told[0].0, told[0].1), (FindingKind::EpochMac, Some(42)));
}

#[test]
fn a_seal_outlives_the_frames() {
    let mut host = Host::three_epochs();
    host.close();
    let entries = |edit: &dyn Fn(u64, &mut Entry)| {
        let mut entries = Vec::new();
        frames(&host.log.image()[WAL], |frame| {
            for item in Entries::new(frame.payload) {
                let mut entry = Entry::decode(item.unwrap().1).unwrap();
                edit(entries.len() as u64, &mut entry);
                entries.push(entry.to_bytes());
            }
        });
        let mut plain = MemStorage::new();
        let signing = SigningKey::from_seed(ORIGIN, &SEED).unwrap();
        write_plain(&mut plain, &signing, entries.iter().map(Vec::as_slice)).unwrap();
        plain
    };
    let seals = |plain: &MemStorage, keys: &VerifyKeys| {
        let verdict = verify_plain(plain, keys).unwrap();
        let of_seals = verdict.findings.iter().filter(|f| f.kind == FindingKind::EpochMac);
        of_seals.map(|f| f.index).collect::<Vec<_>>()
    };
    let whole = entries(&|_, _| {});
    assert_eq!(verify_plain(&whole, &all_keys()).unwrap().findings, []);
    let verdict = verify_plain(&whole, &without_k0()).unwrap();
    assert!(verdict.not_checked.iter().any(|what| what.contains("seals")), "{verdict:?}");
    // Everything of it is right but the key.
    let forged = entries(&|index, entry| {
        if let (80, Body::KeyEpoch(seal)) = (index, &mut entry.body) {
            let guess = KeyChain::resume(seal.epoch, &[0x77; 32]).frame_mac();
            *seal = guess.seal(seal.size, seal.root, seal.chain);
        }
    });
    assert_eq!(seals(&forged, &without_k0()), []);
    assert_eq!(seals(&forged, &all_keys()), [Some(80)]);
    // An entry before it is another: no key is needed to see that.
    let edited = entries(&|index, entry| {
        if let (13, Body::Note(Note { text, .. })) = (index, &mut entry.body) {
            "desk B opened".clone_into(text);
        }
    });
    assert_eq!(seals(&edited, &without_k0()), [Some(40), Some(80)]);
}

#[test]
fn a_key_file_that_is_not_this_logs_opens_nothing() {
    let mut host = Host::new();
    let id = host.id();
    host.fill(20);
    let whole = host.folder.image();
    let mut with = |change: &dyn Fn(&mut Vec<u8>)| {
        host.folder = MemStorage::from_image(whole.clone());
        host.folder.with_file(EPOCH_KEY_FILE, |bytes| change(bytes));
        host.reopened(id).err().map(|error| error.to_string())
    };
    assert_eq!(with(&|_| {}), None);
    assert!(with(&|bytes| bytes.truncate(99)).unwrap().contains("100 bytes"));
    assert!(with(&|bytes| bytes.push(0)).unwrap().contains("100 bytes"));
    assert!(with(&|bytes| bytes[40] ^= 1).unwrap().contains("crc32c"));
    let other = |id: [u8; 8], k0: [u8; 32]| {
        let mut folder = MemStorage::new();
        create_key_file(&mut folder, id, &KeyChain::new(k0)).unwrap();
        folder.image()[EPOCH_KEY_FILE].clone()
    };
    let (stranger, wrong) = (other([1; 8], K0), other(id, [6; 32]));
    assert!(with(&|bytes| bytes.clone_from(&stranger)).unwrap().contains("another log"));
    assert!(with(&|bytes| bytes.clone_from(&wrong)).unwrap().contains("frame key is not"));
    host.folder = MemStorage::from_image(whole);
    host.folder.unlink(EPOCH_KEY_FILE).unwrap();
    assert!(host.reopened(id).is_err());
}
