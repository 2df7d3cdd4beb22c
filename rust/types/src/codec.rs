//! Reading and writing canonical little-endian fields.

/// Bytes that are not a canonical encoding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end before a field does.
    #[error("byte {offset}: `{field}` needs {needed} bytes, {left} are left")]
    Short {
        /// Position of the field.
        offset: usize,
        /// Name of the field.
        field: &'static str,
        /// Bytes that it needs.
        needed: usize,
        /// Bytes that are left.
        left: usize,
    },
    /// Bytes follow the last field.
    #[error("byte {offset}: {extra} bytes after the last field")]
    Long {
        /// Position of the first surplus byte.
        offset: usize,
        /// How many there are.
        extra: usize,
    },
    /// A value lies outside its closed set.
    #[error("byte {offset}: `{field}` is {value}, which is not {allowed}")]
    Value {
        /// Position of the field.
        offset: usize,
        /// Name of the field.
        field: &'static str,
        /// The value that stands there.
        value: u64,
        /// What may stand there.
        allowed: &'static str,
    },
    /// Text is not UTF-8, or holds a NUL.
    #[error("byte {offset}: `{field}` is not UTF-8 text without NUL")]
    Text {
        /// Position of the text.
        offset: usize,
        /// Name of the field.
        field: &'static str,
    },
}

/// A cursor over bytes that remembers where it is, so that errors can say so.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn take(&mut self, n: usize, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let left = self.bytes.len() - self.at;
        if n > left {
            return Err(DecodeError::Short { offset: self.at, field, needed: n, left });
        }
        let taken = &self.bytes[self.at..self.at + n];
        self.at += n;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; N], DecodeError> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N, field)?);
        Ok(out)
    }

    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        Ok(self.array::<1>(field)?[0])
    }

    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        Ok(u16::from_le_bytes(self.array(field)?))
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        Ok(u32::from_le_bytes(self.array(field)?))
    }

    pub(crate) fn i32(&mut self, field: &'static str) -> Result<i32, DecodeError> {
        Ok(i32::from_le_bytes(self.array(field)?))
    }

    pub(crate) fn u64(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        Ok(u64::from_le_bytes(self.array(field)?))
    }

    pub(crate) fn i64(&mut self, field: &'static str) -> Result<i64, DecodeError> {
        Ok(i64::from_le_bytes(self.array(field)?))
    }

    /// Bytes that are reserved and must be zero, or the encoding would not be canonical.
    pub(crate) fn zero(&mut self, n: usize, field: &'static str) -> Result<(), DecodeError> {
        let offset = self.at;
        for (i, &b) in self.take(n, field)?.iter().enumerate() {
            if b != 0 {
                return Err(DecodeError::Value {
                    offset: offset + i,
                    field,
                    value: b.into(),
                    allowed: "0 (reserved)",
                });
            }
        }
        Ok(())
    }

    pub(crate) fn blob(&mut self, field: &'static str) -> Result<Vec<u8>, DecodeError> {
        let n = self.u16(field)?;
        Ok(self.take(n.into(), field)?.to_vec())
    }

    pub(crate) fn text(&mut self, field: &'static str) -> Result<String, DecodeError> {
        let offset = self.at;
        let bytes = self.blob(field)?;
        match String::from_utf8(bytes) {
            Ok(s) if !s.contains('\0') => Ok(s),
            _ => Err(DecodeError::Text { offset, field }),
        }
    }

    pub(crate) fn value<T>(
        &self,
        found: Option<T>,
        back: usize,
        field: &'static str,
        value: u64,
        allowed: &'static str,
    ) -> Result<T, DecodeError> {
        found.ok_or(DecodeError::Value { offset: self.at - back, field, value, allowed })
    }

    pub(crate) fn rest(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.at..];
        self.at = self.bytes.len();
        rest
    }

    pub(crate) fn end(self) -> Result<(), DecodeError> {
        match self.bytes.len() - self.at {
            0 => Ok(()),
            extra => Err(DecodeError::Long { offset: self.at, extra }),
        }
    }
}

/// Appends a `u16` length and the bytes. The caller has checked the length; a longer blob is cut
/// nowhere: it panics in debug and is refused by [`crate::Entry::encode`]'s size check.
pub(crate) fn put_blob(out: &mut Vec<u8>, bytes: &[u8]) {
    let n = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&n.to_le_bytes());
    out.extend_from_slice(bytes);
}
