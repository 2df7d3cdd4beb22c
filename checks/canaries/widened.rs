//! The canary of `checks/wide.sh`, built for a newer processor than ours promise to need: a loop
//! like many of our own, which then uses 256-bit registers. Never part of a product.
#![crate_type = "lib"]

#[inline(never)]
pub fn sum(lanes: &[u64]) -> u64 {
    lanes.iter().fold(0, |sum, lane| sum.wrapping_add(*lane))
}
