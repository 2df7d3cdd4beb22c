//! Which stock a locate stands for.
//!
//! A directory message names a locate's stock; orders and prints repeat the name, executions and
//! cancels do not. A name is compared as the eight bytes that it has in messages.

use super::wire::STOCK_BYTES;
use crate::error::{FeedError, FeedErrorKind, shown};
use crate::event::Names;
use crate::intern::Interner;

/// Stocks by locate.
#[derive(Debug)]
pub(super) struct Stocks {
    by_locate: Vec<Stock>,
    symbols: Interner,
    names: Names,
}

#[derive(Debug, Clone, Copy)]
struct Stock {
    /// The name's bytes; 0 before any message named one.
    name: u64,
    instrument: u32,
}

impl Stocks {
    pub(super) fn new() -> Self {
        let unnamed = Stock { name: 0, instrument: NO_INSTRUMENT };
        let (symbols, names) = (Interner::new("stock"), Names::default());
        Self { by_locate: vec![unnamed; LOCATES], symbols, names }
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    /// A directory message. A locate that is named again is another one from here on.
    pub(super) fn announce(&mut self, locate: u16, name: u64) -> Result<(), FeedError> {
        if self.by_locate[usize::from(locate)].name != name || name == 0 {
            self.name(locate, name)?;
        }
        Ok(())
    }

    /// The instrument of a message that names its stock.
    #[inline(always)]
    pub(super) fn named(&mut self, locate: u16, name: u64) -> Result<u32, FeedError> {
        let known = self.by_locate[usize::from(locate)];
        if known.name == name && name != 0 {
            Ok(known.instrument)
        } else {
            self.unannounced(locate, known, name)
        }
    }

    /// A stock that no directory message has announced under its locate.
    #[cold]
    fn unannounced(&mut self, locate: u16, known: Stock, name: u64) -> Result<u32, FeedError> {
        if known.name != 0 {
            let (name, was) = (shown(&name.to_be_bytes()), shown(&known.name.to_be_bytes()));
            let detail = format!("stock {name} under locate {locate}, which is that of {was}");
            return Err(FeedError::new(FeedErrorKind::Corrupt, detail));
        }
        self.name(locate, name)
    }

    /// The instrument of a message that names its order only, and the order is not known.
    #[cold]
    pub(super) fn unnamed(&mut self, locate: u16) -> Result<u32, FeedError> {
        let known = self.by_locate[usize::from(locate)].instrument;
        if known != NO_INSTRUMENT {
            return Ok(known);
        }
        // The file was cut off at its start: the locate is all that is known of the stock.
        let name = format!("LOCATE-{locate}");
        let instrument = self.symbols.handle(name.as_bytes(), &mut self.names.instruments)?;
        self.by_locate[usize::from(locate)].instrument = instrument;
        Ok(instrument)
    }

    fn name(&mut self, locate: u16, name: u64) -> Result<u32, FeedError> {
        let bytes: [u8; STOCK_BYTES] = name.to_be_bytes();
        let text = bytes.trim_ascii_end();
        if text.is_empty() || !text.iter().all(u8::is_ascii_graphic) {
            let detail = format!("stock {} is not printable ASCII", shown(&bytes));
            return Err(FeedError::new(FeedErrorKind::BadUtf8, detail));
        }
        let instrument = self.symbols.handle(text, &mut self.names.instruments)?;
        self.by_locate[usize::from(locate)] = Stock { name, instrument };
        Ok(instrument)
    }
}

/// Stock locates: all that two bytes can say.
const LOCATES: usize = 1 << 16;
/// The instrument of a locate that no message has named.
const NO_INSTRUMENT: u32 = u32::MAX;
