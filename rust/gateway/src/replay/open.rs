//! The start and the end of a replay's log.

use cwts_audit::holds::HoldsFold;
use cwts_audit::{Checkpoint, FsStorage, KeyChain, Keys, Options, Writer, storage::replace_file};
use cwts_feeds::inject::Injected;
use cwts_feeds::sniff::Format;
use cwts_risk::Engine;
use cwts_risk::limits::LimitsFile;
use cwts_types::{Body, ConfigKind, Genesis, LimitActivate, Register, entry_flag, producer};
use sha2::{Digest as _, Sha256};

use super::fold::Fold;
use super::merge::InputDone;
use super::mid::MidBooks;
use super::rows::DecisionRows;
use super::{Mapping, ReplayOptions};
use crate::change::chunks;
use crate::clock::Now;
use crate::hex;
use crate::limits_text::parse_limits;
use crate::log::LogTail;
use crate::names::{names_of, parent_kind};
use crate::start::{RETENTION_YEARS, SOFTWARE, first_entries};
use crate::{GatewayError, KeyStore};

impl<'o> Fold<'o> {
    /// A replay that is ready for its first event.
    pub(super) fn open(
        options: &'o ReplayOptions,
        format: Format,
        injected: Option<Injected>,
    ) -> Result<Self, GatewayError> {
        let (path, text) = &options.limits;
        let file = parse_limits(path, text)?;
        fits_session(path, &file, format)?;
        let by_format = Mapping::by_default(format);
        let named = |all| if all { Mapping::All } else { Mapping::File };
        let by_limits = file.replay.mapping_all.map(named);
        let mapping = options.mapping.or(by_limits).unwrap_or(by_format);
        // Before anything is written: a replay that is refused leaves older rows as they are.
        if let Some(dir) = &options.dir
            && dir.is_dir()
            && std::fs::read_dir(dir).is_ok_and(|mut d| d.next().is_some())
        {
            let why = format!("{}: is not empty; a replay writes a new log", dir.display());
            return Err(GatewayError::Replay(why));
        }
        let rows = options.decisions.as_deref().map(DecisionRows::create).transpose()?;
        let limits_sha256: [u8; 32] = Sha256::digest(text).into();
        let run = run_text(mapping, injected);
        let identity = identity(&limits_sha256, &run);
        let mut fold = Self::new(Engine::new(), HoldsFold::new(), options, mapping, rows);
        fold.is_session = format == Format::Fix;
        fold.origin = format!("cwts.local/replay/{}", hex(&identity[..8]));
        fold.start_log(&identity)?;
        fold.index = 2;
        fold.produced[0] = 2;
        let bodies = chunks(ConfigKind::Limits, text);
        let parts = bodies.len() as u16;
        for body in bodies {
            fold.push_and_step(body, producer::GATEWAY, 0)?;
        }
        let activate = LimitActivate { version: 1, parts, first_part: 2, sha256: limits_sha256 };
        fold.push_and_step(Body::LimitActivate(activate), producer::GATEWAY, 0)?;
        fold.replace_apply = file.replay.replace_apply;
        fold.replace_rests = matches!(format, Format::Dbn | Format::Itch);
        fold.mid = MidBooks::are_wanted(&file).then(|| MidBooks::new(format));
        for body in chunks(ConfigKind::Mapping, format!("mapping={run}").as_bytes()) {
            fold.push(body, producer::GATEWAY, 0)?;
        }
        for (kind, parent, name) in names_of(&file) {
            let registry = fold.engine.registry();
            let handle = registry.len(kind) + 1;
            let parent = parent_kind(kind)
                .zip(parent)
                .and_then(|(kind, name)| registry.handle(kind, &name))
                .unwrap_or(0);
            let register = Register { kind, handle, parent, salt: [0; 16], name };
            fold.push_and_step(Body::Register(register), producer::GATEWAY, 0)?;
        }
        Ok(fold)
    }

    fn start_log(&mut self, identity: &[u8; 32]) -> Result<(), GatewayError> {
        let Some(dir) = &self.options.dir else { return Ok(()) };
        let log_error = |source| GatewayError::Log { dir: dir.display().to_string(), source };
        let mut salt = [0; 16];
        salt.copy_from_slice(&identity[..16]);
        let store = match &self.options.keys {
            Some(store) => store.clone(),
            None => KeyStore::from_environment()?,
        };
        let seed = store.replay_seed()?;
        let keys = Keys::new(&self.origin, &seed, KeyChain::replay(&salt))?;
        let genesis = Genesis {
            origin: self.origin.clone(),
            log_vkey: String::new(),
            committee_vkey: String::new(),
            software: SOFTWARE.to_owned(),
            k0_sha256: [0; 32],
            retention_years: RETENTION_YEARS,
            salt,
        };
        let [schema, genesis] = first_entries(genesis, Now::default(), entry_flag::REPLAYED);
        let storage = FsStorage::create(dir)?;
        let first = [schema.as_slice(), genesis.as_slice()];
        // Tiles can be rebuilt from the frames, and the whole log from the input.
        let options = Options { sync_tiles: false, bundles: false, ..Options::default() };
        let writer = Writer::create(storage, keys, &first, 0, options).map_err(log_error)?;
        self.log = Some(LogTail::start(writer, false).map_err(log_error)?);
        Ok(())
    }

    /// Ends the replay: the input's digest and counts, the kill files, CLOSE.
    pub(super) fn finish(
        &mut self,
        inputs: &[InputDone],
    ) -> Result<Option<Checkpoint>, GatewayError> {
        if let Some(rows) = self.rows.take() {
            rows.finish()?;
        }
        let mut summary = String::new();
        for InputDone { facts, .. } in inputs {
            summary.push_str(&format!(
                "format={} sha256={} bytes={} records={}{}",
                facts.format.name(),
                facts.sha256.map(|d| hex(&d)).unwrap_or_default(),
                facts.bytes,
                facts.counts.records,
                if inputs.len() > 1 { '\n' } else { ' ' },
            ));
        }
        summary.push_str(&format!("orders={} accepted={}", self.stats.orders, self.stats.accepted));
        for injected in inputs.iter().filter_map(|input| input.injected) {
            summary.push_str(&format!(" injected_events={}", injected.events));
        }
        let ts = self.engine.last_ts();
        let counts = self.engine.trigger_counts(ts);
        if counts.orders | counts.cancels != 0 {
            self.push(Body::TriggerCounts(counts), producer::GATEWAY, ts)?;
        }
        for body in chunks(ConfigKind::Summary, summary.as_bytes()) {
            self.push(body, producer::GATEWAY, ts)?;
        }
        let header = self.header(producer::GATEWAY, ts);
        self.index += 1;
        let Some(log) = self.log.take() else { return Ok(None) };
        let Some(dir) = &self.options.dir else { return Ok(None) };
        let mut storage = FsStorage::open(dir)?;
        for (name, bytes) in self.holds.files() {
            replace_file(&mut storage, name, &bytes)?;
        }
        let log_error = |source| GatewayError::Log { dir: dir.display().to_string(), source };
        log.close(header).map(Some).map_err(log_error)
    }
}

/// Refuses limits that a FIX log cannot be decided under: it is one party's session, and no market.
pub(super) fn fits_session(
    path: &str,
    file: &LimitsFile,
    format: Format,
) -> Result<(), GatewayError> {
    if format != Format::Fix {
        return Ok(());
    }
    let refused = |why: &str| Err(GatewayError::Replay(format!("{path}: {why}")));
    if file.replay.replace_apply {
        return refused(
            "[replay] replace = \"apply\" is for a market's file: in a FIX log a replace is an \
             order of the firm's own and is checked; leave it out or say \"check\"",
        );
    }
    if MidBooks::are_wanted(file) {
        return refused(
            "price_collar.reference = \"mid\" needs a market's book, and a FIX log holds only the \
             firm's own orders; say \"last_trade\" or \"column\"",
        );
    }
    Ok(())
}

/// What makes one replay's log another one than the next.
fn identity(limits_sha256: &[u8; 32], run: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(REPLAY_DOMAIN);
    hash.update(limits_sha256);
    hash.update(run.as_bytes());
    hash.finalize().into()
}

/// The mapping; and whatever makes the events not the input's own, so that nobody takes the log
/// for the day itself.
fn run_text(mapping: Mapping, injected: Option<Injected>) -> String {
    let name = mapping.name();
    injected.map_or_else(
        || name.to_owned(),
        |i| format!("{name} injected_anomalies={} seed={}", i.planned, i.seed),
    )
}

/// Domain of [`identity`].
const REPLAY_DOMAIN: &[u8] = b"cwts/replay-origin/v1\0";
