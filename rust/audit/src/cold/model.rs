//! What the entries before it let one expect of an entry's fields.
//!
//! Writer and reader walk the same code, so both expect the same: the one stores how far the
//! entry is from it, the other adds that back. An expectation that fails costs bytes, never truth.
//! Offsets are those of the layouts in `cwts_types`: header 40 bytes, records 64.

use std::collections::BTreeMap;

use cwts_types::{EntryType, HEADER_BYTES, NO_CONTROL, OrderKind, Verdict};

use super::columns::{Coder, Column, le};

/// How an entry is read; what fits none is `Opaque`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Opaque = 0,
    Headed = 1,
    Order = 2,
    Decision = 3,
    Exec = 4,
    Reference = 5,
}

impl Class {
    const ALL: [Self; 6] =
        [Self::Opaque, Self::Headed, Self::Order, Self::Decision, Self::Exec, Self::Reference];

    fn of(entry: &[u8]) -> Self {
        let class = match entry.first().copied().and_then(EntryType::from_code) {
            Some(EntryType::Order) => Self::Order,
            Some(EntryType::Decision) => Self::Decision,
            Some(EntryType::Exec) => Self::Exec,
            Some(EntryType::Reference) => Self::Reference,
            _ => Self::Headed,
        };
        match entry.len() {
            length if length >= class.fixed_bytes() => class,
            length if length >= HEADER_BYTES => Self::Headed,
            _ => Self::Opaque,
        }
    }

    /// Bytes of the fields; what follows is the tail.
    fn fixed_bytes(self) -> usize {
        match self {
            Self::Opaque => 0,
            Self::Headed => HEADER_BYTES,
            _ => HEADER_BYTES + 64,
        }
    }

    fn code(self) -> u8 {
        let kind = match self {
            Self::Opaque | Self::Headed => return 0,
            Self::Order => EntryType::Order,
            Self::Decision => EntryType::Decision,
            Self::Exec => EntryType::Exec,
            Self::Reference => EntryType::Reference,
        };
        kind as u8
    }
}

/// An order, as far as later entries follow from it.
#[derive(Clone, Copy, Default)]
struct Parent {
    id: u64,
    instrument: u64,
    account: u64,
    strategy: u64,
    side: u64,
    type_tif: u64,
    px: u64,
    qty: u64,
    filled: u64,
}

/// Header and kind of an order that a decision belongs to.
#[derive(Clone, Copy, Default)]
struct Asked {
    index: u64,
    id: u64,
    kind: u64,
    head: Head,
}

#[derive(Clone, Copy, Default)]
struct Head {
    flags: u64,
    producer: u64,
    utc: u64,
    mono: u64,
    actor: u64,
    clock: u64,
    release: u64,
    version: u64,
}

/// The state from which entries are expected.
pub(super) struct Model<C> {
    coder: C,
    index: u64,
    /// The entry before, of any type.
    last: Head,
    /// The one before of the same class.
    of_class: [Head; 6],
    next_of: BTreeMap<u64, u64>,
    parents: Vec<Parent>,
    by_id: BTreeMap<u64, usize>,
    asked: Vec<Asked>,
    undecided: usize,
    /// The last order id that was new, and its distance from the one before.
    id: u64,
    id_step: u64,
    px_of: BTreeMap<u64, u64>,
    limits_version: u64,
    kill_epoch: u64,
    exec: [u64; 4],
    /// Instrument and price of the last fill.
    fill: (u64, u64),
    reference: BTreeMap<u64, [u64; 6]>,
}

type Coded<T> = Result<T, &'static str>;

impl<C: Coder> Model<C> {
    pub(super) fn new(first: u64, coder: C) -> Self {
        Self {
            coder,
            index: first,
            last: Head::default(),
            of_class: [Head { version: 1, ..Head::default() }; 6],
            next_of: BTreeMap::new(),
            parents: Vec::new(),
            by_id: BTreeMap::new(),
            asked: Vec::new(),
            undecided: 0,
            id: 0,
            id_step: 1,
            px_of: BTreeMap::new(),
            limits_version: 0,
            kill_epoch: 0,
            exec: [0; 4],
            fill: (0, 0),
            reference: BTreeMap::new(),
        }
    }

    pub(super) fn into_coder(self) -> C {
        self.coder
    }

    /// Codes the next entry: a writer gives it, a reader an empty one that is filled.
    pub(super) fn entry(&mut self, entry: &mut Vec<u8>) -> Coded<()> {
        let code = self.coder.code(CLASS, Class::of(entry) as u64, 0)?;
        let class = usize::try_from(code).ok().and_then(|code| Class::ALL.get(code).copied());
        let class = class.ok_or("a class that there is not")?;
        let fixed = class.fixed_bytes();
        if C::READS {
            entry.resize(fixed, 0);
            entry.first_mut().into_iter().for_each(|byte| *byte = class.code());
        }
        let given = (entry.len() - fixed) as u64;
        match class {
            Class::Opaque => {}
            Class::Headed => {
                self.field::<1>(entry, 0, HEADED_TYPE, 0)?;
                self.head(entry, class, None)?;
            }
            Class::Order => self.order(entry)?,
            Class::Decision => self.decision(entry)?,
            Class::Exec => self.exec(entry)?,
            Class::Reference => self.reference(entry)?,
        }
        let count = self.coder.code(TAIL + class as usize, given, 0)? as usize;
        if count > usize::from(u16::MAX) - fixed {
            return Err("it is longer than an entry may be");
        }
        self.coder.tail(entry, fixed, count)?;
        self.index += 1;
        Ok(())
    }

    /// Codes a field of `N` bytes.
    fn field<const N: usize>(
        &mut self,
        entry: &mut [u8],
        at: usize,
        column: Column,
        expected: u64,
    ) -> Coded<u64> {
        let place = &mut entry[at..at + N];
        let value = self.coder.code(column, le(place), expected)?;
        if C::READS {
            let bytes = value.to_le_bytes();
            if bytes[N..].iter().any(|byte| *byte != 0) {
                return Err("a field passes its width");
            }
            place.copy_from_slice(&bytes[..N]);
        }
        Ok(value)
    }

    /// A record's field, counted from the record's start.
    fn record<const N: usize>(
        &mut self,
        entry: &mut [u8],
        at: usize,
        column: Column,
        expected: u64,
    ) -> Coded<u64> {
        self.field::<N>(entry, HEADER_BYTES + at, column, expected)
    }

    /// The header, whose times and actor are `asked`'s where it follows from another entry.
    fn head(&mut self, entry: &mut [u8], class: Class, asked: Option<Head>) -> Coded<Head> {
        let column = HEAD + HEAD_COLUMNS * (class as usize - 1);
        let before = self.of_class[class as usize];
        let base = asked.unwrap_or(Head { utc: self.last.utc, ..before });
        let version = self.field::<1>(entry, 1, column, before.version)?;
        let flags = self.field::<2>(entry, 2, column + 1, base.flags)?;
        let producer = self.field::<4>(entry, 4, column + 2, before.producer)?;
        let number = self.next_of.get(&producer).copied().unwrap_or(0);
        let number = self.field::<8>(entry, 8, column + 3, number)?;
        self.next_of.insert(producer, number.wrapping_add(1));
        let utc = self.field::<8>(entry, 16, column + 4, base.utc)?;
        let mono = match asked {
            Some(asked) => asked.mono,
            // A replay has none; else both clocks go on alike.
            None if self.last.mono == 0 => 0,
            None => self.last.mono.wrapping_add(utc.wrapping_sub(self.last.utc)),
        };
        let mono = self.field::<8>(entry, 24, column + 5, mono)?;
        let actor = self.field::<4>(entry, 32, column + 6, base.actor)?;
        let clock = self.field::<1>(entry, 36, column + 7, base.clock)?;
        let release = self.field::<1>(entry, 37, column + 8, base.release)?;
        self.field::<2>(entry, 38, column + 9, 0)?;
        let head = Head { flags, producer, utc, mono, actor, clock, release, version };
        self.last = head;
        self.of_class[class as usize] = head;
        Ok(head)
    }

    /// The order of this block with the id that stands at `at`; how far it is back is coded.
    fn parent(&mut self, entry: &[u8], at: usize, column: Column) -> Coded<Option<usize>> {
        let id = le(&entry[HEADER_BYTES + at..HEADER_BYTES + at + 8]);
        let known = self.parents.len();
        let back = self.by_id.get(&id).map_or(0, |place| known - place);
        let back = self.coder.code(column, back as u64, 0)?;
        match usize::try_from(back) {
            Ok(0) => Ok(None),
            Ok(back) if back <= known => Ok(Some(known - back)),
            _ => Err("it follows from an order that is not in the block"),
        }
    }

    fn order(&mut self, entry: &mut [u8]) -> Coded<()> {
        let head = self.head(entry, Class::Order, None)?;
        self.record::<8>(entry, 0, ORDER, self.index)?;
        self.record::<8>(entry, 8, ORDER + 1, head.utc)?;
        let kind = self.record::<1>(entry, 60, ORDER + 2, 0)?;
        let place = self.parent(entry, 40, ORDER + 3)?;
        let parent = place.map(|place| self.parents[place]);
        let follows = parent.is_some();
        let base = parent.unwrap_or_default();
        let ref_id = self.record::<8>(entry, 40, ORDER + 4, base.id)?;
        let cancels = kind >= OrderKind::Cancel as u64;
        let own = le(&entry[HEADER_BYTES + 32..HEADER_BYTES + 40]);
        let same = self.coder.code(ORDER + 5, (own == ref_id).into(), cancels.into())? == 1;
        let id = if same {
            // Its own column would mix what is known with what is new.
            entry[HEADER_BYTES + 32..HEADER_BYTES + 40].copy_from_slice(&ref_id.to_le_bytes());
            ref_id
        } else {
            let expected = self.id.wrapping_add(self.id_step);
            let id = self.record::<8>(entry, 32, ORDER + 6, expected)?;
            (self.id_step, self.id) = (id.wrapping_sub(self.id), id);
            id
        };
        // What follows from an order that came before has columns of its own.
        let set = if follows { ORDER_OF_PARENT } else { ORDER_NEW };
        let instrument = self.record::<4>(entry, 48, set, base.instrument)?;
        let account = self.record::<4>(entry, 52, set + 1, base.account)?;
        let strategy = self.record::<4>(entry, 56, set + 2, base.strategy)?;
        let side = self.record::<1>(entry, 61, set + 3, base.side)?;
        let type_tif = self.record::<1>(entry, 62, set + 4, base.type_tif)?;
        self.record::<1>(entry, 63, set + 5, 0)?;
        let set = if cancels || follows { ORDER_OF_PARENT } else { ORDER_NEW };
        let (px, qty) = match (cancels, parent) {
            (true, _) => (0, 0),
            (false, Some(parent)) => (parent.px, parent.qty),
            (false, None) => (self.px_of.get(&instrument).copied().unwrap_or(0), 0),
        };
        let px = self.record::<8>(entry, 16, set + 6, px)?;
        let qty = self.record::<8>(entry, 24, set + 7, qty)?;
        if !cancels {
            self.px_of.insert(instrument, px);
            let parent =
                Parent { id, instrument, account, strategy, side, type_tif, px, qty, filled: 0 };
            self.by_id.insert(id, self.parents.len());
            self.parents.push(parent);
        }
        self.asked.push(Asked { index: self.index, id, kind, head });
        Ok(())
    }

    fn decision(&mut self, entry: &mut [u8]) -> Coded<()> {
        let expected = self.asked.get(self.undecided).copied().unwrap_or_default();
        let order_seq = self.record::<8>(entry, 8, DECISION, expected.index)?;
        let found = self.asked.binary_search_by_key(&order_seq, |asked| asked.index).ok();
        let asked = found.map(|place| self.asked[place]);
        self.undecided = found.map_or(self.undecided, |place| place + 1);
        let head = asked.map(|asked| asked.head);
        self.head(entry, Class::Decision, head)?;
        let asked = asked.unwrap_or_default();
        self.record::<8>(entry, 0, DECISION + 1, self.index)?;
        self.record::<8>(entry, 16, DECISION + 2, 0)?;
        self.record::<8>(entry, 24, DECISION + 3, 0)?;
        self.record::<8>(entry, 32, DECISION + 4, 0)?;
        self.record::<8>(entry, 40, DECISION + 5, asked.id)?;
        let version = self.limits_version;
        self.limits_version = self.record::<4>(entry, 48, DECISION + 6, version)?;
        self.kill_epoch = self.record::<4>(entry, 52, DECISION + 7, self.kill_epoch)?;
        self.record::<4>(entry, 56, DECISION + 8, 0)?;
        self.record::<1>(entry, 60, DECISION + 9, NO_CONTROL.into())?;
        self.record::<1>(entry, 61, DECISION + 10, 0)?;
        let cancels = asked.kind >= OrderKind::Cancel as u64;
        let verdict = if cancels { Verdict::CancelPassed } else { Verdict::Accept };
        self.record::<1>(entry, 62, DECISION + 11, verdict as u64)?;
        self.record::<1>(entry, 63, DECISION + 12, 0)?;
        Ok(())
    }

    fn exec(&mut self, entry: &mut [u8]) -> Coded<()> {
        let head = self.head(entry, Class::Exec, None)?;
        self.record::<8>(entry, 0, EXEC, self.index)?;
        self.record::<8>(entry, 8, EXEC + 1, head.utc)?;
        let place = self.parent(entry, 16, EXEC + 2)?;
        let parent = place.map(|place| self.parents[place]).unwrap_or_default();
        self.record::<8>(entry, 16, EXEC + 3, parent.id)?;
        self.record::<8>(entry, 24, EXEC + 4, 0)?;
        let px = self.record::<8>(entry, 32, EXEC + 5, parent.px)?;
        let left = parent.qty.wrapping_sub(parent.filled);
        let qty = self.record::<8>(entry, 40, EXEC + 6, left)?;
        let filled = self.record::<8>(entry, 48, EXEC + 7, parent.filled.wrapping_add(qty))?;
        if let Some(place) = place {
            self.parents[place].filled = filled;
            self.fill = (parent.instrument, px);
        }
        let [venue, kind, status, flags] = self.exec;
        self.exec = [
            self.record::<4>(entry, 56, EXEC + 8, venue)?,
            self.record::<1>(entry, 60, EXEC + 9, kind)?,
            self.record::<1>(entry, 61, EXEC + 10, status)?,
            self.record::<2>(entry, 62, EXEC + 11, flags)?,
        ];
        Ok(())
    }

    fn reference(&mut self, entry: &mut [u8]) -> Coded<()> {
        let head = self.head(entry, Class::Reference, None)?;
        let (instrument, px) = self.fill;
        let instrument = self.record::<4>(entry, 0, REFERENCE, instrument)?;
        let mut before = self.reference.get(&instrument).copied().unwrap_or_default();
        before[0] = self.record::<4>(entry, 4, REFERENCE + 1, before[0])?;
        let px = self.record::<8>(entry, 8, REFERENCE + 2, px)?;
        for (number, price) in before.iter_mut().enumerate().skip(1) {
            let at = 8 + 8 * number;
            *price = self.record::<8>(entry, at, REFERENCE + 2 + number, *price)?;
        }
        self.record::<8>(entry, 56, REFERENCE + 8, head.utc)?;
        self.fill.1 = px;
        self.reference.insert(instrument, before);
        Ok(())
    }
}

const CLASS: Column = 0;
const HEADED_TYPE: Column = 1;
/// One a class.
const TAIL: Column = 2;
/// Ten a class that has a header.
const HEAD: Column = 8;
const HEAD_COLUMNS: usize = 10;
const ORDER: Column = 58;
const ORDER_NEW: Column = 65;
const ORDER_OF_PARENT: Column = 73;
const DECISION: Column = 81;
const EXEC: Column = 94;
const REFERENCE: Column = 106;
/// Columns of a block.
pub(super) const COLUMNS: usize = 115;
