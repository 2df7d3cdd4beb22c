//! Decisions to Arrow and Parquet: a row an order, in file order, a batch at a time.
//!
//! Prices are integers of 1e-9, controls are the bits of `reasons`; the columns are those of the
//! Python result, so that a file and a frame agree.

use super::SCALE_KEY;
use crate::decimal::NANO_SCALE;
use crate::error::{FeedError, FeedErrorKind};
use crate::sniff::Format;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, UInt8Array, UInt64Array};
use arrow_ipc::writer::FileWriter;
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, LazyLock};

/// One order and what was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecisionRow {
    /// Time of the order, UTC epoch nanoseconds.
    pub ts: u64,
    /// Its id.
    pub order_id: u64,
    /// FIX 54.
    pub side: u8,
    /// Price, 1e-9; 0 for a market order.
    pub px: i64,
    /// Quantity.
    pub qty: i64,
    /// Index of the decision in the log.
    pub seq: u64,
    /// Bits of all violated controls.
    pub reasons: u64,
    /// The lowest of them; 255 for none.
    pub first: u8,
    /// What was observed for it.
    pub observed: i64,
    /// The limit that it was compared with.
    pub limit: i64,
    /// The verdict's code.
    pub verdict: u8,
}

/// Writes a table of decisions as an Arrow IPC file or as Parquet.
pub struct DecisionTable<W: Write + Send> {
    rows: Vec<DecisionRow>,
    out: Out<W>,
}

enum Out<W: Write + Send> {
    Arrow(Box<FileWriter<W>>),
    Parquet(Box<ArrowWriter<W>>),
}

impl<W: Write + Send> DecisionTable<W> {
    /// Starts a file on `sink`; a format that is no table is written as Arrow.
    pub fn new(sink: W, format: Format) -> Result<Self, FeedError> {
        let rows = Vec::with_capacity(ROWS_A_BATCH);
        let out = if format == Format::Parquet {
            let level = ZstdLevel::try_new(1).map_err(|error| failed(&error))?;
            // One group of rows is in memory at a time.
            let properties = WriterProperties::builder()
                .set_created_by("cwts".to_owned())
                .set_compression(Compression::ZSTD(level))
                .set_max_row_group_row_count(Some(ROWS_A_GROUP))
                .build();
            let writer = ArrowWriter::try_new(sink, Arc::clone(&SCHEMA), Some(properties));
            Out::Parquet(Box::new(writer.map_err(|error| failed(&error))?))
        } else {
            let writer = FileWriter::try_new(sink, &SCHEMA);
            Out::Arrow(Box::new(writer.map_err(|error| failed(&error))?))
        };
        Ok(Self { rows, out })
    }

    /// Appends a row.
    pub fn push(&mut self, row: DecisionRow) -> Result<(), FeedError> {
        self.rows.push(row);
        if self.rows.len() < ROWS_A_BATCH {
            return Ok(());
        }
        self.flush()
    }

    /// Writes what waits and the footer, and gives the sink back.
    pub fn finish(mut self) -> Result<W, FeedError> {
        self.flush()?;
        match self.out {
            Out::Arrow(writer) => writer.into_inner().map_err(|error| failed(&error)),
            Out::Parquet(writer) => writer.into_inner().map_err(|error| failed(&error)),
        }
    }

    fn flush(&mut self) -> Result<(), FeedError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let batch = decisions_to_batch(&self.rows)?;
        self.rows.clear();
        match &mut self.out {
            Out::Arrow(writer) => writer.write(&batch).map_err(|error| failed(&error)),
            Out::Parquet(writer) => writer.write(&batch).map_err(|error| failed(&error)),
        }
    }
}

/// The schema of a table of decisions.
pub fn decision_schema() -> Arc<Schema> {
    Arc::clone(&SCHEMA)
}

/// Rows as one batch.
pub fn decisions_to_batch(rows: &[DecisionRow]) -> Result<RecordBatch, FeedError> {
    let u64s = |of: fn(&DecisionRow) -> u64| -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(of)))
    };
    let i64s = |of: fn(&DecisionRow) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(rows.iter().map(of)))
    };
    let u8s = |of: fn(&DecisionRow) -> u8| -> ArrayRef {
        Arc::new(UInt8Array::from_iter_values(rows.iter().map(of)))
    };
    let columns = vec![
        u64s(|row| row.ts),
        u64s(|row| row.order_id),
        u8s(|row| row.side),
        i64s(|row| row.px),
        i64s(|row| row.qty),
        u64s(|row| row.seq),
        u64s(|row| row.reasons),
        u8s(|row| row.first),
        i64s(|row| row.observed),
        i64s(|row| row.limit),
        u8s(|row| row.verdict),
    ];
    RecordBatch::try_new(decision_schema(), columns).map_err(|error| failed(&error))
}

static SCHEMA: LazyLock<Arc<Schema>> = LazyLock::new(|| {
    let scale = HashMap::from([(SCALE_KEY.to_owned(), NANO_SCALE.to_string())]);
    Arc::new(Schema::new(vec![
        Field::new("ts", DataType::UInt64, false),
        Field::new("order_id", DataType::UInt64, false),
        Field::new("side", DataType::UInt8, false),
        Field::new("px", DataType::Int64, false).with_metadata(scale),
        Field::new("qty", DataType::Int64, false),
        Field::new("seq", DataType::UInt64, false),
        Field::new("reasons", DataType::UInt64, false),
        Field::new("first", DataType::UInt8, false),
        Field::new("observed", DataType::Int64, false),
        Field::new("limit", DataType::Int64, false),
        Field::new("verdict", DataType::UInt8, false),
    ]))
});

fn failed(error: &dyn std::error::Error) -> FeedError {
    FeedError::new(FeedErrorKind::IoFailed, format!("the writer failed: {error}"))
}

/// Rows in memory before they are encoded.
const ROWS_A_BATCH: usize = 8_192;
/// Rows of a Parquet row group: some 8 MiB before they are packed.
const ROWS_A_GROUP: usize = 131_072;
