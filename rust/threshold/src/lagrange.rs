//! How t values of a polynomial give its value at 0.
//!
//! Source: Lagrange interpolation; the integer form is design note "threshold", section 4. With
//! members 1..n the coefficients of 7 of 10 have at most 12 bits instead of 255.
//! Invariant: sum of the coefficients = the denominator (the polynomial 1 has the value 1 at 0).

use crate::polynomial::{self, invert, signed};
use crate::scalar::Scalar;

/// Members up to which integers are looked for: 15 of 22 have 40 bits.
const INTEGER_MEMBERS_MAX: usize = 24;

/// The weights of a subset's values: value at 0 = 1/denominator * sum coefficient_i * value_i.
#[derive(Debug, Clone)]
pub enum Coefficients {
    /// Small integers over one denominator.
    Integers {
        /// One for each member, of both signs.
        weights: Vec<i64>,
        /// What the sum is divided by.
        denominator: u64,
    },
    /// Weights modulo the group's order: for subsets whose integers do not fit 64 bits.
    Field(Vec<Scalar>),
}

/// A subset's coefficients, in the order of its members.
#[derive(Debug, Clone)]
pub struct Row(Coefficients);

impl Row {
    /// The coefficients of distinct members, sorted, from 1.
    pub fn of(members: &[u16]) -> Self {
        Self(integers(members).unwrap_or_else(|| Coefficients::Field(polynomial::weights(members))))
    }

    /// The coefficients.
    pub fn coefficients(&self) -> &Coefficients {
        &self.0
    }

    /// The weights modulo the group's order, whatever their form.
    pub fn weights(&self) -> Vec<Scalar> {
        match &self.0 {
            Coefficients::Field(weights) => weights.clone(),
            Coefficients::Integers { weights, denominator } => {
                let inverse = inverse(*denominator);
                weights.iter().map(|weight| signed::<Scalar>(*weight) * inverse).collect()
            }
        }
    }

    /// What combining costs, to compare rows of one committee: a division, then additions.
    pub(crate) fn cost(&self) -> (bool, u32) {
        match &self.0 {
            Coefficients::Field(_) => (true, u32::MAX),
            Coefficients::Integers { weights, denominator } => {
                let bits = weights.iter().map(|w| crate::vartime::naf(w.unsigned_abs()));
                (
                    *denominator != 1,
                    bits.map(|digits| digits.0.count_ones() + digits.1.count_ones()).sum(),
                )
            }
        }
    }
}

/// 1/denominator modulo the group's order.
pub(crate) fn inverse(denominator: u64) -> Scalar {
    invert(Scalar::from(denominator))
}

/// `None` where a number does not fit, or would have so many bits that the field is faster.
fn integers(members: &[u16]) -> Option<Coefficients> {
    if members.len() > INTEGER_MEMBERS_MAX {
        return None;
    }
    let mut fractions = Vec::with_capacity(members.len());
    let mut common: i128 = 1;
    for &i in members {
        let (mut above, mut below) = (1i128, 1i128);
        for &j in members.iter().filter(|j| **j != i) {
            above = above.checked_mul(i128::from(j))?;
            below = below.checked_mul(i128::from(j) - i128::from(i))?;
            let shared = gcd(above, below);
            (above, below) = (above / shared, below / shared);
        }
        if below < 0 {
            (above, below) = (-above, -below);
        }
        common = (common / gcd(common, below)).checked_mul(below)?;
        fractions.push((above, below));
    }
    let weights = fractions.into_iter().map(|(above, below)| {
        above.checked_mul(common / below).and_then(|weight| i64::try_from(weight).ok())
    });
    let weights = weights.collect::<Option<Vec<i64>>>()?;
    Some(Coefficients::Integers { weights, denominator: u64::try_from(common).ok()? })
}

fn gcd(a: i128, b: i128) -> i128 {
    let (mut a, mut b) = (a.abs(), b.abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}
