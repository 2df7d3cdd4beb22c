//! Frames made again as whoever has these keys, or guesses them, would make them.

use cwts_audit::frame::{
    Entries, FRAME_HEADER_BYTES, Frame, FrameHeader, chain_value, frame_bytes, frame_hash,
};
use cwts_audit::keys::FrameMac;
use cwts_audit::{CompactRange, Hash, KeyChain};
use cwts_types::{Body, Close, Entry};

use super::K0;

/// Every frame of the log, in order.
pub fn frames(wal: &[u8], mut visit: impl FnMut(&Frame<'_>)) {
    let mut at = 0;
    while let Some(bytes) = wal.get(at..).filter(|rest| rest.len() >= FRAME_HEADER_BYTES) {
        let Ok(header) = FrameHeader::parse(bytes.first_chunk().unwrap()) else { break };
        let frame = Frame::cut(header, bytes).unwrap();
        visit(&frame);
        at += frame.size_bytes();
    }
}

/// The MAC of whoever holds `K_0`.
#[allow(clippy::unnecessary_wraps, reason = "an intruder has not every key")]
pub fn right_mac(epoch: u64, _first_index: u64) -> Option<FrameMac> {
    let mut chain = KeyChain::new(K0);
    while chain.epoch() < epoch {
        chain = chain.evolved();
    }
    Some(chain.frame_mac())
}

/// Rewrites frames: entries as `edit` leaves them, roots, links and closes as they then follow.
/// A frame that differs gets its MAC from `mac_of`, or zeros; one whose epoch `spoils` names
/// gets a wrong one in any case.
pub fn forge(
    wal: &[u8],
    edit: impl Fn(u64, &mut Entry),
    spoils: impl Fn(u64) -> bool,
    mac_of: impl Fn(u64, u64) -> Option<FrameMac>,
) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut range, mut chain) = (CompactRange::new(), [0; 32]);
    frames(wal, |frame| {
        let mut payload = Vec::new();
        for item in Entries::new(frame.payload) {
            let (index, root) = (range.size(), range.root());
            let mut entry = Entry::decode(item.unwrap().1).unwrap();
            edit(index, &mut entry);
            match &mut entry.body {
                Body::Close(close) => *close = Close { size: index, root },
                Body::KeyEpoch(seal) if (seal.root, seal.chain) != (root, chain) => {
                    let guess = KeyChain::resume(seal.epoch, &[0x77; 32]).frame_mac();
                    let mac = mac_of(seal.epoch, index).unwrap_or(guess);
                    *seal = mac.seal(index, root, chain);
                }
                _ => {}
            }
            let bytes = entry.to_bytes();
            payload.extend_from_slice(&u16::try_from(bytes.len()).unwrap().to_be_bytes());
            payload.extend_from_slice(&bytes);
            range.append(&bytes);
        }
        let header = FrameHeader {
            payload_bytes: u32::try_from(payload.len()).unwrap(),
            payload_crc: crc32c::crc32c(&payload),
            ..frame.header
        }
        .encode();
        let root = range.root();
        let hash = frame_hash(&header, &chain, &root);
        let mac: Hash = if spoils(frame.header.key_epoch) {
            [0x66; 32]
        } else if hash == frame.hash() {
            *frame.mac
        } else {
            mac_of(frame.header.key_epoch, frame.header.first_index)
                .map_or([0; 32], |mac| mac.compute(&hash))
        };
        let start = out.len();
        out.extend_from_slice(&header);
        out.extend_from_slice(&payload);
        for part in [&chain, &root, &mac] {
            out.extend_from_slice(part);
        }
        out.resize(start + frame_bytes(payload.len()), 0);
        chain = chain_value(&hash, &mac);
    });
    out
}

/// The link behind the last frame, and the tree of all entries.
pub fn heads(wal: &[u8]) -> (Hash, CompactRange) {
    let (mut chain, mut range) = ([0; 32], CompactRange::new());
    frames(wal, |frame| {
        chain = chain_value(&frame.hash(), frame.mac);
        for item in Entries::new(frame.payload) {
            range.append(item.unwrap().1);
        }
    });
    (chain, range)
}
