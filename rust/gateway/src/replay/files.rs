//! An input file, opened and watched: what was read must be one version of it.
//!
//! Invariant: a source ends well only if the path still names the file that was opened, with the
//! size and the time of change that it had then. A pipe or device has neither and is not watched.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use cwts_feeds::error::{FeedError, FeedErrorKind};
use cwts_feeds::event::{Event, Names};
use cwts_feeds::inject::{Injected, Label};
use cwts_feeds::sniff::Format;
use cwts_feeds::source::{AssetClass, EventSource, Input, InputFacts, OpenOptions, open_events};

use super::ReplayInput;
use crate::GatewayError;

/// Opens a file as an input.
///
/// # Errors
/// It cannot be opened, is a directory, or its first bytes are of no known format.
pub fn open_file(
    path: &Path,
    format: Option<Format>,
    open: &OpenOptions,
) -> Result<ReplayInput, GatewayError> {
    let shown = path.display().to_string();
    let failed = |source| GatewayError::File { path: shown.clone(), source };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(GatewayError::Replay(format!("{shown}: is a directory, not a file")));
    }
    let opened = |input| open_events(input, format, open).map_err(|e| e.in_file(&shown));
    if !metadata.is_file() {
        let source = Box::new(opened(Input::Stream(Box::new(file)))?);
        return Ok(ReplayInput { path: shown, source });
    }
    let stamp = Stamp::of(&metadata);
    let inner = Box::new(opened(Input::File(Box::new(file)))?);
    let source = Box::new(Watched { inner, path: path.to_owned(), stamp });
    Ok(ReplayInput { path: shown, source })
}

/// Which version of which file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    bytes: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            file: (metadata.dev(), metadata.ino()),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// A source whose file is looked at again where it ends.
struct Watched {
    inner: Box<dyn EventSource>,
    path: PathBuf,
    stamp: Stamp,
}

impl Watched {
    /// What is different now, if anything is.
    fn changed(&self) -> Option<String> {
        let now = match std::fs::metadata(&self.path) {
            Ok(metadata) => Stamp::of(&metadata),
            Err(error) => return Some(format!("the file is gone: {error}")),
        };
        let before = self.stamp;
        if now.bytes != before.bytes {
            return Some(format!("it had {} bytes and has {}", before.bytes, now.bytes));
        }
        if now.file != before.file {
            return Some("another file has its name now".to_owned());
        }
        (now.modified != before.modified).then(|| "it was written to".to_owned())
    }

    fn error(&self, what: &str, behind: Option<&FeedError>) -> FeedError {
        let records = self.inner.facts().counts.records;
        let mut detail = format!("while it was read {what}; replay a file that is complete");
        if let Some(error) = behind {
            detail.push_str(&format!(" (reading stopped with: {error})"));
        }
        FeedError::new(FeedErrorKind::InputChanged, detail).at(records, self.inner.facts().bytes)
    }
}

impl EventSource for Watched {
    fn next_batch(&mut self, out: &mut Vec<Event>) -> Result<bool, FeedError> {
        let found = self.inner.next_batch(out);
        if let Ok(true) = found {
            return found;
        }
        // A file that changes may also look broken: the change is the cause, and said first.
        match self.changed() {
            Some(what) => Err(self.error(&what, found.as_ref().err())),
            None => found,
        }
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

    fn asset_class(&self) -> Option<AssetClass> {
        self.inner.asset_class()
    }

    fn injected(&self) -> Option<Injected> {
        self.inner.injected()
    }

    fn take_labels(&mut self) -> Vec<Label> {
        self.inner.take_labels()
    }
}
