//! Polynomials over a field, and over the exponents of a group: Shamir's and Feldman's arithmetic.
//!
//! Source: Shamir 1979; Feldman 1987. Generic, so that other people's vectors over other curves
//! run through the very functions that deal and recover.

use ff::{Field, PrimeField};
use group::Group;

/// The value at a member.
pub fn value_at<F: PrimeField>(coefficients: &[F], index: u16) -> F {
    let x = F::from(u64::from(index));
    coefficients.iter().rev().fold(F::ZERO, |value, c| value * x + c)
}

/// The committed polynomial's value at a member, by Horner: an index has few bits.
pub fn evaluate<G: Group>(commitments: &[G], index: u16) -> G {
    commitments.iter().rev().fold(G::identity(), |value, c| small(&value, index) + c)
}

/// point * times, in a time that tells `times`.
fn small<G: Group>(point: &G, times: u16) -> G {
    let bits = (0..16 - times.leading_zeros()).rev();
    bits.fold(G::identity(), |sum, bit| {
        let twice = sum.double();
        if times >> bit & 1 == 1 { twice + point } else { twice }
    })
}

/// The weights of distinct members' values that give the value at 0.
pub fn weights<F: PrimeField>(members: &[u16]) -> Vec<F> {
    weights_at(members, 0)
}

/// The weights at a point that is no member's, with one inversion for all.
pub(crate) fn weights_at<F: PrimeField>(members: &[u16], point: u16) -> Vec<F> {
    // Members are few and near: each distance becomes a field element once.
    let most = members.iter().copied().max().unwrap_or(0).max(point);
    let far: Vec<F> = (0..=u64::from(most)).map(F::from).collect();
    let between = |to: u16, from: u16| {
        let size = far[usize::from(to.abs_diff(from))];
        if to < from { -size } else { size }
    };
    let to = |j: u16| between(j, point);
    let all = members.iter().fold(F::ONE, |product, j| product * to(*j));
    // lambda_i = prod_j (j - x) / ((i - x) prod_{j != i} (j - i)).
    let below: Vec<F> = members
        .iter()
        .map(|&i| {
            let others = members.iter().filter(|j| **j != i);
            others.fold(to(i), |product, &j| product * between(j, i))
        })
        .collect();
    let mut before = Vec::with_capacity(below.len());
    let product = below.iter().fold(F::ONE, |product, value| {
        before.push(product);
        product * value
    });
    let mut inverse = invert(product);
    let mut weights = vec![F::ZERO; below.len()];
    for at in (0..below.len()).rev() {
        weights[at] = all * inverse * before[at];
        inverse *= below[at];
    }
    weights
}

/// 1/value, of a value that differences of distinct members make.
pub(crate) fn invert<F: Field>(value: F) -> F {
    let inverse: Option<F> = value.invert().into();
    inverse.expect("members are distinct, not zero, and fewer than the order")
}

pub(crate) fn signed<F: PrimeField>(number: i64) -> F {
    let size = F::from(number.unsigned_abs());
    if number < 0 { -size } else { size }
}
