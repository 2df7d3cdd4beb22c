//! A key for ten members, everybody's CPU time: ours with its list, answers and activation, theirs
//! with its logs. Nothing is sent or written on either side.

use std::collections::BTreeMap;
use std::hint::black_box;

use commonware_cryptography::Signer as _;
use commonware_cryptography::bls12381::dkg::feldman_desmedt::{
    Dealer, Info as TheirInfo, Logs, Player, Reveal,
};
use commonware_cryptography::bls12381::primitives::sharing::Mode;
use commonware_cryptography::bls12381::primitives::variant::MinSig;
use commonware_cryptography::ed25519::{PrivateKey, PublicKey};
use commonware_math::algebra::Random as _;
use commonware_parallel::Sequential;
use commonware_utils::{N3f1, TryCollect as _, ordered::Set};
use cwts_threshold::Seed;
use cwts_threshold::ceremony::{
    Ceremony, CeremonyKind, CeremonyRole, Effect, Identity, Info, Input, MemberKeys, Terms,
};
use ed25519_dalek::SigningKey;
use rand::SeedableRng as _;

const CHAIN: [u8; 32] = [7; 32];

fn seed(tag: u8) -> Seed {
    Seed::take(&mut [tag; 32])
}

fn key(tag: u8) -> SigningKey {
    SigningKey::from_bytes(&[tag; 32])
}

/// Ours: n members and the sequencer, to n shares and a certificate.
pub(crate) fn ours(n: u8) {
    let mut tags: Vec<u8> = (1..=n).collect();
    tags.sort_by_key(|tag| key(*tag).verifying_key().to_bytes());
    let keys: Vec<MemberKeys> = tags
        .iter()
        .map(|tag| {
            let identity = Identity::derive(&seed(*tag), &key(*tag), CHAIN, 1);
            identity.expect("an identity").keys().clone()
        })
        .collect();
    let info = Info::new(Terms {
        kind: CeremonyKind::New,
        chain: CHAIN,
        number: 1,
        old_epoch: 0,
        previous: [0; 32],
        sequencer: key(0).verifying_key().to_bytes(),
        dealers: keys.clone(),
        players: keys,
    });
    let info = info.expect("terms");
    let mut everybody = vec![part(CeremonyRole::Sequencer, &info, 0)];
    everybody.extend(tags.iter().map(|tag| part(CeremonyRole::Member, &info, *tag)));
    let (mut waiting, mut shares) = (Vec::new(), 0);
    let mut step = |who: &mut Ceremony, input: Input<'_>, waiting: &mut Vec<Vec<u8>>| {
        let mut effects = Vec::new();
        who.step(0, input, &mut effects);
        for effect in effects {
            match effect {
                Effect::Submit(bytes) | Effect::Append { bytes, .. } => waiting.push(bytes),
                Effect::Activated { share, .. } => shares += usize::from(share.is_some()),
                _ => {}
            }
        }
    };
    for who in &mut everybody {
        step(who, Input::Start, &mut waiting);
    }
    let mut pos = 0;
    while !waiting.is_empty() {
        let bytes = waiting.remove(0);
        for who in &mut everybody {
            step(who, Input::Delivered { pos, bytes: &bytes }, &mut waiting);
        }
        pos += 1;
    }
    assert_eq!(shares, usize::from(n));
}

fn part(role: CeremonyRole, info: &Info, tag: u8) -> Ceremony {
    Ceremony::new(role, info.clone(), seed(tag), key(tag), None).expect("a part")
}

/// Theirs: n dealers and players, to n shares.
pub(crate) fn theirs(n: u8) {
    let mut rng = rand::rngs::StdRng::seed_from_u64(3);
    let keys: Vec<PrivateKey> = (0..n).map(|_| PrivateKey::random(&mut rng)).collect();
    let members: Set<PublicKey> =
        keys.iter().map(|key| key.public_key()).try_collect().expect("distinct");
    let info = TheirInfo::<MinSig, PublicKey>::new::<N3f1>(
        b"bench",
        0,
        None,
        Mode::NonZeroCounter,
        Reveal::V1,
        members.clone(),
        members,
    );
    let info = info.expect("terms");
    let mut players: BTreeMap<PublicKey, Player<MinSig, PrivateKey>> = keys
        .iter()
        .map(|key| {
            let player = Player::new(info.clone(), key.clone()).expect("a part");
            (key.public_key(), player)
        })
        .collect();
    let mut logs = Vec::new();
    for key in &keys {
        let me = key.public_key();
        let (mut dealer, public, private) =
            Dealer::start::<N3f1>(&mut rng, info.clone(), key.clone(), None).expect("a dealing");
        for (to, message) in private {
            let player = players.get_mut(&to).expect("a player");
            let ack = player.dealer_message::<N3f1>(me.clone(), public.clone(), message);
            let ack = ack.expect("a valid share").expect("a new one");
            dealer.receive_player_ack(to, ack).expect("an ack");
        }
        logs.push((me, dealer.finalize::<N3f1>()));
    }
    // Each member checks each log and makes its own share.
    for (_, player) in players {
        let mut all = Logs::<MinSig, PublicKey, N3f1>::new(info.clone());
        for (dealer, log) in &logs {
            let log = log.clone().check(&info).expect("a valid log").1;
            all.record(dealer.clone(), log);
        }
        black_box(player.finalize::<N3f1>(&mut rng, all, &Sequential).expect("a share"));
    }
}
