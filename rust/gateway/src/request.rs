//! Halting a gateway from another process: the page first, then the request.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use cwts_audit::holds::{
    KillAction, KillRequest, KillSnapshot, NamedScope, PAGE_FILE, REQUESTS_DIRECTORY, SCOPES_FILE,
    STATE_FILE, parse_scopes,
};
use cwts_ring::KillPage;
use cwts_risk::UnknownScope;
use cwts_types::{KillState, ScopeKind};

use crate::GatewayError;
use crate::clock::system_utc_ns;
use crate::reader::is_running;

/// What a request left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requested {
    /// Whether a gateway runs that will take it in.
    pub running: bool,
    /// The request; gone once it is an entry and durable.
    pub path: PathBuf,
}

/// Halts a scope of the gateway that owns this log; it is felt at the gateway's next order. With
/// `cancel_working` the gateway then cancels what works in the scope.
///
/// # Errors
/// The directory holds no log, or the scope is unknown: nothing has changed then.
pub fn request_halt(
    dir: &Path,
    scope: &str,
    actor: &str,
    reason: &str,
    reduce_only: bool,
    cancel_working: bool,
) -> Result<Requested, GatewayError> {
    refuse_replay(dir)?;
    let (slot, named) = match scope {
        // Every log has the firm in slot 0: a list of names that cannot be read keeps nobody from
        // stopping everything. Without any list it is no log.
        "firm" if dir.join(SCOPES_FILE).exists() || dir.join(STATE_FILE).exists() => {
            (0, crate::firm())
        }
        _ => {
            let scopes = read_scopes(dir)?;
            let slot = find(&scopes, scope)?;
            (slot, scopes[slot].clone())
        }
    };
    let running = is_running(dir);
    let state = if reduce_only { KillState::ReduceOnly } else { KillState::Halted };
    let action = if reduce_only { KillAction::Reduce(named) } else { KillAction::Halt(named) };
    let request = KillRequest {
        action,
        actor: actor.to_owned(),
        reason: reason.to_owned(),
        utc_ns: system_utc_ns(),
        cancel_working,
    };
    // The request lies there before the number moves, so whoever sees the number finds it. Nobody
    // waits for the disk before the halt works, and one that takes no request stops nobody from
    // halting: the gateway then explains what the page shows by a hold of its own.
    let placed = place(dir, &request);
    raise(dir, (slot < cwts_ring::SLOTS).then_some(slot), state)?;
    let path = placed?;
    sync_placed(&path)?;
    Ok(Requested { running, path })
}

/// Asks for a hold to be lifted; the gateway decides.
///
/// # Errors
/// One person, no such hold in force, or no log.
pub fn request_resume(
    dir: &Path,
    hold: u64,
    actor: &str,
    approver: &str,
    reason: &str,
) -> Result<Requested, GatewayError> {
    crate::control::check_resume(hold, actor, approver, reason)?;
    refuse_replay(dir)?;
    let path = dir.join(STATE_FILE);
    let failed = |source| GatewayError::File { path: path.display().to_string(), source };
    let bytes = std::fs::read(&path).map_err(failed)?;
    let state = KillSnapshot::parse(&bytes)
        .map_err(|e| failed(std::io::Error::new(std::io::ErrorKind::InvalidData, e)))?;
    if !state.holds.iter().any(|h| h.id == hold) {
        let known = state.holds.iter().map(|h| h.id);
        return Err(crate::control::not_in_force(hold, known));
    }
    let running = is_running(dir);
    let request = KillRequest {
        action: KillAction::Resume { hold, approver: approver.to_owned() },
        actor: actor.to_owned(),
        reason: reason.to_owned(),
        utc_ns: system_utc_ns(),
        cancel_working: false,
    };
    let path = leave(dir, &request)?;
    raise(dir, Some(0), KillState::Active)?;
    Ok(Requested { running, path })
}

/// Nobody runs on a replay's log, and nobody ever will: a request there would only spoil it.
pub(crate) fn refuse_replay(dir: &Path) -> Result<(), GatewayError> {
    // A log whose start cannot be read must not keep anybody from halting its gateway.
    let Ok((genesis, _)) = crate::reader::genesis(dir) else { return Ok(()) };
    if genesis.log_vkey.is_empty() {
        let why = format!("{}: is a replay's log; there is no gateway to halt", dir.display());
        return Err(GatewayError::Replay(why));
    }
    Ok(())
}

fn read_scopes(dir: &Path) -> Result<Vec<NamedScope>, GatewayError> {
    let path = dir.join(SCOPES_FILE);
    let failed = |source| GatewayError::File { path: path.display().to_string(), source };
    let bytes = std::fs::read(&path).map_err(failed)?;
    parse_scopes(&bytes)
        .map_err(|e| failed(std::io::Error::new(std::io::ErrorKind::InvalidData, e)))
}

fn find(scopes: &[NamedScope], text: &str) -> Result<usize, UnknownScope> {
    let name = |s: &NamedScope| match s.kind {
        ScopeKind::Firm => "firm".to_owned(),
        kind => format!("{}:{}", kind.name(), s.name),
    };
    if let Some(slot) = scopes.iter().position(|s| name(s) == text) {
        return Ok(slot);
    }
    let known: Vec<String> = scopes.iter().map(name).collect();
    let words: Vec<&str> = known.iter().map(String::as_str).collect();
    let nearest = cwts_risk::limits::nearest(text, &words).map(str::to_owned);
    Err(UnknownScope { text: text.chars().take(128).collect(), nearest, known })
}

/// Writes the request whole or not at all.
pub(crate) fn leave(dir: &Path, request: &KillRequest) -> Result<PathBuf, GatewayError> {
    leave_text(dir, request.utc_ns, ".req", &request.encode())
}

/// Where a request goes, and where it is written until it is whole.
fn request_paths(dir: &Path, utc_ns: u64, suffix: &str) -> Result<[PathBuf; 2], GatewayError> {
    let folder = dir.join(REQUESTS_DIRECTORY.trim_end_matches('/'));
    std::fs::create_dir_all(&folder).map_err(|e| failed(&folder, e))?;
    let name = format!("{utc_ns:020}-{}{suffix}", std::process::id());
    Ok([folder.join(&name), folder.join(format!("{name}.tmp"))])
}

fn failed(path: &Path, source: std::io::Error) -> GatewayError {
    GatewayError::File { path: path.display().to_string(), source }
}

/// Puts a request where the gateway sees it, whole, without waiting for the disk.
pub(crate) fn place(dir: &Path, request: &KillRequest) -> Result<PathBuf, GatewayError> {
    let [path, temporary] = request_paths(dir, request.utc_ns, ".req")?;
    std::fs::write(&temporary, request.encode())
        .and_then(|()| std::fs::rename(&temporary, &path))
        .map_err(|e| failed(&path, e))?;
    Ok(path)
}

/// Waits for the disk; a gateway that took the request in meanwhile has done more than that.
pub(crate) fn sync_placed(path: &Path) -> Result<(), GatewayError> {
    let sync = || {
        std::fs::File::open(path)?.sync_all()?;
        path.parent().map_or(Ok(()), |folder| std::fs::File::open(folder)?.sync_all())
    };
    match sync() {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(path, error)),
        _ => Ok(()),
    }
}

/// Writes a text into the requests' folder, whole or not at all.
pub(crate) fn leave_text(
    dir: &Path,
    utc_ns: u64,
    suffix: &str,
    text: &str,
) -> Result<PathBuf, GatewayError> {
    let [path, temporary] = request_paths(dir, utc_ns, suffix)?;
    let write = || {
        let mut file = std::fs::File::create(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, &path)?;
        path.parent().map_or(Ok(()), |folder| std::fs::File::open(folder)?.sync_all())
    };
    write().map_err(|e| failed(&path, e))?;
    Ok(path)
}

/// Raises the cell and the number. A page that cannot be used reads as HALTED at the firm anyway.
fn raise(dir: &Path, slot: Option<usize>, state: KillState) -> Result<(), GatewayError> {
    let path = dir.join(PAGE_FILE);
    let failed = |why: String| GatewayError::File {
        path: path.display().to_string(),
        source: std::io::Error::other(why),
    };
    let page = match KillPage::open(&path) {
        Ok(page) => page,
        // The next start finds no page and halts the firm: stricter than what was asked for.
        Err(cwts_ring::KillPageError::Missing { .. }) => return Ok(()),
        Err(error) => return Err(failed(error.to_string())),
    };
    let (slot, state) = slot.map_or((0, 0), |slot| (slot, state as u8));
    page.raise(slot, state).map_err(|e| failed(e.to_string()))?;
    page.sync().map_err(|e| failed(e.to_string()))
}
