//! The words of CWTS tables for kinds and sides, and the rules that every CWTS row obeys whatever
//! file it came from.

use crate::error::{FeedError, FeedErrorKind, shown};
use crate::event::{Event, EventKind, flag};

/// U+FEFF in UTF-8, which may stand before the first line of a text file.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// The columns that an event is read from.
pub(crate) const REQUIRED: [&str; 6] = ["ts", "kind", "order_id", "side", "qty", "price"];
/// The name of an account or strategy that the file does not give.
pub(crate) const DEFAULT_NAME: &str = "default";

/// The bits that a file may set; the others follow from the row itself or from the mapping.
pub(crate) const FLAGS_FROM_FILE: u16 = flag::SNAPSHOT
    | flag::EVENT_END
    | flag::CONSEQUENCE
    | flag::HIDDEN
    | flag::BAD_TS
    | flag::POSSDUP
    | flag::NO_REF;
const FLAGS_ALL: u16 = FLAGS_FROM_FILE | flag::ORPHAN | flag::TIME_BACK | flag::UNDEF_PX;

/// Words of [`EventKind`], at index code - 1.
pub(crate) const KINDS: [&str; 11] = [
    "add", "reduce", "delete", "fill", "trade", "replace", "state", "clear", "clock", "ref",
    "cross",
];

/// Words of the sides and their FIX 54 codes.
pub(crate) const SIDES: [(&str, u8); 5] =
    [("none", 0), ("buy", 1), ("sell", 2), ("short", 5), ("short_exempt", 6)];

pub(crate) fn kind_word(kind: EventKind) -> &'static str {
    KINDS[kind as usize - 1]
}

pub(crate) fn side_word(side: u8) -> Option<&'static str> {
    SIDES.iter().find(|&&(_, code)| code == side).map(|&(word, _)| word)
}

/// A kind by word (any case) or code.
pub(crate) fn kind(text: &[u8]) -> Result<EventKind, FeedError> {
    let by_word = KINDS.iter().position(|word| word.as_bytes().eq_ignore_ascii_case(text));
    let code = by_word.map(|at| at as u8 + 1).or_else(|| small_number(text));
    code.and_then(EventKind::from_code).ok_or_else(|| {
        let detail = format!("kind {} is not one of {}", shown(text), KINDS.join(", "));
        FeedError::new(FeedErrorKind::BadKind, detail)
    })
}

/// A side by word (any case) or FIX 54 code; empty is none.
pub(crate) fn side(text: &[u8]) -> Result<u8, FeedError> {
    if text.is_empty() {
        return Ok(0);
    }
    let by_word = SIDES.iter().find(|(word, _)| word.as_bytes().eq_ignore_ascii_case(text));
    by_word.map(|&(_, code)| code).or_else(|| side_code(small_number(text)?)).ok_or_else(|| {
        let detail = format!("side {} is not none, buy, sell, short or short_exempt", shown(text));
        FeedError::new(FeedErrorKind::BadSide, detail)
    })
}

/// `code` if it is a side's.
pub(crate) fn side_code(code: u8) -> Option<u8> {
    side_word(code).map(|_| code)
}

fn small_number(text: &[u8]) -> Option<u8> {
    std::str::from_utf8(text).ok().filter(|text| !text.starts_with('+'))?.parse().ok()
}

/// Flags as a file may give them, without the bits that are ours to set.
pub(crate) fn flags(bits: u64) -> Result<u16, FeedError> {
    u16::try_from(bits).ok().filter(|bits| bits & !FLAGS_ALL == 0).map_or_else(
        || {
            let detail = format!("flags {bits} has bits outside {FLAGS_ALL}");
            Err(FeedError::new(FeedErrorKind::BadFlags, detail))
        },
        |bits| Ok(bits & FLAGS_FROM_FILE),
    )
}

/// What a row must carry, by kind. `id` and `qty` are None where the cell is empty.
pub(crate) fn required(
    kind: EventKind,
    id: Option<u64>,
    qty: Option<i64>,
) -> Result<(u64, i64), FeedError> {
    let null = |field: &str| {
        let detail = format!("{field} is empty in a row of kind {}", kind_word(kind));
        FeedError::new(FeedErrorKind::NullValue, detail)
    };
    use EventKind::{Add, Cross, Delete, Fill, Reduce, Replace, State, Trade};
    let needs_id = matches!(kind, Add | Reduce | Delete | Fill | Replace);
    let needs_qty = matches!(kind, Add | Reduce | Fill | Trade | Replace | State | Cross);
    let id = if needs_id { id.ok_or_else(|| null("order_id"))? } else { id.unwrap_or(0) };
    let qty = if needs_qty { qty.ok_or_else(|| null("qty"))? } else { qty.unwrap_or(0) };
    if qty < 0 || (kind == State && qty > 2) {
        let bound = if kind == State { "0, 1 or 2" } else { "0 or more" };
        let detail = format!("qty {qty} of kind {}; expected {bound}", kind_word(kind));
        return Err(FeedError::new(FeedErrorKind::NumberOutOfRange, detail));
    }
    Ok((id, qty))
}

/// Sets what follows from the row's place: its record number and TIME_BACK.
pub(crate) struct Sequence {
    last_ns: u64,
    pub(crate) counts: crate::decoder::Counts,
}

impl Sequence {
    pub(crate) fn new() -> Self {
        Self { last_ns: 0, counts: crate::decoder::Counts::default() }
    }

    pub(crate) fn place(&mut self, event: &mut Event) {
        event.src = self.counts.records;
        self.counts.records += 1;
        if event.ts_ns < self.last_ns {
            event.flags |= flag::TIME_BACK;
            self.counts.time_back += 1;
        }
        self.last_ns = event.ts_ns;
    }
}
