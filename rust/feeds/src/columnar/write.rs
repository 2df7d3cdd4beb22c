//! Events to Arrow and Parquet files.

use super::columns::{Dictionaries, EventColumns, event_schema, failed};
use crate::error::FeedError;
use crate::event::{Event, Names};
use arrow_array::RecordBatch;
use arrow_ipc::writer::FileWriter;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::io::Write;

/// `events` as one batch of the canonical schema; text columns are dictionaries over `names`.
pub fn events_to_batch(events: &[Event], names: &Names) -> Result<RecordBatch, FeedError> {
    let mut columns = EventColumns::with_capacity(events.len());
    columns.extend(events);
    columns.finish(&Dictionaries::of(names))
}

/// Writes an Arrow IPC file.
pub struct ArrowFileWriter<W: Write> {
    writer: FileWriter<W>,
}

impl<W: Write> ArrowFileWriter<W> {
    /// Starts a file on `sink`.
    pub fn new(sink: W) -> Result<Self, FeedError> {
        let writer = FileWriter::try_new(sink, &event_schema()).map_err(|error| failed(&error))?;
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
