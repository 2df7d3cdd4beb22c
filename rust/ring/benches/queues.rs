//! Our queues beside other people's, in one run: one JSON object a line, rates in M records/s.
//!
//! `cargo bench -p cwts-ring --bench queues [ROUNDS]`. Ours and the peer's run alternate, so that
//! both meet the same machine; `ours` and `peer_value` are the best of the rounds, `ratio` is
//! theirs, and `median_ratio` that of the medians.
#![expect(clippy::disallowed_methods, reason = "a benchmark owns threads and reads the clock")]
#![expect(clippy::print_stdout, reason = "a benchmark prints")]
#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Instant;

use crossbeam_queue::ArrayQueue;

/// 64 bytes, as an order.
type Record = [u64; 8];

fn main() {
    let rounds = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let rounds = rounds.unwrap_or(ROUNDS).max(ROUNDS_MIN);
    compare("ring_spsc", "rtrb", rounds, spsc_ours, spsc_rtrb);
    compare("ring_spsc", "crossbeam ArrayQueue", rounds, spsc_ours, || array_queue(1));
    compare("ring_mpsc_1", "crossbeam ArrayQueue", rounds, || mpsc_ours(1), || array_queue(1));
    compare("ring_mpsc_2", "crossbeam ArrayQueue", rounds, || mpsc_ours(2), || array_queue(2));
}

fn compare(
    name: &str,
    peer: &str,
    rounds: usize,
    ours: impl Fn() -> f64,
    theirs: impl Fn() -> f64,
) {
    let (mut our_rates, mut peer_rates): (Vec<f64>, Vec<f64>) =
        (0..rounds).map(|_| (ours(), theirs())).unzip();
    our_rates.sort_by(f64::total_cmp);
    peer_rates.sort_by(f64::total_cmp);
    let (best, peer_best) = (our_rates[rounds - 1], peer_rates[rounds - 1]);
    let median_ratio = our_rates[rounds / 2] / peer_rates[rounds / 2];
    println!(
        "{{\"name\": \"{name}\", \"ours\": {best:.2}, \"peer\": \"{peer}\", \
         \"peer_value\": {peer_best:.2}, \"unit\": \"M records/s\", \"ratio\": {:.3}, \
         \"median_ratio\": {median_ratio:.3}}}",
        best / peer_best
    );
}

fn spsc_ours() -> f64 {
    let (mut producer, mut consumer) = cwts_ring::spsc::<Record>(SLOTS).unwrap();
    let push = move |record| producer.push(record).is_ok();
    rate(vec![push], move || consumer.pop().ok())
}

fn spsc_rtrb() -> f64 {
    let (mut producer, mut consumer) = rtrb::RingBuffer::<Record>::new(SLOTS);
    let push = move |record| producer.push(record).is_ok();
    rate(vec![push], move || consumer.pop().ok())
}

fn mpsc_ours(producers: u64) -> f64 {
    let (producer, mut consumer) = cwts_ring::mpsc::<Record>(SLOTS).unwrap();
    let push = |_| {
        let producer = producer.clone();
        move |record| producer.push(record).is_ok()
    };
    rate((0..producers).map(push).collect(), move || consumer.pop().ok())
}

fn array_queue(producers: u64) -> f64 {
    let queue = Arc::new(ArrayQueue::<Record>::new(SLOTS));
    let push = |_| {
        let queue = Arc::clone(&queue);
        move |record| queue.push(record).is_ok()
    };
    let taken = Arc::clone(&queue);
    rate((0..producers).map(push).collect(), move || taken.pop())
}

/// Millions of records a second from all producers to this thread.
fn rate(
    producers: Vec<impl FnMut(Record) -> bool + Send + 'static>,
    mut pop: impl FnMut() -> Option<Record>,
) -> f64 {
    let each = RECORDS / producers.len() as u64;
    let all = each * producers.len() as u64;
    let start = Arc::new(Barrier::new(producers.len() + 1));
    let threads: Vec<_> = producers
        .into_iter()
        .map(|mut push| {
            let start = Arc::clone(&start);
            thread::spawn(move || {
                start.wait();
                for number in 1..=each {
                    let mut waited = 0;
                    while !push([number; 8]) {
                        relax(&mut waited);
                    }
                }
            })
        })
        .collect();
    start.wait();
    let began = Instant::now();
    let (mut taken, mut sum, mut waited) = (0, 0, 0);
    while taken < all {
        match pop() {
            Some(record) => {
                taken += 1;
                sum += record[7];
                waited = 0;
            }
            None => relax(&mut waited),
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(sum, all / each * (each * (each + 1) / 2), "a record was lost or torn");
    all as f64 / seconds / 1e6
}

/// Spins a little and then yields: the same for all, and fair where threads outnumber processors.
fn relax(waited: &mut u32) {
    *waited += 1;
    if *waited < 64 {
        std::hint::spin_loop();
    } else {
        thread::yield_now();
    }
}

const RECORDS: u64 = 2_000_000;
const SLOTS: usize = 1_024;
const ROUNDS: usize = 15;
const ROUNDS_MIN: usize = 7;
