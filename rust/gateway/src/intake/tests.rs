//! What an intake promises, without a thread: the queues are drained where the test says so.

use std::time::Duration;

use cwts_types::{OrderKind, ReleaseMode, Verdict};

use super::*;
use crate::HaltOptions;
use crate::live::{self, opened as gateway};

fn bare() -> (Gateway, Intake, Drain) {
    let (intake, drain) = Intake::new().unwrap();
    (gateway(None, ReleaseMode::Async), intake, drain)
}

fn buy(qty: i64, order_id: u64) -> Order {
    Order { qty, order_id, ..live::buy(1) }
}

fn cancel(order_id: u64) -> Order {
    let kind = OrderKind::Cancel as u8;
    Order { order_id, ref_id: order_id, kind, side: 1, type_tif: 2, ..Order::default() }
}

fn drained(drain: &mut Drain, gateway: &mut Gateway) -> usize {
    std::iter::from_fn(|| Some(drain.drain(gateway))).take_while(|count| *count > 0).sum()
}

fn halt(switch: &crate::KillSwitch) {
    let options = HaltOptions {
        reason: "look".to_owned(),
        actor: "ana".to_owned(),
        reduce_only: false,
        allow_reduce: false,
    };
    crate::raise(switch, &crate::firm(), Some(0), &options);
}

fn taken(producer: &Producer) -> Vec<Answered> {
    producer.take(usize::MAX, Duration::ZERO).unwrap()
}

#[test]
fn two_producers_are_answered_once_each_in_its_order() {
    let (mut gateway, intake, mut drain) = bare();
    let [a, b] = ["a", "b"].map(|name| intake.open(&mut gateway, name).unwrap());
    assert_eq!((a.id(), b.id()), (16, 17));
    for qty in 1..=200 {
        assert_eq!(a.post(&buy(qty, 0), [qty as u32, 1, 2]).unwrap(), qty as u64 - 1);
        assert_eq!(b.post(&buy(2_000, 0), [0; 3]).unwrap(), qty as u64 - 1);
    }
    assert!(taken(&a).is_empty(), "nothing is decided before somebody drains");
    assert_eq!(drained(&mut drain, &mut gateway), 400);
    for (producer, accepted) in [(&a, true), (&b, false)] {
        let answers = taken(producer);
        assert_eq!(answers.len(), 200);
        assert!(answers.iter().map(|answer| answer.ticket).eq(0..200));
        assert!(answers.is_sorted_by_key(|answer| answer.decision.order_seq));
        for answer in &answers {
            assert_eq!(answer.decision.is_accepted(), accepted);
            assert_eq!(answer.violations.is_empty(), accepted, "a refusal says why");
            assert_eq!(answer.violations.len(), answer.decision.reasons.iter().count());
        }
        assert_eq!(producer.open(), 0);
    }
    assert_eq!(gateway.named, [200, 200]);
    assert_eq!(gateway.produced[1], 1, "the API's caller set a price, and sent nothing");
}

#[test]
fn a_cancel_goes_first_but_never_before_the_order_that_it_names() {
    let (mut gateway, intake, mut drain) = bare();
    let [a, b] = ["a", "b"].map(|name| intake.open(&mut gateway, name).unwrap());
    a.post(&buy(1, 70), [0; 3]).unwrap();
    drained(&mut drain, &mut gateway);
    // A full queue of orders, then a cancel of one that works, and one of an order in the queue.
    for _ in 0..100 {
        b.post(&buy(1, 0), [0; 3]).unwrap();
    }
    a.post(&buy(1, 71), [0; 3]).unwrap();
    let early = a.post(&cancel(71), [0; 3]).unwrap();
    let now = a.post(&cancel(70), [0; 3]).unwrap();
    assert_eq!(drained(&mut drain, &mut gateway), 103);
    let answers = taken(&a);
    let order: Vec<u64> = answers.iter().map(|answer| answer.ticket).collect();
    assert_eq!(order, [0, now, 1, early]);
    for answer in answers.iter().filter(|answer| answer.ticket >= early) {
        assert_eq!(answer.decision.verdict, Verdict::CancelPassed as u8);
        assert!(answer.violations.is_empty(), "each found its order");
    }
    let first_of_b = taken(&b)[0].decision.order_seq;
    assert!(answers[1].decision.order_seq < first_of_b, "the cancel waited for nobody's orders");
}

#[test]
fn a_mass_cancel_waits_for_its_own_producers_orders_and_no_others() {
    let (mut gateway, intake, mut drain) = bare();
    let [a, b] = ["a", "b"].map(|name| intake.open(&mut gateway, name).unwrap());
    let all = Order { kind: OrderKind::MassCancel as u8, account: 1, ..cancel(0) };
    b.post(&buy(1, 0), [0; 3]).unwrap();
    a.post(&buy(1, 0), [0; 3]).unwrap();
    b.post(&buy(1, 0), [0; 3]).unwrap();
    a.post(&all, [0; 3]).unwrap();
    drained(&mut drain, &mut gateway);
    let seqs = |producer| taken(producer).iter().map(|a| a.decision.order_seq).collect::<Vec<_>>();
    let (a, b) = (seqs(&a), seqs(&b));
    assert!(b[0] < a[0] && a[0] < a[1] && a[1] < b[1], "{a:?} {b:?}");
}

#[test]
fn whatever_is_full_says_so_and_a_cancel_still_passes() {
    let (mut gateway, intake, mut drain) = bare();
    let open = |gateway: &mut Gateway, name| intake.open(gateway, name).unwrap();
    let [a, b, c] = ["a", "b", "c"].map(|name| open(&mut gateway, name));
    let full = |producer: &Producer, count: usize| match producer
        .post_all(&vec![buy(1, 0); count], |_| [0; 3])
    {
        Err(GatewayError::QueueFull { what, wanted, bound, .. }) => (what, wanted, bound),
        other => panic!("{other:?}"),
    };
    for producer in [&a, &b] {
        let some = vec![buy(1, 0); ORDERS_OPEN_MAX - 1];
        assert_eq!(producer.post_all(&some, |_| [0; 3]).unwrap(), 0..ORDERS_OPEN_MAX as u64 - 1);
        assert_eq!(full(producer, 2), ("its unanswered orders are", 2, ORDERS_OPEN_MAX));
        producer.post(&buy(1, 0), [0; 3]).unwrap();
        assert_eq!(full(producer, 1).1, 1);
    }
    // Two producers cannot fill the queue of all; the third can, and is told that it is not his.
    let left = ORDER_SLOTS - 2 * ORDERS_OPEN_MAX;
    assert_eq!(full(&c, left + 1), ("the queue of all producers is", left + 1, ORDER_SLOTS));
    assert_eq!(c.post_all(&vec![buy(1, 0); left], |_| [0; 3]).unwrap(), 0..left as u64);
    assert_eq!(full(&c, 1).0, "the queue of all producers is");
    for count in 0..CANCELS_OPEN_MAX {
        assert_eq!(c.post(&cancel(1), [0; 3]).unwrap(), (left + count) as u64);
    }
    let refused = c.post(&cancel(1), [0; 3]).unwrap_err();
    assert_eq!(refused.code(), "QUEUE_FULL");
    assert!(refused.to_string().contains("unanswered cancels"), "{refused}");

    let all = 2 * ORDERS_OPEN_MAX + left + CANCELS_OPEN_MAX;
    assert_eq!(drained(&mut drain, &mut gateway), all);
    assert_eq!(full(&a, 1).0, "its unanswered orders are", "nobody took an answer");
    assert_eq!(taken(&a).len(), ORDERS_OPEN_MAX);
    a.post(&buy(1, 0), [0; 3]).unwrap();
    assert_eq!(taken(&c).len(), left + CANCELS_OPEN_MAX);
}

#[test]
fn a_batch_is_sent_whole_or_not_at_all() {
    let (mut gateway, intake, mut drain) = bare();
    let a = intake.open(&mut gateway, "a").unwrap();
    assert_eq!(a.post_all(&[], |_| [0; 3]).unwrap(), 0..0);
    let mixed = [buy(1, 5), cancel(5), buy(2, 6), cancel(7)];
    assert_eq!(a.post_all(&mixed, |order| [order.qty as u32; 3]).unwrap(), 0..4);
    let many: Vec<Order> = (0..=CANCELS_OPEN_MAX as u64).map(cancel).collect();
    assert!(a.post_all(&[&many[..], &[buy(1, 0)]].concat(), |_| [0; 3]).is_err());
    assert_eq!(drained(&mut drain, &mut gateway), 4, "of the second one nothing was sent");
    let answers = taken(&a);
    assert_eq!(answers.iter().map(|a| a.ticket).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(answers[2].tag, [2; 3]);
}

#[test]
fn a_name_is_one_producer_for_ever_and_open_once() {
    let (mut gateway, intake, mut drain) = bare();
    for unfit in ["", "a\0", "line\n", &"x".repeat(NAME_BYTES_MAX + 1)] {
        assert_eq!(intake.open(&mut gateway, unfit).unwrap_err().code(), "PRODUCER", "{unfit:?}");
    }
    assert_eq!(gateway.engine.registry().len(RegisterKind::Actor), 0, "nothing was registered");
    let a = intake.open(&mut gateway, "a").unwrap();
    assert!(intake.open(&mut gateway, "a").unwrap_err().to_string().contains("is open"));
    a.post(&buy(1, 0), [0; 3]).unwrap();
    a.close();
    assert_eq!(a.post(&buy(1, 0), [0; 3]).unwrap_err().code(), "PRODUCER");
    // Again while its last order is not decided: another seat, the same numbers.
    let again = intake.open(&mut gateway, "a").unwrap();
    again.post(&buy(2, 0), [0; 3]).unwrap();
    assert_eq!((again.id(), drained(&mut drain, &mut gateway)), (a.id(), 2));
    assert_eq!((taken(&a).len(), taken(&again).len(), gateway.named[0]), (1, 1, 2));
    drop((a, again));
    let more: Vec<_> = (0..PRODUCERS_OPEN_MAX)
        .map(|number| intake.open(&mut gateway, &format!("p{number}")).unwrap())
        .collect();
    assert!(intake.open(&mut gateway, "late").unwrap_err().to_string().contains("close one"));
    drop(more);
    intake.open(&mut gateway, "late").unwrap();
}

#[test]
fn a_halt_is_felt_by_the_next_order_of_the_queue() {
    let (mut gateway, intake, mut drain) = bare();
    let a = intake.open(&mut gateway, "a").unwrap();
    for _ in 0..100 {
        a.post(&buy(1, 0), [0; 3]).unwrap();
    }
    assert_eq!(drain.drain(&mut gateway), 64);
    halt(&gateway.switch());
    assert_eq!(drain.drain(&mut gateway), 36);
    let accepted = taken(&a).iter().filter(|answer| answer.decision.is_accepted()).count();
    assert_eq!(accepted, 64);
}

/// Each order asks for itself: the first one that takes the halt in must not hide it from those
/// behind it, nor may the decision of a later one from those before it.
#[test]
fn a_halt_stops_every_order_that_was_decided_and_not_answered() {
    for (later, release) in
        [(0, ReleaseMode::Async), (20, ReleaseMode::Async), (20, ReleaseMode::Durable)]
    {
        let temp = tempfile::tempdir().unwrap();
        let mut gateway = gateway(Some(temp.path()), release);
        let (intake, mut drain) = Intake::new().unwrap();
        let [a, b] = ["a", "b"].map(|name| intake.open(&mut gateway, name).unwrap());
        for _ in 0..20 {
            a.post(&buy(1, 0), [0; 3]).unwrap();
            b.post(&buy(1, 0), [0; 3]).unwrap();
        }
        drain.decide_waiting(&mut gateway);
        let before = gateway.next_index();
        halt(&gateway.switch());
        for _ in 0..later {
            b.post(&buy(1, 0), [0; 3]).unwrap();
        }
        drain.decide_waiting(&mut gateway);
        drain.answer(&mut gateway);
        let answers = [taken(&a), taken(&b)].concat();
        assert_eq!(answers.len(), 40 + later);
        for answer in &answers {
            assert_eq!(answer.decision.verdict, Verdict::Reject as u8, "left after the halt");
            assert!(answer.decision.reasons.contains(cwts_types::Control::KillHalted));
            assert_eq!(answer.violations.len(), 1, "it says why");
        }
        // KILL, the later pairs, and one RELEASE_DENIED an order that was accepted before.
        assert_eq!(gateway.next_index() - before, 1 + 2 * later as u64 + 40);
        assert_eq!(gateway.engine.working_orders(), 0, "nothing stays reserved");
    }
}

#[test]
fn a_halt_in_the_middle_of_a_batch_stops_all_of_it() {
    for release in [ReleaseMode::Async, ReleaseMode::Durable] {
        let temp = tempfile::tempdir().unwrap();
        let mut gateway = gateway(Some(temp.path()), release);
        let orders = vec![buy(1, 0); 100];
        let released = gateway.submit_batch(&orders).unwrap();
        assert!(released.len() == 100 && released.iter().all(cwts_types::Decision::is_accepted));
        if release == ReleaseMode::Durable {
            assert_eq!(gateway.durable(), gateway.next_index());
        }
        let switch = gateway.switch();
        let halted_at_50 = orders.iter().enumerate().map(|(at, order)| {
            if at == 50 {
                halt(&switch);
            }
            order
        });
        let stopped = gateway.submit_batch(halted_at_50).unwrap();
        assert_eq!(stopped.len(), 100);
        assert!(stopped.iter().all(|decision| !decision.is_accepted()), "{stopped:?}");
        assert_eq!(gateway.engine.working_orders(), 100, "those of the first batch");
    }
}

#[test]
fn a_restart_goes_on_with_each_producers_number_and_a_durable_answer_is_on_disk() {
    let temp = tempfile::tempdir().unwrap();
    for round in 1..=3_u64 {
        let mut gateway = gateway(Some(temp.path()), ReleaseMode::Durable);
        let (intake, mut drain) = Intake::new().unwrap();
        // Opened in another order each time: the id belongs to the name.
        let mut names = ["a", "b"];
        names[..].rotate_left(round as usize % 2);
        for name in names {
            let producer = intake.open(&mut gateway, name).unwrap();
            assert_eq!(producer.id() - 16, u32::from(name != gateway_first(&gateway)));
            for _ in 0..10 {
                producer.post(&buy(1, 0), [0; 3]).unwrap();
            }
            drained(&mut drain, &mut gateway);
            let last = taken(&producer).last().unwrap().decision.seq;
            assert!(gateway.durable() > last);
        }
        assert_eq!(gateway.named, [10 * round, 10 * round]);
        if round == 2 {
            gateway.close().unwrap();
        }
        // Else dropped: the log is as after a crash.
    }
}

/// The name that came first in this log.
fn gateway_first(gateway: &Gateway) -> &str {
    gateway.engine.registry().name(RegisterKind::Actor, 1).unwrap()
}

#[test]
fn after_a_stop_nothing_is_taken_and_what_is_undecided_is_told() {
    let (mut gateway, intake, mut drain) = bare();
    let a = intake.open(&mut gateway, "a").unwrap();
    a.post(&buy(1, 0), [0; 3]).unwrap();
    drained(&mut drain, &mut gateway);
    a.post(&buy(1, 0), [0; 3]).unwrap();
    intake.stop();
    assert!(matches!(a.post(&buy(1, 0), [0; 3]), Err(GatewayError::Closed)));
    assert!(matches!(intake.open(&mut gateway, "b"), Err(GatewayError::Closed)));
    drop(drain);
    assert_eq!(taken(&a).len(), 1, "decided before the end");
    let told = a.take(1, Duration::from_secs(600));
    assert!(matches!(told, Err(GatewayError::Closed)), "one was not decided, and never will be");
}

#[test]
fn a_log_that_fails_fails_every_order_that_was_not_answered() {
    let (mut gateway, intake, mut drain) = bare();
    let a = intake.open(&mut gateway, "a").unwrap();
    a.post(&buy(1, 0), [0; 3]).unwrap();
    drained(&mut drain, &mut gateway);
    a.post(&buy(1, 0), [0; 3]).unwrap();
    let _ = gateway.fail("no room on the disk".to_owned());
    drained(&mut drain, &mut gateway);
    assert_eq!(taken(&a).len(), 1);
    let told = a.take(1, Duration::ZERO).unwrap_err();
    assert!(told.to_string().contains("no room on the disk"), "{told}");
    assert_eq!((told.code(), a.open()), ("LOG_FAILED", 0));
}

#[test]
fn a_thread_that_waits_for_what_was_posted_keeps_no_other_from_its_answer() {
    let (mut gateway, intake, mut drain) = bare();
    let a = intake.open(&mut gateway, "a").unwrap();
    a.post(&buy(1, 70), [0; 3]).unwrap();
    drained(&mut drain, &mut gateway);
    assert_eq!(taken(&a).len(), 1);
    // Not decided until the end: whoever waits for it waits.
    a.post(&buy(1, 71), [0; 3]).unwrap();
    std::thread::scope(|threads| {
        let poller = threads.spawn(|| a.take(1, Duration::from_secs(60)).unwrap());
        while !a.has_a_waiter() {
            std::thread::yield_now();
        }
        let caller = threads.spawn(|| a.submit(&cancel(70), [7; 3]).unwrap());
        while !drain.is_ready_for_cancels() {
            std::thread::yield_now();
        }
        drain.take_cancels(&mut gateway);
        drain.answer(&mut gateway);
        let answered = caller.join().unwrap();
        assert_eq!((answered.ticket, answered.tag), (2, [7; 3]));
        assert!(!poller.is_finished(), "it answered only when the other one had stopped waiting");
        drained(&mut drain, &mut gateway);
        assert_eq!(poller.join().unwrap()[0].ticket, 1, "and the other one goes on waiting");
    });
    assert_eq!(a.open(), 0);
}

#[test]
fn nobody_waits_for_answers_that_another_thread_will_take() {
    let (mut gateway, intake, mut drain) = bare();
    let a = intake.open(&mut gateway, "a").unwrap();
    std::thread::scope(|threads| {
        let caller = threads.spawn(|| a.submit(&buy(1, 0), [0; 3]).unwrap());
        while !drain.is_ready() {
            std::thread::yield_now();
        }
        assert!(a.take(1, Duration::from_secs(60)).unwrap().is_empty());
        assert!(!caller.is_finished());
        drained(&mut drain, &mut gateway);
        caller.join().unwrap();
    });
}

/// Four threads wait for each answer while a fifth drains: nobody waits for ever.
#[test]
fn threads_that_wait_are_all_answered() {
    const ROUNDS: u64 = 2_000;
    let (mut gateway, intake, drain) = bare();
    let producers: Vec<_> =
        (0..4).map(|n| intake.open(&mut gateway, &format!("p{n}")).unwrap()).collect();
    let gateway = std::sync::Mutex::new(gateway);
    std::thread::scope(|threads| {
        let server = threads.spawn(|| {
            serve(drain, |job| {
                job(&mut gateway.lock().unwrap());
                true
            });
        });
        let callers: Vec<_> = producers
            .iter()
            .map(|producer| {
                threads.spawn(move || {
                    for ticket in 0..ROUNDS {
                        let answered = producer.submit(&buy(1, 0), [7; 3]).unwrap();
                        assert_eq!((answered.ticket, answered.tag), (ticket, [7; 3]));
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.join().unwrap();
        }
        intake.stop();
        server.join().unwrap();
    });
    assert_eq!(gateway.lock().unwrap().named, [ROUNDS; 4]);
    assert!(matches!(producers[0].submit(&buy(1, 0), [0; 3]), Err(GatewayError::Closed)));
}
