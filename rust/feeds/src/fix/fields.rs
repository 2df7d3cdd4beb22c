//! The fields of one FIX message, and their values as numbers.

use super::scan::SOH;
use crate::decimal::{NANO_SCALE, scaled};
use crate::error::{FeedError, FeedErrorKind, shown};
use crate::rfc3339::epoch_ns;

/// Tags that the decoder reads.
pub(crate) mod tag {
    pub(crate) const ACCOUNT: u32 = 1;
    pub(crate) const CL_ORD_ID: u32 = 11;
    pub(crate) const CUM_QTY: u32 = 14;
    pub(crate) const EXEC_ID: u32 = 17;
    pub(crate) const EXEC_TRANS_TYPE: u32 = 20;
    pub(crate) const LAST_PX: u32 = 31;
    pub(crate) const LAST_QTY: u32 = 32;
    pub(crate) const MSG_TYPE: u32 = 35;
    pub(crate) const ORDER_ID: u32 = 37;
    pub(crate) const ORDER_QTY: u32 = 38;
    pub(crate) const ORD_STATUS: u32 = 39;
    pub(crate) const ORD_TYPE: u32 = 40;
    pub(crate) const ORIG_CL_ORD_ID: u32 = 41;
    pub(crate) const POSS_DUP: u32 = 43;
    pub(crate) const PRICE: u32 = 44;
    pub(crate) const SECURITY_ID: u32 = 48;
    pub(crate) const SENDER: u32 = 49;
    pub(crate) const SENDING_TIME: u32 = 52;
    pub(crate) const SIDE: u32 = 54;
    pub(crate) const SYMBOL: u32 = 55;
    pub(crate) const TARGET: u32 = 56;
    pub(crate) const EXEC_TYPE: u32 = 150;
    pub(crate) const CXL_REJ_RESPONSE_TO: u32 = 434;
}

/// The values that stand first under each of [`TAGS`].
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    values: [Option<&'a [u8]>; TAGS.len()],
}

impl<'a> Fields<'a> {
    /// Reads a body: every field is `tag=value` and ended by SOH, the first is the message's type.
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, FeedError> {
        let mut values = [None; TAGS.len()];
        let mut rest = body;
        let mut is_first = true;
        // The length that the field before gave to a value with any bytes in it.
        let mut raw_len: Option<(u32, usize)> = None;
        while !rest.is_empty() {
            let (tag, from) = tag_of(rest)?;
            if is_first && tag != tag::MSG_TYPE {
                return Err(bad_field(tag, rest, "stands where the message's type must stand"));
            }
            is_first = false;
            let value_len = match raw_len.take() {
                Some((raw_tag, len)) if raw_tag == tag => Some(len),
                _ => memchr::memchr(SOH, from),
            };
            let value = value_len
                .and_then(|len| from.get(..len))
                .filter(|value| from.get(value.len()) == Some(&SOH))
                .ok_or_else(|| bad_field(tag, from, "does not end in the message"))?;
            rest = &from[value.len() + 1..];
            if let Ok(slot) = TAGS.binary_search(&tag) {
                values[slot].get_or_insert(value);
            }
            if let Some((_, raw_tag)) = RAW.iter().find(|(length_tag, _)| *length_tag == tag) {
                let len = crate::decimal::unsigned(value, "length of raw data")?;
                raw_len = usize::try_from(len).ok().map(|len| (*raw_tag, len));
            }
        }
        Ok(Self { values })
    }

    /// The value under `tag`, if it is there and not empty.
    pub(crate) fn text(&self, tag: u32) -> Option<&'a [u8]> {
        let slot = TAGS.binary_search(&tag).ok()?;
        self.values[slot].filter(|value| !value.is_empty())
    }

    /// The value under `tag`, which the message needs.
    pub(crate) fn needed(&self, tag: u32) -> Result<&'a [u8], FeedError> {
        self.text(tag).ok_or_else(|| {
            let detail = format!("tag {tag} is missing");
            FeedError::new(FeedErrorKind::NullValue, detail)
        })
    }

    /// A quantity in smallest units.
    pub(crate) fn qty(&self, tag: u32) -> Result<Option<i64>, FeedError> {
        let Some(text) = self.text(tag) else { return Ok(None) };
        let qty = exact(text, 0, "quantity")?;
        if qty < 0 {
            return Err(bad_field(tag, text, "is below 0"));
        }
        Ok(Some(qty))
    }

    /// A price in 1e-9.
    pub(crate) fn price(&self, tag: u32) -> Result<Option<i64>, FeedError> {
        self.text(tag).map(|text| exact(text, NANO_SCALE, "price")).transpose()
    }

    /// SendingTime as UTC epoch nanoseconds.
    pub(crate) fn sent_ns(&self) -> Result<u64, FeedError> {
        utc_timestamp_ns(self.needed(tag::SENDING_TIME)?)
    }
}

/// The number before `=`, and what stands behind it.
fn tag_of(bytes: &[u8]) -> Result<(u32, &[u8]), FeedError> {
    let len = bytes.iter().take(TAG_DIGITS).take_while(|byte| byte.is_ascii_digit()).count();
    let tag = bytes[..len].iter().fold(0, |sum, byte| sum * 10 + u32::from(byte - b'0'));
    match bytes.get(len) {
        Some(b'=') if len > 0 => Ok((tag, &bytes[len + 1..])),
        _ => Err(bad_field(tag, bytes, "is no field: expected tag=value")),
    }
}

/// Decimal text without the zeros behind its last digit, exactly.
fn exact(text: &[u8], scale: u32, field: &'static str) -> Result<i64, FeedError> {
    let short = match memchr::memchr(b'.', text) {
        Some(point) => {
            let kept = text.iter().rposition(|byte| *byte != b'0').unwrap_or(point);
            if kept == point && point > 0 { &text[..point] } else { &text[..=kept] }
        }
        None => text,
    };
    scaled(short, scale, field)
}

/// `YYYYMMDD-HH:MM:SS`, and 3, 6 or 9 digits behind a point.
fn utc_timestamp_ns(text: &[u8]) -> Result<u64, FeedError> {
    let bad = || {
        let detail = format!("SendingTime {} is not YYYYMMDD-HH:MM:SS[.sss]", shown(text));
        FeedError::new(FeedErrorKind::BadTime, detail)
    };
    let (stamp, fraction) = text.split_at_checked(STAMP_BYTES).ok_or_else(bad)?;
    let is_shaped = stamp[8] == b'-' && matches!(fraction.len(), 0 | 4 | 7 | 10);
    if !is_shaped {
        return Err(bad());
    }
    let parts = [&stamp[..4], b"-", &stamp[4..6], b"-", &stamp[6..8], b"T", &stamp[9..], fraction];
    let mut buffer = [b'Z'; STAMP_BYTES + 13];
    let mut len = 0;
    for part in parts {
        buffer[len..len + part.len()].copy_from_slice(part);
        len += part.len();
    }
    epoch_ns(&buffer[..=len], "SendingTime").map_err(|_| bad())
}

pub(crate) fn bad_field(tag: u32, value: &[u8], why: &str) -> FeedError {
    FeedError::new(FeedErrorKind::BadNumber, format!("tag {tag}: {} {why}", shown(value)))
}

/// The tags that are kept, ascending.
const TAGS: [u32; 23] = [
    tag::ACCOUNT,
    tag::CL_ORD_ID,
    tag::CUM_QTY,
    tag::EXEC_ID,
    tag::EXEC_TRANS_TYPE,
    tag::LAST_PX,
    tag::LAST_QTY,
    tag::MSG_TYPE,
    tag::ORDER_ID,
    tag::ORDER_QTY,
    tag::ORD_STATUS,
    tag::ORD_TYPE,
    tag::ORIG_CL_ORD_ID,
    tag::POSS_DUP,
    tag::PRICE,
    tag::SECURITY_ID,
    tag::SENDER,
    tag::SENDING_TIME,
    tag::SIDE,
    tag::SYMBOL,
    tag::TARGET,
    tag::EXEC_TYPE,
    tag::CXL_REJ_RESPONSE_TO,
];
/// Length fields with the fields whose bytes they count: those may hold SOH.
const RAW: [(u32, u32); 16] = [
    (90, 91),
    (93, 89),
    (95, 96),
    (212, 213),
    (348, 349),
    (350, 351),
    (352, 353),
    (354, 355),
    (356, 357),
    (358, 359),
    (360, 361),
    (362, 363),
    (364, 365),
    (445, 446),
    (618, 619),
    (621, 622),
];
/// Digits of a tag at most.
const TAG_DIGITS: usize = 9;
/// `YYYYMMDD-HH:MM:SS`.
const STAMP_BYTES: usize = 17;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_ascending() {
        assert!(TAGS.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn zeros_behind_a_number_do_not_count() {
        let cases: [(&[u8], u32, i64); 9] = [
            (b"4100.000000", 0, 4_100),
            (b"4100", 0, 4_100),
            (b"4100.", 0, 4_100),
            (b"33.1100", 9, 33_110_000_000),
            (b"-0.5000000000000", 9, -500_000_000),
            (b".50", 1, 5),
            (b"0.00000000", 9, 0),
            (b"100", 9, 100_000_000_000),
            (b"007", 0, 7),
        ];
        for (text, scale, value) in cases {
            assert_eq!(exact(text, scale, "x"), Ok(value), "{}", text.escape_ascii());
        }
        for text in
            [&b"1.5"[..], b"", b".", b".0", b"1e3", b"1.0.0", b" 1", b"99999999999999999999"]
        {
            assert!(exact(text, 0, "x").is_err(), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn sending_times() {
        let second = 1_136_073_599_000_000_000;
        let cases: [(&[u8], u64); 6] = [
            (b"20051231-23:59:59", second),
            (b"20051231-23:59:59.001", second + 1_000_000),
            (b"20051231-23:59:59.000001", second + 1_000),
            (b"20051231-23:59:59.000000001", second + 1),
            // The leap second of that day; without a 61st second it is the next day's first.
            (b"20051231-23:59:60", second + 1_000_000_000),
            (b"20060516-22:35:27.010", 1_147_818_927_010_000_000),
        ];
        for (text, ns) in cases {
            assert_eq!(utc_timestamp_ns(text), Ok(ns), "{}", text.escape_ascii());
        }
        let refused: [&[u8]; 9] = [
            b"",
            b"20051231",
            b"20051231 23:59:59",
            b"20051331-23:59:59",
            b"20051231-23:59:61",
            b"20051231-23:59:59.1",
            b"20051231-23:59:59.0000",
            b"20051231-23:59:59Z001",
            b"20051231-23:59:59.abc",
        ];
        for text in refused {
            assert!(utc_timestamp_ns(text).is_err(), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn raw_bytes_hide_no_field() {
        let body = b"35=D\x0195=7\x0196=a\x0111=b\x01\x0111=right\x01";
        let fields = Fields::read(body).unwrap();
        assert_eq!(fields.text(tag::CL_ORD_ID), Some(&b"right"[..]));
        for bad in
            [&b"11=1\x0135=D\x01"[..], b"35=D\x01x=1\x01", b"35=D\x0195=9\x0196=a\x01", b"35=D"]
        {
            assert!(Fields::read(bad).is_err(), "{}", bad.escape_ascii());
        }
    }
}
