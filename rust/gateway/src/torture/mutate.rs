//! One input from a stream of random numbers: a seed, changed a few times.
//!
//! The changes are those that break parsers: bits and bytes, blocks that go, double or move, two
//! seeds in one, lengths of all ones, cuts, numbers at the ends of their ranges, words of the
//! format where they do not belong.

use super::INPUT_BYTES_MAX;
use cwts_feeds::synth::ChaCha8;

/// An input from these seeds; without seeds, from nothing.
pub(super) fn mutated(rng: &mut ChaCha8, seeds: &[Vec<u8>], tokens: &[&[u8]]) -> Vec<u8> {
    let mut bytes = pick(rng, seeds).cloned().unwrap_or_default();
    bytes.truncate(INPUT_BYTES_MAX);
    // Most inputs are one step from a valid one: they get deepest.
    let steps = 1 + rng.below(2) * rng.below(CHANGES_MAX);
    for _ in 0..steps {
        change(rng, &mut bytes, seeds, tokens);
        bytes.truncate(INPUT_BYTES_MAX);
    }
    bytes
}

fn change(rng: &mut ChaCha8, bytes: &mut Vec<u8>, seeds: &[Vec<u8>], tokens: &[&[u8]]) {
    match rng.below(11) {
        0 => {
            if let Some(byte) = any_byte(rng, bytes) {
                *byte ^= 1 << rng.below(8);
            }
        }
        1 => {
            let value = pick(rng, BYTES).copied().unwrap_or(rng.next_u32() as u8);
            if let Some(byte) = any_byte(rng, bytes) {
                *byte = value;
            }
        }
        2 => {
            let range = block(rng, bytes.len());
            bytes.drain(range);
        }
        3 => {
            let range = block(rng, bytes.len());
            let copy = bytes[range].to_vec();
            insert(rng, bytes, &copy);
        }
        4 => {
            let len = 1 + rng.below(16) as usize;
            let noise: Vec<u8> = (0..len).map(|_| rng.next_u32() as u8).collect();
            insert(rng, bytes, &noise);
        }
        5 => {
            // The front of this one, the back of another.
            if let Some(other) = pick(rng, seeds) {
                let (cut, from) = (place(rng, bytes.len()), place(rng, other.len()));
                bytes.truncate(cut);
                bytes.extend_from_slice(&other[from..]);
            }
        }
        6 => length(rng, bytes),
        7 => {
            let cut = place(rng, bytes.len());
            bytes.truncate(cut);
        }
        8 => number(rng, bytes),
        9 => {
            if let Some(token) = pick(rng, tokens) {
                insert(rng, bytes, token);
            }
        }
        _ => {
            // Fields are moved whole where lines and separators are.
            let from = block(rng, bytes.len());
            let moved: Vec<u8> = bytes.drain(from).collect();
            insert(rng, bytes, &moved);
        }
    }
}

/// Overwrites 1, 2, 4 or 8 bytes as a length that lies: all ones, or close to a power of two.
fn length(rng: &mut ChaCha8, bytes: &mut [u8]) {
    let width = 1 << rng.below(4);
    let value = match rng.below(4) {
        0 => u64::MAX,
        1 => (1_u64 << rng.below(64)).wrapping_sub(u64::from(rng.below(2))),
        2 => bytes.len() as u64 + u64::from(rng.below(3)),
        _ => u64::MAX - u64::from(rng.below(16)),
    };
    let encoded =
        if rng.below(2) == 0 { value.to_le_bytes() } else { value.swap_bytes().to_le_bytes() };
    let encoded = if rng.below(2) == 0 { &encoded[..width] } else { &encoded[8 - width..] };
    if let Some(last) = bytes.len().checked_sub(width) {
        let at = place(rng, last);
        bytes[at..at + width].copy_from_slice(encoded);
    }
}

/// Replaces a run of digits by a number at the end of some range.
fn number(rng: &mut ChaCha8, bytes: &mut Vec<u8>) {
    let start = place(rng, bytes.len());
    let is_part = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let Some(from) = bytes[start..].iter().position(is_part).map(|at| start + at) else { return };
    let to =
        bytes[from..].iter().position(|byte| !is_part(byte)).map_or(bytes.len(), |at| from + at);
    let text = pick(rng, NUMBERS).copied().unwrap_or_default();
    bytes.splice(from..to, text.bytes());
}

fn insert(rng: &mut ChaCha8, bytes: &mut Vec<u8>, piece: &[u8]) {
    let at = place(rng, bytes.len());
    bytes.splice(at..at, piece.iter().copied());
}

/// A place in `0..=len`.
fn place(rng: &mut ChaCha8, len: usize) -> usize {
    rng.below(len as u32 + 1) as usize
}

/// A range within `0..len`, more often short than long.
fn block(rng: &mut ChaCha8, len: usize) -> std::ops::Range<usize> {
    let start = place(rng, len);
    let longest = (len - start).min(1 << rng.below(12));
    start..start + place(rng, longest)
}

fn any_byte<'a>(rng: &mut ChaCha8, bytes: &'a mut [u8]) -> Option<&'a mut u8> {
    let len = bytes.len().max(1) as u32;
    bytes.get_mut(rng.below(len) as usize)
}

fn pick<'a, T>(rng: &mut ChaCha8, from: &'a [T]) -> Option<&'a T> {
    from.get(rng.below(from.len().max(1) as u32) as usize)
}

const CHANGES_MAX: u32 = 8;
const BYTES: &[u8] = b"\0\x01\x7f\x80\xff ,.-+\"\n\r=_09'|";
const NUMBERS: &[&str] = &[
    "",
    "0",
    "-0",
    "-1",
    "1e3",
    "0.0000000005",
    "0.9999999995",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "9223372036.854775807",
    "9223372036.854775808",
    "86399.9999999995",
    "86400",
    "99999999999999999999999999999999999999999",
    "1.",
    ".1",
    "1..1",
    "1_000",
    "NaN",
    "0x10",
];
