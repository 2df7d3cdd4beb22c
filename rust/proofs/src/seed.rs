//! The randomness of one proof or commitment: 32 bytes from the system, used once.

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// 32 bytes that nobody else knows. No `Debug`, no `Clone`; wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Seed([u8; 32]);

impl Seed {
    /// Takes 32 bytes of the system's randomness.
    pub fn new(bytes: &Zeroizing<[u8; 32]>) -> Self {
        Self(**bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}
