//! Events to Arrow and Parquet: the inverse of [`super::BatchRows`].

use super::SCALE_KEY;
use crate::decimal::NANO_SCALE;
use crate::error::{FeedError, FeedErrorKind};
use crate::event::{Event, Names, flag};
use crate::words::{FLAGS_FROM_FILE, KINDS, SIDES};
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow_array::{UInt16Array, UInt64Array};
use arrow_ipc::writer::FileWriter;
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, LazyLock};

/// The canonical schema of a table of events.
pub fn event_schema() -> Arc<Schema> {
    Arc::clone(&SCHEMA)
}

/// `events` as one batch of the canonical schema; text columns are dictionaries over `names`.
///
/// Order ids are numbers, text ids included; flags that follow from the row or from the mapping are
/// not written.
pub fn events_to_batch(events: &[Event], names: &Names) -> Result<RecordBatch, FeedError> {
    let dictionary = |keys: Int32Array, values: ArrayRef| -> Result<ArrayRef, FeedError> {
        let array = DictionaryArray::<Int32Type>::try_new(keys, values);
        Ok(Arc::new(array.map_err(|error| failed(&error))?))
    };
    let words = |keys: Int32Array, words: &[&str]| {
        dictionary(keys, Arc::new(StringArray::from_iter_values(words)))
    };
    let named = |table: &[String], handle: fn(&Event) -> u32| {
        let known = |event| Some(handle(event)).filter(|&handle| (handle as usize) < table.len());
        let keys = events.iter().map(|event| known(event).map(|handle| handle as i32)).collect();
        dictionary(keys, Arc::new(StringArray::from_iter_values(table)))
    };
    let sides: Vec<&str> = SIDES.iter().map(|&(word, _)| word).collect();
    let side_key = |side: u8| SIDES.iter().position(|&(_, code)| code == side).unwrap_or(0) as i32;
    let price = |event: &Event| (event.flags & flag::UNDEF_PX == 0).then_some(event.px);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt64Array::from_iter_values(events.iter().map(|event| event.ts_ns))),
        words(events.iter().map(|event| Some(event.kind as i32 - 1)).collect(), &KINDS)?,
        Arc::new(UInt64Array::from_iter_values(events.iter().map(|event| event.order_id))),
        named(&names.accounts, |event| event.account)?,
        named(&names.strategies, |event| event.strategy)?,
        named(&names.instruments, |event| event.instrument)?,
        words(events.iter().map(|event| Some(side_key(event.side))).collect(), &sides)?,
        Arc::new(Int64Array::from_iter_values(events.iter().map(|event| event.qty))),
        Arc::new(events.iter().map(price).collect::<Int64Array>()),
        Arc::new(UInt64Array::from_iter_values(events.iter().map(|event| event.ref_id))),
        Arc::new(UInt16Array::from_iter_values(
            events.iter().map(|event| event.flags & FLAGS_FROM_FILE),
        )),
    ];
    RecordBatch::try_new(event_schema(), columns).map_err(|error| failed(&error))
}

/// Writes an Arrow IPC file.
pub struct ArrowFileWriter<W: Write> {
    writer: FileWriter<W>,
}

impl<W: Write> ArrowFileWriter<W> {
    /// Starts a file on `sink`.
    pub fn new(sink: W) -> Result<Self, FeedError> {
        let writer = FileWriter::try_new(sink, &SCHEMA).map_err(|error| failed(&error))?;
        Ok(Self { writer })
    }

    /// Appends one batch; `names` must be the same table in every call.
    pub fn write(&mut self, events: &[Event], names: &Names) -> Result<(), FeedError> {
        let batch = events_to_batch(events, names)?;
        self.writer.write(&batch).map_err(|error| failed(&error))
    }

    /// Writes the footer and gives the sink back.
    pub fn finish(self) -> Result<W, FeedError> {
        self.writer.into_inner().map_err(|error| failed(&error))
    }
}

/// Writes a Parquet file, packed with zstd.
pub struct ParquetFileWriter<W: Write + Send> {
    writer: ArrowWriter<W>,
}

impl<W: Write + Send> ParquetFileWriter<W> {
    /// Starts a file on `sink`. The same events give the same bytes: no time, no version in it.
    pub fn new(sink: W) -> Result<Self, FeedError> {
        let level = ZstdLevel::try_new(1).map_err(|error| failed(&error))?;
        let properties = WriterProperties::builder()
            .set_created_by("cwts".to_owned())
            .set_compression(Compression::ZSTD(level))
            .build();
        let writer = ArrowWriter::try_new(sink, event_schema(), Some(properties))
            .map_err(|error| failed(&error))?;
        Ok(Self { writer })
    }

    /// Appends one batch.
    pub fn write(&mut self, events: &[Event], names: &Names) -> Result<(), FeedError> {
        let batch = events_to_batch(events, names)?;
        self.writer.write(&batch).map_err(|error| failed(&error))
    }

    /// Writes the footer and gives the sink back.
    pub fn finish(self) -> Result<W, FeedError> {
        self.writer.into_inner().map_err(|error| failed(&error))
    }
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

fn failed(error: &dyn std::error::Error) -> FeedError {
    FeedError::new(FeedErrorKind::IoFailed, format!("the writer failed: {error}"))
}
