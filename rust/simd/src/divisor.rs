//! Division by a fixed number: one multiplication, one rotation, one comparison.

/// Division by a fixed number without a division, and an exact test of divisibility.
///
/// Source: Granlund and Montgomery, "Division by Invariant Integers using Multiplication" (PLDI
/// 1994), section 9. For d = o * 2^s with o odd, x is a multiple of d exactly if
/// `rotr(x * o^-1 mod 2^64, s) <= (2^64 - 1) / d`, and then that value is x / d.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Divisor {
    divisor: u64,
    /// Of the odd part, modulo 2^64.
    pub(crate) inverse: u64,
    /// Largest quotient that a multiple can have.
    pub(crate) threshold: u64,
    /// Trailing zero bits of the divisor.
    pub(crate) shift: u32,
}

impl Divisor {
    /// Divides everything.
    pub const ONE: Self = Self { divisor: 1, inverse: 1, threshold: u64::MAX, shift: 0 };

    /// A divisor above zero; `None` for zero.
    pub fn new(divisor: u64) -> Option<Self> {
        if divisor == 0 {
            return None;
        }
        let shift = divisor.trailing_zeros();
        let odd = divisor >> shift;
        // Newton: each step doubles the number of right low bits, and odd * odd = 1 mod 8.
        let mut inverse = odd;
        for _ in 0..NEWTON_STEPS {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse)));
        }
        Some(Self { divisor, inverse, threshold: u64::MAX / divisor, shift })
    }

    /// The divisor itself.
    pub fn divisor(self) -> u64 {
        self.divisor
    }

    /// `x / divisor` if it is whole.
    #[inline]
    pub fn exact(self, x: u64) -> Option<u64> {
        let quotient = self.rotated(x);
        (quotient <= self.threshold).then_some(quotient)
    }

    /// `x / divisor` if that is at most the threshold; above it, `x` is no multiple.
    #[inline]
    pub(crate) fn rotated(self, x: u64) -> u64 {
        x.wrapping_mul(self.inverse).rotate_right(self.shift)
    }

    /// Whether `x` is a multiple.
    #[inline]
    pub fn divides(self, x: u64) -> bool {
        self.exact(x).is_some()
    }
}

/// 3 bits are right at the start: 3, 6, 12, 24, 48, 96.
const NEWTON_STEPS: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_the_division_instruction(x: u64, d in 1u64.., k: u32) {
            for d in [d, 1 << (k % 64), 10_000_000, 1, u64::MAX] {
                let divisor = Divisor::new(d).unwrap();
                for x in [x, x - x % d, d, 0, u64::MAX] {
                    prop_assert_eq!(divisor.exact(x), (x % d == 0).then_some(x / d));
                }
            }
        }
    }

    #[test]
    fn zero_divides_nothing_and_one_everything() {
        assert_eq!(Divisor::new(0), None);
        assert_eq!(Divisor::new(1), Some(Divisor::ONE));
    }
}
