//! Names to handles, in order of first appearance.
//!
//! A B-tree, not a hash table: its cost stays logarithmic for any set of hostile names, and no
//! seed can change an order.

use crate::decoder::{NAME_BYTES_MAX, NAMES_MAX, ORDER_TEXT_BASE, ORDER_TEXTS_MAX};
use crate::error::{FeedError, FeedErrorKind, shown};
use std::collections::BTreeMap;

/// A table of at most `entries_max` distinct names.
#[derive(Debug)]
pub(crate) struct Interner {
    field: &'static str,
    entries_max: usize,
    handles: BTreeMap<Box<str>, u32>,
    /// The last name and its handle: neighbouring rows tend to agree.
    last: Option<(Box<str>, u32)>,
}

impl Interner {
    pub(crate) fn new(field: &'static str) -> Self {
        Self { field, entries_max: NAMES_MAX, handles: BTreeMap::new(), last: None }
    }

    /// The handle of `name`; a new name is appended to `table`.
    pub(crate) fn handle(
        &mut self,
        name: &[u8],
        table: &mut Vec<String>,
    ) -> Result<u32, FeedError> {
        if let Some((last, handle)) = &self.last
            && last.as_bytes() == name
        {
            return Ok(*handle);
        }
        let field = self.field;
        let name = std::str::from_utf8(name).map_err(|_| {
            let detail = format!("{field} {} is not UTF-8", shown(name));
            FeedError::new(FeedErrorKind::BadUtf8, detail)
        })?;
        let handle = match self.handles.get(name) {
            Some(&handle) => handle,
            None => self.insert(name, table)?,
        };
        self.last = Some((name.into(), handle));
        Ok(handle)
    }

    fn insert(&mut self, name: &str, table: &mut Vec<String>) -> Result<u32, FeedError> {
        let field = self.field;
        if name.len() > NAME_BYTES_MAX {
            let detail = format!(
                "{field} {} has {} bytes; the bound is {NAME_BYTES_MAX}",
                shown(name.as_bytes()),
                name.len()
            );
            return Err(FeedError::new(FeedErrorKind::NameTooLong, detail));
        }
        if table.len() >= self.entries_max {
            let detail = format!("more than {} distinct values of {field}", self.entries_max);
            return Err(FeedError::new(FeedErrorKind::TooManyNames, detail));
        }
        let handle = table.len() as u32;
        self.handles.insert(name.into(), handle);
        table.push(name.to_owned());
        Ok(handle)
    }
}

/// Order ids: canonical unsigned integers stand for themselves, other texts are interned.
#[derive(Debug)]
pub(crate) struct OrderIds {
    interner: Interner,
    texts: Vec<String>,
    high_number_seen: bool,
}

impl OrderIds {
    pub(crate) fn new() -> Self {
        let interner = Interner { entries_max: ORDER_TEXTS_MAX, ..Interner::new("order_id") };
        Self { interner, texts: Vec::new(), high_number_seen: false }
    }

    pub(crate) fn texts(&self) -> &[String] {
        &self.texts
    }

    /// The id of `text`, which is not empty.
    pub(crate) fn id(&mut self, text: &[u8]) -> Result<u64, FeedError> {
        match canonical_number(text) {
            Some(number) => self.number(number),
            None => {
                let handle = self.interner.handle(text, &mut self.texts)?;
                self.refuse_collision()?;
                Ok(ORDER_TEXT_BASE + u64::from(handle))
            }
        }
    }

    /// A numeric id.
    pub(crate) fn number(&mut self, number: u64) -> Result<u64, FeedError> {
        if number >= ORDER_TEXT_BASE {
            self.high_number_seen = true;
            self.refuse_collision()?;
        }
        Ok(number)
    }

    fn refuse_collision(&self) -> Result<(), FeedError> {
        if self.high_number_seen && !self.texts.is_empty() {
            let detail = "text order ids beside numbers from 2^63 on: both would share ids";
            return Err(FeedError::new(FeedErrorKind::MixedOrderIds, detail));
        }
        Ok(())
    }
}

/// `text` as a number if printing the number gives `text` again: "007" is a text.
fn canonical_number(text: &[u8]) -> Option<u64> {
    if !matches!(text, [b'0'] | [b'1'..=b'9', ..]) {
        return None;
    }
    text.iter().try_fold(0_u64, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_appearance_gives_the_handle() {
        let mut table = Vec::new();
        let mut interner = Interner::new("account");
        let handles: Vec<_> = ["b", "a", "b", "b", "c", "a"]
            .iter()
            .map(|name| interner.handle(name.as_bytes(), &mut table).unwrap())
            .collect();
        assert_eq!(handles, [0, 1, 0, 0, 2, 1]);
        assert_eq!(table, ["b", "a", "c"]);
    }

    #[test]
    fn bounds_hold() {
        let mut table = Vec::new();
        let mut interner = Interner { entries_max: 2, ..Interner::new("account") };
        let long = [b'x'; NAME_BYTES_MAX + 1];
        let kind = |result: Result<u32, FeedError>| result.map_err(|error| error.kind);
        let longest = interner.handle(&long[1..], &mut table);
        assert_eq!(kind(longest), Ok(0));
        assert_eq!(kind(interner.handle(&long, &mut table)), Err(FeedErrorKind::NameTooLong));
        assert_eq!(kind(interner.handle(b"\xff", &mut table)), Err(FeedErrorKind::BadUtf8));
        assert_eq!(kind(interner.handle(b"y", &mut table)), Ok(1));
        assert_eq!(kind(interner.handle(b"z", &mut table)), Err(FeedErrorKind::TooManyNames));
        assert_eq!(kind(interner.handle(b"y", &mut table)), Ok(1));
    }

    #[test]
    fn only_canonical_numbers_are_numbers() {
        let mut ids = OrderIds::new();
        assert_eq!(ids.id(b"0"), Ok(0));
        assert_eq!(ids.id(b"42"), Ok(42));
        assert_eq!(ids.id(b"042"), Ok(ORDER_TEXT_BASE));
        assert_eq!(ids.id(b"ord-7"), Ok(ORDER_TEXT_BASE + 1));
        assert_eq!(ids.id(b"042"), Ok(ORDER_TEXT_BASE));
        assert_eq!(ids.texts(), ["042", "ord-7"]);
        let collision = ids.id(b"18446744073709551615").unwrap_err();
        assert_eq!(collision.kind, FeedErrorKind::MixedOrderIds);
    }
}
