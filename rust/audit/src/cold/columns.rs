//! Columns of differences: split into byte planes, each packed by zstd.

use std::io::Read;

use super::model::COLUMNS;
use super::{BLOCK_BYTES_MAX, BlockError};

/// Level of zstd: higher ones gain less than a hundredth here and take ten times as long.
const ZSTD_LEVEL: i32 = 3;
/// The window that a reader allows, log2: what level 3 uses stays below.
const WINDOW_LOG_MAX: u32 = 23;

/// A column's number.
pub(super) type Column = usize;

/// Where differences go to, or come from: the one thing in which writing and reading differ.
pub(super) trait Coder {
    /// Codes a number that was expected to be `expected`; a reader ignores `value` and gives what
    /// was written.
    fn code(&mut self, column: Column, value: u64, expected: u64) -> Result<u64, &'static str>;
    /// Codes the bytes behind the fields of an entry.
    fn tail(&mut self, entry: &mut Vec<u8>, from: usize, count: usize) -> Result<(), &'static str>;
    /// Whether an entry is made, and not looked at.
    const READS: bool;
}

/// The differences of entries that are being packed.
pub(super) struct Writing {
    columns: Vec<Vec<i64>>,
    tails: Vec<u8>,
}

impl Default for Writing {
    fn default() -> Self {
        Self { columns: vec![Vec::new(); COLUMNS], tails: Vec::new() }
    }
}

impl Coder for Writing {
    const READS: bool = false;

    fn code(&mut self, column: Column, value: u64, expected: u64) -> Result<u64, &'static str> {
        self.columns[column].push(value.wrapping_sub(expected) as i64);
        Ok(value)
    }

    fn tail(&mut self, entry: &mut Vec<u8>, from: usize, _: usize) -> Result<(), &'static str> {
        self.tails.extend_from_slice(&entry[from..]);
        Ok(())
    }
}

impl Writing {
    /// Appends every column, then the tails.
    pub(super) fn finish(self, out: &mut Vec<u8>) {
        for column in &self.columns {
            put_column(column, out);
        }
        out.extend_from_slice(&(self.tails.len() as u32).to_le_bytes());
        if !self.tails.is_empty() {
            put_packed(&self.tails, out);
        }
    }
}

/// A column: its number of planes, then, unless all differences are 0, their number, what divides
/// them all, and the planes.
fn put_column(values: &[i64], out: &mut Vec<u8>) {
    let divisor = values.iter().fold(0, |all, value| gcd(all, value.unsigned_abs()));
    if divisor == 0 {
        out.push(0);
        return;
    }
    let codes: Vec<u64> = values.iter().map(|value| zigzag(*value, divisor)).collect();
    let all = codes.iter().fold(0, |all, code| all | code);
    let planes = 8 - all.leading_zeros() as usize / 8;
    out.push(planes as u8);
    out.extend_from_slice(&(values.len() as u32).to_le_bytes());
    out.extend_from_slice(&divisor.to_le_bytes());
    for plane in 0..planes {
        let bytes: Vec<u8> = codes.iter().map(|code| code.to_le_bytes()[plane]).collect();
        put_packed(&bytes, out);
    }
}

/// Bytes behind their packed length; where packing does not shorten them, they stand as they are.
fn put_packed(bytes: &[u8], out: &mut Vec<u8>) {
    let packed = zstd::bulk::compress(bytes, ZSTD_LEVEL).ok().filter(|p| p.len() < bytes.len());
    let stored = packed.as_deref().unwrap_or(bytes);
    out.extend_from_slice(&(stored.len() as u32).to_le_bytes());
    out.extend_from_slice(stored);
}

/// The columns of a block that is being read.
pub(super) struct Reading {
    columns: Vec<Stored>,
    tails: Vec<u8>,
    tails_at: usize,
    /// Bytes of entries that may still be made.
    room: usize,
    end: usize,
}

/// One column; `codes` is empty where all differences are 0.
#[derive(Default)]
struct Stored {
    divisor: u64,
    codes: Vec<u64>,
    next: usize,
}

impl Reading {
    /// Reads every column of a block of `count` entries from `at` on.
    pub(super) fn parse(bytes: &[u8], at: usize, count: u64) -> Result<Self, BlockError> {
        let mut file = File { bytes, at };
        let mut columns = Vec::with_capacity(COLUMNS);
        for _ in 0..COLUMNS {
            columns.push(file.column(count as usize)?);
        }
        let length = file.u32()? as usize;
        if length > BLOCK_BYTES_MAX {
            return Err(file.wrong("the tails are longer than a block"));
        }
        let tails = if length == 0 { Vec::new() } else { file.packed(length)? };
        if file.at != bytes.len() {
            return Err(file.wrong("bytes follow the end of the block"));
        }
        Ok(Self { columns, tails, tails_at: 0, room: BLOCK_BYTES_MAX, end: file.at })
    }

    /// That nothing was left over.
    pub(super) fn end(&self) -> Result<(), BlockError> {
        let left = self.columns.iter().any(|column| column.next < column.codes.len());
        if left || self.tails_at < self.tails.len() {
            let what = "columns hold more than the entries take";
            return Err(BlockError::Format { offset: self.end, what });
        }
        Ok(())
    }
}

impl Coder for Reading {
    const READS: bool = true;

    fn code(&mut self, column: Column, _: u64, expected: u64) -> Result<u64, &'static str> {
        let column = &mut self.columns[column];
        if column.codes.is_empty() {
            return Ok(expected);
        }
        let code = column.codes.get(column.next).ok_or("its column ends before it")?;
        column.next += 1;
        let difference = unzigzag(*code, column.divisor).ok_or("a difference passes 64 bits")?;
        Ok(expected.wrapping_add(difference as u64))
    }

    fn tail(&mut self, entry: &mut Vec<u8>, from: usize, count: usize) -> Result<(), &'static str> {
        let tail = self.tails.get(self.tails_at..self.tails_at + count);
        self.room =
            self.room.checked_sub(from + count).ok_or("the entries pass a block's bound")?;
        entry.extend_from_slice(tail.ok_or("the tails end before it")?);
        self.tails_at += count;
        Ok(())
    }
}

/// A file that is read from front to back.
struct File<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> File<'a> {
    fn wrong(&self, what: &'static str) -> BlockError {
        BlockError::Format { offset: self.at, what }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], BlockError> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..count).ok_or(self.wrong("the file ends within a column"))?;
        self.at += count;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u64, BlockError> {
        Ok(le(self.take(4)?))
    }

    fn column(&mut self, count_max: usize) -> Result<Stored, BlockError> {
        let planes = self.take(1)?[0];
        if planes == 0 {
            return Ok(Stored::default());
        }
        if planes > 8 {
            return Err(self.wrong("a column of more than 8 planes"));
        }
        let count = self.u32()? as usize;
        if count == 0 || count > count_max {
            return Err(self.wrong("a column of more values than entries, or of none"));
        }
        let divisor = le(self.take(8)?);
        if divisor == 0 {
            return Err(self.wrong("a column divided by 0"));
        }
        let mut codes = vec![0; count];
        for plane in 0..planes {
            let bytes = self.packed(count)?;
            for (code, byte) in codes.iter_mut().zip(bytes) {
                *code |= u64::from(byte) << (8 * plane);
            }
        }
        Ok(Stored { divisor, codes, next: 0 })
    }

    /// Unpacks exactly `count` bytes. The buffer grows with what comes out, not with the claim.
    fn packed(&mut self, count: usize) -> Result<Vec<u8>, BlockError> {
        let stored = self.u32()? as usize;
        let at = self.at;
        let wrong = |what| BlockError::Format { offset: at, what };
        if stored > count {
            return Err(wrong("packed bytes that are longer than what they hold"));
        }
        let packed = self.take(stored)?;
        if stored == count {
            return Ok(packed.to_vec());
        }
        let mut out = Vec::new();
        let mut reader = zstd::stream::read::Decoder::with_buffer(packed)
            .map_err(|_| wrong("zstd has no memory"))?;
        let read = reader
            .window_log_max(WINDOW_LOG_MAX)
            .and_then(|()| reader.take(count as u64 + 1).read_to_end(&mut out));
        match read {
            Ok(read) if read == count => Ok(out),
            Ok(_) => Err(wrong("another number of bytes comes out than is said")),
            Err(_) => Err(wrong("zstd refuses these bytes")),
        }
    }
}

/// A little-endian number of at most 8 bytes.
pub(super) fn le(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte))
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Small numbers of either sign as small numbers: 0, -1, 1, -2, ... of the divisor.
fn zigzag(value: i64, divisor: u64) -> u64 {
    let size = value.unsigned_abs() / divisor;
    if value < 0 { (size - 1) << 1 | 1 } else { size << 1 }
}

fn unzigzag(code: u64, divisor: u64) -> Option<i64> {
    let size = (code >> 1).checked_add(code & 1)?.checked_mul(divisor)?;
    if code & 1 == 1 { 0_i64.checked_sub_unsigned(size) } else { i64::try_from(size).ok() }
}
