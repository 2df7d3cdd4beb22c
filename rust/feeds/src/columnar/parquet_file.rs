//! Parquet as a source of events, from memory or from an open file.

use super::arrow_ipc::contained_feed;
use super::{BatchRows, contained, footer, pages};
use crate::compress::Compression;
use crate::csv::Columns;
use crate::decoder::{BATCH_EVENTS, CHUNK_BYTES};
use crate::error::{FeedError, FeedErrorKind};
use crate::event::{Event, Names};
use crate::sniff::Format;
use crate::source::{InputFacts, OpenOptions, ReadSeek};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use sha2::{Digest, Sha256};
use std::fmt::Display;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

/// The events of one Parquet file.
pub struct ParquetEvents {
    batches: ParquetRecordBatchReader,
    rows: BatchRows,
    facts: InputFacts,
    done: bool,
}

impl ParquetEvents {
    /// Reads `bytes`, whose origin `facts` tells.
    pub(crate) fn of_bytes(
        bytes: Vec<u8>,
        facts: &InputFacts,
        options: &OpenOptions,
    ) -> Result<Self, FeedError> {
        check_footer(&mut io::Cursor::new(&bytes))?;
        Self::open(Bytes::from(bytes), facts, options)
    }

    /// Reads `file` in place, after one pass over it for the hash.
    pub(crate) fn of_file(
        mut file: Box<dyn ReadSeek>,
        options: &OpenOptions,
    ) -> Result<Self, FeedError> {
        let (bytes, sha256) = hashed(&mut *file, options)?;
        check_footer(&mut *file)?;
        let facts = InputFacts {
            format: Format::Parquet,
            compression: Compression::None,
            bytes,
            packed_bytes: bytes,
            counts: crate::decoder::Counts::default(),
            sha256,
        };
        Self::open(FileChunks { file: Arc::new(Mutex::new(file)), bytes }, &facts, options)
    }

    fn open(
        chunks: impl ChunkReader + Clone + 'static,
        facts: &InputFacts,
        options: &OpenOptions,
    ) -> Result<Self, FeedError> {
        let builder =
            contained("footer", || ParquetRecordBatchReaderBuilder::try_new(chunks.clone()))?;
        let schema = builder.schema().clone();
        let header: Vec<&[u8]> =
            schema.fields().iter().map(|field| field.name().as_bytes()).collect();
        // Columns that no event carries are not even read.
        let (columns, ignored) = Columns::of_header(&header)?;
        let held: Vec<usize> = (0..header.len()).filter(|&at| columns.holds(at)).collect();
        let tree = builder.parquet_schema();
        for group in builder.metadata().row_groups() {
            for (leaf, column) in group.columns().iter().enumerate() {
                if held.contains(&tree.get_column_root_idx(leaf)) {
                    let range = || Ok::<_, FeedError>(column.byte_range());
                    let (start, len) = contained("column chunk", range)?;
                    pages::check(&chunks, start, len)?;
                }
            }
        }
        let mask = ProjectionMask::roots(builder.parquet_schema(), held);
        let batches = contained("footer", || {
            builder.with_projection(mask).with_batch_size(BATCH_EVENTS).build()
        })?;
        let mut rows = BatchRows::new(options.symbol.as_deref());
        rows.note_ignored(ignored);
        Ok(Self { batches, rows, facts: *facts, done: false })
    }

    pub(crate) fn next_batch(&mut self, out: &mut Vec<Event>) -> Result<bool, FeedError> {
        let rows = &mut self.rows;
        while !self.done {
            if rows.has_rows() {
                contained_feed(|| rows.read(out))?;
                return Ok(true);
            }
            let record = rows.counts().records;
            let batches = &mut self.batches;
            let batch = contained("row group", || batches.next().transpose())
                .map_err(|error| error.at(record, 0))?;
            match batch {
                Some(batch) => contained_feed(|| rows.bind(&batch))?,
                None => self.done = true,
            }
        }
        Ok(false)
    }

    pub(crate) fn names(&self) -> &Names {
        self.rows.names()
    }

    pub(crate) fn order_texts(&self) -> &[String] {
        self.rows.order_texts()
    }

    pub(crate) fn ignored_columns(&self) -> &[String] {
        self.rows.ignored_columns()
    }

    pub(crate) fn facts(&self) -> InputFacts {
        InputFacts { counts: self.rows.counts(), ..self.facts }
    }
}

/// The size of `file` and its SHA-256; leaves it at its start.
fn hashed(
    file: &mut dyn ReadSeek,
    options: &OpenOptions,
) -> Result<(u64, Option<[u8; 32]>), FeedError> {
    let size = file.seek(SeekFrom::End(0)).map_err(|error| io_failed(&error))?;
    file.rewind().map_err(|error| io_failed(&error))?;
    if size > options.max_bytes {
        let detail = format!("{size} bytes; the cap is {}", options.max_bytes);
        return Err(FeedError::new(FeedErrorKind::OutputTooLarge, detail));
    }
    if !options.hash {
        return Ok((size, None));
    }
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => hash.update(&chunk[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(io_failed(&error)),
        }
    }
    file.rewind().map_err(|error| io_failed(&error))?;
    Ok((size, Some(hash.finalize().into())))
}

/// Magic, footer length and footer, before the crate reads them.
fn check_footer(file: &mut (impl Read + Seek + ?Sized)) -> Result<(), FeedError> {
    let size = file.seek(SeekFrom::End(0)).map_err(|error| io_failed(&error))?;
    let truncated =
        |detail: &str| Err(FeedError::new(FeedErrorKind::Truncated, detail).at(0, size));
    if size < MAGIC_BYTES + TAIL_BYTES {
        return truncated("too short for a Parquet file");
    }
    let mut tail = [0; TAIL_BYTES as usize];
    file.seek(SeekFrom::Start(size - TAIL_BYTES)).map_err(|error| io_failed(&error))?;
    file.read_exact(&mut tail).map_err(|error| io_failed(&error))?;
    let [l0, l1, l2, l3, magic @ ..] = tail;
    if magic != *b"PAR1" {
        return truncated("no Parquet magic at the end");
    }
    let len = u64::from(u32::from_le_bytes([l0, l1, l2, l3]));
    if len > footer::FOOTER_BYTES_MAX {
        let detail = format!("footer of {len} bytes; the bound is {}", footer::FOOTER_BYTES_MAX);
        return Err(FeedError::new(FeedErrorKind::LengthOutOfBound, detail).at(0, size));
    }
    if len > size - TAIL_BYTES - MAGIC_BYTES {
        return truncated("the footer starts before the file");
    }
    let mut bytes = vec![0; len as usize];
    file.seek(SeekFrom::Start(size - TAIL_BYTES - len)).map_err(|error| io_failed(&error))?;
    file.read_exact(&mut bytes).map_err(|error| io_failed(&error))?;
    file.rewind().map_err(|error| io_failed(&error))?;
    footer::check(&bytes).map_err(|error| error.at(0, size - TAIL_BYTES - len))
}

/// An open file as parquet wants it: readable at any place from a shared reference.
#[derive(Clone)]
struct FileChunks {
    file: Arc<Mutex<Box<dyn ReadSeek>>>,
    bytes: u64,
}

impl Length for FileChunks {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for FileChunks {
    type T = io::BufReader<FileCursor>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        if start > self.bytes {
            return Err(beyond_end(format_args!("at offset {start}"), self.bytes));
        }
        let file = Arc::clone(&self.file);
        Ok(io::BufReader::new(FileCursor { file, position: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let end = start.checked_add(length as u64).filter(|&end| end <= self.bytes);
        if end.is_none() {
            return Err(beyond_end(format_args!("{length} bytes at offset {start}"), self.bytes));
        }
        let mut bytes = vec![0; length];
        let mut cursor = FileCursor { file: Arc::clone(&self.file), position: start };
        cursor.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// A place in a shared file.
struct FileCursor {
    file: Arc<Mutex<Box<dyn ReadSeek>>>,
    position: u64,
}

impl Read for FileCursor {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        // A poisoned file has no broken state: every read seeks first.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.position))?;
        let count = file.read(space)?;
        self.position += count as u64;
        Ok(count)
    }
}

/// In the words that the crate has for a file in memory: where bytes came from changes no error.
fn beyond_end(what: impl Display, bytes: u64) -> ParquetError {
    ParquetError::EOF(format!("Expected to read {what}, while file has length {bytes}"))
}

fn io_failed(error: &io::Error) -> FeedError {
    FeedError::new(FeedErrorKind::IoFailed, format!("the reader failed: {error}"))
}

const MAGIC_BYTES: u64 = 4;
const TAIL_BYTES: u64 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_memory_says_of_places_that_are_not_there() {
        let memory = Bytes::from_static(b"0123456789");
        let file = Arc::new(Mutex::new(Box::new(io::Cursor::new(memory.clone())) as Box<_>));
        let file = FileChunks { file, bytes: memory.len() as u64 };
        let all = |mut read: Box<dyn Read>| {
            let mut text = String::new();
            read.read_to_string(&mut text).map(|_| text).map_err(|error| error.to_string())
        };
        for start in 0..=12 {
            let [one, two] = [
                memory.get_read(start).map(|read| all(Box::new(read))),
                file.get_read(start).map(|read| all(Box::new(read))),
            ];
            assert_eq!(format!("{one:?}"), format!("{two:?}"), "from {start}");
            for length in 0..=12 {
                let [one, two] = [memory.get_bytes(start, length), file.get_bytes(start, length)];
                assert_eq!(format!("{one:?}"), format!("{two:?}"), "{length} from {start}");
            }
        }
    }
}
