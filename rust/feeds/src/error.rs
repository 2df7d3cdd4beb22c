//! What can be wrong with an input, as a closed list with stable codes.
//!
//! Invariant: an error names the record and the byte at which reading stopped; every event that
//! was decoded before it stands, so a caller may keep the prefix.

use std::fmt;

/// Why an input was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{kind} at record {record}, byte {offset}: {detail}", Prefix(.file.as_deref()))]
pub struct FeedError {
    /// The input's name, when the caller gave one with [`FeedError::in_file`].
    pub file: Option<String>,
    /// Record number, 0-based; a header line is not a record.
    pub record: u64,
    /// Byte offset into the decompressed input (into the compressed one, where `detail` says so).
    pub offset: u64,
    /// The stable cause.
    pub kind: FeedErrorKind,
    /// The value that was met and what was expected instead.
    pub detail: String,
}

impl FeedError {
    /// An error at a place that the caller fills in with [`FeedError::at`].
    pub fn new(kind: FeedErrorKind, detail: impl Into<String>) -> Self {
        Self { file: None, record: 0, offset: 0, kind, detail: detail.into() }
    }

    /// The same error at `record` and `offset`.
    pub fn at(mut self, record: u64, offset: u64) -> Self {
        self.record = record;
        self.offset = offset;
        self
    }

    /// The same error with the name of the input.
    pub fn in_file(mut self, name: impl Into<String>) -> Self {
        self.file = Some(name.into());
        self
    }
}

struct Prefix<'a>(Option<&'a str>);

impl fmt::Display for Prefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(file) => write!(f, "{file}: "),
            None => Ok(()),
        }
    }
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:literal,)+) => {
        /// The closed list of causes; a code never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum FeedErrorKind {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl FeedErrorKind {
            /// Every kind, in alphabetical order.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The stable upper-snake code.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }
        }
    };
}

kinds! {
    /// More than one decoder claims the input.
    AmbiguousFormat = "AMBIGUOUS_FORMAT",
    /// A FIX message whose checksum is wrong.
    BadChecksum = "BAD_CHECKSUM",
    /// A column has a type that cannot hold the value.
    BadColumn = "BAD_COLUMN",
    /// A row has too few or too many fields.
    BadFieldCount = "BAD_FIELD_COUNT",
    /// Bits outside the list in `event::flag`.
    BadFlags = "BAD_FLAGS",
    /// The header names a column twice.
    BadHeader = "BAD_HEADER",
    /// An event kind that is not in the list.
    BadKind = "BAD_KIND",
    /// A message that is longer or shorter than it must be.
    BadLength = "BAD_LENGTH",
    /// Text that is not a number.
    BadNumber = "BAD_NUMBER",
    /// A side that is not in the list.
    BadSide = "BAD_SIDE",
    /// A timestamp that is not in the format or not in its range.
    BadTime = "BAD_TIME",
    /// Bytes that are not UTF-8 where text is expected.
    BadUtf8 = "BAD_UTF8",
    /// Compressed or columnar bytes that contradict their own format.
    Corrupt = "CORRUPT",
    /// No bytes at all.
    EmptyInput = "EMPTY_INPUT",
    /// A price column of floating point.
    FloatPrice = "FLOAT_PRICE",
    /// The caller's reader or writer failed.
    IoFailed = "IO_FAILED",
    /// A length in the file is beyond its named bound.
    LengthOutOfBound = "LENGTH_OUT_OF_BOUND",
    /// A line or a record is longer than the bound.
    LineTooLong = "LINE_TOO_LONG",
    /// A required column is not there.
    MissingColumn = "MISSING_COLUMN",
    /// Numeric and text order ids collide in one file.
    MixedOrderIds = "MIXED_ORDER_IDS",
    /// A name is longer than the bound.
    NameTooLong = "NAME_TOO_LONG",
    /// An empty or null value where the event needs one.
    NullValue = "NULL_VALUE",
    /// A number beyond the range of its field.
    NumberOutOfRange = "NUMBER_OUT_OF_RANGE",
    /// A LOBSTER order book file instead of the message file.
    OrderbookFile = "ORDERBOOK_FILE",
    /// The output of decompression passed the cap.
    OutputTooLarge = "OUTPUT_TOO_LARGE",
    /// Decompression grows the input beyond the ratio cap.
    RatioTooHigh = "RATIO_TOO_HIGH",
    /// More fractional digits than the field's scale holds.
    TooFine = "TOO_FINE",
    /// More live orders at one time than the bound.
    TooManyLiveOrders = "TOO_MANY_LIVE_ORDERS",
    /// More distinct names than the bound.
    TooManyNames = "TOO_MANY_NAMES",
    /// The input ends in mid-stream.
    Truncated = "TRUNCATED",
    /// No decoder recognises the input.
    UnknownFormat = "UNKNOWN_FORMAT",
    /// A known format that this build does not decode.
    UnsupportedFormat = "UNSUPPORTED_FORMAT",
}

impl fmt::Display for FeedErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A hostile value shortened and escaped for an error text.
pub(crate) fn shown(bytes: &[u8]) -> String {
    const SHOWN_BYTES_MAX: usize = 48;
    let head = &bytes[..bytes.len().min(SHOWN_BYTES_MAX)];
    let dots = if bytes.len() > SHOWN_BYTES_MAX { "..." } else { "" };
    format!("'{}'{dots}", head.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_and_unique() {
        let codes: Vec<_> = FeedErrorKind::ALL.iter().map(|kind| kind.code()).collect();
        let mut sorted = codes.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(codes, sorted);
    }

    #[test]
    fn text_names_file_record_byte_and_code() {
        let error = FeedError::new(FeedErrorKind::BadNumber, "price 'x'").at(3, 99);
        assert_eq!(error.to_string(), "BAD_NUMBER at record 3, byte 99: price 'x'");
        assert_eq!(
            error.in_file("a.csv").to_string(),
            "a.csv: BAD_NUMBER at record 3, byte 99: price 'x'"
        );
    }
}
