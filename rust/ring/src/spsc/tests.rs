//! Laws of the queue against a `VecDeque`, and the thread stress that ThreadSanitizer watches.

use std::collections::VecDeque;
use std::thread;

use proptest::prelude::*;

use super::*;

/// A record as wide as the gateway's, each word of which tells a torn or stale copy.
type Slot = [u64; 16];

/// Records a pair of threads exchanges.
const STRESS_RECORDS: u64 = 200_000;

#[derive(Debug, Clone)]
enum Step {
    Push,
    PushSlice(usize),
    PushAll(usize),
    Pop,
    PopSlice(usize),
    PopInto(usize),
    Free,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Push),
        1 => (0..12_usize).prop_map(Step::PushSlice),
        1 => (0..12_usize).prop_map(Step::PushAll),
        3 => Just(Step::Pop),
        1 => (0..12_usize).prop_map(Step::PopSlice),
        1 => (0..12_usize).prop_map(Step::PopInto),
        1 => Just(Step::Free),
    ]
}

proptest! {
    /// Any calls in any order: the queue gives and refuses what a `VecDeque` with a bound does.
    #[test]
    fn behaves_as_a_bounded_deque(
        capacity in prop_oneof![Just(1_usize), Just(2), Just(8)],
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let (mut producer, mut consumer) = spsc::<u64>(capacity).unwrap();
        let mut model = VecDeque::new();
        let mut numbers = 0_u64..;
        for step in steps {
            match step {
                Step::Push => {
                    let record = numbers.next().unwrap();
                    if model.len() < capacity {
                        model.push_back(record);
                        prop_assert_eq!(producer.push(record), Ok(()));
                    } else {
                        prop_assert_eq!(producer.push(record), Err(record));
                    }
                }
                Step::PushSlice(count) => {
                    let records: Vec<u64> = numbers.by_ref().take(count).collect();
                    let fits = count.min(capacity - model.len());
                    prop_assert_eq!(producer.push_slice(&records), fits);
                    model.extend(&records[..fits]);
                }
                Step::PushAll(count) => {
                    let records: Vec<u64> = numbers.by_ref().take(count).collect();
                    let free = capacity - model.len();
                    if count <= free {
                        model.extend(&records);
                        prop_assert_eq!(producer.push_all(&records), Ok(()));
                    } else {
                        let full = Full { wanted: count, free, capacity };
                        prop_assert_eq!(producer.push_all(&records), Err(full));
                    }
                }
                Step::Pop => {
                    prop_assert_eq!(consumer.pop(), model.pop_front().ok_or(PopError::Empty));
                }
                Step::PopSlice(count) => {
                    let mut records = vec![u64::MAX; count];
                    let taken = count.min(model.len());
                    prop_assert_eq!(consumer.pop_slice(&mut records), taken);
                    let wanted: Vec<u64> = model.drain(..taken).collect();
                    prop_assert_eq!(&records[..taken], &wanted);
                    prop_assert!(records[taken..].iter().all(|untouched| *untouched == u64::MAX));
                }
                Step::PopInto(count_max) => {
                    let mut records = vec![7];
                    let taken = count_max.min(model.len());
                    prop_assert_eq!(consumer.pop_into(&mut records, count_max), taken);
                    let wanted: Vec<u64> = model.drain(..taken).collect();
                    prop_assert_eq!(records.split_first(), Some((&7, &wanted[..])));
                }
                Step::Free => prop_assert_eq!(producer.free(), capacity - model.len()),
            }
        }
        // What was never taken is still there, in order, and then the queue is closed.
        drop(producer);
        for record in model {
            prop_assert_eq!(consumer.pop(), Ok(record));
        }
        prop_assert_eq!(consumer.pop(), Err(PopError::Closed));
    }
}

#[test]
fn capacity_is_a_power_of_two_within_its_bound() {
    for capacity in [0, 3, 12, CAPACITY_MAX + 1, CAPACITY_MAX * 2, usize::MAX] {
        let refused = spsc::<u8>(capacity).unwrap_err();
        assert_eq!(refused, CapacityError { capacity });
        assert!(refused.to_string().contains(&capacity.to_string()), "{refused}");
    }
    for capacity in [1, 2, 8, CAPACITY_MAX] {
        let (mut producer, consumer) = spsc::<u8>(capacity).unwrap();
        assert_eq!((producer.free(), consumer.capacity()), (capacity, capacity));
    }
}

#[test]
fn a_record_without_bytes_is_counted_too() {
    let (mut producer, mut consumer) = spsc::<()>(2).unwrap();
    assert_eq!(producer.push_slice(&[(), (), ()]), 2);
    assert_eq!(consumer.pop_into(&mut Vec::new(), usize::MAX), 2);
    assert_eq!(consumer.pop(), Err(PopError::Empty));
}

#[test]
fn each_end_learns_that_the_other_is_gone() {
    let (mut producer, consumer) = spsc::<u64>(2).unwrap();
    assert!(!producer.is_closed());
    drop(consumer);
    assert!(producer.is_closed());
    assert_eq!(producer.push_all(&[1, 2]), Ok(()), "room is room");
    assert_eq!(producer.push(3), Err(3), "nobody will ever make more");

    let (mut producer, mut consumer) = spsc::<u64>(2).unwrap();
    producer.push(1).unwrap();
    drop(producer);
    assert!(consumer.is_closed());
    assert_eq!(consumer.pop(), Ok(1), "closed, but not yet empty");
    assert_eq!(consumer.pop(), Err(PopError::Closed));
}

#[test]
fn head_and_tail_share_no_pair_of_cache_lines() {
    let head = std::mem::offset_of!(Ring<u64>, head);
    let tail = std::mem::offset_of!(Ring<u64>, tail);
    let closed = std::mem::offset_of!(Ring<u64>, closed);
    let slots = std::mem::offset_of!(Ring<u64>, slots);
    assert_eq!(std::mem::align_of::<Ring<u64>>(), 128);
    let pairs = [head, tail, closed].map(|offset| offset / 128);
    assert!(pairs[0] != pairs[1] && pairs[1] != pairs[2] && pairs[0] != pairs[2]);
    assert_eq!(closed / 128, slots / 128, "what is only read lies together");
}

/// Two pairs of threads at once, on queues so small that they wrap and run full all the time:
/// nothing lost, doubled, torn or out of order.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test may own threads")]
fn two_pairs_of_threads_lose_nothing() {
    let threads = [4, 64].map(|capacity| {
        let (producer, consumer) = spsc::<Slot>(capacity).unwrap();
        (thread::spawn(move || produce(producer)), thread::spawn(move || consume(consumer)))
    });
    for (producer, consumer) in threads {
        // Joined by name: ThreadSanitizer does not see the end of a scope.
        producer.join().unwrap();
        let sum = consumer.join().unwrap();
        assert_eq!(sum, STRESS_RECORDS * (STRESS_RECORDS - 1) / 2);
    }
}

/// Pushes the numbers in order, by each of the three calls in turn.
fn produce(mut producer: Producer<Slot>) {
    let mut next = 0;
    while next < STRESS_RECORDS {
        let pair = [[next; 16], [next + 1; 16]];
        let pushed = match next % 6 {
            0 if producer.push_all(&pair).is_ok() => 2,
            2 => producer.push_slice(&pair),
            0 => 0,
            _ => u64::from(producer.push(pair[0]).is_ok()) as usize,
        };
        if pushed == 0 {
            thread::yield_now();
        }
        next += pushed as u64;
    }
}

/// Takes until the queue is closed, by each of the three calls in turn; the sum of all numbers.
fn consume(mut consumer: Consumer<Slot>) -> u64 {
    let mut taken = Vec::new();
    let (mut next, mut sum) = (0, 0);
    for round in 0.. {
        taken.clear();
        match round % 3 {
            0 => match consumer.pop() {
                Ok(record) => taken.push(record),
                Err(PopError::Empty) => thread::yield_now(),
                Err(PopError::Closed) => break,
            },
            1 => {
                let mut records = [[u64::MAX; 16]; 3];
                let count = consumer.pop_slice(&mut records);
                taken.extend(&records[..count]);
            }
            _ => {
                consumer.pop_into(&mut taken, 5);
            }
        }
        for record in &taken {
            assert!(record.iter().all(|word| *word == next), "{record:?} is not {next}");
            sum += next;
            next += 1;
        }
    }
    assert_eq!(next, STRESS_RECORDS, "closed before everything was taken");
    sum
}
