//! A member, or the sequencer, that dies and comes back with its seed and the list.

use cwts_threshold::ceremony::{Ceremony, CeremonyError, CeremonyRole, Info, Input, Phase};

use crate::desk::{Desk, Node, Person, body_of, ceremony, new_terms, next_terms, people};

/// At every place of the list: one of them in turn, and all at once.
fn everywhere(make: impl Fn() -> Desk) {
    let whole = make().honest();
    let output = whole.output().digest();
    let shares = whole.shares();
    for at in 1..=whole.list.len() {
        let (all, one) = (whole.people.len() + 1, at % (whole.people.len() + 1));
        for who in [one..one + 1, 0..all] {
            let mut desk = make();
            desk.crash = Some((at, who.clone()));
            let desk = desk.honest();
            assert!(desk.all_in(Phase::Done), "{who:?} at {at}");
            assert!(desk.nodes.iter().all(|node| node.ceremony.faults().is_empty()));
            for (one, other) in shares.iter().zip(desk.shares()) {
                desk.output().sharing().check_share(&other).unwrap();
                assert_eq!(one.index(), other.index());
            }
            if desk.list == whole.list {
                assert_eq!(desk.output().digest(), output);
            }
        }
    }
}

#[test]
fn a_new_key_survives_each_crash() {
    everywhere(|| Desk::new_key(4));
}

#[test]
fn a_refresh_survives_each_crash() {
    let first = Desk::new_key(4).honest();
    let (old, shares) = (first.output(), first.shares());
    let info = Info::new(next_terms(&old, &people(0..4), &people(0..4), 2)).unwrap();
    everywhere(|| Desk::of(info.clone(), people(0..4), Some(&old), &shares));
}

#[test]
fn one_seed_deals_once_a_ceremony_and_never_the_same_twice() {
    let members = people(0..4);
    let dealt = |number: u64, old_epoch: u64| {
        let mut terms = new_terms(&members, number);
        terms.old_epoch = old_epoch;
        let info = Info::new(terms).unwrap();
        let mut node = Node::new(ceremony(&info, &members[0], None, &[]).unwrap());
        body_of(&node.step(Input::Start)[0]).to_vec()
    };
    let first = dealt(1, 0);
    assert_eq!(dealt(1, 0), first);
    for other in [dealt(2, 0), dealt(1, 1)] {
        // Nothing in common: no commitment, no proof, no point, no ciphertext.
        let common = first.windows(16).any(|part| other.windows(16).any(|same| same == part));
        assert!(!common);
    }
}

#[test]
fn a_member_without_its_journal_can_not_take_part() {
    let mut desk = Desk::new_key(4);
    let seed = Person::new(77).seed();
    let lost = Ceremony::new(
        CeremonyRole::Member,
        desk.info.clone(),
        seed,
        desk.people[2].key.clone(),
        None,
    );
    assert_eq!(lost.err(), Some(CeremonyError::WrongSeed));
    desk.run(&mut |from, _, bytes| if from == 2 { Vec::new() } else { vec![bytes] });
    assert!(desk.faults().is_empty());
    assert_eq!(desk.output().revealed(), [3]);
}
