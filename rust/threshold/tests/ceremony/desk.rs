//! A whole ceremony in one process: members, sequencer, and whoever tampers on the way.

use cwts_threshold::ceremony::{
    Cause, Ceremony, CeremonyError, CeremonyKind, CeremonyRole, Effect, Fault, FaultKind, Identity,
    Info, Input, MemberKeys, MessageKind, Output, Party, Phase, Previous, Refusal, Status, Terms,
};
use cwts_threshold::{Seed, Share, Signature};
use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest as _, Sha256};

pub(crate) const CHAIN: [u8; 32] = [7; 32];

#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) key: SigningKey,
    seed: [u8; 32],
}

impl Person {
    pub(crate) fn new(tag: u64) -> Self {
        let bytes = |label: u8| Sha256::digest([&[label][..], &tag.to_le_bytes()].concat()).into();
        Self { key: SigningKey::from_bytes(&bytes(0)), seed: bytes(1) }
    }

    pub(crate) fn vote(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    pub(crate) fn seed(&self) -> Seed {
        Seed::take(&mut self.seed.clone())
    }

    pub(crate) fn keys(&self, number: u64) -> MemberKeys {
        let identity = Identity::derive(&self.seed(), &self.key, CHAIN, number).unwrap();
        identity.keys().clone()
    }
}

/// Sorted by vote key, so that person i is member i + 1.
pub(crate) fn people(tags: std::ops::Range<u64>) -> Vec<Person> {
    let mut people: Vec<Person> = tags.map(Person::new).collect();
    people.sort_by_key(Person::vote);
    people
}

pub(crate) fn sequencer() -> Person {
    Person::new(1 << 40)
}

pub(crate) fn new_terms(members: &[Person], number: u64) -> Terms {
    let keys: Vec<MemberKeys> = members.iter().map(|person| person.keys(number)).collect();
    Terms {
        kind: CeremonyKind::New,
        chain: CHAIN,
        number,
        old_epoch: 0,
        previous: [0; 32],
        sequencer: sequencer().vote(),
        dealers: keys.clone(),
        players: keys,
    }
}

pub(crate) fn next_terms(
    old: &Output,
    dealers: &[Person],
    players: &[Person],
    number: u64,
) -> Terms {
    let keys = |people: &[Person]| people.iter().map(|person| person.keys(number)).collect();
    let is_same = dealers.iter().map(Person::vote).eq(players.iter().map(Person::vote));
    Terms {
        kind: if is_same { CeremonyKind::Refresh } else { CeremonyKind::Reshare },
        previous: old.digest(),
        old_epoch: old.epoch(),
        dealers: keys(dealers),
        players: keys(players),
        ..new_terms(&[], number)
    }
}

pub(crate) fn copy(share: &Share) -> Share {
    Share::parse(&*share.export(), share.index(), share.epoch()).unwrap()
}

#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) sent: Vec<Vec<u8>>,
    pub(crate) broadcast: Vec<Vec<u8>>,
    pub(crate) statuses: Vec<Status>,
    pub(crate) activated: Option<(Output, Signature, Option<Share>)>,
    pub(crate) failed: Option<(Cause, Vec<Fault>, Vec<Party>)>,
    pub(crate) persisted: usize,
    pub(crate) wiped: usize,
    journal: u64,
    append: Option<Vec<u8>>,
}

pub(crate) struct Node {
    pub(crate) ceremony: Ceremony,
    pub(crate) seen: Seen,
    clock_ns: u64,
}

impl Node {
    pub(crate) fn new(ceremony: Ceremony) -> Self {
        Self { ceremony, seen: Seen::default(), clock_ns: 0 }
    }

    /// Gives what it wants to send.
    pub(crate) fn step(&mut self, input: Input<'_>) -> Vec<Vec<u8>> {
        let (mut out, mut sent) = (Vec::new(), Vec::new());
        self.clock_ns += 1_000;
        self.ceremony.step(self.clock_ns, input, &mut out);
        for effect in out {
            match effect {
                Effect::PersistSeed => self.seen.persisted += 1,
                Effect::PersistList { entries } => self.seen.journal = entries,
                Effect::Submit(bytes) => {
                    let is_of_the_list = kind_of(&bytes) != MessageKind::Dealing;
                    assert!(!is_of_the_list || self.seen.journal == self.ceremony.next_pos());
                    assert!(
                        self.seen.persisted > 0,
                        "the seed is persisted before anything leaves"
                    );
                    sent.push(bytes);
                }
                Effect::Append { pos, bytes } if pos == self.ceremony.next_pos() => {
                    self.seen.append = Some(bytes);
                }
                Effect::Append { .. } => {}
                Effect::Broadcast(bytes) => self.seen.broadcast.push(bytes),
                Effect::Status(status) => self.seen.statuses.push(status),
                Effect::Activated { output, certificate, share } => {
                    assert_eq!(self.seen.wiped, 0, "the new share comes before the old one goes");
                    self.seen.activated = Some((*output, certificate, share));
                }
                Effect::WipeOld => self.seen.wiped += 1,
                Effect::Failed { cause, faults, missing } => {
                    self.seen.failed = Some((cause, faults, missing));
                }
            }
        }
        self.seen.sent.extend(sent.iter().cloned());
        sent
    }

    pub(crate) fn take_append(&mut self) -> Option<Vec<u8>> {
        self.seen.append.take()
    }

    pub(crate) fn deliver(&mut self, pos: usize, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.step(Input::Delivered { pos: pos as u64, bytes })
    }
}

/// What comes of a message on its way to the sequencer: it, nothing, others.
pub(crate) type Tamper<'t> = &'t mut dyn FnMut(usize, MessageKind, Vec<u8>) -> Vec<Vec<u8>>;

pub(crate) struct Desk {
    pub(crate) info: Info,
    pub(crate) people: Vec<Person>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) sequencer: Node,
    pub(crate) list: Vec<Vec<u8>>,
    pub(crate) refusals: Vec<Refusal>,
    /// Who is restarted when the list has so many entries; the sequencer comes behind the last.
    pub(crate) crash: Option<(usize, std::ops::Range<usize>)>,
    /// Seeds the order of delivery; 0 is that of sending.
    order: u64,
    old: (Option<Output>, Vec<Share>),
}

impl Desk {
    pub(crate) fn new_key(n: u64) -> Self {
        let people = people(0..n);
        let info = Info::new(new_terms(&people, 1)).unwrap();
        Self::of(info, people, None, &[])
    }

    /// `old` are the shares of those who have one.
    pub(crate) fn of(
        info: Info,
        people: Vec<Person>,
        previous: Option<&Output>,
        old: &[Share],
    ) -> Self {
        let nodes =
            people.iter().map(|person| Node::new(ceremony(&info, person, previous, old).unwrap()));
        let nodes = nodes.collect();
        let sequencer = at_the_sequencer(&info, previous).unwrap();
        let sequencer = Node::new(sequencer);
        let old = (previous.cloned(), old.iter().map(copy).collect());
        Self {
            info,
            people,
            nodes,
            sequencer,
            list: Vec::new(),
            refusals: Vec::new(),
            crash: None,
            order: 0,
            old,
        }
    }

    pub(crate) fn ordered(mut self, order: u64) -> Self {
        self.order = order;
        self
    }

    pub(crate) fn honest(mut self) -> Self {
        self.run(&mut |_, _, bytes| vec![bytes]);
        self
    }

    /// To the end, or until nothing moves any more.
    pub(crate) fn run(&mut self, tamper: Tamper<'_>) {
        let mut queue: Vec<Vec<u8>> = Vec::new();
        let mut send = |from: usize, sent: Vec<Vec<u8>>, queue: &mut Vec<Vec<u8>>| {
            for bytes in sent {
                queue.extend(tamper(from, kind_of(&bytes), bytes));
            }
        };
        for (at, node) in self.nodes.iter_mut().enumerate() {
            let sent = node.step(Input::Start);
            send(at, sent, &mut queue);
        }
        loop {
            let next = match self.sequencer.take_append() {
                Some(own) => own,
                None if queue.is_empty() => {
                    self.sequencer.step(Input::Timeout);
                    match self.sequencer.take_append() {
                        Some(own) => own,
                        None => return,
                    }
                }
                None => {
                    if self.order != 0 {
                        self.order = self.order.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
                    }
                    let bytes = queue.remove((self.order >> 33) as usize % queue.len());
                    if let Err(why) = self.sequencer.ceremony.admit(&bytes) {
                        self.refusals.push(why);
                        continue;
                    }
                    bytes
                }
            };
            let pos = self.list.len();
            self.list.push(next.clone());
            self.sequencer.deliver(pos, &next);
            for (at, node) in self.nodes.iter_mut().enumerate() {
                let sent = node.deliver(pos, &next);
                send(at, sent, &mut queue);
            }
            let now = self.list.len();
            let Some((_, who)) = self.crash.take_if(|(at, _)| *at == now) else { continue };
            for who in who {
                // What it had sent and nobody ordered is lost with it.
                if let Some(person) = self.people.get(who) {
                    queue.retain(|bytes| bytes[1..33] != person.vote());
                }
                let sent = self.restart(who);
                send(who, sent, &mut queue);
            }
        }
    }

    /// A new process with the seed from the disk and the list from its first entry.
    fn restart(&mut self, who: usize) -> Vec<Vec<u8>> {
        let (previous, shares) = &self.old;
        let mut fresh = match self.people.get(who) {
            Some(person) => ceremony(&self.info, person, previous.as_ref(), shares),
            None => at_the_sequencer(&self.info, previous.as_ref()),
        }
        .map(Node::new)
        .unwrap();
        let mut sent = fresh.step(Input::Start);
        for (pos, bytes) in self.list.iter().enumerate() {
            sent.extend(fresh.deliver(pos, bytes));
        }
        let node = self.nodes.get_mut(who).unwrap_or(&mut self.sequencer);
        assert!(sent.starts_with(&node.seen.sent), "it says what it said before");
        *node = fresh;
        sent
    }

    /// The shares of those who got one, by member.
    pub(crate) fn shares(&self) -> Vec<Share> {
        let given = self.nodes.iter().filter_map(|node| node.seen.activated.as_ref());
        let mut shares: Vec<Share> = given.filter_map(|(_, _, s)| s.as_ref().map(copy)).collect();
        shares.sort_by_key(Share::index);
        shares
    }

    /// The output, on which all agree.
    pub(crate) fn output(&self) -> Output {
        let mut outputs = self.nodes.iter().map(|node| {
            let (output, certificate, _) = node.seen.activated.as_ref().expect("it is live");
            assert!(cwts_threshold::verify(
                output.sharing().key(),
                &output.activation(),
                certificate
            ));
            output
        });
        let first = outputs.next().unwrap().clone();
        assert!(outputs.all(|output| output.digest() == first.digest()));
        first
    }

    /// Faults as everybody sees them, and as an auditor judges them again.
    pub(crate) fn faults(&self) -> Vec<(Party, FaultKind)> {
        let short = |faults: &[Fault]| -> Vec<(Party, FaultKind)> {
            faults.iter().map(|fault| (fault.member, fault.kind)).collect()
        };
        let all = self.nodes.iter().map(|node| &node.ceremony).chain([&self.sequencer.ceremony]);
        let mut seen = Vec::new();
        for ceremony in all {
            let judged =
                cwts_threshold::ceremony::verify_transcript(&ceremony.transcript()).unwrap();
            assert_eq!(judged.faults[..ceremony.faults().len()], *ceremony.faults());
            assert_eq!(judged.phase, ceremony.phase());
            assert_eq!(
                judged.output.as_ref().map(Output::digest),
                ceremony.output().map(Output::digest)
            );
            assert!(judged.faults.iter().all(|fault| !fault.proof.is_empty()));
            seen.push(short(&judged.faults));
        }
        assert!(seen.iter().all(|faults| *faults == seen[0]));
        seen.swap_remove(0)
    }

    pub(crate) fn all_in(&self, phase: Phase) -> bool {
        self.nodes.iter().chain([&self.sequencer]).all(|node| node.ceremony.phase() == phase)
    }
}

pub(crate) fn ceremony(
    info: &Info,
    person: &Person,
    previous: Option<&Output>,
    old: &[Share],
) -> Result<Ceremony, CeremonyError> {
    let previous = previous.map(|output| {
        let index = output.votes().iter().position(|vote| *vote == person.vote());
        let index = index.map_or(0, |at| at as u16 + 1);
        let share = old.iter().find(|share| share.index() == index).map(copy);
        Previous { output: output.clone(), share }
    });
    let role = CeremonyRole::Member;
    Ceremony::new(role, info.clone(), person.seed(), person.key.clone(), previous)
}

pub(crate) fn at_the_sequencer(
    info: &Info,
    previous: Option<&Output>,
) -> Result<Ceremony, CeremonyError> {
    let previous = previous.map(|output| Previous { output: output.clone(), share: None });
    let Person { key, seed } = sequencer();
    let seed = Seed::take(&mut seed.clone());
    Ceremony::new(CeremonyRole::Sequencer, info.clone(), seed, key, previous)
}

pub(crate) fn kind_of(bytes: &[u8]) -> MessageKind {
    MessageKind::ALL.into_iter().find(|kind| *kind as u8 == bytes[0]).unwrap()
}

const BODY: usize = 1 + 32 + 32 + 4;
/// The close that a body of rounds 2 to 4 begins with.
pub(crate) const CLOSE: usize = BODY + 41 + 64;

pub(crate) fn body_of(bytes: &[u8]) -> &[u8] {
    &bytes[BODY..bytes.len() - 64]
}

/// Signs a body as somebody's message of a kind: what a faulty member can do.
pub(crate) fn forge(kind: MessageKind, info: &Info, person: &Person, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind as u8];
    out.extend_from_slice(&person.vote());
    out.extend_from_slice(&info.digest());
    out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    out.extend_from_slice(body);
    let signature = person.key.sign(&[b"cwts/ceremony/v1\0", &out[..]].concat());
    out.extend_from_slice(&signature.to_bytes());
    out
}

/// The same message with another body, signed again.
///
/// What rounds 2 and 3 say stands behind a close, which is left as it is.
pub(crate) fn altered(
    bytes: &[u8],
    info: &Info,
    person: &Person,
    alter: impl FnOnce(&mut Vec<u8>),
) -> Vec<u8> {
    let is_behind = matches!(kind_of(bytes), MessageKind::Answer | MessageKind::DealerLog);
    let (close, body) = body_of(bytes).split_at(if is_behind { CLOSE } else { 0 });
    let mut body = body.to_vec();
    alter(&mut body);
    forge(kind_of(bytes), info, person, &[close, &body].concat())
}
