//! The head of a DBN stream: `DBN`, version, length, metadata.
//!
//! Invariants: memory grows with the bytes that have come, never with a length in them; the crate
//! parses the metadata once all of it is there.

use super::symbols::SYMBOL_BYTES_MAX;
use crate::error::{FeedError, FeedErrorKind, shown};
use ::dbn::decode::dbn::MetadataDecoder;
use ::dbn::{Metadata, Schema, VersionUpgradePolicy};

/// Longest metadata: some 300,000 symbols of version 3, far above any one venue's orders.
pub const METADATA_BYTES_MAX: usize = 64 << 20;

/// Bytes of the head so far.
#[derive(Debug, Default)]
pub(super) struct Head(Vec<u8>);

impl Head {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes what belongs to the head from the front of `bytes`; the metadata, when it is complete.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(usize, Option<Metadata>), FeedError> {
        let mut consumed = self.fill(bytes, PRELUDE_BYTES);
        let Some(prelude) = self.0.first_chunk::<PRELUDE_BYTES>() else {
            return Ok((consumed, None));
        };
        let [b'D', b'B', b'N', version @ 1..=3, length @ ..] = *prelude else {
            let detail = format!("{} is not DBN of version 1 to 3", shown(prelude));
            return Err(FeedError::new(FeedErrorKind::UnsupportedFormat, detail));
        };
        let length = u32::from_le_bytes(length) as usize;
        if !(METADATA_BYTES_MIN..=METADATA_BYTES_MAX).contains(&length) {
            let detail = format!(
                "metadata of {length} bytes; {METADATA_BYTES_MIN} to {METADATA_BYTES_MAX} are read"
            );
            return Err(FeedError::new(FeedErrorKind::LengthOutOfBound, detail).at(0, 4));
        }
        consumed += self.fill(&bytes[consumed..], PRELUDE_BYTES + length);
        if self.0.len() < PRELUDE_BYTES + length {
            return Ok((consumed, None));
        }
        check_schema(&self.0)?;
        let at = |error: FeedError| error.at(0, PRELUDE_BYTES as u64);
        let metadata = parse(version, &self.0).map_err(at)?;
        self.0 = Vec::new();
        Ok((consumed, Some(metadata)))
    }

    /// Moves bytes behind those at hand until there are `wanted`; returns how many it moved.
    fn fill(&mut self, bytes: &[u8], wanted: usize) -> usize {
        let count = wanted.saturating_sub(self.0.len()).min(bytes.len());
        self.0.extend_from_slice(&bytes[..count]);
        count
    }
}

fn parse(version: u8, head: &[u8]) -> Result<Metadata, FeedError> {
    // The crate makes a string of each symbol: symbols of a byte each would be memory's 50-fold.
    if version > 1 {
        let at = PRELUDE_BYTES + SYMBOL_LENGTH_AT;
        let length = usize::from(u16::from_le_bytes([head[at], head[at + 1]]));
        if !(SYMBOL_BYTES_MIN..=SYMBOL_BYTES_MAX).contains(&length) {
            let detail = format!(
                "symbols of {length} bytes; {SYMBOL_BYTES_MIN} to {SYMBOL_BYTES_MAX} are read"
            );
            return Err(FeedError::new(FeedErrorKind::LengthOutOfBound, detail));
        }
    }
    let mut decoder = MetadataDecoder::with_upgrade_policy(head, VersionUpgradePolicy::AsIs);
    decoder
        .decode()
        .map_err(|error| FeedError::new(FeedErrorKind::Corrupt, format!("metadata: {error}")))
}

/// Refuses a stream of another schema than `mbo`, by its name; `head` may end before it says.
pub(super) fn check_schema(head: &[u8]) -> Result<(), FeedError> {
    let known = head.len().min(3);
    if head[..known] != b"DBN"[..known] {
        let detail = format!("{} is not DBN of version 1 to 3", shown(head));
        return Err(FeedError::new(FeedErrorKind::UnsupportedFormat, detail));
    }
    let Some(&[low, high]) = head.get(SCHEMA_AT..).and_then(<[u8]>::first_chunk) else {
        return Ok(());
    };
    let code = u16::from_le_bytes([low, high]);
    let name = match Schema::try_from(code) {
        Ok(Schema::Mbo) => return Ok(()),
        Ok(schema) => schema.as_str().to_owned(),
        // What a live stream of several schemas says.
        Err(_) if code == u16::MAX => "mixed".to_owned(),
        Err(_) => format!("number {code}"),
    };
    let detail = format!("DBN of schema {name}; only mbo holds orders");
    Err(FeedError::new(FeedErrorKind::UnsupportedFormat, detail).at(0, SCHEMA_AT as u64))
}

/// `DBN`, version and the length of what follows.
const PRELUDE_BYTES: usize = 8;
/// Where the schema stands: behind the data set's 16 bytes.
const SCHEMA_AT: usize = PRELUDE_BYTES + 16;
/// Metadata without a symbol.
const METADATA_BYTES_MIN: usize = 100;
/// Where versions 2 and 3 hold the length of a symbol.
const SYMBOL_LENGTH_AT: usize = 45;
/// The length of a symbol in version 1; later ones are longer.
const SYMBOL_BYTES_MIN: usize = ::dbn::v1::SYMBOL_CSTR_LEN;
