//! Fields read one after the other, little-endian; what is left over at the end is refused.

use super::error::CeremonyError;

pub(crate) struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn take(
        &mut self,
        field: &'static str,
        count: usize,
    ) -> Result<&'b [u8], CeremonyError> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..count).ok_or(CeremonyError::Truncated { field, at: self.at })?;
        self.at += count;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; N], CeremonyError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(field, N)?);
        Ok(array)
    }

    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, CeremonyError> {
        Ok(u8::from_le_bytes(self.array(field)?))
    }

    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, CeremonyError> {
        Ok(u16::from_le_bytes(self.array(field)?))
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, CeremonyError> {
        Ok(u32::from_le_bytes(self.array(field)?))
    }

    pub(crate) fn u64(&mut self, field: &'static str) -> Result<u64, CeremonyError> {
        Ok(u64::from_le_bytes(self.array(field)?))
    }

    /// Bytes with their length, a u32, before them.
    pub(crate) fn block(
        &mut self,
        field: &'static str,
        max: usize,
    ) -> Result<&'b [u8], CeremonyError> {
        let got = self.u32(field)? as usize;
        if got > max {
            return Err(CeremonyError::TooLong { field, got, max });
        }
        self.take(field, got)
    }

    pub(crate) fn literal(
        &mut self,
        field: &'static str,
        want: &[u8],
    ) -> Result<(), CeremonyError> {
        if self.take(field, want.len())? == want {
            return Ok(());
        }
        Err(CeremonyError::Field { field, reason: "has another value" })
    }

    pub(crate) fn end(self) -> Result<(), CeremonyError> {
        match self.bytes.len() - self.at {
            0 => Ok(()),
            left => Err(CeremonyError::Trailing { left }),
        }
    }
}

pub(crate) fn put_block(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}
