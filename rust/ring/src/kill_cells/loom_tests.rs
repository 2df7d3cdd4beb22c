//! Every interleaving and every reordering of small cases, as loom explores them.
//!
//! `checks/loom.sh` runs these; each is small enough for `LOOM_MAX_PREEMPTIONS=3`.

use loom::thread;

use super::*;
use crate::sync::Arc;

/// A page of one slot, halted or active, at epoch 1.
fn page(state: u8) -> Arc<Vec<AtomicU64>> {
    let words: Vec<_> = (0..2 * LINE_WORDS).map(|_| AtomicU64::new(0)).collect();
    words[EPOCH_WORD].store(1, Ordering::Relaxed);
    words[LINE_WORDS].store(u64::from(state), Ordering::Relaxed);
    Arc::new(words)
}

#[test]
fn whoever_sees_the_epoch_sees_the_halt() {
    loom::model(|| {
        let words = page(ACTIVE);
        let thread = thread::spawn({
            let words = Arc::clone(&words);
            move || assert_eq!(KillCells(&words).raise(0, HALTED), Ok(2))
        });
        let cells = KillCells(&words);
        if cells.epoch() == 2 {
            assert_eq!(cells.state(0), HALTED);
        }
        thread.join().unwrap();
    });
}

#[test]
fn whoever_sees_the_epoch_sees_the_rewrite() {
    loom::model(|| {
        let words = page(ACTIVE);
        let thread = thread::spawn({
            let words = Arc::clone(&words);
            move || assert_eq!(KillCells(&words).store_all(1, 2, &[HALTED]), Ok(()))
        });
        let cells = KillCells(&words);
        if cells.epoch() == 2 {
            assert_eq!(cells.state(0), HALTED);
        }
        thread.join().unwrap();
    });
}

/// The slot is halted already and somebody resumes it while another process halts it again: in
/// no order of their steps is the second halt lost, and the epoch always tells of it.
#[test]
fn a_raise_survives_a_rewrite_that_did_not_know_of_it() {
    for state in [ACTIVE, HALTED] {
        loom::model(move || {
            let words = page(state);
            let thread = thread::spawn({
                let words = Arc::clone(&words);
                move || KillCells(&words).raise(0, HALTED).unwrap()
            });
            let cells = KillCells(&words);
            let stored = cells.store_all(1, 5, &[ACTIVE]);
            // 3 if the raiser found its cell lowered, and told again, before the rewrite gave up.
            if let Err(refused) = stored {
                assert!(matches!(refused, KillCellError::Moved { seen: 1, now: 2 | 3 }));
            }
            // A reader that saw only a failed rewrite's epochs must find the halt in force.
            let seen = cells.epoch();
            if stored.is_err() {
                assert_eq!(cells.state(0), HALTED);
            }
            let raised = thread.join().unwrap();
            assert_eq!(cells.state(0), HALTED);
            assert!(cells.epoch() >= raised && cells.epoch() >= seen);
            assert!(cells.epoch() > 5 || stored.is_err(), "the raise came after: told again");
        });
    }
}

/// A third process reads between the steps of a failing rewrite: after the last epoch that it
/// can see, it knows of the halt.
#[test]
fn a_reader_is_told_again_after_a_failed_rewrite() {
    loom::model(|| {
        let words = page(HALTED);
        let raiser = thread::spawn({
            let words = Arc::clone(&words);
            move || KillCells(&words).raise(0, HALTED).unwrap()
        });
        let reader = thread::spawn({
            let words = Arc::clone(&words);
            move || {
                let cells = KillCells(&words);
                let seen = cells.epoch();
                (seen, cells.state(0))
            }
        });
        let cells = KillCells(&words);
        let _ = cells.store_all(1, 5, &[ACTIVE]);
        raiser.join().unwrap();
        let (seen, state) = reader.join().unwrap();
        if state != HALTED {
            assert!(cells.epoch() > seen, "it would never look again");
        }
    });
}
