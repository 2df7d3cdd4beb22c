//! The file that keeps a log's newest checkpoint a second time: anywhere but in the log.

use std::path::{Path, PathBuf};

use cwts_audit::{Anchor, CompactRange, FsAnchor, Hash};

use crate::{GatewayError, GatewayOptions, read_log};

/// Where whoever opens a log for a moment, and no gateway runs on it, finds its anchor.
pub fn anchor_from_environment() -> Option<PathBuf> {
    std::env::var_os("CWTS_ANCHOR").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// The anchor of a log whose directory exists.
///
/// # Errors
/// It would lie in the log, and be set back with it; or its folder is not there.
pub(crate) fn anchor_of(
    options: &GatewayOptions,
    dir: &Path,
) -> Result<Option<Box<dyn Anchor>>, GatewayError> {
    let Some(path) = &options.anchor else { return Ok(None) };
    let shown = path.display().to_string();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let found = folder.unwrap_or(Path::new(".")).canonicalize();
    let folder = found.map_err(|source| GatewayError::File { path: shown.clone(), source })?;
    if dir.canonicalize().is_ok_and(|log| folder.starts_with(log)) {
        let source =
            std::io::Error::other("an anchor lies outside of its log: it is set back with it");
        return Err(GatewayError::File { path: shown, source });
    }
    Ok(Some(Box::new(FsAnchor::new(path))))
}

/// The root over the first `size` entries, by the frames alone; `None` if there are not so many.
/// An anchor may be one checkpoint ahead of what is published.
///
/// # Errors
/// There is no log, or a file cannot be read.
pub fn root_of_frames(dir: &Path, size: u64) -> Result<Option<Hash>, GatewayError> {
    let mut range = CompactRange::new();
    let mut visit = |_, entry: &[u8]| {
        if range.size() < size {
            range.append(entry);
        }
        Ok(())
    };
    read_log(dir, &mut visit)?;
    Ok((range.size() == size).then(|| range.root()))
}
