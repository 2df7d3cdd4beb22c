//! An input of any known format as a source of events: unpacking, sniffing, chunking and hashing.
//!
//! Invariant: the hash, the byte count and the record count cover exactly what was decoded; they
//! are final when [`EventSource::next_batch`] has returned false.

pub use crate::asset::AssetClass;
#[cfg(feature = "columnar")]
use crate::columnar::{ArrowDecoder, ParquetEvents};
use crate::compress::{Compression, OUTPUT_BYTES_MAX, sniff_compression};
use crate::csv::CsvDecoder;
use crate::dbn::DbnDecoder;
use crate::decoder::{Counts, Decoder};
use crate::error::{FeedError, FeedErrorKind};
use crate::event::{Event, Names};
use crate::fix::FixDecoder;
use crate::inject::{Injected, Label};
use crate::itch::ItchDecoder;
use crate::lobster::LobsterDecoder;
use crate::sniff::{Format, SNIFF_BYTES, sniff};
use std::io::{Read, Seek};

mod feed;
use feed::Feed;

/// A stream of events with the facts about where they came from.
pub trait EventSource: Send {
    /// Appends the next events and returns true, or returns false at the end and appends nothing.
    ///
    /// A batch holds [`crate::decoder::BATCH_EVENTS`] events at most. On an error the events before
    /// it are in `out`, and the source is spent.
    fn next_batch(&mut self, out: &mut Vec<Event>) -> Result<bool, FeedError>;

    /// The names behind the handles so far.
    fn names(&self) -> &Names;

    /// The texts behind order ids from [`crate::decoder::ORDER_TEXT_BASE`] on.
    fn order_texts(&self) -> &[String];

    /// Columns of the file that no event carries.
    fn ignored_columns(&self) -> &[String];

    /// What is known of the input so far.
    fn facts(&self) -> InputFacts;

    /// What is traded, where the input itself says it; most formats do not.
    fn asset_class(&self) -> Option<AssetClass> {
        None
    }

    /// What was put between the input's own events, if anything was.
    fn injected(&self) -> Option<Injected> {
        None
    }

    /// The labels of the injected anomalies that began since the last call.
    fn take_labels(&mut self) -> Vec<Label> {
        Vec::new()
    }
}

/// A reader that can also move, for Parquet.
pub trait ReadSeek: Read + Seek + Send {}
impl<T: Read + Seek + Send> ReadSeek for T {}

/// Where the bytes come from.
pub enum Input<'a> {
    /// Bytes in memory; text that is not packed is decoded without a copy.
    Bytes(&'a [u8]),
    /// A stream. Parquet from a stream is buffered, up to [`BUFFERED_BYTES_MAX`].
    Stream(Box<dyn Read + Send + 'a>),
    /// An open file. Parquet that is not packed is read in place, after one pass for its hash.
    File(Box<dyn ReadSeek>),
}

/// What the file cannot say itself.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Midnight of the day of a file that does not know its own (LOBSTER, ITCH), epoch ns.
    pub base_ns: u64,
    /// The instrument of a file that names none.
    pub symbol: Option<String>,
    /// Bytes after decompression at most.
    pub max_bytes: u64,
    /// Whether a garbled FIX message is an error, and not only counted.
    pub strict: bool,
    /// Whether to hash the input; a benchmark of the decoder alone does not.
    pub hash: bool,
    /// Bytes that the reader is asked for at once, [`crate::decoder::CHUNK_BYTES`] at most. It
    /// changes what is read when, never what comes out.
    pub chunk_bytes: usize,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            base_ns: 0,
            symbol: None,
            max_bytes: OUTPUT_BYTES_MAX,
            strict: false,
            hash: true,
            chunk_bytes: crate::decoder::CHUNK_BYTES,
        }
    }
}

/// What is known of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputFacts {
    /// The format, as sniffed or as named by the caller.
    pub format: Format,
    /// How it was packed.
    pub compression: Compression,
    /// Bytes after decompression.
    pub bytes: u64,
    /// Bytes of the input itself.
    pub packed_bytes: u64,
    /// Records and what was noticed in them.
    pub counts: Counts,
    /// SHA-256 of the decompressed bytes, once the end is reached.
    pub sha256: Option<[u8; 32]>,
}

/// Parquet that cannot be read in place is held in memory up to this size.
pub const BUFFERED_BYTES_MAX: u64 = 1 << 30;
/// The symbol of a LOBSTER file when the caller gives none.
pub const UNKNOWN_SYMBOL: &str = "UNKNOWN";

/// Opens `input` as `format`, or as what its first bytes say.
pub fn open_events<'a>(
    input: Input<'a>,
    format: Option<Format>,
    options: &OpenOptions,
) -> Result<impl EventSource + use<'a>, FeedError> {
    OpenedEvents::open(input, format, options)
}

/// The source that [`open_events`] returns.
struct OpenedEvents<'a> {
    format: Format,
    pipe: Pipe<'a>,
}

enum Pipe<'a> {
    Pushed(Pushed<'a>),
    #[cfg(feature = "columnar")]
    Parquet(Box<ParquetEvents>),
}

impl<'a> OpenedEvents<'a> {
    fn open(
        input: Input<'a>,
        format: Option<Format>,
        options: &OpenOptions,
    ) -> Result<Self, FeedError> {
        let mut feed = match input {
            Input::Bytes(bytes) if sniff_compression(bytes) == Compression::None => {
                Feed::of_slice(bytes, options)?
            }
            Input::Bytes(bytes) => Feed::of_reader(Box::new(bytes), options)?,
            Input::Stream(reader) => Feed::of_reader(reader, options)?,
            #[cfg(feature = "columnar")]
            Input::File(mut file) => {
                if is_parquet(&mut *file, format)? {
                    let pipe = Pipe::Parquet(Box::new(ParquetEvents::of_file(file, options)?));
                    return Ok(Self { format: Format::Parquet, pipe });
                }
                Feed::of_reader(Box::new(file), options)?
            }
            #[cfg(not(feature = "columnar"))]
            Input::File(file) => Feed::of_reader(Box::new(file), options)?,
        };
        feed.fill(SNIFF_BYTES)?;
        let (head, ended) = feed.window();
        let format = match format {
            // An empty input is refused whatever the caller says it is.
            Some(format) if !head.is_empty() => format,
            // Bytes that stop before they say what they are: why they stop is the fault.
            _ => match sniff(head, ended && head.len() <= SNIFF_BYTES) {
                Ok(format) => format,
                Err(error) => return Err(feed.take_failure().unwrap_or(error)),
            },
        };
        let symbol = options.symbol.as_deref();
        let decoder: Box<dyn Decoder> = match format.check_decoded()? {
            Format::Lobster => {
                let symbol = symbol.unwrap_or(UNKNOWN_SYMBOL);
                Box::new(LobsterDecoder::new(options.base_ns, symbol))
            }
            Format::Csv => Box::new(CsvDecoder::new(symbol)),
            Format::Dbn => {
                // Now, before a caller makes a log for what cannot be read.
                DbnDecoder::check_schema(head)?;
                Box::new(DbnDecoder::new())
            }
            Format::Fix => Box::new(FixDecoder::new(options.strict)),
            Format::Itch => Box::new(ItchDecoder::new(options.base_ns)),
            #[cfg(feature = "columnar")]
            Format::Arrow => Box::new(ArrowDecoder::new(symbol)),
            #[cfg(feature = "columnar")]
            Format::Parquet => {
                let bytes = feed.read_to_end(BUFFERED_BYTES_MAX.min(options.max_bytes))?;
                let facts = feed.facts(format, Counts::default());
                let events = ParquetEvents::of_bytes(bytes, &facts, options)?;
                return Ok(Self { format, pipe: Pipe::Parquet(Box::new(events)) });
            }
            // `check_decoded` has refused these; said again so that no format can slip through.
            _ => return Err(FeedError::new(FeedErrorKind::UnsupportedFormat, format.name())),
        };
        Ok(Self { format, pipe: Pipe::Pushed(Pushed { feed, decoder }) })
    }
}

/// A push decoder behind its feed.
struct Pushed<'a> {
    feed: Feed<'a>,
    decoder: Box<dyn Decoder>,
}

impl Pushed<'_> {
    fn next_batch(&mut self, out: &mut Vec<Event>) -> Result<bool, FeedError> {
        let before = out.len();
        loop {
            let (bytes, ended) = self.feed.window();
            let at_hand = bytes.len();
            let consumed = self.decoder.push(bytes, ended, out)?;
            self.feed.advance(consumed);
            if out.len() > before {
                return Ok(true);
            }
            if ended && consumed == 0 {
                self.feed.finish();
                return Ok(false);
            }
            // Ask for more only when the decoder has taken what it can of this window.
            if !ended && (consumed == 0 || consumed == at_hand) {
                self.feed.grow()?;
            }
        }
    }
}

/// Whether `file` is to be read in place as Parquet; leaves it at its start. It is sniffed as any
/// other input is: its first bytes alone do not say what else it may be.
#[cfg(feature = "columnar")]
fn is_parquet(file: &mut dyn ReadSeek, format: Option<Format>) -> Result<bool, FeedError> {
    let failed = |error: std::io::Error| {
        FeedError::new(FeedErrorKind::IoFailed, format!("the reader failed: {error}"))
    };
    let mut head = Vec::new();
    file.take(SNIFF_BYTES as u64).read_to_end(&mut head).map_err(failed)?;
    file.rewind().map_err(failed)?;
    if !head.starts_with(b"PAR1") {
        return Ok(false);
    }
    let whole = head.len() < SNIFF_BYTES;
    let format = format.map_or_else(|| sniff(&head, whole), Ok)?;
    Ok(format == Format::Parquet)
}

impl EventSource for OpenedEvents<'_> {
    fn next_batch(&mut self, out: &mut Vec<Event>) -> Result<bool, FeedError> {
        match &mut self.pipe {
            Pipe::Pushed(pushed) => {
                let is_more = pushed.next_batch(out)?;
                let records = pushed.decoder.counts().records;
                // These two skip what they do not know, so any bytes would pass for them.
                if !is_more && records == 0 && matches!(self.format, Format::Fix | Format::Itch) {
                    let detail = format!("not one whole {} message in it", self.format.name());
                    return Err(FeedError::new(FeedErrorKind::UnknownFormat, detail));
                }
                Ok(is_more)
            }
            #[cfg(feature = "columnar")]
            Pipe::Parquet(events) => events.next_batch(out),
        }
    }

    fn names(&self) -> &Names {
        match &self.pipe {
            Pipe::Pushed(pushed) => pushed.decoder.names(),
            #[cfg(feature = "columnar")]
            Pipe::Parquet(events) => events.names(),
        }
    }

    fn order_texts(&self) -> &[String] {
        match &self.pipe {
            Pipe::Pushed(pushed) => pushed.decoder.order_texts(),
            #[cfg(feature = "columnar")]
            Pipe::Parquet(events) => events.order_texts(),
        }
    }

    fn ignored_columns(&self) -> &[String] {
        match &self.pipe {
            Pipe::Pushed(pushed) => pushed.decoder.ignored_columns(),
            #[cfg(feature = "columnar")]
            Pipe::Parquet(events) => events.ignored_columns(),
        }
    }

    fn facts(&self) -> InputFacts {
        match &self.pipe {
            Pipe::Pushed(pushed) => pushed.feed.facts(self.format, pushed.decoder.counts()),
            #[cfg(feature = "columnar")]
            Pipe::Parquet(events) => events.facts(),
        }
    }

    fn asset_class(&self) -> Option<AssetClass> {
        match &self.pipe {
            Pipe::Pushed(pushed) => pushed.decoder.asset_class(),
            #[cfg(feature = "columnar")]
            Pipe::Parquet(_) => None,
        }
    }
}
