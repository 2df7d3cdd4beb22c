//! A closed log with every kind of entry, in memory, under keys that are no secret.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use cwts_audit::holds::{HoldsFold, KillAction, KillRequest};
use cwts_audit::{
    KeyChain, Keys, LogError, MemStorage, Note as SignedNote, Options, Storage as _, VerifyKeys,
    Writer,
};
use cwts_types::{
    Access, AccessKind, Alert, AlertKind, Alias, AliasKind, Amend, Archive, ArchiveCodec, Body,
    Clock, ClockSource, Close, Config, ConfigKind, Control, Decision, Entry, EntryType, Exec, Fsck,
    Gap, Genesis, Header, Hold, HoldRelease, KeyEpoch, Kill, KillState, LimitActivate, Locate,
    NO_CONTROL, Note, Order, Override, Phase, Reasons, Reference, Register, RegisterKind,
    ReleaseDenied, Resume, Scope, Sealed, SealedKind, Session, SessionKind, Shred, TriggerCounts,
    TriggerRow, Verdict, exec_type, producer, reference_flag, schema_json,
};

use crate::firm;

/// The files of the log, by name; none if it could not be written, which a test would see.
pub(super) fn closed_log() -> &'static BTreeMap<String, Vec<u8>> {
    static LOG: LazyLock<BTreeMap<String, Vec<u8>>> =
        LazyLock::new(|| written(&entries()[2..]).unwrap_or_default());
    &LOG
}

/// The log's entries without its CLOSE.
pub(super) fn entries() -> &'static [Vec<u8>] {
    static ENTRIES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
        let mut seqs = BTreeMap::new();
        let mut number = |body: Body, at: usize| {
            let producer = match body {
                Body::Order(..) => producer::API,
                Body::Decision(..) => producer::DECIDER,
                _ => producer::GATEWAY,
            };
            let seq: &mut u64 = seqs.entry(producer).or_default();
            let (producer_seq, utc_ns) = (*seq, (START_NS + 1_000 * at as u64) as i64);
            *seq += 1;
            Entry { header: Header { producer, producer_seq, utc_ns, ..Header::default() }, body }
        };
        bodies().into_iter().enumerate().map(|(at, body)| number(body, at).to_bytes()).collect()
    });
    &ENTRIES
}

/// Whether an entry says that it ends an epoch of the frame key.
pub(super) fn is_seal(entry: &[u8]) -> bool {
    entry.first() == Some(&(EntryType::KeyEpoch as u8))
}

/// A log of the two opening entries and these, closed; its files.
pub(super) fn written(more: &[Vec<u8>]) -> Result<BTreeMap<String, Vec<u8>>, LogError> {
    let storage = MemStorage::new();
    let Some(keys) = keys() else { return Ok(BTreeMap::new()) };
    let opening: Vec<&[u8]> = entries()[..2].iter().map(Vec::as_slice).collect();
    let options = Options { segment_bytes: SEGMENT_BYTES, ..Options::default() };
    let mut writer = Writer::create(storage.clone(), keys, &opening, START_NS, options)?;
    let mut folded = HoldsFold::new();
    for (at, entry) in more.iter().enumerate() {
        if is_seal(entry) {
            // Only the writer ends an epoch of the frame key.
            writer.evolve(START_NS, |seal| match Entry::decode(entry) {
                Ok(Entry { header, .. }) => Entry { header, body: Body::KeyEpoch(seal) }.to_bytes(),
                Err(_) => entry.clone(),
            })?;
        } else {
            writer.push(entry)?;
        }
        if let Ok(entry) = Entry::decode(entry) {
            // What does not fit those before it is for the verifier to name.
            let _ = folded.apply(at as u64 + 2, &entry.body);
        }
        if at % 8 == 7 {
            writer.commit(START_NS)?;
        }
    }
    for (name, bytes) in folded.files() {
        let storage = writer.storage_mut();
        storage.create(name)?;
        storage.write_at(name, 0, &bytes)?;
    }
    let ours = |entry: &&Vec<u8>| {
        Entry::decode(entry).is_ok_and(|entry| entry.header.producer == producer::GATEWAY)
    };
    let producer_seq = (2 + more.iter().filter(ours).count()) as u64;
    writer.close(START_NS, |size, root| {
        let header = Header { producer_seq, utc_ns: START_NS as i64, ..Header::default() };
        Entry { header, body: Body::Close(Close { size, root }) }.to_bytes()
    })?;
    Ok(storage.image())
}

/// The keys of the sample.
pub(super) fn keys() -> Option<Keys> {
    Keys::new(ORIGIN, &[9; 32], KeyChain::new([5; 32])).ok()
}

/// What an auditor of the sample holds.
pub(super) fn verify_keys() -> VerifyKeys {
    let vkey = keys().map(|keys| keys.signing.verify_key().clone());
    VerifyKeys { vkey, k0: Some(KeyChain::new([5; 32])), ..VerifyKeys::default() }
}

/// Everything that the sample's key has signed.
pub(super) fn signed_texts() -> &'static [String] {
    static TEXTS: LazyLock<Vec<String>> = LazyLock::new(|| {
        let files = closed_log().values();
        files.filter_map(|bytes| SignedNote::parse(bytes).ok()).map(|note| note.text).collect()
    });
    &TEXTS
}

/// One request of each kind.
pub(super) fn requests() -> [KillRequest; 4] {
    let resume = KillAction::Resume { hold: 1, approver: "ben".to_owned() };
    let request = |(action, cancel_working)| KillRequest {
        action,
        actor: "ana".to_owned(),
        reason: "fat finger, 100 %".to_owned(),
        utc_ns: START_NS,
        cancel_working,
    };
    let (halt, reduce) = (KillAction::Halt(firm()), KillAction::Reduce(firm()));
    [(halt.clone(), false), (halt, true), (reduce, false), (resume, false)].map(request)
}

fn bodies() -> Vec<Body> {
    let vkey = keys().map(|keys| keys.signing.verify_key().to_string()).unwrap_or_default();
    let register = |kind, handle, name: &str| {
        Body::Register(Register { kind, handle, parent: 0, salt: [1; 16], name: name.to_owned() })
    };
    let limits = LIMITS.as_bytes();
    let order = |seq: u64| Order {
        seq,
        ts: START_NS,
        px: 100_000_000_000,
        qty: 5,
        order_id: 1_000 + seq,
        instrument: 1,
        account: 1,
        strategy: 1,
        kind: 1,
        side: 1,
        type_tif: 2,
        ..Order::default()
    };
    let decision = |seq: u64| Decision {
        seq,
        order_seq: seq - 1,
        reasons: Reasons::NONE,
        observed: 0,
        limit: 0,
        order_id: 1_000 + seq - 1,
        limits_version: 1,
        kill_epoch: 0,
        scope: 0,
        first: NO_CONTROL,
        level: 0,
        verdict: Verdict::Accept as u8,
        flags: 0,
    };
    let exec = |seq| {
        Body::Exec(Exec {
            seq,
            ts: START_NS,
            order_id: 1_011,
            exec_id: seq,
            last_px: 100_000_000_000,
            last_qty: 2,
            cum_qty: 2,
            exec_type: exec_type::TRADE,
            ..Exec::default()
        })
    };
    vec![
        Body::Schema(schema_json()),
        Body::Genesis(Genesis {
            origin: ORIGIN.to_owned(),
            log_vkey: vkey,
            committee_vkey: String::new(),
            software: "cwts".to_owned(),
            k0_sha256: KeyChain::new([5; 32]).digest(),
            retention_years: 7,
            salt: [3; 16],
        }),
        Body::Config(Config { kind: ConfigKind::Limits, part: 0, parts: 1, text: limits.to_vec() }),
        Body::LimitActivate(LimitActivate {
            version: 1,
            parts: 1,
            first_part: 2,
            sha256: sha2::Digest::finalize(sha2::Digest::chain_update(
                <sha2::Sha256 as sha2::Digest>::new(),
                limits,
            ))
            .into(),
        }),
        register(RegisterKind::Customer, 1, "acme"),
        register(RegisterKind::Account, 1, "ACC1"),
        register(RegisterKind::Strategy, 1, "mm-1"),
        register(RegisterKind::Instrument, 1, "AAPL"),
        Body::Reference(Reference {
            instrument: 1,
            flags: reference_flag::LAST_TRADE,
            px: 100_000_000_000,
            bid: 0,
            ask: 0,
            prior_close: 0,
            luld_lo: 0,
            luld_hi: 0,
            ts: START_NS,
        }),
        Body::Session(Session { kind: SessionKind::Instrument, handle: 1, phase: Phase::Trading }),
        Body::Tick,
        Body::Order(order(11), Vec::new()),
        Body::Decision(decision(12), Vec::new()),
        exec(13),
        Body::Alias(Alias { id: 1_011, kind: AliasKind::OrderId, text: b"A-1".to_vec() }),
        Body::Order(order(15), Vec::new()),
        Body::Decision(decision(16), Vec::new()),
        Body::Override(Override {
            order_id: 1_011,
            order_seq: 11,
            controls: Reasons(1 << 10),
            expires_ns: START_NS + 1,
            actor: "ana".to_owned(),
            approver: "ben".to_owned(),
            reason: "index day".to_owned(),
            signatures: Some([[1; 64], [2; 64]]),
        }),
        Body::Alert(Alert {
            kind: AlertKind::Stage,
            control: Some(Control::CreditLimit),
            level: cwts_types::Level::Account,
            percent: 70,
            scope: 1,
            instrument: 0,
            order_seq: 11,
            order_id: 1_011,
            observed: 70,
            limit: 100,
        }),
        Body::TriggerCounts(TriggerCounts {
            from_ns: 0,
            to_ns: START_NS,
            orders: 2,
            accepted: 1,
            cancels: 0,
            rows: vec![TriggerRow {
                control: Control::PriceCollar,
                refused: 1,
                soft: 1,
                alerts: 0,
                overridden: 0,
            }],
        }),
        Body::ReleaseDenied(ReleaseDenied { order_seq: 15, order_id: 1_015, kill_epoch: 0 }),
        Body::Kill(Kill {
            hold: 1,
            epoch: 1,
            state: KillState::Halted,
            scope: Scope::FIRM,
            rank: 2,
            allow_reduce: false,
            actor: "ana".to_owned(),
            reason: "fat finger".to_owned(),
        }),
        Body::Resume(Resume {
            hold: 1,
            epoch: 2,
            signatures: None,
            actor: "ana".to_owned(),
            approver: "ben".to_owned(),
            reason: "reviewed".to_owned(),
        }),
        Body::Locate(Locate { account: 1, instrument: 1, qty: 100, actor: "anna".to_owned() }),
        Body::KeyEpoch(KeyEpoch {
            epoch: 0,
            size: 30,
            root: [1; 32],
            chain: [2; 32],
            mac: [3; 32],
        }),
        Body::Clock(Clock {
            source: ClockSource::Adjtimex,
            status: 0,
            flags: 0x2001,
            maxerror_us: 90,
            esterror_us: 12,
            offset_ns: -340,
            freq: 1 << 16,
            tai: 37,
            bound_us: 100,
            raw_ns: 5,
            utc_minus_mono_ns: START_NS as i64,
        }),
        Body::Fsck(Fsck { size: 30, root: [1; 32], findings: 0, level: 1 }),
        Body::Amend(Amend {
            index: 13,
            salt: [4; 16],
            field: "last_px".to_owned(),
            value: "100.01".to_owned(),
            reason: "trade corrected".to_owned(),
        }),
        Body::Hold(Hold {
            case: "2026-7".to_owned(),
            account: 1,
            instrument: 0,
            person: 0,
            from_ns: 0,
            to_ns: i64::MAX,
            actor: "ana".to_owned(),
            approver: "ben".to_owned(),
            reason: "subpoena".to_owned(),
            signatures: Some([[1; 64], [2; 64]]),
        }),
        Body::HoldRelease(HoldRelease {
            case: "2026-7".to_owned(),
            actor: "ana".to_owned(),
            approver: "ben".to_owned(),
            reason: "closed".to_owned(),
            signatures: None,
        }),
        Body::Sealed(Sealed {
            kind: RegisterKind::Account,
            what: SealedKind::Identity,
            subject: 1,
            sealed: vec![7; 80],
        }),
        Body::Shred(Shred {
            kind: RegisterKind::Account as u8,
            subject: 1,
            actor: "ana".to_owned(),
            approver: "ben".to_owned(),
            reason: "Art. 17".to_owned(),
            signatures: None,
        }),
        Body::Archive(Archive {
            first: 0,
            last: 9,
            root: [5; 32],
            sha256: [6; 32],
            codec: ArchiveCodec::Cwz,
            bytes: 900,
        }),
        Body::Access(Access {
            kind: AccessKind::Export,
            size: 30,
            who: "ana".to_owned(),
            what: "parquet".to_owned(),
        }),
        Body::Gap(Gap { producer: producer::API, count: 3, from_ns: 1, to_ns: 2 }),
        Body::Note(Note { salt: [4; 16], text: "desk A opened".to_owned() }),
    ]
}

const ORIGIN: &str = "cwts.example/torture";
const START_NS: u64 = 1_795_000_000_000_005_582;
/// Small, so that a mutation of a segment meets frames and not zeros.
const SEGMENT_BYTES: u64 = 16 << 10;

/// Limits with every section and kind of key.
pub(super) const LIMITS: &str = r#"schema = 1
[firm]
base_currency = "USD"
credit = "500_000_000"
max_open_notional = "none"
[desk]
equities = { credit = "200_000_000" }
[customer]
acme = { credit = "50_000_000", restricted = { deny = ["OTC"] } }
[account.ACC1]
customer = "acme"
max_order_qty = 1_000
max_order_notional = "150_000"
credit = "10_000_000"
max_open_notional = "2_000_000"
message_rate = { max = 60, window = "1s" }
duplicate_order = { window = "1ms", max = 1 }
max_position = { long = 5_000, short = 0 }
[account.ACC1.instrument]
AAPL = { max_position = { long = 2_000, short = 0 } }
[strategy.mm-1]
message_rate = { max = 50, window = "100us" }
max_order_qty = "none"
[group.us]
tick = "0.01"
lot = 1
multiplier = 1
qty_decimals = 0
allow_nonpositive = false
price_collar = { bps = 500, ticks = 900, absolute = "12.5", max_age = "2s", on_missing = "deny" }
[instrument]
AAPL = { group = "us", venue = "XNAS", max_order_qty = 10_000 }
SAP = { group = "us", currency = "EUR" }
[restricted]
deny = ["XYZ"]
allow = ["AAPL", "SAP"]
[fx]
EUR = "1.08"
"#;
