//! Every interleaving and every reordering of small cases, as loom explores them.
//!
//! `checks/loom.sh` runs these; each is small enough for `LOOM_MAX_PREEMPTIONS=3`.

use loom::thread;

use super::*;

/// Takes records until the queue is closed.
fn drain(consumer: &mut MpscConsumer<u64>) -> Vec<u64> {
    let mut taken = Vec::new();
    loop {
        match consumer.pop() {
            Ok(record) => taken.push(record),
            Err(PopError::Closed) => return taken,
            Err(PopError::Empty) => thread::yield_now(),
        }
    }
}

/// The records of one producer, whose tens digit is its number, in the order they came.
fn of(number: u64, taken: &[u64]) -> Vec<u64> {
    taken.iter().copied().filter(|record| record / 10 == number).collect()
}

/// Nobody waits for room here: two threads that only yield to each other keep loom busy for good.
#[test]
fn two_producers_of_two_records_through_two_slots() {
    loom::model(|| {
        let (first, mut consumer) = mpsc(2).unwrap();
        let threads = [(first.clone(), 10), (first, 20)].map(|(producer, number)| {
            thread::spawn(move || {
                let mut pushed = vec![number, number + 1];
                pushed.retain(|record| producer.push(*record).is_ok());
                pushed
            })
        });
        let mut taken = Vec::new();
        for _ in 0..2 {
            taken.extend(consumer.pop().ok());
        }
        let pushed = threads.map(|thread| thread.join().unwrap());
        taken.extend(drain(&mut consumer));
        assert_eq!([of(1, &taken), of(2, &taken)], pushed);
        assert!(taken.len() >= 2, "two slots were free");
    });
}

#[test]
fn three_records_wrap_one_slot() {
    loom::model(|| {
        let (producer, mut consumer) = mpsc(1).unwrap();
        let thread = thread::spawn(move || {
            for record in 1..=3 {
                while producer.push(record).is_err() {
                    thread::yield_now();
                }
            }
        });
        assert_eq!(drain(&mut consumer), [1, 2, 3]);
        thread.join().unwrap();
    });
}

#[test]
fn records_pushed_together_stay_together_and_wrap() {
    loom::model(|| {
        let (first, mut consumer) = mpsc(2).unwrap();
        first.push(30).unwrap();
        let second = first.clone();
        let pair = thread::spawn(move || first.push_all(&[10, 11]).is_ok());
        let single = thread::spawn(move || second.push(20).is_ok());
        let mut taken = Vec::new();
        consumer.pop_into(&mut taken, 2);
        let pushed = (pair.join().unwrap(), single.join().unwrap());
        taken.extend(drain(&mut consumer));
        let at = taken.iter().position(|record| *record == 10);
        assert_eq!(at.is_some(), pushed.0);
        assert_eq!(at.map(|at| taken[at + 1]), pushed.0.then_some(11), "{taken:?}");
        assert_eq!((taken[0], taken.contains(&20)), (30, pushed.1), "{taken:?}");
    });
}

#[test]
fn a_full_queue_that_closes_still_gives_everything() {
    loom::model(|| {
        let (producer, mut consumer) = mpsc(1).unwrap();
        let thread = thread::spawn(move || {
            producer.push(1).unwrap();
            producer.push(2).is_ok()
        });
        let taken = drain(&mut consumer);
        let second = thread.join().unwrap();
        assert_eq!(taken, if second { vec![1, 2] } else { vec![1] });
    });
}

#[test]
fn closed_is_said_after_the_last_of_two_producers() {
    loom::model(|| {
        let (first, mut consumer) = mpsc(2).unwrap();
        let second = first.clone();
        let one = thread::spawn(move || first.push(10).unwrap());
        let two = thread::spawn(move || second.push(20).unwrap());
        let mut taken = drain(&mut consumer);
        taken.sort_unstable();
        assert_eq!(taken, [10, 20]);
        one.join().unwrap();
        two.join().unwrap();
    });
}

#[test]
fn what_the_consumer_did_is_seen_by_whoever_sees_it_gone() {
    loom::model(|| {
        let (producer, consumer) = mpsc::<u64>(1).unwrap();
        let done = Arc::new(AtomicU64::new(0));
        let thread = thread::spawn({
            let done = Arc::clone(&done);
            move || {
                done.store(7, Ordering::Relaxed);
                drop(consumer);
            }
        });
        if producer.push(1) == Err(PushError::Closed(1)) {
            assert_eq!(done.load(Ordering::Relaxed), 7);
        }
        thread.join().unwrap();
    });
}
