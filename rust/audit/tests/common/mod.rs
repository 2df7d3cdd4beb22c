//! A small log with every kind of entry, as a gateway would write it.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

pub mod forge;

use cwts_audit::holds::HoldsFold;
use cwts_audit::line_key::{LineKey as _, WitnessSigner};
use cwts_audit::note::NoteSignature;
use cwts_audit::witness::{WITNESSED_FILE, witnessed};
use cwts_audit::{
    Hash, KeyChain, Keys, Level, LogError, MemStorage, Note as SignedNote, NoteKey, Opened,
    Options, Storage, Verdict, VerifyKeys, Writer, verify,
};
use cwts_types::{
    Body, Close, Config, ConfigKind, Decision, Entry, Exec, Genesis, Header, Kill, KillState,
    LimitActivate, NO_CONTROL, Note, Order, Reasons, Recovery, RecoveryCause, Register,
    RegisterKind, Resume, Scope, ScopeKind, Verdict as RiskVerdict, producer,
};

pub const ORIGIN: &str = "cwts.example/gw1";
pub const SEED: [u8; 32] = [9; 32];
pub const K0: [u8; 32] = [5; 32];
pub const START_NS: u64 = 1_795_000_000_000_005_582;

pub fn keys() -> Keys {
    Keys::new(ORIGIN, &SEED, KeyChain::new(K0)).unwrap()
}

pub fn all_keys() -> VerifyKeys {
    VerifyKeys {
        vkey: Some(keys().signing.verify_key().clone()),
        others: Vec::new(),
        k0: Some(KeyChain::new(K0)),
    }
}

/// Numbers entries per producer and folds the holds, as a gateway does.
#[derive(Default)]
pub struct Maker {
    pub gateway_seq: u64,
    pub api_seq: u64,
    pub decider_seq: u64,
    pub folded: HoldsFold,
    pub after_order: bool,
}

impl Maker {
    pub fn entry(&mut self, index: u64, body: Body) -> Vec<u8> {
        let (producer, seq) = match &body {
            Body::Order(..) => (producer::API, &mut self.api_seq),
            Body::Decision(..) => (producer::DECIDER, &mut self.decider_seq),
            _ => (producer::GATEWAY, &mut self.gateway_seq),
        };
        let utc_ns = (START_NS + index * 1000) as i64;
        let header = Header { producer, producer_seq: *seq, utc_ns, ..Header::default() };
        *seq += 1;
        self.folded.apply(index, &body).unwrap();
        self.after_order = matches!(body, Body::Order(..));
        Entry { header, body }.to_bytes()
    }

    pub fn opening(&mut self) -> Vec<Vec<u8>> {
        let genesis = Body::Genesis(Genesis {
            origin: ORIGIN.to_owned(),
            log_vkey: keys().signing.verify_key().to_string(),
            committee_vkey: String::new(),
            software: "cwts 0.1.0".to_owned(),
            k0_sha256: KeyChain::new(K0).digest(),
            retention_years: 7,
            salt: [3; 16],
        });
        vec![self.entry(0, Body::Schema("[]".to_owned())), self.entry(1, genesis)]
    }
}

pub fn register(kind: RegisterKind, handle: u32, name: &str) -> Body {
    Body::Register(Register { kind, handle, parent: 0, salt: [1; 16], name: name.to_owned() })
}

pub fn order(index: u64) -> Body {
    let order =
        Order { seq: index, order_id: 1000 + index, qty: 5, px: 7, kind: 1, ..Order::default() };
    Body::Order(order, Vec::new())
}

pub fn decision(index: u64, order_index: u64, limits_version: u32) -> Body {
    let decision = Decision {
        seq: index,
        order_seq: order_index,
        reasons: Reasons::NONE,
        observed: 0,
        limit: 0,
        order_id: 1000 + order_index,
        limits_version,
        kill_epoch: 0,
        scope: 0,
        first: NO_CONTROL,
        level: 0,
        verdict: RiskVerdict::Accept as u8,
        flags: 0,
    };
    Body::Decision(decision, Vec::new())
}

pub fn kill(hold: u64, epoch: u32, scope: Scope) -> Body {
    Body::Kill(Kill {
        hold,
        epoch,
        state: KillState::Halted,
        scope,
        rank: 2,
        allow_reduce: false,
        actor: "risk anna".to_owned(),
        reason: "fat finger".to_owned(),
    })
}

/// The body at an index of the sample log.
pub fn body_at(index: u64) -> Body {
    let account = Scope { kind: ScopeKind::Account, handle: 1 };
    match index {
        2 => register(RegisterKind::Account, 1, "ACC 1"),
        3 => register(RegisterKind::Instrument, 1, "AAPL"),
        4 => Body::Config(Config {
            kind: ConfigKind::Limits,
            part: 0,
            parts: 1,
            text: b"x = 1".to_vec(),
        }),
        5 => Body::LimitActivate(LimitActivate {
            version: 1,
            parts: 1,
            first_part: 4,
            sha256: [8; 32],
        }),
        10 => kill(1, 1, account),
        11 => kill(2, 2, Scope::FIRM),
        12 => Body::Resume(Resume {
            hold: 2,
            epoch: 3,
            signatures: None,
            actor: "risk anna".to_owned(),
            approver: "risk bo".to_owned(),
            reason: "reviewed".to_owned(),
        }),
        13 => Body::Note(Note { salt: [4; 16], text: "desk A opened".to_owned() }),
        i if i % 16 == 15 => Body::Exec(Exec { seq: i, order_id: 1000, ..Exec::default() }),
        i if i % 16 == 14 || i < 14 && i % 2 == 1 => Body::Tick,
        i if i % 2 == 0 => order(i),
        i => decision(i, i - 1, 1),
    }
}

/// Pushes entries up to `size`, a commit after every `group`.
pub fn fill<S: Storage>(writer: &mut Writer<S>, maker: &mut Maker, size: u64, group: u64) {
    while writer.size() < size {
        let index = writer.size();
        let body = match (body_at(index), index) {
            // Orders before 14 have their decision next.
            (Body::Tick, i) if i < 14 && matches!(body_at(i - 1), Body::Order(..)) => {
                decision(i, i - 1, 1)
            }
            // No order comes last: its decision would be missing.
            (Body::Order(..), i) if i + 1 == size => Body::Tick,
            // A crash may have taken the order.
            (Body::Decision(..), _) if !maker.after_order => Body::Tick,
            (body, _) => body,
        };
        let entry = maker.entry(index, body);
        assert_eq!(writer.push(&entry).unwrap(), index);
        if writer.size().is_multiple_of(group) {
            writer.commit(START_NS + index * 1000).unwrap();
        }
    }
    writer.commit(START_NS + size * 1000).unwrap();
}

pub fn close_entry(maker: &mut Maker, size: u64, root: Hash) -> Vec<u8> {
    maker.entry(size, Body::Close(Close { size, root }))
}

pub fn recovery_entry(maker: &mut Maker, size: u64, cut_bytes: u64, root: Hash) -> Vec<u8> {
    let cause = if cut_bytes > 0 { RecoveryCause::TornTail } else { RecoveryCause::NoClose };
    maker.entry(size, Body::Recovery(Recovery { good_size: size, cut_bytes, cause, root }))
}

pub fn create<S: Storage>(storage: S, options: Options) -> Result<(Writer<S>, Maker), LogError> {
    let mut maker = Maker::default();
    let opening = maker.opening();
    let opening: Vec<&[u8]> = opening.iter().map(Vec::as_slice).collect();
    Ok((Writer::create(storage, keys(), &opening, START_NS, options)?, maker))
}

pub fn write_kill_files<S: Storage>(storage: &mut S, maker: &Maker) {
    for (name, bytes) in maker.folded.files() {
        storage.create(name).unwrap();
        storage.write_at(name, 0, &bytes).unwrap();
    }
}

/// A closed log of `size` entries, CLOSE included.
pub fn closed_log(size: u64, group: u64, options: Options) -> MemStorage {
    let storage = MemStorage::new();
    let (mut writer, mut maker) = create(storage.clone(), options).unwrap();
    fill(&mut writer, &mut maker, size - 1, group);
    write_kill_files(writer.storage_mut(), &maker);
    writer.close(START_NS, |size, root| close_entry(&mut maker, size, root)).unwrap();
    storage
}

pub fn witness_signer() -> WitnessSigner {
    WitnessSigner::from_seed("witness.example/w1", &[4; 32]).unwrap()
}

/// [`all_keys`], and a witness's.
pub fn witness_keys() -> VerifyKeys {
    let others = vec![NoteKey::Witness(witness_signer().verify_key().clone())];
    VerifyKeys { others, ..all_keys() }
}

/// [`closed_log`], whose checkpoint of half its entries a witness has cosigned.
pub fn witnessed_log(size: u64, group: u64, options: Options) -> MemStorage {
    let storage = MemStorage::new();
    let (mut writer, mut maker) = create(storage.clone(), options).unwrap();
    fill(&mut writer, &mut maker, size / 2, group);
    writer.checkpoint().unwrap();
    cosign(&storage);
    fill(&mut writer, &mut maker, size - 1, group);
    write_kill_files(writer.storage_mut(), &maker);
    writer.close(START_NS, |size, root| close_entry(&mut maker, size, root)).unwrap();
    storage
}

/// Lets a witness cosign what `checkpoint` says now.
pub fn cosign(storage: &MemStorage) {
    let note = SignedNote::parse(&storage.image()["checkpoint"]).unwrap();
    let signer = witness_signer();
    let key = signer.verify_key();
    let bytes = signer.cosign(&note.text, 1_795_000_000);
    let line = NoteSignature { name: key.name().to_owned(), id: key.id(), bytes };
    let cosigned = witnessed(&note, vec![line], None).encode();
    storage.with_file(WITNESSED_FILE, |bytes| *bytes = cosigned.into_bytes());
}

/// A log of `size` entries that was never closed.
pub fn open_log(size: u64, group: u64, options: Options) -> (MemStorage, Maker) {
    let storage = MemStorage::new();
    let (mut writer, mut maker) = create(storage.clone(), options).unwrap();
    fill(&mut writer, &mut maker, size, group);
    write_kill_files(writer.storage_mut(), &maker);
    (storage, maker)
}

pub type Reopened = (Writer<MemStorage>, Opened, Vec<Vec<u8>>);

pub fn reopen(storage: MemStorage) -> Result<Reopened, LogError> {
    let mut seen = Vec::new();
    let (writer, opened) =
        Writer::open(storage, keys(), Options::default(), &mut |index, entry| {
            assert_eq!(index, seen.len() as u64);
            seen.push(entry.to_vec());
            Ok(())
        })?;
    Ok((writer, opened, seen))
}

pub fn verdict(storage: &MemStorage) -> Verdict {
    verify(storage, &all_keys(), Level::Full).unwrap()
}

/// A small first segment, so that every byte of the last frame can be tried.
pub fn small() -> Options {
    Options { segment_bytes: 32 * 1024, ..Options::default() }
}
