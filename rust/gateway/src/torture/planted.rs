//! The canary: a decoder with the bug that both engines must find. It reads nobody's bytes.

use super::{Outcome, Target};

/// Trusts a length behind a 4-byte magic.
pub(super) static PLANTED: Target =
    Target { name: "planted", about: "a planted bug", seeds, tokens: &[], check };

fn seeds() -> Vec<Vec<u8>> {
    let mut record = MAGIC.to_vec();
    record.extend_from_slice(&5_u32.to_le_bytes());
    record.extend_from_slice(b"hello");
    vec![record]
}

#[expect(clippy::unnecessary_wraps, reason = "the signature of every check")]
fn check(bytes: &[u8]) -> Result<Outcome, String> {
    let Some(rest) = bytes.strip_prefix(MAGIC) else { return Ok(Outcome::refused("no magic")) };
    let Some((length, payload)) = rest.split_first_chunk::<4>() else {
        return Ok(Outcome::refused("no length"));
    };
    let length = u32::from_le_bytes(*length);
    // The planted bug: near 2^32 the sum wraps, and the bound is met by a length beyond all.
    if length.wrapping_add(HEADER_BYTES) as usize > bytes.len() {
        return Ok(Outcome::refused("longer than the input"));
    }
    let taken = &payload[..length as usize];
    Ok(Outcome::accepted(format!("{} bytes", taken.len())))
}

const MAGIC: &[u8; 4] = b"CWPL";
const HEADER_BYTES: u32 = 8;
