//! A walk over a Parquet footer, and over the heads of pages, before the parquet crate sees them.
//!
//! Source: the Thrift compact protocol, as `parquet.thrift` uses it. The crate reserves memory for
//! some lists by their announced size; here every list must hold what it announces.

use crate::error::{FeedError, FeedErrorKind};

/// A footer of this size describes some 100,000 row groups.
pub(super) const FOOTER_BYTES_MAX: u64 = 16 << 20;

/// The head of a page, as far as memory depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PageHead {
    /// Bytes of the head itself.
    pub(super) head_bytes: u64,
    /// Announced size of the page, unpacked.
    pub(super) unpacked_bytes: u64,
    /// Bytes of the page behind the head.
    pub(super) packed_bytes: u64,
}

/// Reads the page head at the front of `bytes`; None where it is not whole or no head.
pub(super) fn page_head(bytes: &[u8]) -> Option<PageHead> {
    let mut walk = Walk { rest: bytes };
    let (mut id, mut sizes) = (0, [None; 2]);
    loop {
        let head = walk.byte()?;
        if head == 0 {
            break;
        }
        id = if head >> 4 == 0 { walk.zigzag()? } else { id + i64::from(head >> 4) };
        match (id, head & 0x0f) {
            (PAGE_UNPACKED | PAGE_PACKED, INTEGER) => {
                sizes[usize::from(id == PAGE_PACKED)] = Some(u64::try_from(walk.zigzag()?).ok()?);
            }
            (_, kind) => walk.value(kind, 1)?,
        }
    }
    let [unpacked_bytes, packed_bytes] = sizes;
    Some(PageHead {
        head_bytes: (bytes.len() - walk.rest.len()) as u64,
        unpacked_bytes: unpacked_bytes?,
        packed_bytes: packed_bytes?,
    })
}

/// Checks that the structure in `bytes` is complete.
pub(super) fn check(bytes: &[u8]) -> Result<(), FeedError> {
    let mut walk = Walk { rest: bytes };
    walk.value(STRUCT, 0).ok_or_else(|| {
        FeedError::new(FeedErrorKind::Corrupt, "the Parquet footer announces more than it holds")
    })
}

struct Walk<'a> {
    rest: &'a [u8],
}

impl Walk<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn skip(&mut self, count: u64) -> Option<()> {
        self.rest = self.rest.get(usize::try_from(count).ok()?..)?;
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn value(&mut self, kind: u8, depth: u32) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        match kind {
            // A lone boolean lives in its field header; inside a list it is a byte, see there.
            1 | 2 => Some(()),
            3 => self.skip(1),
            4..=6 => self.varint().map(|_| ()),
            7 => self.skip(8),
            8 => {
                let len = self.varint()?;
                self.skip(len)
            }
            9 | 10 => self.list(depth),
            11 => self.map(depth),
            STRUCT => self.fields(depth),
            _ => None,
        }
    }

    fn fields(&mut self, depth: u32) -> Option<()> {
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Some(());
            }
            if head >> 4 == 0 {
                self.varint()?;
            }
            self.value(head & 0x0f, depth + 1)?;
        }
    }

    fn list(&mut self, depth: u32) -> Option<()> {
        let head = self.byte()?;
        let size = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
        self.elements(head & 0x0f, size, depth)
    }

    fn map(&mut self, depth: u32) -> Option<()> {
        let size = self.varint()?;
        if size == 0 {
            return Some(());
        }
        let kinds = self.byte()?;
        if size > self.rest.len() as u64 {
            return None;
        }
        for _ in 0..size {
            self.element(kinds >> 4, depth)?;
            self.element(kinds & 0x0f, depth)?;
        }
        Some(())
    }

    fn elements(&mut self, kind: u8, size: u64, depth: u32) -> Option<()> {
        // Each element has a byte at least, so this also bounds the loop.
        if size > self.rest.len() as u64 {
            return None;
        }
        for _ in 0..size {
            self.element(kind, depth)?;
        }
        Some(())
    }

    fn element(&mut self, kind: u8, depth: u32) -> Option<()> {
        if matches!(kind, 1 | 2) { self.skip(1) } else { self.value(kind, depth + 1) }
    }
}

const INTEGER: u8 = 5;
const STRUCT: u8 = 12;
/// Fields of `PageHeader`.
const PAGE_UNPACKED: i64 = 2;
const PAGE_PACKED: i64 = 3;
/// Parquet's own structures nest less than ten deep.
const DEPTH_MAX: u32 = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_list_must_hold_what_it_announces() {
        // Field 1, a list of three integers; then the stop byte.
        assert!(check(&[0x19, 0x35, 2, 4, 6, 0]).is_ok());
        assert!(check(&[0x19, 0x35, 2, 4]).is_err());
        // A list of 2^31 - 1 structs in nine bytes.
        assert!(check(&[0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0, 0]).is_err());
        assert!(check(&[0x1c; 100]).is_err());
    }

    #[test]
    fn a_page_head_gives_its_sizes_and_its_length() {
        // Type 0, sizes 300 and 21, a checksum behind, an empty structure; then the page.
        let head = [0x15, 0, 0x15, 0xd8, 0x04, 0x15, 0x2a, 0x15, 1, 0x1c, 0, 0, 0xaa];
        let read = PageHead { head_bytes: 12, unpacked_bytes: 300, packed_bytes: 21 };
        assert_eq!(page_head(&head), Some(read));
        for cut in 0..12 {
            assert_eq!(page_head(&head[..cut]), None, "cut at {cut}");
        }
        assert_eq!(page_head(&[0x25, 1, 0x15, 0x2a, 0]), None, "a negative size");
        assert_eq!(page_head(&[0x15, 0, 0]), None, "no sizes");
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = check(&bytes);
            let _ = page_head(&bytes);
        }
    }
}
