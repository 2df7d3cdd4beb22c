//! Decompression by content: gzip, zstd, xz and zip of one member, over a reader of the caller's.
//!
//! Invariants: output stops at the caller's cap; after the first 16 MiB it may not exceed 1,000
//! times the input; a decoder's window is bounded by a named constant; a stream that ends early is
//! an error that carries the compressed byte offset.

use crate::error::{FeedError, FeedErrorKind};
use flate2::bufread::MultiGzDecoder;
use liblzma::stream::{CONCATENATED, Stream};
use std::io::{self, BufReader, Read};

mod zip;
use zip::ZipMember;

/// Output that is allowed when the caller does not say.
pub const OUTPUT_BYTES_MAX: u64 = 64 << 30;
/// Output a byte of input, once [`RATIO_FREE_BYTES`] are out.
pub const RATIO_MAX: u64 = 1_000;
/// Output before the ratio counts.
pub const RATIO_FREE_BYTES: u64 = 16 << 20;
/// log2 of the largest zstd window: 128 MiB, what `zstd -22` writes.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 27;
/// Memory of the xz decoder: `xz -9` needs 65 MiB.
pub const XZ_MEMORY_BYTES_MAX: u64 = 128 << 20;

/// How an input is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// RFC 1952, one or more members.
    Gzip,
    /// Not packed.
    None,
    /// The .xz format, one or more streams.
    Xz,
    /// A zip archive of one member.
    Zip,
    /// RFC 8878, one or more frames.
    Zstd,
}

impl Compression {
    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::None => "none",
            Self::Xz => "xz",
            Self::Zip => "zip",
            Self::Zstd => "zstd",
        }
    }
}

/// How the input that starts with `prefix` is packed; never by its name.
pub fn sniff_compression(prefix: &[u8]) -> Compression {
    match prefix {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
        // A skippable frame may come first.
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Compression::Xz,
        [b'P', b'K', 3, 4, ..] => Compression::Zip,
        _ => Compression::None,
    }
}

/// The unpacked bytes of a reader, within the caps.
pub struct Decompressor<'a> {
    stream: PackedStream<'a>,
    compression: Compression,
    output_bytes: u64,
    output_bytes_max: u64,
}

impl<'a> Decompressor<'a> {
    /// Looks at the first bytes of `reader` and unpacks what they announce.
    pub fn open(
        mut reader: Box<dyn Read + Send + 'a>,
        output_bytes_max: u64,
    ) -> Result<Self, FeedError> {
        let mut prefix = Vec::with_capacity(PREFIX_BYTES);
        reader
            .by_ref()
            .take(PREFIX_BYTES as u64)
            .read_to_end(&mut prefix)
            .map_err(|error| io_failed(&error))?;
        let compression = sniff_compression(&prefix);
        let inner = io::Cursor::new(prefix).chain(reader);
        let counting = Counting { inner, count: 0, failed: false };
        let stream = PackedStream::open(compression, counting)?;
        Ok(Self { stream, compression, output_bytes: 0, output_bytes_max })
    }

    /// How the input is packed.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// Bytes read from the caller's reader so far.
    pub fn input_bytes(&self) -> u64 {
        self.stream.source().count
    }

    /// Reads some bytes into `space`; 0 is the end, checked by the format's own means.
    pub fn read(&mut self, space: &mut [u8]) -> Result<usize, FeedError> {
        let count = loop {
            match self.stream.reader().read(space) {
                Ok(count) => break count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.error_of(&error)),
            }
        };
        self.output_bytes += count as u64;
        self.check_caps()?;
        Ok(count)
    }

    fn check_caps(&self) -> Result<(), FeedError> {
        let offset = self.input_bytes();
        if self.output_bytes > self.output_bytes_max {
            let detail = format!("more than {} bytes unpacked", self.output_bytes_max);
            return Err(FeedError::new(FeedErrorKind::OutputTooLarge, detail).at(0, offset));
        }
        let ratio_counts =
            self.compression != Compression::None && self.output_bytes > RATIO_FREE_BYTES;
        if ratio_counts && self.output_bytes / RATIO_MAX > offset {
            let detail = format!(
                "{} bytes unpacked from {offset}: more than {RATIO_MAX} to one",
                self.output_bytes
            );
            return Err(FeedError::new(FeedErrorKind::RatioTooHigh, detail).at(0, offset));
        }
        Ok(())
    }

    fn error_of(&self, error: &io::Error) -> FeedError {
        let source = self.stream.source();
        let offset = source.count;
        if source.failed {
            return io_failed(error).at(0, offset);
        }
        let name = self.compression.name();
        // A decoder that has seen the whole input and asks for more met a cut.
        let kind = match error.kind() {
            io::ErrorKind::UnexpectedEof => FeedErrorKind::Truncated,
            io::ErrorKind::Unsupported => FeedErrorKind::UnsupportedFormat,
            _ => FeedErrorKind::Corrupt,
        };
        let detail = format!("{name} stream, compressed byte {offset}: {error}");
        FeedError::new(kind, detail).at(0, offset)
    }
}

const PREFIX_BYTES: usize = 6;
const BUFFER_BYTES: usize = 64 << 10;

type Source<'a> = Counting<Box<dyn Read + Send + 'a>>;

enum PackedStream<'a> {
    Gzip(Box<MultiGzDecoder<BufReader<Source<'a>>>>),
    None(Box<Source<'a>>),
    Xz(Box<liblzma::bufread::XzDecoder<BufReader<Source<'a>>>>),
    Zip(Box<ZipMember<BufReader<Source<'a>>>>),
    Zstd(Box<zstd::Decoder<'static, BufReader<Source<'a>>>>),
}

impl<'a> PackedStream<'a> {
    fn open(compression: Compression, source: Source<'a>) -> Result<Self, FeedError> {
        let buffered = |source| BufReader::with_capacity(BUFFER_BYTES, source);
        let refused = |error: io::Error| {
            FeedError::new(FeedErrorKind::Corrupt, format!("decoder refused to start: {error}"))
        };
        Ok(match compression {
            Compression::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(buffered(source)))),
            Compression::None => Self::None(Box::new(source)),
            Compression::Xz => {
                let decoder = Stream::new_stream_decoder(XZ_MEMORY_BYTES_MAX, CONCATENATED)
                    .map_err(|error| refused(error.into()))?;
                let reader = liblzma::bufread::XzDecoder::new_stream(buffered(source), decoder);
                Self::Xz(Box::new(reader))
            }
            Compression::Zip => Self::Zip(Box::new(ZipMember::new(buffered(source)))),
            Compression::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(buffered(source)).map_err(refused)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(refused)?;
                Self::Zstd(Box::new(decoder))
            }
        })
    }

    fn reader(&mut self) -> &mut dyn Read {
        match self {
            Self::Gzip(reader) => reader,
            Self::None(reader) => reader,
            Self::Xz(reader) => reader,
            Self::Zip(reader) => reader,
            Self::Zstd(reader) => reader,
        }
    }

    fn source(&self) -> &Source<'a> {
        match self {
            Self::Gzip(reader) => reader.get_ref().get_ref(),
            Self::None(source) => source,
            Self::Xz(reader) => reader.get_ref().get_ref(),
            Self::Zip(reader) => reader.source().get_ref(),
            Self::Zstd(reader) => reader.get_ref().get_ref(),
        }
    }
}

/// Counts the bytes of a reader and remembers whether an error was the reader's own.
struct Counting<R> {
    inner: io::Chain<io::Cursor<Vec<u8>>, R>,
    count: u64,
    failed: bool,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(space) {
            Ok(count) => {
                self.count += count as u64;
                Ok(count)
            }
            Err(error) => {
                self.failed = error.kind() != io::ErrorKind::Interrupted;
                Err(error)
            }
        }
    }
}

fn io_failed(error: &io::Error) -> FeedError {
    FeedError::new(FeedErrorKind::IoFailed, format!("the reader failed: {error}"))
}
