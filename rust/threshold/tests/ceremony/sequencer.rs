//! What whoever orders the messages may do, and what it can't.

use cwts_threshold::ceremony::{
    Cause, FaultKind, Input, MessageKind, Party, Phase, Refusal, Status, verify_transcript,
};

use sha2::{Digest as _, Sha256};

use crate::desk::{Desk, body_of, forge, sequencer};

/// The running digest behind these entries.
fn running(desk: &Desk, entries: &[Vec<u8>]) -> [u8; 32] {
    let hash = |parts: &[&[u8]]| -> [u8; 32] {
        Sha256::digest([&[&b"cwts/ceremony-list/v1\0"[..]], parts].concat().concat()).into()
    };
    entries.iter().fold(hash(&[&desk.info.digest()]), |digest, entry| {
        hash(&[&digest, &Sha256::digest(entry)])
    })
}

fn close(desk: &Desk, round: u8, entries: &[Vec<u8>], digest: [u8; 32]) -> Vec<u8> {
    let body = [&[round][..], &(entries.len() as u64).to_le_bytes(), &digest].concat();
    forge(MessageKind::Close, &desk.info, &sequencer(), &body)
}

#[test]
fn a_round_is_closed_by_n_minus_f_and_not_by_a_clock() {
    let mut desk = Desk::new_key(4);
    let dealings: Vec<Vec<u8>> =
        desk.nodes.iter_mut().map(|node| node.step(Input::Start).swap_remove(0)).collect();
    for (pos, dealing) in dealings[..2].iter().enumerate() {
        desk.sequencer.deliver(pos, dealing);
    }
    desk.sequencer.step(Input::Timeout);
    assert!(desk.sequencer.take_append().is_none(), "two of four close nothing");
    desk.sequencer.deliver(2, &dealings[2]);
    assert!(desk.sequencer.take_append().is_none(), "it waits for the fourth");
    desk.sequencer.step(Input::Timeout);
    let closed = desk.sequencer.take_append().unwrap();
    assert_eq!(closed, close(&desk, 1, &dealings[..3], running(&desk, &dealings[..3])));
    let refused = |node: &mut crate::desk::Node, entries: &[Vec<u8>], close: &[u8]| {
        entries.iter().enumerate().for_each(|(pos, entry)| drop(node.deliver(pos, entry)));
        node.deliver(entries.len(), close);
        match node.seen.statuses.last() {
            Some(Status::Refused { why, .. }) => Some(*why),
            _ => None,
        }
    };
    let early = close(&desk, 1, &dealings[..2], running(&desk, &dealings[..2]));
    let other = close(&desk, 1, &dealings[..3], running(&desk, &dealings[1..]));
    let later = close(&desk, 2, &dealings[..3], running(&desk, &dealings[..3]));
    let [a, b, c, d] = &mut desk.nodes[..] else { panic!("four") };
    let why = Refusal::CloseEarly { have: 2, need: 3 };
    assert_eq!(refused(a, &dealings[..2], &early), Some(why));
    assert_eq!(refused(b, &dealings[..3], &other), Some(Refusal::CloseMismatch));
    assert_eq!(refused(c, &dealings[..3], &later), Some(Refusal::Early));
    assert_eq!(refused(d, &dealings[..3], &closed), None);
    assert_eq!(d.ceremony.phase(), Phase::Answer);
    // Its word was given: a second one for the round convicts it.
    b.deliver(4, &closed);
    assert_eq!(b.seen.failed.as_ref().unwrap().0, Cause::SequencerEquivocated);
}

/// Two lists of the same members: the sequencer signs a close of each.
fn two_lists() -> (Desk, Desk) {
    let mut left = Desk::new_key(4);
    let hold_heads = |_: usize, kind, bytes: Vec<u8>| {
        if kind == MessageKind::Head { Vec::new() } else { vec![bytes] }
    };
    left.run(&mut { hold_heads });
    let mut right = Desk::new_key(4).ordered(5);
    right.run(&mut { hold_heads });
    assert!(left.all_in(Phase::Agree) && right.all_in(Phase::Agree));
    (left, right)
}

#[test]
fn two_lists_convict_the_sequencer_wherever_they_meet() {
    let (mut left, right) = two_lists();
    let [head] = &right.nodes[1].seen.broadcast[..] else { panic!("one head") };
    // Beside the list, from a peer.
    left.nodes[0].step(Input::Heard { bytes: head });
    let (cause, faults, _) = left.nodes[0].seen.failed.as_ref().unwrap();
    assert_eq!(*cause, Cause::SequencerEquivocated);
    assert_eq!((faults[0].member, faults[0].kind), (Party::Sequencer, FaultKind::Equivocation));
    assert_eq!(faults[0].proof.len(), 2);
    // And an auditor sees it.
    let judged = verify_transcript(&left.nodes[0].ceremony.transcript()).unwrap();
    assert_eq!(judged.faults, *faults);
    assert_eq!(judged.phase, Phase::Failed);
    // In the list, as a member's head; or the second close itself.
    let pos = left.list.len();
    left.nodes[1].deliver(pos, head);
    left.nodes[2].deliver(pos, body_of(head));
    for node in &left.nodes[1..3] {
        let (_, faults, _) = node.seen.failed.as_ref().unwrap();
        assert_eq!((faults[0].member, faults[0].kind), (Party::Sequencer, FaultKind::Equivocation));
        assert!(node.seen.activated.is_none());
    }
    // One's own head proves nothing.
    let own = left.nodes[3].seen.broadcast[0].clone();
    left.nodes[3].step(Input::Heard { bytes: &own });
    assert!(left.nodes[3].seen.failed.is_none());
}

#[test]
fn nobody_but_the_sequencer_can_convict_it() {
    let (mut left, right) = two_lists();
    let head = &right.nodes[1].seen.broadcast[0];
    let mut close = body_of(head).to_vec();
    let at = close.len() - 1;
    close[at] ^= 1;
    let liar = &left.people[1];
    let framed = forge(MessageKind::Head, &left.info, liar, &close);
    left.nodes[0].step(Input::Heard { bytes: &framed });
    let pos = left.list.len();
    left.nodes[0].deliver(pos, &framed);
    let usurped = forge(MessageKind::Close, &left.info, liar, body_of(body_of(head)));
    left.nodes[0].step(Input::Heard { bytes: &usurped });
    assert!(left.nodes[0].ceremony.faults().is_empty());
    assert_eq!(left.nodes[0].ceremony.phase(), Phase::Agree);
}

#[test]
fn an_answer_given_to_one_list_convicts_the_sequencer_in_another() {
    // It hides member 4's answer from an auditor, so that the logs seem to hold shares back.
    let honest = Desk::new_key(4).honest();
    let mut other = Desk::new_key(4).ordered(5);
    let answer = honest.nodes[0].seen.sent[1].clone();
    let log = honest.nodes[0].seen.sent[2].clone();
    for (kind, told) in [(MessageKind::Answer, answer), (MessageKind::DealerLog, log)] {
        let mut told = Some(told);
        other.run(&mut |from, what, bytes| match (from, what) {
            (0, _) if what == kind => told.take().into_iter().collect(),
            _ => vec![bytes],
        });
        assert!(other.all_in(Phase::Failed), "{kind:?}");
        assert_eq!(other.faults(), [(Party::Sequencer, FaultKind::Equivocation)], "{kind:?}");
        other = Desk::new_key(4).ordered(5);
    }
}

#[test]
fn heads_of_two_lists_do_not_add_up() {
    // Half the members saw one list, half the other: neither goes on, and no share signs.
    let (mut left, _) = two_lists();
    let pos = left.list.len();
    let heads: Vec<_> = left.nodes[..2].iter().map(|node| node.seen.broadcast[0].clone()).collect();
    for (at, head) in heads.iter().enumerate() {
        assert!(left.nodes[2].deliver(pos + at, head).is_empty());
    }
    assert_eq!(left.nodes[2].ceremony.phase(), Phase::Agree);
}

#[test]
fn it_can_give_up_and_the_old_epoch_goes_on() {
    let mut desk = Desk::new_key(4);
    desk.nodes[0].step(Input::GiveUp);
    assert!(desk.nodes[0].take_append().is_none(), "a member can't");
    desk.sequencer.step(Input::GiveUp);
    let abort = desk.sequencer.take_append().unwrap();
    desk.nodes[0].deliver(0, &abort);
    let (cause, faults, missing) = desk.nodes[0].seen.failed.as_ref().unwrap();
    assert_eq!((*cause, faults.len(), missing.len()), (Cause::Aborted, 0, 4));
    desk.nodes[0].deliver(1, &abort);
    assert!(matches!(
        desk.nodes[0].seen.statuses.last(),
        Some(Status::Refused { why: Refusal::Over, .. })
    ));
}

#[test]
fn entries_come_in_order_and_a_gap_is_told() {
    let mut desk = Desk::new_key(4);
    let dealing = desk.nodes[0].step(Input::Start).swap_remove(0);
    let node = &mut desk.nodes[1];
    node.deliver(3, &dealing);
    assert_eq!(node.seen.statuses.last(), Some(&Status::Gap { want: 0, got: 3 }));
    node.deliver(0, &dealing);
    let told = node.seen.statuses.len();
    node.deliver(0, &dealing);
    assert_eq!(node.seen.statuses.len(), told, "again is nothing");
    assert_eq!(node.ceremony.next_pos(), 1);
}

#[test]
fn a_list_has_a_bound() {
    let mut desk = Desk::new_key(4);
    let node = &mut desk.nodes[0];
    for pos in 0..cwts_threshold::ceremony::ENTRIES_MAX {
        node.deliver(pos, &[]);
    }
    assert_eq!(node.ceremony.phase(), Phase::Deal);
    node.deliver(cwts_threshold::ceremony::ENTRIES_MAX, &[]);
    assert_eq!(node.seen.failed.as_ref().unwrap().0, Cause::ListFull);
}
