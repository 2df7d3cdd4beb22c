//! What round 0 refuses, and what is read back.

use cwts_threshold::Share;
use cwts_threshold::ceremony::{
    CeremonyError, Info, MEMBER_BYTES, MemberKeys, Output, Party, Terms, verify_transcript,
};
use proptest::prelude::*;

use crate::desk::{
    CHAIN, Desk, Person, altered, ceremony, new_terms, next_terms, people, sequencer,
};

fn refused(terms: Terms) -> String {
    Info::new(terms).unwrap_err().to_string()
}

#[test]
fn the_information_is_canonical() {
    let info = Info::new(new_terms(&people(0..4), 1)).unwrap();
    let bytes = info.to_bytes();
    let read = Info::parse(bytes).unwrap();
    assert_eq!((&read, read.digest()), (&info, info.digest()));
    // The order in which members are given is nothing.
    let mut members = people(0..4);
    members.reverse();
    assert_eq!(Info::new(new_terms(&members, 1)).unwrap().digest(), info.digest());
    for at in 0..bytes.len() {
        let mut other = bytes.to_vec();
        other[at] ^= 1;
        if let Ok(other) = Info::parse(&other) {
            assert_ne!(other.digest(), info.digest(), "byte {at}");
        }
    }
    for length in [0, bytes.len() - 1, bytes.len() + 1] {
        let mut other = bytes.to_vec();
        other.resize(length, 0);
        assert!(Info::parse(&other).is_err());
    }
    // Members out of order, a member twice.
    let first = bytes.len() - 8 * MEMBER_BYTES;
    let mut swapped = bytes.to_vec();
    let (left, right) = swapped[first..].split_at_mut(MEMBER_BYTES);
    left.swap_with_slice(&mut right[..MEMBER_BYTES]);
    assert_eq!(Info::parse(&swapped).unwrap_err().code(), "MEMBER");
    let mut twice = bytes.to_vec();
    twice.copy_within(first..first + MEMBER_BYTES, first + MEMBER_BYTES);
    assert_eq!(Info::parse(&twice).unwrap_err().code(), "MEMBER");
}

#[test]
fn what_no_ceremony_is_about_is_refused() {
    let members = people(0..4);
    let terms = || new_terms(&members, 1);
    let mut none = terms();
    (none.dealers, none.players) = (Vec::new(), Vec::new());
    assert!(refused(none).contains("players: 0"));
    let many: Vec<MemberKeys> = people(0..129).iter().map(|person| person.keys(1)).collect();
    let mut full = terms();
    (full.dealers, full.players) = (many.clone(), many[..].to_vec());
    assert!(refused(full).contains("129"));
    let mut full = terms();
    (full.dealers, full.players) = (many[..128].to_vec(), many[..128].to_vec());
    assert_eq!(Info::new(full).unwrap().t(), 86);
    let mut others = terms();
    others.players.pop();
    assert!(refused(others).contains("dealers: are not the players"));
    let mut last = terms();
    last.old_epoch = u64::MAX;
    assert!(refused(last).contains("new epoch"));
    let mut previous = terms();
    previous.previous = [1; 32];
    assert!(refused(previous).contains("previous output"));
    let mut weak = terms();
    weak.sequencer = [0; 32];
    assert!(refused(weak).contains("sequencer"));
    // An encryption key of another number, of another member, of a stranger.
    let mut old_number = terms();
    old_number.dealers[1] = members[1].keys(2);
    old_number.players = old_number.dealers.clone();
    assert!(refused(old_number).contains("is not proven for this member and number"));
    let stolen = |bytes: &mut Vec<u8>| bytes[..32].copy_from_slice(&Person::new(50).vote());
    let mut bytes = members[1].keys(1).to_bytes();
    stolen(&mut bytes);
    let mut thief = terms();
    thief.dealers[2] = MemberKeys::parse(&bytes).unwrap();
    thief.players = thief.dealers.clone();
    assert!(refused(thief).contains("has another member's encryption key"));
    let mut thief = terms();
    thief.dealers[1] = MemberKeys::parse(&bytes).unwrap();
    thief.players = thief.dealers.clone();
    assert!(refused(thief).contains("is not proven"));
    // t is what n says.
    let mut bytes = Info::new(terms()).unwrap().to_bytes().to_vec();
    let t = 8 + 2 + 2 + 32 + 24 + 2;
    assert_eq!(bytes[t], 3);
    for wrong in [0, 2, 4, 5] {
        bytes[t] = wrong;
        assert!(Info::parse(&bytes).unwrap_err().to_string().contains("t: is not n - f"));
    }
}

#[test]
fn an_encryption_key_is_used_once() {
    let members = people(0..4);
    let info = Info::new(new_terms(&members, 2)).unwrap();
    info.check_fresh(&[members[0].keys(1).enc(), Person::new(9).keys(2).enc()]).unwrap();
    let known = [members[2].keys(2).enc()];
    let error = info.check_fresh(&known).unwrap_err();
    assert!(error.to_string().contains("dealer 3"), "{error}");
}

#[test]
fn a_refresh_goes_on_from_one_output() {
    let first = Desk::new_key(4).honest();
    let other = Desk::new_key(5).honest();
    let (old, shares) = (first.output(), first.shares());
    let members = people(0..4);
    let next = |alter: &dyn Fn(&mut Terms)| {
        let mut terms = next_terms(&old, &members, &members, 2);
        alter(&mut terms);
        Info::new(terms).unwrap()
    };
    let reason = |info: &Info, output: Option<&Output>| match info.check_previous(output) {
        Err(CeremonyError::Previous { reason }) => reason,
        other => panic!("{other:?}"),
    };
    let info = next(&|_| {});
    info.check_previous(Some(&old)).unwrap();
    assert_eq!(reason(&info, None), "is needed");
    assert_eq!(reason(&info, Some(&other.output())), "has another digest");
    assert_eq!(reason(&next(&|terms| terms.old_epoch = 2), Some(&old)), "is of another epoch");
    assert_eq!(reason(&first.info, Some(&old)), "a new key has none");
    let mut terms = next_terms(&old, &members, &members, 1);
    let same_number = Info::new(terms.clone()).unwrap();
    assert_eq!(reason(&same_number, Some(&old)), "has no smaller number");
    terms.number = 2;
    // A dealer that was not in the old set; an old member that is left out.
    for dealers in [people(1..5), people(0..3)] {
        let info = Info::new(next_terms(&old, &dealers, &members, 2)).unwrap();
        assert_eq!(reason(&info, Some(&old)), "its members are not the dealers");
    }
    // A share of another member, or of another key.
    let swapped: Vec<Share> = vec![Share::parse(&*shares[1].export(), 1, 1).unwrap()];
    let error = ceremony(&info, &members[0], Some(&old), &swapped).err().unwrap();
    assert_eq!(error.code(), "SHARE_MISMATCH");
    let stranger = ceremony(&info, &Person::new(50), Some(&old), &[]).err();
    assert_eq!(stranger, Some(CeremonyError::NoPart));
    let sequencer = ceremony(&info, &sequencer(), Some(&old), &[]).err();
    assert_eq!(sequencer, Some(CeremonyError::NoPart), "it is no member");
}

#[test]
fn an_output_is_read_back_or_refused_whole() {
    let output = Desk::new_key(4).honest().output();
    let bytes = output.to_bytes();
    let read = Output::parse(&bytes).unwrap();
    assert_eq!((read.to_bytes(), read.digest()), (bytes.clone(), output.digest()));
    assert_eq!((read.chain(), read.number(), read.epoch()), (CHAIN, 1, 1));
    for length in 0..bytes.len() {
        assert!(Output::parse(&bytes[..length]).is_err());
    }
    for at in 0..bytes.len() {
        let mut other = bytes.clone();
        other[at] ^= 1;
        if let Ok(other) = Output::parse(&other) {
            assert_ne!(other.digest(), output.digest());
            assert_eq!(Output::parse(&other.to_bytes()).unwrap().digest(), other.digest());
        }
    }
}

/// Transcripts of one honest ceremony, and of one with a fault in it.
fn transcripts() -> &'static [Vec<u8>; 2] {
    static ONCE: std::sync::OnceLock<[Vec<u8>; 2]> = std::sync::OnceLock::new();
    ONCE.get_or_init(|| {
        let honest = Desk::new_key(4).honest();
        let first = honest.output();
        let info = Info::new(next_terms(&first, &people(0..4), &people(1..6), 2)).unwrap();
        let all = people(0..6);
        let reshare = Desk::of(info, all, Some(&first), &honest.shares()).honest();
        [honest, reshare].map(|desk| desk.nodes[0].ceremony.transcript())
    })
}

#[test]
fn a_transcript_is_whole_or_refused() {
    for transcript in transcripts() {
        let judged = verify_transcript(transcript).unwrap();
        assert!(judged.output.is_some() && judged.certificate.is_some());
        for length in [0, 1, 9, transcript.len() / 2, transcript.len() - 1] {
            assert!(verify_transcript(&transcript[..length]).is_err());
        }
        assert!(verify_transcript(&[&transcript[..], &[0]].concat()).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is changed in it, nobody honest is blamed and no other key comes out.
    #[test]
    fn a_mutated_transcript_blames_nobody(
        which in 0usize..2,
        changes in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..4),
    ) {
        let mut transcript = transcripts()[which].clone();
        let whole = verify_transcript(&transcript).unwrap().output.unwrap();
        for (at, mask) in changes {
            let at = at.index(transcript.len());
            transcript[at] ^= mask;
        }
        if let Ok(judged) = verify_transcript(&transcript) {
            prop_assert!(judged.faults.is_empty());
            if let (Some(output), Some(_)) = (judged.output, judged.certificate) {
                prop_assert_eq!(output.digest(), whole.digest());
            }
        }
    }

    #[test]
    fn no_bytes_make_a_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Info::parse(&bytes);
        let _ = Output::parse(&bytes);
        let _ = MemberKeys::parse(&bytes);
        let _ = verify_transcript(&bytes);
        let mut desk = Desk::new_key(1);
        desk.nodes[0].deliver(0, &bytes);
    }

    /// Signed by a member, so that it gets as far as a message can.
    #[test]
    fn no_body_makes_a_member_panic(
        kind in 0usize..7,
        change in any::<prop::sample::Index>(),
        mask in 1u8..,
        cut in any::<prop::sample::Index>(),
        cuts: bool,
    ) {
        let mut desk = Desk::new_key(2);
        let (info, people) = (desk.info.clone(), desk.people.clone());
        desk.run(&mut |from, what, bytes| {
            if from != 0 || what as usize != kind + 1 {
                return vec![bytes];
            }
            vec![altered(&bytes, &info, &people[0], |body| {
                if cuts {
                    body.truncate(cut.index(body.len().max(1)));
                } else if !body.is_empty() {
                    let at = change.index(body.len());
                    body[at] ^= mask;
                }
            })]
        });
        let faults = desk.faults();
        let is_liar = |party| matches!(party, Party::Dealer(1) | Party::Player(1));
        let others = faults.iter().filter(|(party, _)| !is_liar(*party)).count();
        prop_assert_eq!(others, 0);
    }
}
