//! Events to the columns of the canonical schema: the inverse of [`super::BatchRows`].
//!
//! A batch of events is half a megabyte, more than the nearest cache holds. So few events at a
//! time go into all columns, instead of all events into one column after another.

use super::SCALE_KEY;
use crate::decimal::NANO_SCALE;
use crate::error::{FeedError, FeedErrorKind};
use crate::event::{Event, Names, flag};
use crate::words::{FLAGS_FROM_FILE, KINDS, SIDES};
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow_array::{UInt16Array, UInt64Array};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::{DataType, Field, Schema};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// The canonical schema of a table of events.
pub fn event_schema() -> Arc<Schema> {
    Arc::clone(&SCHEMA)
}

/// Columns that events are being added to.
///
/// Order ids are numbers, text ids included; flags that follow from the row or from the mapping
/// are left out, and a price that the row does not carry is null.
#[derive(Debug, Default)]
pub struct EventColumns {
    ts: Vec<u64>,
    kind: Vec<i32>,
    order_id: Vec<u64>,
    account: Sparse<u32>,
    strategy: Sparse<u32>,
    instrument: Sparse<u32>,
    side: Vec<i32>,
    qty: Vec<i64>,
    price: Vec<i64>,
    ref_id: Sparse<u64>,
    flags: Vec<u16>,
}

impl EventColumns {
    /// Without events, and with room for so many.
    pub fn with_capacity(rows: usize) -> Self {
        Self {
            ts: Vec::with_capacity(rows),
            kind: Vec::with_capacity(rows),
            order_id: Vec::with_capacity(rows),
            account: Sparse::default(),
            strategy: Sparse::default(),
            instrument: Sparse::default(),
            side: Vec::with_capacity(rows),
            qty: Vec::with_capacity(rows),
            price: Vec::with_capacity(rows),
            ref_id: Sparse::default(),
            flags: Vec::with_capacity(rows),
        }
    }

    /// Events so far.
    pub fn rows(&self) -> usize {
        self.ts.len()
    }

    /// Appends a row for each event.
    pub fn extend(&mut self, events: &[Event]) {
        for few in events.chunks(CACHED_EVENTS) {
            self.ts.extend(few.iter().map(|event| event.ts_ns));
            self.kind.extend(few.iter().map(|event| event.kind as i32 - 1));
            self.order_id.extend(few.iter().map(|event| event.order_id));
            self.account.extend(few.iter().map(|event| event.account), NO_NAME);
            self.strategy.extend(few.iter().map(|event| event.strategy), NO_NAME);
            self.instrument.extend(few.iter().map(|event| event.instrument), 0);
            self.side.extend(few.iter().map(|event| side_key(event.side)));
            self.qty.extend(few.iter().map(|event| event.qty));
            self.price.extend(few.iter().map(|event| event.px));
            self.ref_id.extend(few.iter().map(|event| event.ref_id), 0);
            self.flags.extend(few.iter().map(|event| event.flags));
        }
    }

    /// The columns as one batch; text columns are dictionaries over the names.
    pub fn finish(mut self, words: &Dictionaries) -> Result<RecordBatch, FeedError> {
        let rows = self.rows();
        let seen = self.flags.iter().fold(0, |seen, &flags| seen | flags);
        let defined = (seen & flag::UNDEF_PX != 0).then(|| {
            let defined = |at: usize| self.flags[at] & flag::UNDEF_PX == 0;
            NullBuffer::new(BooleanBuffer::collect_bool(rows, defined))
        });
        if let Some(defined) = &defined {
            // What stands under a null is in the file's bytes: always zero.
            for (at, price) in self.price.iter_mut().enumerate() {
                *price = if defined.is_null(at) { 0 } else { *price };
            }
        }
        if seen & !FLAGS_FROM_FILE != 0 {
            self.flags.iter_mut().for_each(|flags| *flags &= FLAGS_FROM_FILE);
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(UInt64Array::new(self.ts.into(), None)),
            dictionary(Int32Array::new(self.kind.into(), None), &words.kinds)?,
            Arc::new(UInt64Array::new(self.order_id.into(), None)),
            names(self.account, NO_NAME, rows, &words.accounts)?,
            names(self.strategy, NO_NAME, rows, &words.strategies)?,
            names(self.instrument, 0, rows, &words.instruments)?,
            dictionary(Int32Array::new(self.side.into(), None), &words.sides)?,
            Arc::new(Int64Array::new(self.qty.into(), None)),
            Arc::new(Int64Array::new(self.price.into(), defined)),
            Arc::new(UInt64Array::new(
                self.ref_id.values.unwrap_or_else(|| vec![0; rows]).into(),
                None,
            )),
            Arc::new(UInt16Array::new(self.flags.into(), None)),
        ];
        RecordBatch::try_new(event_schema(), columns).map_err(|error| failed(&error))
    }
}

/// The words behind the keys of text columns; batches of one table share them.
#[derive(Debug, Clone)]
pub struct Dictionaries {
    kinds: ArrayRef,
    sides: ArrayRef,
    instruments: ArrayRef,
    accounts: ArrayRef,
    strategies: ArrayRef,
}

impl Dictionaries {
    /// Those of these names, and the words of kinds and sides.
    pub fn of(names: &Names) -> Self {
        let table =
            |table: &[String]| -> ArrayRef { Arc::new(StringArray::from_iter_values(table)) };
        Self {
            kinds: Arc::new(StringArray::from_iter_values(KINDS)),
            sides: Arc::new(StringArray::from_iter_values(SIDES.map(|(word, _)| word))),
            instruments: table(&names.instruments),
            accounts: table(&names.accounts),
            strategies: table(&names.strategies),
        }
    }
}

/// A column that most files leave at one value: it takes memory from its first other value on.
#[derive(Debug, Default)]
struct Sparse<T> {
    values: Option<Vec<T>>,
    rows: usize,
}

impl<T: Copy + PartialEq> Sparse<T> {
    /// Appends values; `usual` is the same in every call.
    #[inline]
    fn extend(&mut self, values: impl ExactSizeIterator<Item = T> + Clone, usual: T) {
        let before = self.rows;
        self.rows += values.len();
        if self.values.is_none() && values.clone().all(|value| value == usual) {
            return;
        }
        self.values.get_or_insert_with(|| vec![usual; before]).extend(values);
    }
}

/// A column of names by handles, null where there is no name.
fn names(
    handles: Sparse<u32>,
    usual: u32,
    rows: usize,
    table: &ArrayRef,
) -> Result<ArrayRef, FeedError> {
    let count = u32::try_from(table.len()).unwrap_or(u32::MAX);
    let Some(handles) = handles.values else {
        // Zeros that nobody touches cost no memory.
        let nulls = (usual >= count).then(|| NullBuffer::new_null(rows));
        return dictionary(Int32Array::new(vec![0; rows].into(), nulls), table);
    };
    let unknown = handles.iter().any(|&handle| handle >= count);
    let nulls = unknown
        .then(|| NullBuffer::new(BooleanBuffer::collect_bool(rows, |at| handles[at] < count)));
    // In place: what stands under a null is zero.
    let key = |handle| if handle < count { handle as i32 } else { 0 };
    let keys: Vec<i32> = handles.into_iter().map(key).collect();
    dictionary(Int32Array::new(keys.into(), nulls), table)
}

fn dictionary(keys: Int32Array, words: &ArrayRef) -> Result<ArrayRef, FeedError> {
    let array = DictionaryArray::<Int32Type>::try_new(keys, Arc::clone(words));
    Ok(Arc::new(array.map_err(|error| failed(&error))?))
}

/// The place of a side's word; an unknown side has none, and says so.
fn side_key(side: u8) -> i32 {
    SIDE_KEYS.get(usize::from(side)).copied().unwrap_or(0)
}

pub(super) fn failed(error: &dyn std::error::Error) -> FeedError {
    FeedError::new(FeedErrorKind::IoFailed, format!("the writer failed: {error}"))
}

static SCHEMA: LazyLock<Arc<Schema>> = LazyLock::new(|| {
    let text = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let scale = HashMap::from([(SCALE_KEY.to_owned(), NANO_SCALE.to_string())]);
    Arc::new(Schema::new(vec![
        Field::new("ts", DataType::UInt64, false),
        Field::new("kind", text.clone(), false),
        Field::new("order_id", DataType::UInt64, false),
        Field::new("account", text.clone(), true),
        Field::new("strategy", text.clone(), true),
        Field::new("instrument", text.clone(), true),
        Field::new("side", text, false),
        Field::new("qty", DataType::Int64, false),
        Field::new("price", DataType::Int64, true).with_metadata(scale),
        Field::new("ref_id", DataType::UInt64, false),
        Field::new("flags", DataType::UInt16, false),
    ]))
});

/// 16 KiB of events.
const CACHED_EVENTS: usize = 256;
/// The handle of an event without a name.
const NO_NAME: u32 = u32::MAX;
/// Places in `SIDES` by FIX 54 code.
const SIDE_KEYS: [i32; 7] = {
    let mut keys = [0; 7];
    let mut place = 0;
    while place < SIDES.len() {
        keys[SIDES[place].1 as usize] = place as i32;
        place += 1;
    }
    keys
};
