//! Every interleaving and every reordering of small cases, as loom explores them.
//!
//! `checks/loom.sh` runs these; each is small enough for `LOOM_MAX_PREEMPTIONS=3`.

use loom::thread;

use super::*;

/// Takes records until the queue is closed.
fn drain(consumer: &mut Consumer<u64>) -> Vec<u64> {
    let mut taken = Vec::new();
    loop {
        match consumer.pop() {
            Ok(record) => taken.push(record),
            Err(PopError::Closed) => return taken,
            Err(PopError::Empty) => thread::yield_now(),
        }
    }
}

#[test]
fn three_records_through_two_slots() {
    loom::model(|| {
        let (mut producer, mut consumer) = spsc(2).unwrap();
        let thread = thread::spawn(move || {
            for record in 1..=3_u64 {
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
fn slices_wrap_and_keep_order() {
    loom::model(|| {
        let (mut producer, mut consumer) = spsc(2).unwrap();
        let thread = thread::spawn(move || {
            let mut rest = &[1, 2, 3_u64][..];
            while !rest.is_empty() {
                let pushed = producer.push_slice(rest);
                rest = &rest[pushed..];
                if pushed == 0 {
                    thread::yield_now();
                }
            }
        });
        let mut taken = Vec::new();
        while taken.len() < 3 {
            if consumer.pop_into(&mut taken, 2) == 0 {
                thread::yield_now();
            }
        }
        assert_eq!(taken, [1, 2, 3]);
        thread.join().unwrap();
    });
}

#[test]
fn push_all_shows_all_or_nothing() {
    loom::model(|| {
        let (mut producer, mut consumer) = spsc(4).unwrap();
        let thread = thread::spawn(move || producer.push_all(&[1_u64, 2]).unwrap());
        if let Ok(first) = consumer.pop() {
            assert_eq!((first, consumer.pop()), (1, Ok(2)));
        }
        thread.join().unwrap();
    });
}

#[test]
fn a_full_queue_that_closes_still_gives_everything() {
    loom::model(|| {
        let (mut producer, mut consumer) = spsc(1).unwrap();
        let thread = thread::spawn(move || {
            producer.push(1_u64).unwrap();
            producer.push(2).is_ok()
        });
        let taken = drain(&mut consumer);
        let second = thread.join().unwrap();
        assert_eq!(taken, if second { vec![1, 2] } else { vec![1] });
    });
}

#[test]
fn what_the_consumer_did_is_seen_by_whoever_sees_it_gone() {
    loom::model(|| {
        let (producer, consumer) = spsc::<u64>(1).unwrap();
        let done = Arc::new(AtomicU64::new(0));
        let thread = thread::spawn({
            let done = Arc::clone(&done);
            move || {
                done.store(7, Ordering::Relaxed);
                drop(consumer);
            }
        });
        if producer.is_closed() {
            assert_eq!(done.load(Ordering::Relaxed), 7);
        }
        thread.join().unwrap();
    });
}
