//! What all honest members have at the end, whatever the order in which messages came.

use blstrs::G2Projective;
use cwts_threshold::ceremony::{CeremonyKind, Info, Input, MessageKind, Phase, Status};
use cwts_threshold::{BatchSecret, Committee, Error, partial_sign, recover, verify};
use proptest::prelude::*;

use crate::desk::{Desk, body_of, copy, kind_of, next_terms, people};

const MESSAGE: &[u8] = b"cwts/test/v1\0after a ceremony";

fn secret() -> BatchSecret {
    BatchSecret::new([5; 32])
}

/// Any t of the new members sign under the key, and fewer do not.
fn signs(desk: &Desk) {
    let output = desk.output();
    let shares = desk.shares();
    for share in &shares {
        output.sharing().check_share(share).unwrap();
    }
    let t = usize::from(output.sharing().committee().t());
    let parts: Vec<_> = shares.iter().map(|share| partial_sign(share, MESSAGE)).collect();
    let last = recover(output.sharing(), MESSAGE, &parts[parts.len() - t..], &secret()).unwrap();
    let first = recover(output.sharing(), MESSAGE, &parts[..t], &secret()).unwrap();
    assert_eq!(first.signature, last.signature);
    assert!(verify(output.sharing().key(), MESSAGE, &first.signature));
    assert_eq!(
        recover(output.sharing(), MESSAGE, &parts[1..t], &secret()).unwrap_err().code(),
        "NOT_ENOUGH_SHARES"
    );
}

#[test]
fn ten_members_make_a_key_that_nobody_holds() {
    let desk = Desk::new_key(10).honest();
    assert!(desk.all_in(Phase::Done));
    assert!(desk.faults().is_empty());
    let output = desk.output();
    assert_eq!((output.kind(), output.epoch()), (CeremonyKind::New, 1));
    assert_eq!(output.qualified().len(), 7);
    assert!(output.revealed().is_empty());
    assert_eq!(desk.shares().len(), 10);
    signs(&desk);
    // The key is the sum of the qualified dealers' constant terms, and of no others'.
    let constant = |dealer: &u16| {
        let vote = desk.people[usize::from(*dealer) - 1].vote();
        let mut dealings = desk.list.iter().filter(|bytes| kind_of(bytes) == MessageKind::Dealing);
        let dealing = dealings.find(|bytes| bytes[1..33] == vote).unwrap();
        let point: [u8; 96] = body_of(dealing)[..96].try_into().unwrap();
        G2Projective::from_compressed(&point).unwrap()
    };
    let sum: G2Projective = output.qualified().iter().map(constant).sum();
    assert_eq!(sum.to_compressed(), output.sharing().key().to_bytes());
    for node in &desk.nodes {
        assert_eq!(node.seen.wiped, 1);
        // Dealing, answer, log, head, activation.
        assert_eq!(node.seen.sent.len(), 5);
        assert!(node.seen.statuses.iter().all(|status| !matches!(status, Status::Refused { .. })));
    }
}

#[test]
fn a_refresh_keeps_the_key_and_makes_old_shares_useless() {
    let first = Desk::new_key(10).honest();
    let (old, old_shares) = (first.output(), first.shares());
    let people = people(0..10);
    let info = Info::new(next_terms(&old, &people, &people, 2)).unwrap();
    assert_eq!(info.kind(), CeremonyKind::Refresh);
    let desk = Desk::of(info, people, Some(&old), &old_shares).honest();
    let new = desk.output();
    assert_eq!(new.sharing().key(), old.sharing().key());
    assert_eq!(new.epoch(), 2);
    signs(&desk);
    let new_shares = desk.shares();
    // Four old ones and six new ones: the epoch is refused, and without it the sum is no signature.
    let mut mixed: Vec<_> =
        new_shares[..6].iter().map(|share| partial_sign(share, MESSAGE)).collect();
    let stale = partial_sign(&old_shares[6], MESSAGE);
    let with = |partial| [&mixed[..], &[partial]].concat();
    let error = recover(new.sharing(), MESSAGE, &with(stale), &secret()).unwrap_err();
    assert_eq!(error, Error::WrongEpoch { got: 1, want: 2 });
    let relabelled = cwts_threshold::Partial::parse(&stale.to_bytes(), 7, 2).unwrap();
    mixed.push(relabelled);
    let error = recover(new.sharing(), MESSAGE, &mixed, &secret()).unwrap_err();
    assert_eq!(error, Error::NotEnoughShares { have: 6, need: 7, blamed: vec![7] });
    for (old, new) in old_shares.iter().zip(&new_shares) {
        assert_ne!(*old.export(), *new.export());
    }
}

#[test]
fn a_lost_member_is_replaced_and_a_committee_grows() {
    let first = Desk::new_key(10).honest();
    let (old, mut old_shares) = (first.output(), first.shares());
    let dealers = people(0..10);
    // One is lost with its share, three leave, others come; members' numbers change.
    for (players, n) in [(people(1..11), 10), (people(3..16), 13)] {
        let info = Info::new(next_terms(&old, &dealers, &players, 2)).unwrap();
        let moved = dealers.iter().enumerate().any(|(at, person)| {
            players
                .iter()
                .position(|other| other.vote() == person.vote())
                .is_some_and(|to| to != at)
        });
        assert!(moved, "somebody has another index than before");
        let mut all = dealers.clone();
        all.retain(|person| players.iter().all(|other| other.vote() != person.vote()));
        all.extend(players);
        let lost = old_shares.iter().position(|share| share.index() == 3).unwrap();
        let kept = copy(&old_shares[lost]);
        old_shares.remove(lost);
        let desk = Desk::of(info, all, Some(&old), &old_shares).honest();
        old_shares.push(kept);
        let new = desk.output();
        assert_eq!(new.sharing().key(), old.sharing().key());
        assert_eq!(new.sharing().committee(), &Committee::new(n, Committee::quorum(n), 2).unwrap());
        assert!(!new.qualified().contains(&3));
        assert!(desk.faults().is_empty());
        signs(&desk);
    }
}

#[test]
fn three_silent_members_are_listed_and_no_more() {
    let mut desk = Desk::new_key(10);
    desk.run(&mut |from, _, bytes| if from < 3 { Vec::new() } else { vec![bytes] });
    assert!(desk.all_in(Phase::Done));
    assert_eq!(desk.output().revealed(), [1, 2, 3]);
    assert!(desk.faults().is_empty());
    // They followed the list, so they have their shares all the same.
    assert_eq!(desk.shares().len(), 10);
    signs(&desk);
    let mut desk = Desk::new_key(10);
    desk.run(&mut |from, _, bytes| if from < 4 { Vec::new() } else { vec![bytes] });
    assert!(desk.all_in(Phase::Deal), "six dealings close no round");
    let node = &mut desk.sequencer;
    node.step(Input::Timeout);
    let Some(Status::Waiting { missing, .. }) = node.seen.statuses.last() else { panic!() };
    assert_eq!(missing.len(), 4);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn any_order_gives_everybody_one_key(n in 1u64..=8, order: u64) {
        let desk = Desk::new_key(n).ordered(order).honest();
        prop_assert!(desk.all_in(Phase::Done));
        prop_assert!(desk.faults().is_empty());
        signs(&desk);
    }
}
