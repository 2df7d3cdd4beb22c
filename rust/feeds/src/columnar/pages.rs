//! The announced sizes of a Parquet file's pages, before the parquet crate reserves them.
//!
//! Pages stand behind each other in a column's chunk, each behind a head that says how long it is,
//! packed and unpacked. The crate reserves the unpacked size, up to 2 GiB, before it unpacks.

use super::{check_growth, footer};
use crate::error::{FeedError, FeedErrorKind};
use parquet::file::reader::ChunkReader;

/// Checks every page of the chunk of `len` bytes at `start`.
///
/// Where no head can be read the walk ends: the crate meets the same bytes, and refuses them.
pub(super) fn check(chunks: &impl ChunkReader, start: u64, len: u64) -> Result<(), FeedError> {
    let end = start.saturating_add(len).min(chunks.len());
    let mut at = start;
    while at < end {
        let Some(head) = head(chunks, at, end)? else { break };
        check_growth("page", head.unpacked_bytes, head.packed_bytes)
            .map_err(|error| error.at(0, at))?;
        at = at.saturating_add(head.head_bytes).saturating_add(head.packed_bytes);
    }
    Ok(())
}

fn head(
    chunks: &impl ChunkReader,
    at: u64,
    end: u64,
) -> Result<Option<footer::PageHead>, FeedError> {
    // A head is some 30 bytes; with long minima and maxima it may be much more.
    for wanted in HEAD_BYTES {
        let space = (end - at).min(wanted);
        let bytes = chunks.get_bytes(at, space as usize).map_err(|error| {
            let detail = format!("a page's head: {error}");
            FeedError::new(FeedErrorKind::Corrupt, detail).at(0, at)
        })?;
        let head = footer::page_head(&bytes);
        if head.is_some() || space < wanted {
            return Ok(head);
        }
    }
    let detail = format!("a page's head of more than {} bytes", HEAD_BYTES[2]);
    Err(FeedError::new(FeedErrorKind::LengthOutOfBound, detail).at(0, at))
}

/// What is read of a head, until it is whole.
const HEAD_BYTES: [u64; 3] = [256, 8 << 10, 1 << 20];
