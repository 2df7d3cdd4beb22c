//! The bytes of ITCH 5.0: message sizes, and readers at fixed places.
//!
//! Source: NASDAQ TotalView-ITCH 5.0. Every message begins with its type, the stock locate (2
//! bytes), a tracking number (2) and nanoseconds since midnight (6), all big-endian.

/// The size of a message by its type; 0 where the format lists no such type.
pub(crate) const SIZES: [u8; 256] = {
    let mut sizes = [0; 256];
    let mut at = 0;
    while at < LISTED.len() {
        sizes[LISTED[at].0 as usize] = LISTED[at].1;
        at += 1;
    }
    sizes
};

/// Every type of the format with its size.
pub(crate) const LISTED: [(u8, u8); 23] = [
    (b'S', 12),
    (b'R', 39),
    (b'H', 25),
    (b'Y', 20),
    (b'L', 26),
    (b'V', 35),
    (b'W', 12),
    (b'K', 28),
    (b'J', 35),
    (b'h', 21),
    (b'A', 36),
    (b'F', 40),
    (b'E', 31),
    (b'C', 36),
    (b'X', 23),
    (b'D', 19),
    (b'U', 35),
    (b'P', 44),
    (b'Q', 40),
    (b'B', 19),
    (b'I', 50),
    (b'N', 20),
    (b'O', 48),
];

/// Bytes of a stock's name, blanks behind it.
pub(crate) const STOCK_BYTES: usize = 8;
/// 10^-4 currency units, the unit of a price, to 10^-9.
pub(crate) const PRICE_FACTOR: i64 = 100_000;

/// Frames that the sniffer looks at.
const SNIFF_FRAMES: usize = 16;

/// Whether `head` starts with sixteen frames (all, when the input has fewer) whose length is the
/// size of their type. `whole`: nothing follows `head`.
pub(crate) fn starts_with_frames(head: &[u8], whole: bool) -> bool {
    let mut rest = head;
    for frame in 0..SNIFF_FRAMES {
        match rest {
            [] => return frame > 0 && whole,
            // A frame of length 0 ends the session.
            [0, 0, ..] => return frame > 0,
            &[high, low, kind, ..] => {
                let len = usize::from(u16::from_be_bytes([high, low]));
                match rest.get(2 + len..) {
                    Some(next) if usize::from(SIZES[usize::from(kind)]) == len => rest = next,
                    _ => return false,
                }
            }
            _ => return false,
        }
    }
    true
}

/// The number in the four bytes from `at` on. Places are constants within `N`: no check is left.
#[inline(always)]
pub(crate) fn u32_at<const N: usize>(message: &[u8; N], at: usize) -> u32 {
    u32::from_be_bytes([message[at], message[at + 1], message[at + 2], message[at + 3]])
}

/// The number in the eight bytes from `at` on.
#[inline(always)]
pub(crate) fn u64_at<const N: usize>(message: &[u8; N], at: usize) -> u64 {
    u64::from(u32_at(message, at)) << 32 | u64::from(u32_at(message, at + 4))
}

/// The stock locate of a message.
#[inline(always)]
pub(crate) fn locate<const N: usize>(message: &[u8; N]) -> u16 {
    u16::from_be_bytes([message[1], message[2]])
}

/// Nanoseconds since midnight.
#[inline(always)]
pub(crate) fn day_ns<const N: usize>(message: &[u8; N]) -> u64 {
    let high = u16::from_be_bytes([message[5], message[6]]);
    u64::from(high) << 32 | u64::from(u32_at(message, 7))
}
