//! Generated flow as an ITCH file, and its labels at the places that they have there.
//!
//! ITCH names no accounts, so a replay of the file counts the whole flow as one account's; and a
//! stock's name has eight characters. Two kinds of anomaly cannot be seen in such a file, and their
//! labels are left out: `oversell`, which is one account's, and `restricted`, whose symbol is cut.

use cwts_feeds::error::FeedError;
use cwts_feeds::event::{Event, Names};
use cwts_feeds::itch::ItchWriter;
use cwts_feeds::synth::{AnomalyKind, Label, Options};

/// Writes a generated stream as the messages of one day.
pub struct ItchFlow {
    writer: ItchWriter,
    /// The record of each event of the batch.
    places: Vec<u64>,
    names: Names,
    /// From which event on how many records more than events stand in front, ascending.
    shifts: Vec<(u64, u64)>,
}

impl ItchFlow {
    /// A day that opens, as the stream does, at half past nine.
    pub fn new() -> Self {
        let midnight_ns = Options::default().start_ns - OPENING_NS;
        let (names, places, shifts) = (Names::default(), Vec::new(), Vec::new());
        Self { writer: ItchWriter::new(midnight_ns), places, names, shifts }
    }

    /// Appends the next events' messages.
    ///
    /// # Errors
    /// An event that ITCH has no place for, or one behind the end of the day.
    pub fn write(
        &mut self,
        events: &[Event],
        names: &Names,
        out: &mut Vec<u8>,
    ) -> Result<(), FeedError> {
        for name in &names.instruments[self.names.instruments.len()..] {
            self.names.instruments.push(name.chars().take(STOCK_CHARS).collect());
        }
        self.places.clear();
        self.writer.write(events, &self.names, out, &mut self.places)?;
        for (event, place) in events.iter().zip(&self.places) {
            let shift = place - event.src;
            if self.shifts.last().is_none_or(|(_, last)| *last != shift) {
                self.shifts.push((event.src, shift));
            }
        }
        Ok(())
    }

    /// Ends the day, and moves the labels to the records of the file.
    pub fn finish(mut self, out: &mut Vec<u8>, labels: &mut Vec<Label>) {
        self.writer.finish(out);
        labels.retain(|label| !UNSEEN.contains(&label.kind));
        for label in labels {
            let behind = self.shifts.partition_point(|(src, _)| *src <= label.seq);
            let shift = behind.checked_sub(1).and_then(|at| self.shifts.get(at));
            label.seq += shift.map_or(0, |(_, shift)| *shift);
        }
    }
}

impl Default for ItchFlow {
    fn default() -> Self {
        Self::new()
    }
}

/// Kinds that a replay of an ITCH file cannot find.
const UNSEEN: [AnomalyKind; 2] = [AnomalyKind::Oversell, AnomalyKind::Restricted];
/// From midnight to the opening.
const OPENING_NS: u64 = 34_200 * 1_000_000_000;
/// Characters of a stock's name.
const STOCK_CHARS: usize = 8;
