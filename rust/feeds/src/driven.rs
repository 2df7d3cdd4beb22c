//! Drives a decoder in tests as a source does: in chunks, with its own tail presented again.

use crate::decoder::{Decoder, FeedError};
use crate::event::Event;

/// What a decoder said of an input, and the decoder after it.
pub(crate) struct Driven<D> {
    pub(crate) events: Vec<Event>,
    pub(crate) error: Option<FeedError>,
    pub(crate) decoder: D,
}

/// Hands `decoder` the bytes in chunks of `size`.
pub(crate) fn drive<D: Decoder>(mut decoder: D, bytes: &[u8], size: usize) -> Driven<D> {
    let (mut events, mut held) = (Vec::new(), Vec::new());
    let mut chunks = bytes.chunks(size);
    loop {
        let chunk = chunks.next();
        held.extend_from_slice(chunk.unwrap_or_default());
        loop {
            let before = events.len();
            match decoder.push(&held, chunk.is_none(), &mut events) {
                Err(error) => return Driven { events, error: Some(error), decoder },
                Ok(0) if events.len() == before => break,
                Ok(consumed) => drop(held.drain(..consumed)),
            }
        }
        if chunk.is_none() {
            return Driven { events, error: None, decoder };
        }
    }
}
