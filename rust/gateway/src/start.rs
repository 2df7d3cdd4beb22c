//! Opening a gateway: a new log, an old log folded again, or none.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cwts_audit::cases::Cases;
use cwts_audit::holds::{
    HoldsFold, KillSnapshot, PAGE_FILE, STATE_FILE, page_image, page_is_at_least,
};
use cwts_audit::storage::replace_file;
use cwts_audit::{FsStorage, KeyChain, Options, SigningKey, Storage as _, Writer, log_id_of};
use cwts_ring::KillPage;
use cwts_risk::Engine;
use cwts_risk::limits::LimitsFile;
use cwts_types::{
    Body, ConfigKind, Entry, Genesis, Header, KillState, LimitActivate, Recovery, Register,
    RegisterKind, ReleaseMode, producer, schema_json,
};
use sha2::{Digest as _, Sha256};

use crate::anchor::anchor_of;
use crate::change::chunks;
use crate::clock::{Clock, Now};
use crate::gateway::Gateway;
use crate::key_epoch::KeyClock;
use crate::keys::{Escrow, KeyStore, random_32};
use crate::limits_text::parse_live;
use crate::log::LogTail;
use crate::names::{check_parents, names_of, parent_kind};
use crate::reader::holds_a_log;
use crate::retention::{Retention, check_retention};
use crate::{GatewayError, KillSwitch};

/// How a gateway is opened.
#[derive(Debug, Clone)]
pub struct GatewayOptions {
    /// The limits file's text and its path for errors; `None` keeps those of the log.
    pub limits: Option<(String, Vec<u8>)>,
    /// The log's directory; `None` decides without a log.
    pub dir: Option<PathBuf>,
    /// Where the secret keys are.
    pub keys: Option<KeyStore>,
    /// The log's origin; `None` makes one up.
    pub origin: Option<String>,
    /// A file outside the log that keeps its newest checkpoint; `None` keeps it in the log alone.
    pub anchor: Option<PathBuf>,
    /// When accepted orders leave.
    pub release: ReleaseMode,
}

impl Gateway {
    /// Opens a gateway.
    ///
    /// # Errors
    /// Bad limits (nothing is created then), a log in use, tampered with or rolled back, a
    /// missing key.
    pub fn open(options: &GatewayOptions) -> Result<Self, GatewayError> {
        Self::open_promising(options, None)
    }

    /// Opens a gateway whose log promises to be kept so many years; one that is there must promise
    /// them already.
    ///
    /// # Errors
    /// It promises others; else as [`Gateway::open`].
    pub fn open_promising(
        options: &GatewayOptions,
        retention: Option<Retention>,
    ) -> Result<Self, GatewayError> {
        Self::open_with(options, false, Options::default(), retention)
    }

    /// Opens a log that is there and begins a new segment, so that all before can be archived.
    ///
    /// # Errors
    /// As [`Gateway::open`].
    pub fn open_to_archive(options: &GatewayOptions) -> Result<Self, GatewayError> {
        Self::open_with(options, true, Options { new_segment: true, ..Options::default() }, None)
    }

    /// Opens a log for records alone: a new one needs no limits, and as long as it has none every
    /// order is refused.
    ///
    /// # Errors
    /// As [`Gateway::open`].
    pub fn open_records(options: &GatewayOptions) -> Result<Self, GatewayError> {
        Self::open_kept(options, None)
    }

    /// The same, for records that are kept so many years; a log that is there must promise them.
    ///
    /// # Errors
    /// It promises others; else as [`Gateway::open`].
    pub fn open_kept(
        options: &GatewayOptions,
        retention: Option<Retention>,
    ) -> Result<Self, GatewayError> {
        Self::open_with(options, true, Options::default(), retention)
    }

    fn open_with(
        options: &GatewayOptions,
        records_only: bool,
        writing: Options,
        retention: Option<Retention>,
    ) -> Result<Self, GatewayError> {
        let parsed = match &options.limits {
            Some((path, text)) => Some((path.as_str(), text.as_slice(), parse_live(path, text)?)),
            None => None,
        };
        let limits = parsed.as_ref().map(|(path, text, file)| (*path, *text, file));
        let Some(dir) = &options.dir else {
            let switch = Arc::new(KillSwitch::local());
            let mut gateway = Self::empty(None, None, switch, options.release);
            gateway.keys.clone_from(&options.keys);
            gateway.apply_limits(limits)?;
            return Ok(gateway);
        };
        let keys = match &options.keys {
            Some(keys) => keys.clone(),
            None => KeyStore::from_environment()?,
        };
        let mut gateway = if holds_a_log(dir)? {
            check_retention(dir, retention)?;
            Self::reopen(dir, &keys, options, writing)?
        } else if limits.is_none() && (!records_only || writing.new_segment) {
            return Err(GatewayError::Replay(format!(
                "{}: there is no log here yet, so a limits file is needed",
                dir.display()
            )));
        } else {
            let k0 = random_32()?;
            let years = retention.map_or(RETENTION_YEARS, |retention| retention.years);
            Self::create(dir, &keys, options, (&k0, &Escrow::KeyFolder), years)?
        };
        gateway.keys = Some(keys);
        gateway.destroy_shredded()?;
        gateway.expires_ns = gateway.engine.changes().next_expiry_ns();
        // What was signed before this start counts before the file that it is given.
        gateway.poll()?;
        gateway.apply_limits(limits)?;
        gateway.rest()?;
        Ok(gateway)
    }

    fn empty(
        log: Option<LogTail>,
        dir: Option<PathBuf>,
        switch: Arc<KillSwitch>,
        release: ReleaseMode,
    ) -> Self {
        Self {
            engine: Engine::new(),
            log,
            dir,
            clock: Clock::default(),
            seen_epoch: switch.epoch(),
            switch,
            holds: HoldsFold::new(),
            cases: Cases::default(),
            release,
            produced: [0; 2],
            named: Vec::new(),
            seats: Vec::new(),
            next_order_id: 1,
            next_index: 0,
            gaps: std::collections::BTreeMap::new(),
            backpressure: 0,
            failed: None,
            log_id: [0; 8],
            keys: None,
            expires_ns: u64::MAX,
            tickets: std::collections::BTreeMap::new(),
            mass_cancel: crate::mass_cancel::MassCancel::default(),
            alerts: std::collections::VecDeque::new(),
            in_out: crate::in_out::InOut::default(),
            key_clock: KeyClock::default(),
        }
    }

    pub(crate) fn create(
        dir: &Path,
        store: &KeyStore,
        options: &GatewayOptions,
        (k0, escrow): (&[u8; 32], &Escrow),
        retention_years: u16,
    ) -> Result<Self, GatewayError> {
        let salt_source = random_32()?;
        let mut salt = [0; 16];
        salt.copy_from_slice(&salt_source[..16]);
        let origin = options
            .origin
            .clone()
            .unwrap_or_else(|| format!("cwts.local/gw/{}", crate::hex(&salt[..4])));
        let seed = random_32()?;
        let signing = SigningKey::from_seed(&origin, &seed)?;
        let genesis = Genesis {
            log_vkey: signing.verify_key().to_string(),
            origin: origin.clone(),
            committee_vkey: String::new(),
            software: SOFTWARE.to_owned(),
            k0_sha256: KeyChain::resume(0, k0).digest(),
            retention_years,
            salt,
        };
        let now = Clock::default().now();
        let [schema, genesis] = first_entries(genesis, now, 0);
        let log_id = log_id_of(&genesis);
        store.store(log_id, &seed, k0, escrow)?;
        let keys = store.load(&origin, log_id)?;
        let storage = FsStorage::create(dir)?;
        let log_error = |source| GatewayError::Log { dir: dir.display().to_string(), source };
        let first = [schema.as_slice(), genesis.as_slice()];
        let anchor = anchor_of(options, dir)?;
        let defaults = Options::default();
        let writer = Writer::create_anchored(storage, keys, &first, now.utc_ns, defaults, anchor)
            .map_err(log_error)?;
        let page = KillPage::create(dir.join(PAGE_FILE)).map_err(page_error)?;
        let switch = Arc::new(KillSwitch::shared(dir, page));
        let log = LogTail::start(writer, true).map_err(log_error)?;
        let mut gateway = Self::empty(Some(log), Some(dir.to_owned()), switch, options.release);
        gateway.produced[0] = 2;
        gateway.key_clock = KeyClock::from(gateway.next_index());
        gateway.log_id = log_id;
        gateway.write_kill_files(dir)?;
        Ok(gateway)
    }

    fn reopen(
        dir: &Path,
        store: &KeyStore,
        options: &GatewayOptions,
        writing: Options,
    ) -> Result<Self, GatewayError> {
        let log_error = |source| GatewayError::Log { dir: dir.display().to_string(), source };
        let (origin, log_id) = crate::reader::identity(dir)?;
        let keys = store.load(&origin, log_id)?;
        let storage = FsStorage::open(dir)?;
        let mut engine = Engine::new();
        let (mut holds, mut cases) = (HoldsFold::new(), Cases::default());
        let mut produced = [0u64; 2];
        let mut named: Vec<u64> = Vec::new();
        let (mut next_order_id, mut key_from) = (1, 0);
        let mut visit = |index: u64, bytes: &[u8]| {
            let entry = Entry::decode(bytes)?;
            if let Some(count) = produced.get_mut(entry.header.producer as usize) {
                *count = entry.header.producer_seq + 1;
            }
            crate::intake::fold_producer(&mut named, &entry);
            if let Body::Order(order, _) = &entry.body {
                next_order_id = next_order_id.max(order.order_id.saturating_add(1));
            }
            if let Body::KeyEpoch(_) = &entry.body {
                key_from = index + 1;
            }
            engine.step(index, &entry)?;
            holds.apply(index, &entry.body)?;
            cases.apply(index, entry.header.utc_ns, &entry.body)?;
            Ok(())
        };
        let anchor = anchor_of(options, dir)?;
        let opened = Writer::open_anchored(storage, keys, writing, anchor, &mut visit);
        let (writer, opened) = opened.map_err(log_error)?;
        if !engine.registry().is_empty() && produced[0] == 0 {
            return Err(GatewayError::Replay(format!(
                "{}: this is a replay's log; a live gateway does not continue it",
                dir.display()
            )));
        }
        let (page, page_why) = match KillPage::open(dir.join(PAGE_FILE)) {
            Ok(page) => (page, None),
            Err(error) => {
                // Nothing is known about who halted what: a fresh page, and the firm is halted. In
                // the page from its first byte, or a crash before the hold is in the log would
                // leave a page that knows of nothing.
                let halted = page_image(1, &[KillState::Halted]);
                replace_file(&mut FsStorage::open(dir)?, PAGE_FILE, &halted)?;
                let page = KillPage::open(dir.join(PAGE_FILE)).map_err(page_error)?;
                (page, Some(error.to_string()))
            }
        };
        let switch = Arc::new(KillSwitch::shared(dir, page));
        let log = LogTail::start(writer, true).map_err(log_error)?;
        let mut gateway = Self::empty(Some(log), Some(dir.to_owned()), switch, options.release);
        gateway.engine = engine;
        gateway.holds = holds;
        gateway.cases = cases;
        gateway.produced = produced;
        gateway.named = named;
        gateway.next_order_id = next_order_id;
        gateway.log_id = log_id;
        gateway.key_clock = KeyClock::from(key_from);
        if let Some(cause) = opened.cause {
            let recovery = Recovery {
                good_size: opened.size,
                cut_bytes: opened.cut_bytes,
                cause,
                root: opened.root,
            };
            let now = gateway.clock.now();
            gateway.append(Body::Recovery(recovery), now, 0)?;
        }
        let seen = gateway.switch.epoch();
        if let Some(why) = page_why {
            gateway.hold_firm(&format!("kill.page at start: {why}"), seen)?;
        }
        gateway.restore_kill_state(dir, seen)?;
        gateway.take_requests()?;
        // What a crash kept from following still follows.
        gateway.flush_due()?;
        gateway.cancel_lost()?;
        Ok(gateway)
    }

    /// The stricter of `kill.state` and the log holds; what cannot be read halts the firm.
    fn restore_kill_state(&mut self, dir: &Path, seen: u64) -> Result<(), GatewayError> {
        let storage = FsStorage::open(dir)?;
        let bytes = storage.read_all(STATE_FILE, cwts_audit::holds::KILL_TEXT_BYTES_MAX);
        let parsed = match bytes {
            Ok(Some(bytes)) => KillSnapshot::parse(&bytes).map_err(|e| e.to_string()),
            Ok(None) => Err("is missing".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        let snapshot = match parsed {
            Ok(snapshot) => snapshot,
            Err(why) => return self.hold_firm(&format!("kill.state at start: {why}"), seen),
        };
        let mut newer = snapshot.holds;
        newer.retain(|hold| hold.id >= self.engine.next_hold());
        for hold in newer {
            // The log lost its tail, the file did not: the hold stands.
            let why = format!("kill.state holds more than the log: {}", hold.reason);
            self.hold_firm(&why, seen)?;
        }
        Ok(())
    }

    /// Puts a limits text in force, as entries, and registers its names.
    ///
    /// # Errors
    /// It moves an account to another parent, or the log has failed.
    fn apply_limits(
        &mut self,
        limits: Option<(&str, &[u8], &LimitsFile)>,
    ) -> Result<(), GatewayError> {
        let Some((path, text, file)) = limits else { return Ok(()) };
        check_parents(&self.engine, path, file)?;
        if self.engine.limits_text() != text {
            if !self.engine.limits().operators.is_empty() {
                let what = format!(
                    "is not version {} of the limits, which is in force in the log and lists \
                     operators: propose it (`cwts limits propose`), or start without a file to \
                     keep what is in force",
                    self.engine.limits_version()
                );
                return Err(GatewayError::LimitChange { path: path.to_owned(), what });
            }
            let now = self.clock.now();
            let first_part = self.next_index();
            let parts = chunks(ConfigKind::Limits, text);
            let count = parts.len() as u16;
            for body in parts {
                self.append_and_step(body, now)?;
            }
            let activate = LimitActivate {
                version: self.engine.limits_version() + 1,
                parts: count,
                first_part,
                sha256: Sha256::digest(text).into(),
            };
            self.append_and_step(Body::LimitActivate(activate), now)?;
        }
        self.register_names(file)
    }

    /// Registers every name of a limits file, and tells the kill files of them.
    pub(crate) fn register_names(&mut self, file: &LimitsFile) -> Result<(), GatewayError> {
        let now = self.clock.now();
        for (kind, parent, name) in names_of(file) {
            self.register(kind, parent.as_deref(), &name, now)?;
        }
        if let Some(dir) = self.dir.clone() {
            self.write_kill_files(&dir)?;
        }
        Ok(())
    }

    pub(crate) fn register(
        &mut self,
        kind: RegisterKind,
        parent: Option<&str>,
        name: &str,
        now: Now,
    ) -> Result<(), GatewayError> {
        let registry = self.engine.registry();
        if registry.handle(kind, name).is_some() {
            return Ok(());
        }
        let parent = parent_kind(kind)
            .zip(parent)
            .and_then(|(kind, name)| registry.handle(kind, name))
            .unwrap_or(0);
        let mut salt = [0; 16];
        salt.copy_from_slice(&random_32()?[..16]);
        let handle = registry.len(kind) + 1;
        let register = Register { kind, handle, parent, salt, name: name.to_owned() };
        self.append_and_step(Body::Register(register), now)
    }

    fn append_and_step(&mut self, body: Body, now: Now) -> Result<(), GatewayError> {
        let index = self.next_index();
        let entry = Entry { header: Header::default(), body };
        self.engine.step(index, &entry).map_err(|source| GatewayError::Step { index, source })?;
        self.holds.apply(index, &entry.body).map_err(|e| self.fail(e.to_string()))?;
        self.cases.apply(index, 0, &entry.body).map_err(|e| self.fail(e.to_string()))?;
        self.append(entry.body, now, 0)
    }

    /// Everything so far durable, kill files and page in step with the log.
    fn rest(&mut self) -> Result<(), GatewayError> {
        self.sync()?;
        self.take_requests()
    }

    /// Ends the gateway: a CLOSE entry, a signed checkpoint, the kill files as the log has them.
    ///
    /// # Errors
    /// The log has failed.
    pub fn close(mut self) -> Result<Option<cwts_audit::Checkpoint>, GatewayError> {
        if self.log.is_none() {
            return Ok(None);
        }
        self.attend()?;
        self.write_page()?;
        let now = self.clock.now();
        self.flush_gaps(now);
        self.flush_due()?;
        self.compare_in_out(now)?;
        self.log_day_so_far(now)?;
        let header = self.header(0, now);
        let dir = self.dir.as_ref().map(|d| d.display().to_string()).unwrap_or_default();
        let Some(log) = self.log.take() else { return Ok(None) };
        log.close(header).map(Some).map_err(|source| GatewayError::Log { dir, source })
    }

    /// Leaves the page as the log has it: a raise whose request was already taken in, or was
    /// refused, has moved numbers that no entry tells. A page that is laxer or no page stays as it
    /// is: the next start and the verifier must see that.
    fn write_page(&self) -> Result<(), GatewayError> {
        let Some(dir) = &self.dir else { return Ok(()) };
        let mut storage = FsStorage::open(dir)?;
        let [_, _, (name, canonical)] = self.holds.files();
        let found = storage.read_all(name, canonical.len()).ok().flatten().unwrap_or_default();
        if found != canonical && page_is_at_least(&found, &canonical) {
            replace_file(&mut storage, name, &canonical)?;
        }
        Ok(())
    }
}

/// SCHEMA and GENESIS as bytes.
pub(crate) fn first_entries(genesis: Genesis, now: Now, flags: u16) -> [Vec<u8>; 2] {
    let header = |producer_seq| Header {
        flags,
        producer: producer::GATEWAY,
        producer_seq,
        utc_ns: i64::try_from(now.utc_ns).unwrap_or(i64::MAX),
        mono_ns: now.mono_ns,
        ..Header::default()
    };
    [
        Entry { header: header(0), body: Body::Schema(schema_json()) }.to_bytes(),
        Entry { header: header(1), body: Body::Genesis(genesis) }.to_bytes(),
    ]
}

fn page_error(error: cwts_ring::KillPageError) -> GatewayError {
    GatewayError::File { path: PAGE_FILE.to_owned(), source: std::io::Error::other(error) }
}

/// What GENESIS says of us.
pub(crate) const SOFTWARE: &str = concat!("cwts ", env!("CARGO_PKG_VERSION"));
/// SEC Rule 17a-4(b)(4) asks for three years, (a) for six.
pub(crate) const RETENTION_YEARS: u16 = 7;
