//! Decompressed bytes as a sliding window, hashed as they are consumed.

use super::{InputFacts, OpenOptions};
use crate::compress::{Compression, Decompressor};
use crate::decoder::{CHUNK_BYTES, Counts, LINE_BYTES_MAX};
use crate::error::{FeedError, FeedErrorKind};
use crate::sniff::Format;
use sha2::{Digest, Sha256};
use std::io::Read;

/// The window, and what is known of the bytes that left it.
pub(crate) struct Feed<'a> {
    window: Window<'a>,
    hash: Option<Sha256>,
    sha256: Option<[u8; 32]>,
    consumed: u64,
}

enum Window<'a> {
    Slice(&'a [u8]),
    Chunks(Box<Chunks<'a>>),
}

struct Chunks<'a> {
    unpacked: Decompressor<'a>,
    /// Bytes asked for at once.
    chunk_bytes: usize,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
    /// An error of the reader waits until the bytes before it are decoded.
    failed: Option<FeedError>,
}

impl<'a> Feed<'a> {
    pub(crate) fn of_slice(bytes: &'a [u8], options: &OpenOptions) -> Result<Self, FeedError> {
        if bytes.len() as u64 > options.max_bytes {
            let detail = format!("{} bytes; the cap is {}", bytes.len(), options.max_bytes);
            return Err(FeedError::new(FeedErrorKind::OutputTooLarge, detail));
        }
        Ok(Self::new(Window::Slice(bytes), options))
    }

    pub(crate) fn of_reader(
        reader: Box<dyn Read + Send + 'a>,
        options: &OpenOptions,
    ) -> Result<Self, FeedError> {
        let unpacked = Decompressor::open(reader, options.max_bytes)?;
        let (start, end) = (0, 0);
        let (buffer, ended, failed) = (Vec::new(), false, None);
        let chunk_bytes = options.chunk_bytes.clamp(1, CHUNK_BYTES);
        let chunks = Chunks { unpacked, chunk_bytes, buffer, start, end, ended, failed };
        Ok(Self::new(Window::Chunks(Box::new(chunks)), options))
    }

    fn new(window: Window<'a>, options: &OpenOptions) -> Self {
        let hash = options.hash.then(Sha256::new);
        Self { window, hash, sha256: None, consumed: 0 }
    }

    /// The bytes at hand, and whether no others follow.
    pub(crate) fn window(&self) -> (&[u8], bool) {
        match &self.window {
            Window::Slice(bytes) => (bytes, true),
            Window::Chunks(chunks) => (&chunks.buffer[chunks.start..chunks.end], chunks.ended),
        }
    }

    /// Drops `count` bytes from the front of the window.
    pub(crate) fn advance(&mut self, count: usize) {
        let (bytes, _) = match &self.window {
            Window::Slice(bytes) => (&bytes[..count], true),
            Window::Chunks(chunks) => (&chunks.buffer[chunks.start..chunks.start + count], true),
        };
        if let Some(hash) = &mut self.hash {
            hash.update(bytes);
        }
        match &mut self.window {
            Window::Slice(bytes) => *bytes = &bytes[count..],
            Window::Chunks(chunks) => chunks.start += count,
        }
        self.consumed += count as u64;
    }

    /// Reads the next chunk behind the window. The error, if one waited, comes out here.
    pub(crate) fn grow(&mut self) -> Result<(), FeedError> {
        match &mut self.window {
            Window::Slice(_) => Ok(()),
            Window::Chunks(chunks) => chunks.grow(),
        }
    }

    /// Reads until the window holds more than `count` bytes or all that the reader gives. An error
    /// behind the first bytes waits for [`Feed::grow`].
    pub(crate) fn fill(&mut self, count: usize) -> Result<(), FeedError> {
        self.grow()?;
        while let Window::Chunks(chunks) = &mut self.window {
            if chunks.ended || chunks.failed.is_some() || chunks.end - chunks.start > count {
                break;
            }
            chunks.grow()?;
        }
        Ok(())
    }

    /// The error that waits behind the window, if one does.
    pub(crate) fn take_failure(&mut self) -> Option<FeedError> {
        match &mut self.window {
            Window::Slice(_) => None,
            Window::Chunks(chunks) => chunks.failed.take(),
        }
    }

    /// The rest of the input, which may not exceed `bytes_max`.
    #[cfg(feature = "columnar")]
    pub(crate) fn read_to_end(&mut self, bytes_max: u64) -> Result<Vec<u8>, FeedError> {
        let mut all = Vec::new();
        loop {
            let (bytes, ended) = self.window();
            let count = bytes.len();
            if (all.len() + count) as u64 > bytes_max {
                let detail = format!("more than {bytes_max} bytes to hold; pass an open file");
                let error = FeedError::new(FeedErrorKind::OutputTooLarge, detail);
                return Err(error.at(0, self.consumed));
            }
            all.extend_from_slice(bytes);
            self.advance(count);
            if ended {
                self.finish();
                return Ok(all);
            }
            self.grow()?;
        }
    }

    /// Closes the hash; no byte follows.
    pub(crate) fn finish(&mut self) {
        if let Some(hash) = self.hash.take() {
            self.sha256 = Some(hash.finalize().into());
        }
    }

    pub(crate) fn facts(&self, format: Format, counts: Counts) -> InputFacts {
        let (compression, packed_bytes) = match &self.window {
            Window::Slice(_) => (Compression::None, self.consumed),
            Window::Chunks(chunks) => {
                (chunks.unpacked.compression(), chunks.unpacked.input_bytes())
            }
        };
        let (bytes, sha256) = (self.consumed, self.sha256);
        InputFacts { format, compression, bytes, packed_bytes, counts, sha256 }
    }
}

impl Chunks<'_> {
    fn grow(&mut self) -> Result<(), FeedError> {
        if let Some(error) = self.failed.take() {
            self.ended = true;
            return Err(error);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        // What a decoder leaves is less than a line, so the buffer has a bound.
        let full = self.end + self.chunk_bytes;
        debug_assert!(self.end <= CHUNK_BYTES + LINE_BYTES_MAX);
        if self.buffer.len() < full {
            self.buffer.resize(full, 0);
        }
        while self.end < full && !self.ended {
            match self.unpacked.read(&mut self.buffer[self.end..full]) {
                Ok(0) => self.ended = true,
                Ok(count) => self.end += count,
                Err(error) if self.end == 0 => return Err(error),
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
        }
        Ok(())
    }
}
