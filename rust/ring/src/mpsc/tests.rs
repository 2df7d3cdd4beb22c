//! Laws of the queue against a `VecDeque`, and the thread stress that ThreadSanitizer watches.

use std::collections::VecDeque;
use std::thread;

use proptest::prelude::*;

use super::*;

/// A record of which each word tells a torn or stale copy.
type Record = [u64; 8];

/// Slots of the stress, and records that each thread pushes: through two slots every record costs
/// a turn of the scheduler.
const STRESS: [(usize, u64); 2] = [(2, 300), (64, 5_000)];
/// Threads that push at once, on fewer processors.
const STRESS_THREADS: u64 = 4;

#[derive(Debug, Clone)]
enum Step {
    Push,
    PushAll(usize),
    Pop,
    PopInto(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Push),
        1 => (0..12_usize).prop_map(Step::PushAll),
        3 => Just(Step::Pop),
        1 => (0..12_usize).prop_map(Step::PopInto),
    ]
}

proptest! {
    /// Any calls of any of three producers: the queue gives and refuses what a `VecDeque` with a
    /// bound does.
    #[test]
    fn behaves_as_a_bounded_deque(
        capacity in prop_oneof![Just(1_usize), Just(2), Just(8)],
        steps in prop::collection::vec((step(), 0..3_usize), 0..200),
    ) {
        let (first, mut consumer) = mpsc::<u64>(capacity).unwrap();
        let producers = [first.clone(), first.clone(), first];
        let mut model = VecDeque::new();
        let mut numbers = 0_u64..;
        for (step, who) in steps {
            match step {
                Step::Push => {
                    let record = numbers.next().unwrap();
                    if model.len() < capacity {
                        model.push_back(record);
                        prop_assert_eq!(producers[who].push(record), Ok(()));
                    } else {
                        let full = Err(PushError::Full(record));
                        prop_assert_eq!(producers[who].push(record), full);
                    }
                }
                Step::PushAll(count) => {
                    let records: Vec<u64> = numbers.by_ref().take(count).collect();
                    if count <= capacity - model.len() {
                        model.extend(&records);
                        prop_assert_eq!(producers[who].push_all(&records), Ok(()));
                    } else {
                        let full = Err(PushError::Full(()));
                        prop_assert_eq!(producers[who].push_all(&records), full);
                    }
                }
                Step::Pop => {
                    prop_assert_eq!(consumer.is_ready(), !model.is_empty());
                    prop_assert_eq!(consumer.pop(), model.pop_front().ok_or(PopError::Empty));
                }
                Step::PopInto(count_max) => {
                    let mut records = vec![7];
                    let taken = count_max.min(model.len());
                    prop_assert_eq!(consumer.pop_into(&mut records, count_max), taken);
                    let wanted: Vec<u64> = model.drain(..taken).collect();
                    prop_assert_eq!(records.split_first(), Some((&7, &wanted[..])));
                }
            }
        }
        // What was never taken is still there, in order, and then the queue is closed.
        let [a, b, c] = producers;
        drop(a);
        drop(b);
        prop_assert!(!consumer.is_closed(), "one producer is left");
        drop(c);
        for record in model {
            prop_assert_eq!(consumer.pop(), Ok(record));
        }
        prop_assert_eq!(consumer.pop(), Err(PopError::Closed));
    }
}

#[test]
fn capacity_is_a_power_of_two_within_its_bound() {
    for capacity in [0, 3, 12, CAPACITY_MAX + 1, CAPACITY_MAX * 2, usize::MAX] {
        assert_eq!(mpsc::<u8>(capacity).unwrap_err(), CapacityError { capacity });
    }
    for capacity in [1, 2, 8, 1 << 16] {
        let (producer, consumer) = mpsc::<u8>(capacity).unwrap();
        assert_eq!((producer.capacity(), consumer.capacity()), (capacity, capacity));
        let all = vec![1; capacity];
        assert_eq!(producer.push_all(&all), Ok(()));
        assert_eq!(producer.push(2), Err(PushError::Full(2)));
    }
}

#[test]
fn a_record_without_bytes_is_counted_too() {
    let (producer, mut consumer) = mpsc::<()>(2).unwrap();
    assert_eq!(producer.push_all(&[(), ()]), Ok(()));
    assert_eq!(producer.push(()), Err(PushError::Full(())));
    assert_eq!(consumer.pop_into(&mut Vec::new(), usize::MAX), 2);
    assert_eq!(consumer.pop(), Err(PopError::Empty));
}

#[test]
fn each_end_learns_that_the_other_is_gone() {
    let (producer, consumer) = mpsc::<u64>(2).unwrap();
    assert!(!producer.is_closed());
    drop(consumer);
    assert!(producer.is_closed());
    assert_eq!(producer.push(3), Err(PushError::Closed(3)), "there was room, and nobody to take");
    assert_eq!(producer.push_all(&[1]), Err(PushError::Closed(())));

    let (producer, mut consumer) = mpsc::<u64>(2).unwrap();
    producer.push(1).unwrap();
    drop(producer);
    assert!(consumer.is_closed());
    assert_eq!(consumer.pop(), Ok(1), "closed, but not yet empty");
    assert_eq!(consumer.pop(), Err(PopError::Closed));
}

#[test]
fn what_different_threads_write_shares_no_pair_of_cache_lines() {
    let tail = std::mem::offset_of!(Ring<u64>, tail);
    let producers = std::mem::offset_of!(Ring<u64>, producers);
    let slots = std::mem::offset_of!(Ring<u64>, slots);
    let pairs = [tail, producers, slots].map(|offset| offset / 128);
    assert!(pairs[0] != pairs[1] && pairs[1] != pairs[2] && pairs[0] != pairs[2]);
    assert_eq!(std::mem::size_of::<Slot<Record>>(), 128, "a slot and no more than its pair");
}

/// Four threads push into queues so small that they wrap and run full all the time: nothing lost,
/// doubled, torn, and each thread's records in its order.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test may own threads")]
fn four_threads_lose_nothing() {
    for (capacity, records) in STRESS {
        let (producer, consumer) = mpsc::<Record>(capacity).unwrap();
        let threads: Vec<_> = (0..STRESS_THREADS)
            .map(|number| {
                let producer = producer.clone();
                thread::spawn(move || produce(number, records, &producer))
            })
            .collect();
        drop(producer);
        let sums = thread::spawn(move || consume(records, consumer)).join().unwrap();
        for thread in threads {
            // Joined by name: ThreadSanitizer does not see the end of a scope.
            thread.join().unwrap();
        }
        let wanted = records * (records - 1) / 2;
        assert_eq!(sums, [wanted; STRESS_THREADS as usize]);
    }
}

/// Pushes the numbers in order, one by one and in pairs.
fn produce(number: u64, records: u64, producer: &MpscProducer<Record>) {
    let record = |value| {
        let mut record = [value; 8];
        record[0] = number;
        record
    };
    let mut next = 0;
    while next < records {
        let pushed = if next % 4 == 0 {
            producer.push_all(&[record(next), record(next + 1)]).map(|()| 2)
        } else {
            producer.push(record(next)).map(|()| 1).map_err(|_| PushError::Full(()))
        };
        match pushed {
            Ok(count) => next += count,
            Err(_) => thread::yield_now(),
        }
    }
}

/// Takes until the queue is closed, by each of the two calls in turn; each thread's sum.
fn consume(records: u64, mut consumer: MpscConsumer<Record>) -> [u64; STRESS_THREADS as usize] {
    let mut taken = Vec::new();
    let mut nexts = [0; STRESS_THREADS as usize];
    let mut sums = [0; STRESS_THREADS as usize];
    for round in 0.. {
        taken.clear();
        if round % 2 == 0 {
            match consumer.pop() {
                Ok(record) => taken.push(record),
                Err(PopError::Empty) => thread::yield_now(),
                Err(PopError::Closed) => break,
            }
        } else {
            consumer.pop_into(&mut taken, 5);
        }
        for record in &taken {
            let number = record[0] as usize;
            let next = nexts[number];
            assert!(record[1..].iter().all(|word| *word == next), "{record:?} is not {next}");
            sums[number] += next;
            nexts[number] += 1;
        }
    }
    assert_eq!(nexts, [records; STRESS_THREADS as usize], "closed too early");
    sums
}
