//! Each way to cheat in a round, and what exactly it is called. The others always get their key.

use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _};
use cwts_proofs::{Point, Secret, shared_point};
use cwts_threshold::PublicKey;
use cwts_threshold::ceremony::{
    Cause, Cell, FaultKind, Info, Input, MessageKind, Output, Party, Phase, Refusal,
};

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::desk::{
    CLOSE, Desk, Node, Person, altered, body_of, ceremony, forge, kind_of, new_terms, next_terms,
    people, sequencer,
};

const N: u64 = 4;
const T: usize = 3;
/// Where the proof, and where a player's encrypted share stands in a dealing of a new key.
const PROOF: usize = 96 * T;
const fn sealed(player: usize) -> usize {
    PROOF + 64 + 80 * (player - 1)
}

type Alter = fn(&mut Vec<u8>);

/// Member 1 cheats with one kind of message.
fn cheated(mut desk: Desk, kind: MessageKind, alter: impl Fn(&mut Vec<u8>)) -> Desk {
    let (info, liar) = (desk.info.clone(), desk.people[0].clone());
    desk.run(&mut |from, what, bytes| {
        if from == 0 && what == kind {
            vec![altered(&bytes, &info, &liar, &alter)]
        } else {
            vec![bytes]
        }
    });
    desk
}

fn lives(desk: &Desk) -> Output {
    let output = desk.output();
    assert!(desk.sequencer.ceremony.phase() == Phase::Done);
    for share in desk.shares() {
        output.sharing().check_share(&share).unwrap();
    }
    output
}

/// On the curve, outside the subgroup.
fn outside() -> Vec<u8> {
    (0u8..=255)
        .map(|x| [&[0x80][..], &[0; 94], &[x]].concat())
        .find(|point| {
            PublicKey::parse(point).is_err_and(|error| error.to_string().contains("subgroup"))
        })
        .unwrap()
}

#[test]
fn a_false_dealing_is_named_and_left_out() {
    use FaultKind::{BadDealing, BadProof};
    let cases: [(&str, FaultKind, Alter); 14] = [
        ("bad share", BadDealing, |body| body[sealed(2) + 32] ^= 1),
        ("bad tag", BadDealing, |body| body[sealed(3) + 64] ^= 1),
        ("replaced share", BadDealing, |body| {
            let (left, right) = body.split_at_mut(sealed(3));
            left[sealed(2)..].swap_with_slice(&mut right[..80]);
        }),
        ("degree t", BadDealing, |body| {
            let more = body[..96].to_vec();
            body.splice(96..96, more).for_each(drop);
        }),
        ("degree t - 2", BadDealing, |body| body.drain(96..192).for_each(drop)),
        ("identity", BadDealing, |body| {
            body[..96].fill(0);
            body[0] = 0xC0;
        }),
        ("identity on top", BadDealing, |body| {
            body[PROOF - 96..PROOF].fill(0);
            body[PROOF - 96] = 0xC0;
        }),
        ("outside the subgroup", BadDealing, |body| body[96..192].copy_from_slice(&outside())),
        ("another polynomial", BadDealing, |body| body.copy_within(..96, 96)),
        ("no point to decrypt with", BadDealing, |body| body[sealed(4)..][..32].fill(0)),
        ("bytes behind", BadDealing, |body| body.push(0)),
        ("nothing", BadDealing, Vec::clear),
        ("a constant term that it does not know", BadProof, |body| body.copy_within(96..192, 0)),
        ("false proof", BadProof, |body| body[PROOF + 63] ^= 1),
    ];
    for (name, kind, alter) in cases {
        let desk = cheated(Desk::new_key(N), MessageKind::Dealing, alter);
        assert_eq!(desk.faults(), [(Party::Dealer(1), kind)], "{name}");
        let output = lives(&desk);
        assert!(!output.qualified().contains(&1), "{name}");
        assert!(output.revealed().is_empty(), "{name}: one who complains rightly hides nothing");
    }
}

/// What a dealer that follows the letter of encryption can send: any 32 bytes, under any key that
/// the player will derive. Written from the design's text, beside the code that is tested.
fn encrypted(info: &Info, dealing: &[u8], dealer: u16, player: u16, share: [u8; 32]) -> Vec<u8> {
    let ephemeral = Secret::generate(&cwts_proofs::Seed::new(&Zeroizing::new([5; 32])));
    let enc = info.players()[usize::from(player) - 1].enc();
    let shared = shared_point(&ephemeral, &Point::parse(&enc, "key").unwrap()).unwrap();
    let point = ephemeral.public().unwrap().to_bytes();
    let mut key = [0; 32];
    let parts: [&[u8]; 4] =
        [b"cwts/ceremony-share/v1", &dealer.to_le_bytes(), &player.to_le_bytes(), &point];
    hkdf::Hkdf::<Sha256>::new(Some(&info.digest()), &shared.to_bytes())
        .expand_multi_info(&parts, &mut key)
        .unwrap();
    let bound = [&b"cwts/ceremony-commitments/v1\0"[..], &dealing[..PROOF]].concat();
    let mut sealed = share;
    let tag = ChaCha20Poly1305::new((&key).into())
        .encrypt_inout_detached(&[0; 12].into(), &Sha256::digest(bound), (&mut sealed[..]).into())
        .unwrap();
    [&point[..], &sealed, &tag].concat()
}

#[test]
fn a_share_off_the_polynomial_is_found_by_who_opens_it() {
    let one: [u8; 32] = std::array::from_fn(|at| u8::from(at == 31));
    for share in [one, [0; 32], [0xFF; 32]] {
        let mut desk = Desk::new_key(N);
        let (info, liar) = (desk.info.clone(), desk.people[0].clone());
        desk.run(&mut |from, kind, bytes| {
            if from != 0 || kind != MessageKind::Dealing {
                return vec![bytes];
            }
            vec![altered(&bytes, &info, &liar, |body| {
                let sealed_share = encrypted(&info, body, 1, 2, share);
                body[sealed(2)..sealed(3)].copy_from_slice(&sealed_share);
            })]
        });
        assert_eq!(desk.faults(), [(Party::Dealer(1), FaultKind::BadDealing)]);
        assert!(lives(&desk).revealed().is_empty());
        let complained = desk.nodes[2].ceremony.progress().cells[0][1];
        assert_eq!(complained, Cell::Complained);
    }
}

#[test]
fn a_dealing_is_its_senders_and_nobody_elses() {
    // Member 1 repeats what member 2 dealt, with its constant term, proof and ciphertexts.
    let mut desk = Desk::new_key(N);
    let (info, liar) = (desk.info.clone(), desk.people[0].clone());
    let mut other = Node::new(ceremony(&info, &desk.people[1], None, &[]).unwrap());
    let theirs = other.step(Input::Start).swap_remove(0);
    desk.run(&mut |from, kind, bytes| {
        if from == 0 && kind == MessageKind::Dealing {
            vec![forge(kind, &info, &liar, body_of(&theirs))]
        } else {
            vec![bytes]
        }
    });
    assert_eq!(desk.faults(), [(Party::Dealer(1), FaultKind::BadProof)]);
    lives(&desk);
}

#[test]
fn a_refresh_with_another_constant_term_is_a_wrong_old_share() {
    let first = Desk::new_key(N).honest();
    let old = first.output();
    let info = Info::new(next_terms(&old, &first.people, &first.people, 2)).unwrap();
    let desk = Desk::of(info, people(0..N), Some(&old), &first.shares());
    let desk = cheated(desk, MessageKind::Dealing, |body| body.copy_within(96..192, 0));
    assert_eq!(desk.faults(), [(Party::Dealer(1), FaultKind::WrongOldShare)]);
    assert_eq!(lives(&desk).sharing().key(), old.sharing().key());
}

#[test]
fn two_messages_of_a_kind_are_equivocation() {
    for (kind, member) in [
        (MessageKind::Dealing, Party::Dealer(1)),
        (MessageKind::Answer, Party::Player(1)),
        (MessageKind::DealerLog, Party::Dealer(1)),
        (MessageKind::Activation, Party::Player(1)),
    ] {
        let mut desk = Desk::new_key(N);
        let (info, liar) = (desk.info.clone(), desk.people[0].clone());
        desk.run(&mut |from, what, bytes| {
            if from != 0 || what != kind {
                return vec![bytes];
            }
            let second = altered(&bytes, &info, &liar, |body| body.push(0));
            // The second comes once more: one fault is enough.
            vec![bytes, second.clone(), second]
        });
        assert_eq!(desk.faults(), [(member, FaultKind::Equivocation)], "{kind:?}");
        lives(&desk);
    }
}

#[test]
fn silence_is_no_fault_and_the_share_is_shown() {
    let mut desk = Desk::new_key(N);
    desk.run(&mut |from, kind, bytes| {
        if from == 0 && kind == MessageKind::Answer { Vec::new() } else { vec![bytes] }
    });
    assert!(desk.faults().is_empty());
    assert_eq!(lives(&desk).revealed(), [1]);
    assert_eq!(desk.shares().len(), 4);
    let late = &desk.nodes[0].seen.sent[1];
    assert_eq!(desk.sequencer.ceremony.admit(late), Err(Refusal::Late));
}

#[test]
fn an_answer_that_leaves_something_out_is_none() {
    let cases: [(&str, Alter); 7] = [
        ("nothing", Vec::clear),
        ("another dealing", |body| body[5] ^= 1),
        ("index 0", |body| body[2..4].fill(0)),
        ("twice the same dealer", |body| body.copy_within(2..4, 37)),
        ("one dealer less", |body| {
            body[0] -= 1;
            body.truncate(body.len() - 35);
        }),
        ("no verdict", |body| body[4] = 2),
        ("bytes behind", |body| body.push(0)),
    ];
    for (name, alter) in cases {
        let desk = cheated(Desk::new_key(N), MessageKind::Answer, alter);
        assert!(desk.faults().is_empty(), "{name}");
        assert_eq!(lives(&desk).revealed(), [1], "{name}");
    }
}

/// Player 1's complaint about a dealing that was right: it really opens the share.
fn false_complaint(desk: &Desk, dealer: usize) -> Vec<u8> {
    let mut twin = Node::new(ceremony(&desk.info, &desk.people[0], None, &[]).unwrap());
    let mut other = Node::new(crate::desk::at_the_sequencer(&desk.info, None).unwrap());
    twin.step(Input::Start);
    // The same dealings, but for one ciphertext, under a close of their own.
    let whose = &desk.people[dealer - 1];
    let dealings = desk.list.iter().filter(|bytes| kind_of(bytes) == MessageKind::Dealing);
    for (pos, bytes) in dealings.enumerate() {
        let mut bytes = bytes.clone();
        if bytes[1..33] == whose.vote() {
            bytes = altered(&bytes, &desk.info, whose, |body| body[sealed(1) + 32] ^= 1);
        }
        twin.deliver(pos, &bytes);
        other.deliver(pos, &bytes);
    }
    let close = other.take_append().unwrap();
    twin.deliver(other.ceremony.next_pos() as usize, &close).swap_remove(0)
}

#[test]
fn a_false_complaint_falls_on_who_makes_it() {
    // What the others dealt, to make the complaint with.
    let honest = Desk::new_key(N).honest();
    let complaint = false_complaint(&honest, 2);
    // Its proof is good and opens a share that is right.
    let desk = &mut Desk::new_key(N);
    desk.run(&mut |from, kind, bytes| {
        if from != 0 || kind != MessageKind::Answer {
            return vec![bytes];
        }
        // The dealing that it acks must be the honest one, so only the complaint is taken.
        vec![spliced(&bytes, &complaint, &honest.info, &honest.people[0])]
    });
    assert_eq!(desk.faults(), [(Party::Player(1), FaultKind::FalseComplaint)]);
    let output = lives(desk);
    if output.qualified().contains(&2) {
        assert_eq!(output.revealed(), [1], "what it opened is known to all");
    }
    // With another point in it, its proof is false.
    let mut desk = Desk::new_key(N);
    desk.run(&mut |from, kind, bytes| {
        if from != 0 || kind != MessageKind::Answer {
            return vec![bytes];
        }
        let spliced = spliced(&bytes, &complaint, &honest.info, &honest.people[0]);
        let other = Point::parse(&honest.people[3].keys(1).enc(), "point").unwrap();
        vec![altered(&spliced, &honest.info, &honest.people[0], |body| {
            let at = body.len() - 70 - 80 - 32;
            body[at..at + 32].copy_from_slice(&other.to_bytes());
        })]
    });
    assert_eq!(desk.faults(), [(Party::Player(1), FaultKind::FalseComplaint)]);
    lives(&desk);
}

/// An honest answer with the verdict on dealer 2 taken from another one.
fn spliced(answer: &[u8], complaint: &[u8], info: &Info, person: &Person) -> Vec<u8> {
    altered(answer, info, person, |body| {
        let verdict = &body_of(complaint)[CLOSE + 2 + 35..][..3 + 32 + 80];
        assert_eq!(verdict[..3], [2, 0, 1], "a complaint about dealer 2");
        body.splice(2 + 35..2 + 70, verdict.iter().copied()).for_each(drop);
    })
}

#[test]
fn a_log_shows_the_silent_players_shares_and_no_others() {
    use FaultKind::{BadReveal, TooManyReveals};
    let cases: [(&str, FaultKind, Alter); 9] = [
        ("off the polynomial", BadReveal, |body| body[4 + 31] ^= 1),
        ("at least the order", BadReveal, |body| body[4..].fill(0xFF)),
        ("of the wrong player", BadReveal, |body| body[2] = 3),
        ("index 0", BadReveal, |body| body[2] = 0),
        ("index out of range", BadReveal, |body| body[2] = 5),
        ("withheld", BadReveal, |body| *body = vec![0, 0]),
        ("nothing", BadReveal, Vec::clear),
        ("bytes behind", BadReveal, |body| body.push(0)),
        ("more than f", TooManyReveals, |body| {
            let mut first = body[2..].to_vec();
            first[0] = 3;
            body[0] = 2;
            body.splice(2..2, first).for_each(drop);
        }),
    ];
    for (name, kind, alter) in cases {
        let mut desk = Desk::new_key(N);
        let (info, liar) = (desk.info.clone(), desk.people[0].clone());
        desk.run(&mut |from, what, bytes| match (from, what) {
            (3, MessageKind::Answer) => Vec::new(),
            (0, MessageKind::DealerLog) => vec![altered(&bytes, &info, &liar, alter)],
            _ => vec![bytes],
        });
        assert_eq!(desk.faults(), [(Party::Dealer(1), kind)], "{name}");
        assert_eq!(lives(&desk).revealed(), [4], "{name}");
    }
    // A share that nobody had to show.
    let desk = cheated(Desk::new_key(N), MessageKind::DealerLog, |body| {
        *body = [&[1, 0, 2, 0][..], &[0; 32]].concat();
    });
    assert_eq!(desk.faults(), [(Party::Dealer(1), BadReveal)]);
}

#[test]
fn an_activation_that_is_not_by_the_new_share_is_named() {
    let cases: [(&str, Alter); 4] = [
        ("another point", |body| {
            let message = b"cwts/test/v1\0not this";
            let key = cwts_threshold::SecretKey::parse(&[1; 32]).unwrap();
            *body = cwts_threshold::sign(&key, message).to_bytes().to_vec();
        }),
        ("no point", |body| body[47] ^= 1),
        ("the identity", |body| {
            body.fill(0);
            body[0] = 0xC0;
        }),
        ("nothing", Vec::clear),
    ];
    for (name, alter) in cases {
        let desk = cheated(Desk::new_key(N), MessageKind::Activation, alter);
        assert_eq!(desk.faults(), [(Party::Player(1), FaultKind::BadActivation)], "{name}");
        lives(&desk);
    }
}

#[test]
fn a_dealer_that_deals_twice_is_out() {
    let mut desk = Desk::new_key(N);
    let (info, liar) = (desk.info.clone(), desk.people[0].clone());
    desk.run(&mut |from, kind, bytes| {
        if from != 0 || kind != MessageKind::Dealing {
            return vec![bytes];
        }
        // Another ciphertext for player 2 alone: the public polynomial is the same.
        let second = altered(&bytes, &info, &liar, |body| body[sealed(2) + 40] ^= 1);
        vec![bytes, second]
    });
    assert_eq!(desk.faults(), [(Party::Dealer(1), FaultKind::Equivocation)]);
    assert!(!lives(&desk).qualified().contains(&1));
}

#[test]
fn what_is_not_of_this_ceremony_counts_for_nothing_and_is_nobodys_fault() {
    let mut desk = Desk::new_key(N);
    let honest = Desk::new_key(N);
    let member = &honest.people[0];
    let mut first = Node::new(ceremony(&honest.info, member, None, &[]).unwrap());
    let dealing = first.step(Input::Start).swap_remove(0);
    let of = |info: &Info, person: &Person| {
        Node::new(ceremony(info, person, None, &[]).unwrap()).step(Input::Start).swap_remove(0)
    };
    let mut terms = new_terms(&honest.people, 1);
    terms.old_epoch = 1;
    let other_epoch = of(&Info::new(terms).unwrap(), member);
    let older_number = of(&Info::new(new_terms(&honest.people, 0)).unwrap(), member);
    let mut unsigned = dealing.clone();
    *unsigned.last_mut().unwrap() ^= 1;
    let stranger = forge(MessageKind::Dealing, &desk.info, &Person::new(99), body_of(&dealing));
    let usurper = forge(MessageKind::Close, &desk.info, member, &[0; 41]);
    let early = forge(MessageKind::DealerLog, &desk.info, member, &[0, 0]);
    let long = vec![1; 65_537];
    let truncated = dealing[..dealing.len() - 1].to_vec();
    let kind = MessageKind::Dealing;
    let cases = [
        (other_epoch, Refusal::WrongCeremony),
        (older_number, Refusal::WrongCeremony),
        (unsigned, Refusal::BadSignature),
        (stranger, Refusal::Stranger { kind }),
        (usurper, Refusal::Stranger { kind: MessageKind::Close }),
        (early, Refusal::Early),
        (long, Refusal::TooLong { got: 65_537 }),
        (truncated, Refusal::Malformed),
        (Vec::new(), Refusal::Malformed),
        (vec![9; 200], Refusal::Malformed),
    ];
    for (bytes, want) in &cases {
        assert_eq!(desk.sequencer.ceremony.admit(bytes), Err(*want));
    }
    // A careless sequencer orders them all the same: no member minds.
    for (pos, (bytes, _)) in cases.iter().enumerate() {
        desk.list.push(bytes.clone());
        for node in desk.nodes.iter_mut().chain([&mut desk.sequencer]) {
            assert!(node.deliver(pos, bytes).is_empty());
        }
    }
    let desk = desk.honest();
    assert!(desk.faults().is_empty());
    lives(&desk);
    let (head, abort) = (&desk.nodes[0].seen.sent[3], MessageKind::Abort);
    assert_eq!(desk.sequencer.ceremony.admit(head), Err(Refusal::Duplicate));
    let abort = forge(abort, &desk.info, &sequencer(), &[]);
    assert_eq!(desk.sequencer.ceremony.admit(&abort), Err(Refusal::Late), "the epoch is live");
}

#[test]
fn f_faulty_members_at_once_stop_nothing() {
    let mut desk = Desk::new_key(10);
    let (info, people) = (desk.info.clone(), desk.people.clone());
    desk.run(&mut |from, kind, bytes| match (from, kind) {
        (0, MessageKind::Dealing) => vec![altered(&bytes, &info, &people[0], |body| {
            body.copy_within(96..192, 0);
        })],
        (1, MessageKind::Dealing) => vec![altered(&bytes, &info, &people[1], |body| {
            // The shares of honest players, one by one.
            (5..9).for_each(|player| body[96 * 7 + 64 + 80 * player + 40] ^= 1);
        })],
        (2, MessageKind::Answer) => Vec::new(),
        (2, MessageKind::DealerLog) => vec![altered(&bytes, &info, &people[2], |body| {
            *body = vec![0, 0];
        })],
        (0 | 1, MessageKind::Activation) => {
            vec![altered(&bytes, &info, &people[from], |body| body.fill(0))]
        }
        _ => vec![bytes],
    });
    let mut faults = desk.faults();
    faults.sort_unstable();
    assert_eq!(
        faults,
        [
            (Party::Dealer(1), FaultKind::BadProof),
            (Party::Dealer(2), FaultKind::BadDealing),
            (Party::Dealer(3), FaultKind::BadReveal),
            (Party::Player(1), FaultKind::BadActivation),
            (Party::Player(2), FaultKind::BadActivation),
        ]
    );
    let output = lives(&desk);
    assert_eq!(output.revealed(), [3]);
    assert!((1..=3).all(|dealer| !output.qualified().contains(&dealer)));
}

#[test]
fn with_too_few_dealers_left_it_fails_and_says_who() {
    let mut desk = Desk::new_key(N);
    let (info, people) = (desk.info.clone(), desk.people.clone());
    desk.run(&mut |from, kind, bytes| match (from, kind) {
        (0 | 1, MessageKind::Dealing) => {
            vec![altered(&bytes, &info, &people[from], |body| body[PROOF + 63] ^= 1)]
        }
        (3, _) => Vec::new(),
        _ => vec![bytes],
    });
    assert!(desk.all_in(Phase::Failed));
    let faults = desk.faults();
    assert_eq!(faults.len(), 2);
    let (cause, told, missing) = desk.nodes[2].seen.failed.as_ref().unwrap();
    assert_eq!((*cause, told.len()), (Cause::TooFewDealers, 2));
    assert!(missing.contains(&Party::Dealer(4)), "the silent one is missing, not at fault");
    assert!(desk.nodes.iter().all(|node| node.seen.wiped == 0 && node.seen.activated.is_none()));
}

#[test]
fn with_too_few_activations_no_epoch_begins() {
    let mut desk = Desk::new_key(N);
    let (info, people) = (desk.info.clone(), desk.people.clone());
    desk.run(&mut |from, kind, bytes| match (from, kind) {
        (0 | 1, MessageKind::Activation) => {
            vec![altered(&bytes, &info, &people[from], |body| body.fill(0))]
        }
        _ => vec![bytes],
    });
    assert!(desk.all_in(Phase::Failed));
    assert_eq!(desk.nodes[2].seen.failed.as_ref().unwrap().0, Cause::TooFewActivations);
    assert!(desk.nodes.iter().all(|node| node.seen.wiped == 0 && node.seen.activated.is_none()));
}
