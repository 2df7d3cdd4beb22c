//! The kill switch: one number that every order looks at, and the requests behind it.
//!
//! Source: design note "risk", section 6, "Order of events". Whoever halts first raises the cell
//! and the number, then leaves a request; the gateway's writer sees the number move before its
//! next order and turns the request into a KILL entry. So the halt works at once and the log
//! alone decides.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use cwts_audit::holds::{
    CHANGE_BYTES_MAX, CHANGE_SUFFIX, ChangeRequest, KillRequest, PAGE_FILE, REQUEST_BYTES_MAX,
    REQUESTS_DIRECTORY,
};
use cwts_ring::KillPage;
use cwts_types::KillState;

use crate::GatewayError;
use crate::control::{GATEWAY_ACTOR, clipped};
use crate::request::request_halt;

/// The switch of one gateway; shared with every thread that may halt it.
#[derive(Debug)]
pub struct KillSwitch {
    /// The page that other processes share; `None` without a log.
    page: Option<KillPage>,
    /// Moves with in-process requests when there is no page.
    local: AtomicU64,
    requests: Mutex<Vec<LocalRequest>>,
    /// Numbers requests of this process.
    tickets: AtomicU64,
    dir: Option<PathBuf>,
}

/// A request of this process.
#[derive(Debug, Clone)]
pub(crate) struct LocalRequest {
    pub(crate) request: KillRequest,
    pub(crate) allow_reduce: bool,
    pub(crate) rank: u8,
    /// Its number.
    pub(crate) ticket: u64,
}

/// A request that another process left.
#[derive(Debug)]
pub(crate) struct FileRequest {
    pub(crate) path: PathBuf,
    /// `None` when it cannot be read: then the firm is halted.
    pub(crate) request: Option<KillRequest>,
}

impl KillSwitch {
    /// A switch without a page, for a gateway without a log.
    pub(crate) fn local() -> Self {
        Self {
            page: None,
            local: AtomicU64::new(0),
            requests: Mutex::default(),
            tickets: AtomicU64::new(0),
            dir: None,
        }
    }

    /// A switch over the page of this log directory.
    pub(crate) fn shared(dir: &Path, page: KillPage) -> Self {
        Self { page: Some(page), dir: Some(dir.to_owned()), ..Self::local() }
    }

    /// The number that moves with every halt: one load on the order path.
    #[inline]
    pub fn epoch(&self) -> u64 {
        match &self.page {
            Some(page) => page.epoch(),
            None => self.local.load(Ordering::Acquire),
        }
    }

    /// The page's state of a slot; active without a page.
    pub(crate) fn state(&self, slot: usize) -> KillState {
        let code = self.page.as_ref().map_or(0, |page| page.state(slot));
        KillState::from_code(code).unwrap_or(KillState::Halted)
    }

    /// Whether the page shows exactly these states; nothing contradicts where there is no page.
    pub(crate) fn shows(&self, states: &[u8]) -> bool {
        let Some(page) = &self.page else { return true };
        (0..cwts_ring::SLOTS).all(|slot| page.state(slot) == states.get(slot).copied().unwrap_or(0))
    }

    pub(crate) fn next_ticket(&self) -> u64 {
        self.tickets.fetch_add(1, Ordering::Relaxed)
    }

    /// Halts the firm because the log has failed: in the page at once, for whoever looks at it, and
    /// by a request that who opens the log next makes a hold of.
    pub(crate) fn trip(&self, why: &str) {
        let Some(page) = &self.page else { return };
        // Contended beyond reason is halted, to every reader.
        let _ = page.raise(0, KillState::Halted as u8);
        if let Some(dir) = &self.dir {
            let reason = clipped(&format!("the log failed: {why}"));
            // The disk may take no request either: the raised page is then explained by itself.
            let _ = request_halt(dir, "firm", GATEWAY_ACTOR, &reason, false, false);
        }
    }

    /// Leaves a request of this process and makes it felt at the next order.
    pub(crate) fn raise(&self, slot: Option<usize>, request: LocalRequest) {
        let state = match request.request.action {
            cwts_audit::holds::KillAction::Halt(_) if !request.allow_reduce => KillState::Halted,
            cwts_audit::holds::KillAction::Resume { .. } => KillState::Active,
            _ => KillState::ReduceOnly,
        };
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if requests.len() < REQUESTS_MAX {
            requests.push(request);
        }
        drop(requests);
        match &self.page {
            // A scope beyond the page's cells still moves the number.
            Some(page) => {
                let (slot, state) = slot.map_or((0, 0), |slot| (slot, state as u8));
                if page.raise(slot, state).is_err() {
                    // The page is contended beyond reason: stop everything.
                    let _ = page.raise(0, KillState::Halted as u8);
                }
            }
            None => {
                self.local.fetch_add(1, Ordering::Release);
            }
        }
    }

    pub(crate) fn take_local(&self) -> Vec<LocalRequest> {
        std::mem::take(&mut *self.requests.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether another process left a request.
    pub(crate) fn has_files(&self) -> bool {
        let Some(dir) = &self.dir else { return false };
        let Ok(entries) = std::fs::read_dir(dir.join(REQUESTS_DIRECTORY)) else { return false };
        entries.flatten().any(|entry| entry.path().extension().is_some_and(|e| e == "req"))
    }

    /// Requests that other processes left, by name.
    pub(crate) fn read_files(&self) -> Vec<FileRequest> {
        let Some(dir) = &self.dir else { return Vec::new() };
        let Ok(entries) = std::fs::read_dir(dir.join(REQUESTS_DIRECTORY)) else {
            return Vec::new();
        };
        let mut paths: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|e| e == "req"))
            .take(REQUESTS_MAX)
            .collect();
        paths.sort();
        paths
            .into_iter()
            .map(|path| {
                let request = read_bounded(&path, REQUEST_BYTES_MAX)
                    .and_then(|b| KillRequest::parse(&b).ok());
                FileRequest { path, request }
            })
            .collect()
    }

    /// Puts the state that the log gave into the page, canonically.
    ///
    /// # Errors
    /// Somebody raised a state since `seen`: look again.
    pub(crate) fn store(&self, seen: u64, epoch: u64, states: &[u8]) -> Result<(), GatewayError> {
        let Some(page) = &self.page else { return Ok(()) };
        let wrong =
            |source: std::io::Error| GatewayError::File { path: PAGE_FILE.to_owned(), source };
        page.store_all(seen, epoch, states).map_err(|e| wrong(std::io::Error::other(e)))?;
        page.sync().map_err(|e| wrong(std::io::Error::other(e)))
    }
}

fn read_bounded(path: &Path, bytes_max: usize) -> Option<Vec<u8>> {
    use std::io::Read as _;
    let file = std::fs::File::open(path).ok()?;
    let mut bytes = Vec::new();
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Change requests that other processes left, by name; `None` for one that cannot be read.
pub(crate) fn read_changes(dir: &Path) -> Vec<(PathBuf, Option<ChangeRequest>)> {
    let Ok(entries) = std::fs::read_dir(dir.join(REQUESTS_DIRECTORY)) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(CHANGE_SUFFIX))
        .take(REQUESTS_MAX)
        .collect();
    paths.sort();
    let read = |path: PathBuf| {
        let bytes = read_bounded(&path, CHANGE_BYTES_MAX);
        let request = bytes.and_then(|b| ChangeRequest::parse(&b).ok());
        (path, request)
    };
    paths.into_iter().map(read).collect()
}

/// Requests taken in at once.
const REQUESTS_MAX: usize = 4_096;
