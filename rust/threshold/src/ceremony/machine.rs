//! One member, or the sequencer: inputs in, effects out.
//!
//! Everything that it sends is a function of the seed and of the list so far, so a member that is
//! restarted and given the list again says what it said before, never anything else.

use std::collections::BTreeMap;

use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use cwts_proofs::shared_point;

use super::answer::{self, Verdict};
use super::board::{Board, Phase};
use super::dealing::{self, Polynomial};
use super::effect::{CeremonyRole, Effect, Input, Previous, Status};
use super::error::CeremonyError;
use super::fault::{Fault, Party, Refusal};
use super::identity::{Identity, expand};
use super::info::Info;
use super::message::{self, Close, MessageKind};
use super::output::Output;
use super::rounds::weights;
use crate::batch::BatchSecret;
use crate::scalar::Scalar;
use crate::secret::{SecretScalar, Seed, Share};
use crate::sign::partial_sign;

const WEIGHTS_DOMAIN: &[u8] = b"cwts/ceremony-weights/v1";

/// A ceremony from one place.
pub struct Ceremony {
    board: Board,
    role: CeremonyRole,
    dealer: Option<u16>,
    player: Option<u16>,
    key: SigningKey,
    seed: Seed,
    identity: Option<Identity>,
    old: Option<Share>,
    /// This player's shares, by dealer.
    shares: BTreeMap<u16, SecretScalar>,
    new: Option<Share>,
    is_over: bool,
    entered_ns: u64,
    faults_told: usize,
}

impl Ceremony {
    /// Takes part in a ceremony.
    ///
    /// # Errors
    /// [`CeremonyError::NoPart`] by a key that has none; [`CeremonyError::WrongSeed`] if the seed
    /// is not the one of the member's encryption key; [`CeremonyError::Previous`], and
    /// [`CeremonyError::Curve`] for an old share that is not the member's.
    pub fn new(
        role: CeremonyRole,
        info: Info,
        seed: Seed,
        key: SigningKey,
        previous: Option<Previous>,
    ) -> Result<Self, CeremonyError> {
        let vote = key.verifying_key().to_bytes();
        let is_member = role == CeremonyRole::Member;
        let dealer = info.dealer(&vote).filter(|_| is_member);
        let player = info.player(&vote).filter(|_| is_member);
        let has_part = match role {
            CeremonyRole::Member => dealer.is_some() || player.is_some(),
            CeremonyRole::Sequencer => info.sequencer() == vote,
        };
        if !has_part {
            return Err(CeremonyError::NoPart);
        }
        let mut identity = None;
        if is_member {
            let own = Identity::derive(&seed, &key, info.chain(), info.number())?;
            let named = player
                .map(|index| &info.players()[usize::from(index) - 1])
                .or_else(|| dealer.map(|index| &info.dealers()[usize::from(index) - 1]));
            if named.is_some_and(|named| named.enc() != own.keys().enc()) {
                return Err(CeremonyError::WrongSeed);
            }
            identity = Some(own);
        }
        let (output, old) = match previous {
            Some(Previous { output, share }) => (Some(output), share),
            None => (None, None),
        };
        let board = Board::new(info, output)?;
        if let Some(share) = &old {
            let output = board.previous.as_ref().ok_or(CeremonyError::Previous {
                reason: "an old share without the output that it is of",
            })?;
            output.sharing().check_share(share)?;
            if dealer != Some(share.index()) {
                return Err(CeremonyError::Previous { reason: "the share is another member's" });
            }
        }
        Ok(Self {
            board,
            role,
            dealer,
            player,
            key,
            seed,
            identity,
            old,
            shares: BTreeMap::new(),
            new: None,
            is_over: false,
            entered_ns: 0,
            faults_told: 0,
        })
    }

    /// Applies one input and appends what follows from it to `out`. `now_ns` only says how long a
    /// phase took: no decision depends on it.
    pub fn step(&mut self, now_ns: u64, input: Input<'_>, out: &mut Vec<Effect>) {
        let before = self.board.phase;
        match input {
            Input::Start => self.start(now_ns, out),
            Input::Delivered { pos, bytes } => self.delivered(pos, bytes, out),
            Input::Heard { bytes } => {
                if let Err(why) = self.board.hear(bytes) {
                    out.push(Effect::Status(Status::Refused { pos: None, why }));
                }
            }
            Input::Timeout => self.timeout(now_ns, out),
            Input::GiveUp => self.give_up(out),
        }
        let told = self.faults_told.min(self.board.faults.len());
        for fault in &self.board.faults[told..] {
            out.push(Effect::Status(Status::Faulted(fault.clone())));
        }
        self.faults_told = self.board.faults.len();
        if before != self.board.phase {
            let after_ns = now_ns.saturating_sub(self.entered_ns);
            self.entered_ns = now_ns;
            let phase = self.board.phase;
            out.push(Effect::Status(Status::Entered { phase, after_ns }));
            self.enter(out);
        }
        let is_delivery = matches!(input, Input::Delivered { .. });
        if is_delivery && self.role == CeremonyRole::Sequencer && self.board.missing().is_empty() {
            self.close(out);
        }
    }

    /// How far it is.
    pub fn phase(&self) -> Phase {
        self.board.phase
    }

    /// The ceremony's information.
    pub fn info(&self) -> &Info {
        &self.board.info
    }

    /// The result, from round 4 on. It is live with its certificate only.
    pub fn output(&self) -> Option<&Output> {
        self.board.output.as_ref()
    }

    /// Who did what, so far.
    pub fn faults(&self) -> &[Fault] {
        &self.board.faults
    }

    /// For whom this phase waits.
    pub fn missing(&self) -> Vec<Party> {
        self.board.missing()
    }

    /// The place of the next entry.
    pub fn next_pos(&self) -> u64 {
        self.board.entries.len() as u64
    }

    /// Whether a message is worth a place in the list: for the sequencer, before it orders one.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn admit(&self, bytes: &[u8]) -> Result<(), Refusal> {
        self.board.admit(bytes)
    }

    /// What anyone needs to judge the ceremony again.
    pub fn transcript(&self) -> Vec<u8> {
        super::transcript::write(&self.board)
    }

    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    fn start(&mut self, now_ns: u64, out: &mut Vec<Effect>) {
        self.entered_ns = now_ns;
        if self.role == CeremonyRole::Sequencer {
            return;
        }
        out.push(Effect::PersistSeed);
        if let (Some(dealer), Some(polynomial)) = (self.dealer, self.polynomial()) {
            let body = dealing::deal(&self.board.info, dealer, &self.seed, &polynomial);
            out.push(Effect::Submit(self.message(MessageKind::Dealing, &body)));
        }
    }

    /// None for a member that has no old share to deal.
    fn polynomial(&self) -> Option<Polynomial> {
        let needs_old = self.board.previous.is_some();
        if needs_old && self.old.is_none() {
            return None;
        }
        Some(Polynomial::derive(&self.seed, &self.board.info, self.old.as_ref()))
    }

    fn delivered(&mut self, pos: u64, bytes: &[u8], out: &mut Vec<Effect>) {
        let want = self.next_pos();
        if pos < want {
            return;
        }
        let status = if pos > want {
            Status::Gap { want, got: pos }
        } else {
            match self.board.deliver(bytes) {
                Ok((kind, party)) => Status::Accepted { pos, kind, party },
                Err(why) => Status::Refused { pos: Some(pos), why },
            }
        };
        out.push(Effect::Status(status));
    }

    fn timeout(&mut self, now_ns: u64, out: &mut Vec<Effect>) {
        let (have, need) = self.board.count();
        if self.role == CeremonyRole::Sequencer && have >= need {
            self.close(out);
        }
        let since_ns = now_ns.saturating_sub(self.entered_ns);
        let (phase, missing) = (self.board.phase, self.board.missing());
        if phase < Phase::Done {
            out.push(Effect::Status(Status::Waiting { phase, since_ns, missing }));
        }
    }

    /// The sequencer's word, once a round, at the next place.
    fn close(&mut self, out: &mut Vec<Effect>) {
        let Some(round) = self.board.phase.round() else { return };
        let (have, need) = self.board.count();
        if have < need || self.board.first.contains_key(&(MessageKind::Close, u16::from(round))) {
            return;
        }
        let pos = self.next_pos();
        let close = Close { round, pos, digest: self.board.digest };
        out.push(Effect::Append {
            pos,
            bytes: self.message(MessageKind::Close, &close.to_bytes()),
        });
    }

    /// A body of the list in which this round's close stands.
    fn behind(&self, round: u16, body: &[u8]) -> Vec<u8> {
        [self.board.entry(MessageKind::Close, round), body].concat()
    }

    fn give_up(&mut self, out: &mut Vec<Effect>) {
        if self.role == CeremonyRole::Sequencer && self.board.phase < Phase::Done {
            let (pos, bytes) = (self.next_pos(), self.message(MessageKind::Abort, &[]));
            out.push(Effect::Append { pos, bytes });
        }
    }

    fn message(&self, kind: MessageKind, body: &[u8]) -> Vec<u8> {
        message::write(kind, &self.board.info, &self.key, body)
    }

    fn enter(&mut self, out: &mut Vec<Effect>) {
        let sent = match self.board.phase {
            Phase::Deal => None,
            Phase::Answer => self.answer().map(|body| (MessageKind::Answer, self.behind(1, &body))),
            Phase::Reveal => {
                self.dealer_log().map(|body| (MessageKind::DealerLog, self.behind(2, &body)))
            }
            Phase::Agree => self.player.map(|_| (MessageKind::Head, self.behind(3, &[]))),
            Phase::Activate => self.activation(out).map(|body| (MessageKind::Activation, body)),
            Phase::Done => return self.activated(out),
            Phase::Failed => return self.failed(out),
        };
        if let Some((kind, body)) = sent {
            let message = self.message(kind, &body);
            out.push(Effect::PersistList { entries: self.next_pos() });
            if kind == MessageKind::Head {
                out.push(Effect::Broadcast(message.clone()));
            }
            out.push(Effect::Submit(message));
        }
    }

    /// Opens what each dealer sent, checks all shares at once, and says what is right.
    fn answer(&mut self) -> Option<Vec<u8>> {
        let (player, identity) = (self.player?, self.identity.as_ref()?);
        let info = &self.board.info;
        let dealings = || self.board.roster.iter().map(|(d, _)| (*d, &self.board.dealings[d]));
        for (dealer, dealing) in dealings() {
            let shared = shared_point(&identity.enc, dealing.point(player)).ok();
            let share = shared.and_then(|shared| dealing.open(info, dealer, player, &shared));
            if let Some(share) = share {
                self.shares.insert(dealer, share);
            }
        }
        let opened: Vec<u16> = self.shares.keys().copied().collect();
        let checked: Vec<_> = self
            .shares
            .iter()
            .map(|(dealer, share)| (&self.board.dealings[dealer], share))
            .collect();
        let secret: Zeroizing<[u8; 32]> = expand(&self.seed, &info.digest(), &[WEIGHTS_DOMAIN]);
        let bad = dealing::false_shares(player, &checked, &BatchSecret::new(*secret));
        for at in bad {
            self.shares.remove(&opened[at]);
        }
        let verdicts = dealings().map(|(dealer, dealing)| {
            if self.shares.contains_key(&dealer) {
                return Some((dealer, Verdict::Ack(dealing.digest)));
            }
            let enc = &identity.enc;
            Some((dealer, answer::complain(info, dealer, player, dealing, enc, &self.seed)?))
        });
        Some(answer::write_answer(&verdicts.collect::<Option<Vec<_>>>()?))
    }

    fn dealer_log(&self) -> Option<Vec<u8>> {
        let dealer = self.dealer?;
        let is_dealt = self.board.roster.iter().any(|(dealt, _)| *dealt == dealer);
        if !is_dealt || self.board.disqualified.contains(&dealer) {
            return None;
        }
        let mut reveals = Vec::new();
        if !self.board.silent.is_empty() {
            let polynomial = self.polynomial()?;
            reveals.extend(self.board.silent.iter().map(|j| (*j, polynomial.share(*j))));
        }
        Some(answer::write_reveals(&reveals))
    }

    /// The new share, if it is on the new polynomial, signs the result.
    fn activation(&mut self, out: &mut Vec<Effect>) -> Option<Vec<u8>> {
        let player = self.player?;
        let share = self.new_share(player);
        let output = self.board.output.as_ref()?;
        let Some(share) = share.filter(|share| output.sharing().check_share(share).is_ok()) else {
            out.push(Effect::Status(Status::Observer));
            return None;
        };
        let partial = partial_sign(&share, &output.activation());
        self.new = Some(share);
        self.shares.clear();
        Some(partial.to_bytes().to_vec())
    }

    fn new_share(&self, player: u16) -> Option<Share> {
        let output = self.board.output.as_ref()?;
        let weights = weights(&self.board.info, output.qualified());
        let parts = output
            .qualified()
            .iter()
            .zip(weights)
            .map(|(dealer, weight)| Some((self.part(*dealer, player)?, weight)));
        let parts: Vec<(SecretScalar, Scalar)> = parts.collect::<Option<_>>()?;
        Some(dealing::add_up(&parts, player, self.board.info.new_epoch()))
    }

    /// What a dealer gave this player: what everybody saw, or what only the player opened.
    fn part(&self, dealer: u16, player: u16) -> Option<SecretScalar> {
        let (_, reveals) = self.board.logs.iter().find(|(logged, _)| *logged == dealer)?;
        if let Some((_, share)) = reveals.iter().find(|(revealed, _)| *revealed == player) {
            return Some(SecretScalar::of(share));
        }
        self.shares.get(&dealer).map(|share| share.expose(SecretScalar::of))
    }

    fn activated(&mut self, out: &mut Vec<Effect>) {
        let (Some(output), Some(certificate)) = (&self.board.output, self.board.certificate) else {
            return;
        };
        let (output, share) = (Box::new(output.clone()), self.new.take());
        out.push(Effect::Activated { output, certificate, share });
        self.old = None;
        self.shares.clear();
        if !self.is_over {
            out.push(Effect::WipeOld);
        }
        self.is_over = true;
    }

    fn failed(&mut self, out: &mut Vec<Effect>) {
        self.shares.clear();
        self.new = None;
        let Some(cause) = self.board.cause else { return };
        let (faults, missing) = (self.board.faults.clone(), self.board.missing());
        out.push(Effect::Failed { cause, faults, missing });
    }
}
