//! Which format an input has, from its first 64 KiB after decompression; never from its name.
//!
//! Every format answers yes or no; exactly one yes is an answer, anything else an error that lists
//! the candidates. Rules: design note "replay", section 4.

use crate::error::{FeedError, FeedErrorKind};
use crate::words::BYTE_ORDER_MARK;
use crate::{csv, fix, itch, lobster};

/// Bytes that the sniffer looks at.
pub const SNIFF_BYTES: usize = 64 << 10;

/// A format that the sniffer knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Arrow IPC, file or stream.
    Arrow,
    /// CWTS CSV.
    Csv,
    /// Databento binary encoding.
    Dbn,
    /// A FIX message log.
    Fix,
    /// NASDAQ TotalView-ITCH 5.0.
    Itch,
    /// A LOBSTER message file.
    Lobster,
    /// One JSON object a line.
    Ndjson,
    /// Apache Parquet.
    Parquet,
}

impl Format {
    /// Every format, in alphabetical order.
    pub const ALL: [Self; 8] = [
        Self::Arrow,
        Self::Csv,
        Self::Dbn,
        Self::Fix,
        Self::Itch,
        Self::Lobster,
        Self::Ndjson,
        Self::Parquet,
    ];

    /// The name on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Arrow => "arrow",
            Self::Csv => "csv",
            Self::Dbn => "dbn",
            Self::Fix => "fix",
            Self::Itch => "itch",
            Self::Lobster => "lobster",
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
        }
    }

    /// The format of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Whether this build decodes the format.
    pub const fn is_decoded(self) -> bool {
        match self {
            Self::Csv | Self::Dbn | Self::Fix | Self::Itch | Self::Lobster => true,
            Self::Arrow | Self::Parquet => cfg!(feature = "columnar"),
            Self::Ndjson => false,
        }
    }

    /// Refuses a format that this build does not decode, by name.
    pub fn check_decoded(self) -> Result<Self, FeedError> {
        if self.is_decoded() {
            return Ok(self);
        }
        let detail = format!("this is {}, which this build does not decode", self.name());
        Err(FeedError::new(FeedErrorKind::UnsupportedFormat, detail))
    }

    /// Whether an input that starts with `head` has this format. `whole`: nothing follows `head`.
    fn claims(self, head: &[u8], whole: bool) -> bool {
        match self {
            Self::Arrow => head.starts_with(b"ARROW1") || head.starts_with(&[0xff; 4]),
            Self::Csv => csv::is_header(first_line(head)),
            Self::Dbn => matches!(head, [b'D', b'B', b'N', 1..=3, ..]),
            Self::Fix => fix::is_log(head),
            Self::Itch => itch::starts_with_frames(head, whole),
            Self::Lobster => is_lobster(head),
            Self::Ndjson => is_ndjson(head),
            Self::Parquet => head.starts_with(b"PAR1"),
        }
    }
}

/// The format of the input that starts with `head`. `whole`: nothing follows `head`.
///
/// The answer may be a format that this build does not decode: see [`Format::check_decoded`].
pub fn sniff(head: &[u8], whole: bool) -> Result<Format, FeedError> {
    if head.is_empty() {
        return Err(FeedError::new(FeedErrorKind::EmptyInput, "the input has no bytes"));
    }
    let head = &head[..head.len().min(SNIFF_BYTES)];
    let candidates: Vec<Format> =
        Format::ALL.into_iter().filter(|format| format.claims(head, whole)).collect();
    if let [format] = candidates[..] {
        return Ok(format);
    }
    if candidates.is_empty() && is_orderbook(head) {
        let detail = "this is a LOBSTER order book file; pass the message file of the same day";
        return Err(FeedError::new(FeedErrorKind::OrderbookFile, detail));
    }
    let names = |formats: &[Format]| -> String {
        formats.iter().map(|format| format.name()).collect::<Vec<_>>().join(", ")
    };
    Err(if candidates.is_empty() {
        let detail =
            format!("none of {} recognises it; name the format (--format)", names(&Format::ALL));
        FeedError::new(FeedErrorKind::UnknownFormat, detail)
    } else {
        let detail = format!("it may be {}; name the format (--format)", names(&candidates));
        FeedError::new(FeedErrorKind::AmbiguousFormat, detail)
    })
}

/// Lines without their newline, from the front of `head`.
fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let head = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head);
    head.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

fn first_line(head: &[u8]) -> &[u8] {
    lines(head).next().unwrap_or_default()
}

fn is_lobster(head: &[u8]) -> bool {
    let mut lines = lines(head);
    let Some(first) = lines.next() else { return false };
    if !lobster::is_header(first) {
        return lobster::is_row(first);
    }
    // A header alone is an empty day.
    lines.next().is_none_or(|second| second.is_empty() || lobster::is_row(second))
}

/// Ask price, ask size, bid price, bid size for each level, and no time.
fn is_orderbook(head: &[u8]) -> bool {
    let mut lines = lines(head);
    let Some(mut line) = lines.next() else { return false };
    if line.len() >= 3 && line[..3].eq_ignore_ascii_case(b"ask")
        || line.len() >= 7 && line[..7].eq_ignore_ascii_case(b"bestask")
    {
        line = lines.next().unwrap_or_default();
    }
    let integer = |field: &[u8]| {
        let digits = field.strip_prefix(b"-").unwrap_or(field);
        !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
    };
    let fields = line.split(|&byte| byte == b',').count();
    fields % 4 == 0 && line.split(|&byte| byte == b',').all(integer)
}

fn is_ndjson(head: &[u8]) -> bool {
    let line = first_line(head);
    match line.split_at_checked(19) {
        Some((stamp, [b' ' | b'\t', b'{', ..])) if stamp.iter().all(u8::is_ascii_digit) => true,
        _ => line.starts_with(b"{"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn itch_frames(kinds: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for &kind in kinds {
            let len = usize::from(itch::wire::SIZES[usize::from(kind)]);
            bytes.extend_from_slice(&(len as u16).to_be_bytes());
            bytes.push(kind);
            bytes.resize(bytes.len() + len - 1, 0);
        }
        bytes
    }

    #[test]
    fn each_format_is_recognised_alone() {
        let itch = itch_frames(b"SRAFECXDUPQSSSSSS");
        let cases: [(&[u8], Format); 19] = [
            (b"DBN\x01rest", Format::Dbn),
            (b"DBN\x03rest", Format::Dbn),
            (b"ARROW1\0\0rest", Format::Arrow),
            (b"\xff\xff\xff\xff\x10\0\0\0", Format::Arrow),
            (b"PAR1rest", Format::Parquet),
            (&itch, Format::Itch),
            (&itch[..14], Format::Itch),
            (b"8=FIX.4.2\x019=65\x0135=D\x01", Format::Fix),
            (b"junk\n2020 : 8=FIXT.1.1|9=65|35=D|", Format::Fix),
            (b"8=FIX.4.4^A9=65^A35=D^A", Format::Fix),
            (b"34200.017,5,0,1,2238200,-1\n", Format::Lobster),
            (b"34200,1,5,1,2238200,1", Format::Lobster),
            (
                b"Time,Type,OrderId,Size,Price,Direction\r\n34200.1,1,5,1,100,-1\r\n",
                Format::Lobster,
            ),
            (b"TIME,TYPE,ORDERID,SIZE,PRICE,DIRECTION", Format::Lobster),
            (b"ts,kind,order_id,side,qty,price\n", Format::Csv),
            (b"\xef\xbb\xbfprice,\"qty\",side,Order_ID, kind ,TS,account\r\n", Format::Csv),
            (b"{\"ts\":1}\n", Format::Ndjson),
            (b"1700000000000000000 {\"e\":1}\n", Format::Ndjson),
            (b"\xff\xff\xff\xff", Format::Arrow),
        ];
        for (head, format) in cases {
            assert_eq!(sniff(head, true), Ok(format), "{}", head.escape_ascii());
        }
    }

    #[test]
    fn what_is_not_decoded_is_refused_by_name() {
        let format = Format::Ndjson;
        let error = format.check_decoded().unwrap_err();
        assert_eq!(error.kind, FeedErrorKind::UnsupportedFormat);
        assert!(error.detail.contains(format.name()), "{error}");
        assert_eq!(Format::Lobster.check_decoded(), Ok(Format::Lobster));
        for format in Format::ALL {
            assert_eq!(Format::from_name(format.name()), Some(format));
        }
    }

    #[test]
    fn others_are_refused_with_a_reason() {
        let kind = |head: &[u8]| sniff(head, true).unwrap_err().kind;
        assert_eq!(kind(b""), FeedErrorKind::EmptyInput);
        assert_eq!(kind(b"hello\n"), FeedErrorKind::UnknownFormat);
        assert_eq!(kind(b"DBN\x04"), FeedErrorKind::UnknownFormat);
        assert_eq!(kind(b"86400.0,1,5,1,100,1\n"), FeedErrorKind::UnknownFormat);
        assert_eq!(kind(b"34200.0,8,5,1,100,1\n"), FeedErrorKind::UnknownFormat);
        assert_eq!(kind(b"ts,kind,order_id,side,qty\n"), FeedErrorKind::UnknownFormat);
        for book in ["100,1,99,2\n", "BestAsk,BestAskVolume,BestBid,BestBidVolume\r\n1,2,3,4\r\n"] {
            assert_eq!(kind(book.as_bytes()), FeedErrorKind::OrderbookFile, "{book}");
        }
        let levels = "5859400,200,5853300,18,9999999999,0,-9999999999,0\n";
        assert_eq!(kind(levels.as_bytes()), FeedErrorKind::OrderbookFile);
        let both = b"{\"log\":\"8=FIX.4.4|9=65|35=D|\"}\n";
        let error = sniff(both, true).unwrap_err();
        assert_eq!(error.kind, FeedErrorKind::AmbiguousFormat);
        assert!(error.detail.contains("fix, ndjson"), "{error}");
    }

    proptest! {
        #[test]
        fn any_bytes_do_not_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..400),
            whole in any::<bool>(),
        ) {
            let _ = sniff(&bytes, whole);
        }

        #[test]
        fn text_does_not_panic(text in "[-0-9.,{}=FIX8|A-Z\r\n\u{1}]{0,200}") {
            let _ = sniff(text.as_bytes(), true);
        }
    }
}
