//! Arrow IPC, file or stream, as a push decoder.
//!
//! A file is a stream between a magic and a footer, so one reader serves both and nothing needs to
//! seek. A message is collected whole, checked, and only then handed to the arrow crate: what it
//! allocates follows from lengths that were compared with the bytes at hand.

use super::{BatchRows, check_growth, contained};
use crate::decoder::{Counts, Decoder};
use crate::error::{FeedError, FeedErrorKind};
use crate::event::{Event, Names};
use arrow_buffer::Buffer;
use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::{MessageHeader, RecordBatch, root_as_message};

/// One message, header and body, packed or unpacked.
pub const ARROW_MESSAGE_BYTES_MAX: u64 = 1 << 30;

/// Decodes Arrow IPC.
pub struct ArrowDecoder {
    stream: StreamDecoder,
    rows: BatchRows,
    state: State,
    /// The message under way: prefix, metadata, body.
    message: Vec<u8>,
    /// Length of `message` at which `state` is complete.
    wanted: usize,
    is_file: bool,
    /// Zero words that may still stand between a file's magic and its first message.
    padding_left: usize,
    offset: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Prefix,
    Metadata,
    Body,
    /// After the end mark: in a file the footer follows, whose last bytes are the magic again.
    Footer,
}

impl ArrowDecoder {
    /// `symbol` names the instrument of a table without that column.
    pub fn new(symbol: Option<&str>) -> Self {
        Self {
            stream: StreamDecoder::new(),
            rows: BatchRows::new(symbol),
            state: State::Start,
            message: Vec::new(),
            wanted: PREFIX_BYTES,
            is_file: false,
            padding_left: 0,
            offset: 0,
        }
    }

    /// Goes on from a completed state.
    fn advance(&mut self) -> Result<(), FeedError> {
        match self.state {
            State::Start if self.message.starts_with(MAGIC) => {
                self.is_file = true;
                self.padding_left = PADDING_WORDS_MAX;
                self.message.clear();
                self.state = State::Prefix;
            }
            State::Prefix if self.padding_left > 0 && self.message == [0; PREFIX_BYTES] => {
                self.padding_left -= 1;
                self.message.clear();
            }
            State::Start | State::Prefix => self.prefix()?,
            State::Metadata => {
                let metadata = &self.message[PREFIX_BYTES..];
                let message = contained("message header", || root_as_message(metadata))?;
                let body = u64::try_from(message.bodyLength()).unwrap_or(u64::MAX);
                check_length("message body", body)?;
                self.wanted += body as usize;
                self.state = State::Body;
                if body == 0 {
                    self.body()?;
                }
            }
            State::Body => self.body()?,
            State::Footer => {}
        }
        Ok(())
    }

    fn prefix(&mut self) -> Result<(), FeedError> {
        let [c0, c1, c2, c3, l0, l1, l2, l3] = self.message[..] else {
            return Err(FeedError::new(FeedErrorKind::Corrupt, "message prefix"));
        };
        if [c0, c1, c2, c3] != CONTINUATION {
            let detail = "no continuation mark before a message";
            return Err(FeedError::new(FeedErrorKind::Corrupt, detail));
        }
        self.padding_left = 0;
        let len = u32::from_le_bytes([l0, l1, l2, l3]);
        if len == 0 {
            self.state = State::Footer;
            self.message.clear();
            return Ok(());
        }
        check_length("message header", u64::from(len))?;
        self.wanted = PREFIX_BYTES + len as usize;
        self.state = State::Metadata;
        Ok(())
    }

    fn body(&mut self) -> Result<(), FeedError> {
        check_message(&self.message)?;
        let mut buffer = Buffer::from_vec(std::mem::take(&mut self.message));
        // A message without a body is finished by the call that brings the next one.
        while !buffer.is_empty() {
            let stream = &mut self.stream;
            let batch = contained("message", || stream.decode(&mut buffer))?;
            if let Some(batch) = batch.filter(|batch| batch.num_rows() > 0) {
                let rows = &mut self.rows;
                contained_feed(|| rows.bind(&batch))?;
            }
        }
        self.state = State::Prefix;
        self.wanted = PREFIX_BYTES;
        Ok(())
    }

    fn at_end(&self) -> Result<(), FeedError> {
        let whole = match self.state {
            // A stream may end without a mark, between two messages.
            State::Prefix => self.message.is_empty() && !self.is_file,
            State::Footer => !self.is_file || self.message.ends_with(MAGIC),
            _ => false,
        };
        if whole {
            return Ok(());
        }
        Err(FeedError::new(FeedErrorKind::Truncated, "the input ends inside the Arrow framing"))
    }

    fn here(&self, error: FeedError) -> FeedError {
        error.at(self.rows.counts().records, self.offset)
    }
}

impl Decoder for ArrowDecoder {
    fn push(&mut self, bytes: &[u8], eof: bool, out: &mut Vec<Event>) -> Result<usize, FeedError> {
        let before = out.len();
        let mut rest = bytes;
        loop {
            if self.rows.has_rows() {
                let rows = &mut self.rows;
                contained_feed(|| rows.read(out)).map_err(|error| self.here(error))?;
            }
            if out.len() > before || rest.is_empty() {
                break;
            }
            if self.state == State::Footer {
                // Only the magic's length of the tail is kept.
                self.message.extend_from_slice(&rest[rest.len().saturating_sub(MAGIC.len())..]);
                let surplus = self.message.len().saturating_sub(MAGIC.len());
                self.message.drain(..surplus);
                self.offset += rest.len() as u64;
                rest = &[];
                continue;
            }
            let taken = rest.len().min(self.wanted - self.message.len());
            self.message.extend_from_slice(&rest[..taken]);
            self.offset += taken as u64;
            rest = &rest[taken..];
            if self.message.len() == self.wanted {
                self.advance().map_err(|error| self.here(error))?;
            }
        }
        if eof && bytes.is_empty() && out.len() == before {
            self.at_end().map_err(|error| self.here(error))?;
        }
        Ok(bytes.len() - rest.len())
    }

    fn names(&self) -> &Names {
        self.rows.names()
    }

    fn counts(&self) -> Counts {
        self.rows.counts()
    }

    fn order_texts(&self) -> &[String] {
        self.rows.order_texts()
    }

    fn ignored_columns(&self) -> &[String] {
        self.rows.ignored_columns()
    }
}

/// As `contained`, for calls whose own errors are typed.
pub(super) fn contained_feed<T>(
    call: impl FnOnce() -> Result<T, FeedError>,
) -> Result<T, FeedError> {
    contained("batch", || Ok::<_, FeedError>(call()))?
}

/// Every length that the arrow crate would allocate from, against the bytes at hand.
fn check_message(bytes: &[u8]) -> Result<(), FeedError> {
    let len = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]) as usize;
    let (metadata, body) = bytes[PREFIX_BYTES..].split_at(len);
    let message = contained("message header", || root_as_message(metadata))?;
    let batch = match message.header_type() {
        MessageHeader::RecordBatch => message.header_as_record_batch(),
        MessageHeader::DictionaryBatch => {
            message.header_as_dictionary_batch().and_then(|dictionary| dictionary.data())
        }
        _ => return Ok(()),
    };
    match batch {
        Some(batch) => check_batch(&batch, body),
        None => Err(FeedError::new(FeedErrorKind::Corrupt, "a batch message without a batch")),
    }
}

fn check_batch(batch: &RecordBatch<'_>, body: &[u8]) -> Result<(), FeedError> {
    check_length("row count", u64::try_from(batch.length()).unwrap_or(u64::MAX))?;
    for node in batch.nodes().into_iter().flatten() {
        check_length("column length", u64::try_from(node.length()).unwrap_or(u64::MAX))?;
    }
    let packed = batch.compression().is_some();
    let mut unpacked_bytes = 0_u64;
    for buffer in batch.buffers().into_iter().flatten() {
        let part = usize::try_from(buffer.offset())
            .ok()
            .zip(usize::try_from(buffer.length()).ok())
            .and_then(|(start, len)| body.get(start..start.checked_add(len)?))
            .ok_or_else(|| {
                let detail = "a buffer outside its message's body";
                FeedError::new(FeedErrorKind::Corrupt, detail)
            })?;
        // A packed buffer starts with its unpacked length; -1 says that it is not packed.
        if packed && !part.is_empty() {
            let Some((prefix, _)) = part.split_first_chunk::<8>() else {
                return Err(FeedError::new(FeedErrorKind::Corrupt, "a packed buffer of < 8 bytes"));
            };
            let len = i64::from_le_bytes(*prefix);
            if len != -1 {
                unpacked_bytes =
                    unpacked_bytes.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
                check_length("unpacked body", unpacked_bytes)?;
                check_growth("unpacked body", unpacked_bytes, body.len() as u64)?;
            }
        }
    }
    Ok(())
}

fn check_length(what: &str, length: u64) -> Result<(), FeedError> {
    if length > ARROW_MESSAGE_BYTES_MAX {
        let detail = format!("{what} of {length}; the bound is {ARROW_MESSAGE_BYTES_MAX}");
        return Err(FeedError::new(FeedErrorKind::LengthOutOfBound, detail));
    }
    Ok(())
}

const MAGIC: &[u8] = b"ARROW1";
const CONTINUATION: [u8; 4] = [0xff; 4];
/// Continuation mark and header length; also the padded magic of a file.
const PREFIX_BYTES: usize = 8;
/// Writers align a file's first message to 64 bytes at most.
const PADDING_WORDS_MAX: usize = 64 / PREFIX_BYTES - 1;
