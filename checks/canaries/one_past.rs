//! AddressSanitizer's canary: reads one lane past the end of a heap slice, as a kernel whose
//! tail is off by one would. Built and run by `checks/canaries.sh`; never part of a product.

#[inline(never)]
fn read_lane(lanes: &[u64], lane: usize) -> u64 {
    // SAFETY: none; this is the bug that the checker must report.
    unsafe { *lanes.as_ptr().add(lane) }
}

fn main() {
    let lanes = vec![1_u64; std::env::args().count() + 7];
    println!("{}", read_lane(&lanes, lanes.len()));
}
