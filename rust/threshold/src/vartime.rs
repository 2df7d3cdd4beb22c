//! Sums of multiples in variable time: for public points and public numbers only.
//!
//! Nothing here may name the module of secrets; a test reads this file for it.

use blst::{MultiPoint as _, blst_p1, blst_p1_affine, blst_p2, p1_affines, p2_affines};
use blstrs::{G1Affine, G1Projective, G2Projective};
use group::Group;

use crate::scalar::Scalar;

/// A number's digits -1, 0, 1, no two neighbours of which are set: where +1 stands, where -1.
/// Numbers of at most 63 bits.
pub(crate) fn naf(number: u64) -> (u128, u128) {
    let number = u128::from(number);
    // 3k and k differ in k's signed digits, one place up.
    let triple = 3 * number;
    let plus = (triple & !number) >> 1;
    let minus = (number & !triple) >> 1;
    (plus, minus)
}

/// sum weight_i * point_i over integers: one chain of doublings for all (Straus 1964), with
/// signed digits. Equal points may occur: additions are complete.
pub(crate) fn straus(points: &[G1Affine], weights: &[i64]) -> G1Projective {
    let digits: Vec<(u128, u128)> = weights
        .iter()
        .map(|weight| {
            let (plus, minus) = naf(weight.unsigned_abs());
            if *weight < 0 { (minus, plus) } else { (plus, minus) }
        })
        .collect();
    let used = digits.iter().fold(0, |used, (plus, minus)| used | plus | minus);
    let mut sum = G1Projective::identity();
    for bit in (0..128 - used.leading_zeros()).rev() {
        sum = sum.double();
        for (point, (plus, minus)) in points.iter().zip(&digits) {
            if plus >> bit & 1 == 1 {
                sum += point;
            } else if minus >> bit & 1 == 1 {
                sum -= point;
            }
        }
    }
    sum
}

/// sum scalar_i * point_i (Pippenger).
pub(crate) fn g1_sum(points: &[G1Affine], scalars: &[Scalar]) -> G1Projective {
    let points: Vec<blst_p1_affine> = points.iter().map(|point| *point.as_ref()).collect();
    let scalars: Vec<[u8; 32]> = scalars.iter().map(Scalar::to_bytes_le).collect();
    let mut sum = G1Projective::identity();
    *sum.as_mut() = points.as_slice().mult(scalars.as_flattened(), 255);
    sum
}

/// weight * signature and weight * key, with a weight of 16 bytes, little-endian.
pub(crate) fn weighted(
    signature: &G1Projective,
    key: &G2Projective,
    weight: &[u8; 16],
) -> (G1Projective, G2Projective) {
    let (signatures, keys) = (multiples(signature), multiples(key));
    let digits = weight.iter().rev().flat_map(|byte| [byte >> 4, byte & 15]);
    let start = (G1Projective::identity(), G2Projective::identity());
    digits.fold(start, |(mut signature, mut key), digit| {
        for _ in 0..4 {
            (signature, key) = (signature.double(), key.double());
        }
        (signature + signatures[usize::from(digit)], key + keys[usize::from(digit)])
    })
}

/// 0 to 15 times a point.
fn multiples<G: Group>(point: &G) -> [G; 16] {
    let mut sum = G::identity();
    std::array::from_fn(|at| {
        if at > 0 {
            sum += point;
        }
        sum
    })
}

/// sum weight_i * point_i over weights of 16 bytes, little-endian.
pub(crate) fn g1_weighted(points: &[G1Projective], weights: &[[u8; 16]]) -> G1Projective {
    let points: Vec<blst_p1> = points.iter().map(|point| *point.as_ref()).collect();
    let mut sum = G1Projective::identity();
    *sum.as_mut() = p1_affines::from(&points).as_slice().mult(weights.as_flattened(), 128);
    sum
}

/// sum weight_i * point_i over weights of 16 bytes, little-endian.
pub(crate) fn g2_weighted(points: &[G2Projective], weights: &[[u8; 16]]) -> G2Projective {
    let points: Vec<blst_p2> = points.iter().map(|point| *point.as_ref()).collect();
    let mut sum = G2Projective::identity();
    *sum.as_mut() = p2_affines::from(&points).as_slice().mult(weights.as_flattened(), 128);
    sum
}
