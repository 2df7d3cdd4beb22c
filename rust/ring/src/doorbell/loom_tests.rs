//! No call is lost: loom has no clock, so a thread that sleeps for good is a deadlock, and red.

use loom::thread;

use super::*;
use crate::sync::{Arc, AtomicU64};
use crate::{PopError, mpsc};

#[test]
fn a_call_is_never_lost() {
    loom::model(|| {
        let door = Arc::new((Doorbell::new(), AtomicU64::new(0)));
        // It is the other thread that sleeps: loom's `unpark` would wake ours out of a join, too.
        let sleeper = thread::spawn({
            let door = Arc::clone(&door);
            move || {
                let ready = || door.1.load(Ordering::Relaxed) == 1;
                while !door.0.wait(Duration::MAX, ready) {}
            }
        });
        // Relaxed: the fences alone must carry it.
        door.1.store(1, Ordering::Relaxed);
        door.0.ring();
        sleeper.join().unwrap();
    });
}

#[test]
fn a_consumer_that_sleeps_gets_every_record_and_the_end() {
    loom::model(|| {
        let (producer, mut consumer) = mpsc::<u64>(1).unwrap();
        let door = Arc::new(Doorbell::new());
        let sleeper = thread::spawn({
            let door = Arc::clone(&door);
            move || {
                let mut taken = Vec::new();
                loop {
                    match consumer.pop() {
                        Ok(record) => taken.push(record),
                        Err(PopError::Closed) => return taken,
                        Err(PopError::Empty) => {
                            let ready = || consumer.is_ready() || consumer.is_closed();
                            while !door.wait(Duration::MAX, ready) {}
                        }
                    }
                }
            }
        });
        producer.push(1).unwrap();
        door.ring();
        drop(producer);
        door.ring();
        assert_eq!(sleeper.join().unwrap(), [1]);
    });
}
