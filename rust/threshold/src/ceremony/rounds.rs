//! What each round's message must be, and what follows if it is not.

use blstrs::{G1Affine, G2Projective};
use ff::Field as _;
use group::{Curve as _, Group as _};

use super::answer::{self, Verdict};
use super::board::{Board, Phase};
use super::dealing::Dealing;
use super::fault::{Cause, FaultKind, Party, Refusal};
use super::info::{CeremonyKind, Info};
use super::message::MessageKind;
use super::output::Output;
use crate::batch::BatchSecret;
use crate::committee::Committee;
use crate::lagrange::Row;
use crate::point::Signature;
use crate::polynomial;
use crate::recover::{Partial, blame, interpolate};
use crate::scalar::Scalar;
use crate::secret::SecretScalar;
use crate::sharing::Sharing;
use crate::sign::{SIGNATURE_DST, hash};

impl Board {
    /// Round 1.
    pub(crate) fn dealing(&mut self, dealer: u16, body: &[u8]) {
        let previous = self.previous.as_ref().map(Output::sharing);
        match Dealing::parse(&self.info, dealer, body, previous) {
            Ok(dealing) => {
                self.dealings.insert(dealer, dealing);
            }
            Err(kind) => self.blame_last(Party::Dealer(dealer), kind, &[]),
        }
    }

    /// Round 2. An answer that leaves a dealing out is none.
    pub(crate) fn answer(&mut self, player: u16, body: &[u8]) -> Result<(), Refusal> {
        let answer = answer::read_answer(body, &self.roster).ok_or(Refusal::Malformed)?;
        for (dealer, verdict) in answer {
            let Verdict::Complaint(complaint) = verdict else { continue };
            self.complaints.insert((dealer, player));
            if self.disqualified.contains(&dealer) {
                continue;
            }
            let dealing = &self.dealings[&dealer];
            let dealt = self.entry(MessageKind::Dealing, dealer).to_vec();
            if answer::is_right(&self.info, dealer, player, dealing, &complaint) {
                self.blame_last(Party::Dealer(dealer), FaultKind::BadDealing, &[&dealt]);
            } else {
                self.blame_last(Party::Player(player), FaultKind::FalseComplaint, &[&dealt]);
            }
        }
        Ok(())
    }

    /// Round 3: exactly the shares of the players that were silent, each on the polynomial.
    pub(crate) fn dealer_log(&mut self, dealer: u16, body: &[u8]) -> Result<(), Refusal> {
        if self.disqualified.contains(&dealer) || !self.roster.iter().any(|(d, _)| *d == dealer) {
            return Err(Refusal::Disqualified);
        }
        let dealing = &self.dealings[&dealer];
        let kind = match answer::read_reveals(body) {
            Some(reveals) if reveals.len() > usize::from(self.info.f()) => {
                Some(FaultKind::TooManyReveals)
            }
            Some(reveals) => {
                let players = reveals.iter().map(|(player, _)| player);
                let holds = players.eq(&self.silent)
                    && reveals
                        .iter()
                        .all(|(player, share)| dealing.holds(*player, &SecretScalar::of(share)));
                if holds {
                    self.logs.push((dealer, reveals));
                    return Ok(());
                }
                Some(FaultKind::BadReveal)
            }
            None => Some(FaultKind::BadReveal),
        };
        let dealt = self.entry(MessageKind::Dealing, dealer).to_vec();
        if let Some(kind) = kind {
            self.blame_last(Party::Dealer(dealer), kind, &[&dealt]);
        }
        Ok(())
    }

    /// Round 4: the first valid logs of the list make the key.
    pub(crate) fn conclude(&mut self) {
        let standing = self.logs.iter().map(|(dealer, _)| *dealer);
        let standing = standing.filter(|dealer| !self.disqualified.contains(dealer));
        let qualified: Vec<u16> = standing.take(usize::from(self.info.dealers_quorum())).collect();
        let opened = self.complaints.iter().filter(|(dealer, _)| qualified.contains(dealer));
        let mut revealed: Vec<u16> = opened.map(|(_, player)| *player).collect();
        revealed.extend(&self.silent);
        revealed.sort_unstable();
        revealed.dedup();
        match self.sharing(&qualified) {
            Some(sharing) => {
                let info = &self.info;
                let output = Output::of(info, sharing, self.digest, qualified, revealed);
                self.output = Some(output);
                self.phase = Phase::Agree;
            }
            None => self.fail(Cause::NoSharing),
        }
    }

    fn sharing(&self, qualified: &[u16]) -> Option<Sharing> {
        let weights = weights(&self.info, qualified);
        let dealings: Vec<&Dealing> =
            qualified.iter().map(|dealer| &self.dealings[dealer]).collect();
        let commitments = (0..usize::from(self.info.t())).map(|k| {
            let points: Vec<G2Projective> =
                dealings.iter().map(|dealing| dealing.commitments[k]).collect();
            if self.info.kind() == CeremonyKind::New {
                points.iter().fold(G2Projective::identity(), |sum, point| sum + point)
            } else {
                G2Projective::multi_exp(&points, &weights)
            }
        });
        let (n, t, epoch) = (self.info.n(), self.info.t(), self.info.new_epoch());
        let committee = Committee::new(n, t, epoch).ok()?;
        let sharing = Sharing::of(committee, commitments.collect()).ok()?;
        let keeps_key =
            self.previous.as_ref().is_none_or(|old| old.sharing().key() == sharing.key());
        keeps_key.then_some(sharing)
    }

    /// Round 4: a player's copy of the sequencer's word on the list.
    pub(crate) fn head(&mut self, player: u16) {
        self.heads.insert(player);
        if self.phase == Phase::Agree && self.heads.len() >= usize::from(self.info.t()) {
            self.phase = Phase::Activate;
        }
    }

    /// Round 5.
    pub(crate) fn activation(&mut self, player: u16, body: &[u8]) {
        match Partial::parse(body, player, self.info.new_epoch()) {
            Ok(partial) => self.pending.push(partial),
            Err(_) => self.blame_last(Party::Player(player), FaultKind::BadActivation, &[]),
        }
        let (t, n) = (usize::from(self.info.t()), usize::from(self.info.n()));
        let is_enough = self.phase == Phase::Activate && self.good.len() + self.pending.len() >= t;
        let is_all = self.count_activations() == n;
        if is_enough || is_all {
            self.settle();
        }
        let bad = self.faults.iter().filter(|fault| fault.kind == FaultKind::BadActivation);
        if self.phase == Phase::Activate && n - bad.count() < t {
            self.fail(Cause::TooFewActivations);
        }
    }

    fn count_activations(&self) -> usize {
        // The one at hand is not among the first ones yet.
        1 + self.first.keys().filter(|(kind, _)| *kind == MessageKind::Activation).count()
    }

    /// Checks each activation that nobody looked at; with t good ones the epoch may begin.
    pub(crate) fn settle(&mut self) {
        let Some(output) = &self.output else { return };
        let message = output.activation();
        let digest = hash(&message, SIGNATURE_DST);
        let partials = std::mem::take(&mut self.pending);
        // The weights depend on all that is checked: nobody chooses a partial after them.
        let secret = BatchSecret::new(output.digest());
        let bad = blame(output.sharing(), &message, &digest, &partials, &secret, false);
        let (bad, good): (Vec<Partial>, Vec<Partial>) =
            partials.into_iter().partition(|partial| bad.contains(&partial.index()));
        self.good.extend(good);
        if self.certificate.is_none() && self.good.len() >= usize::from(self.info.t()) {
            let mut partials = self.good[..usize::from(self.info.t())].to_vec();
            partials.sort_by_key(|partial| partial.index());
            let members: Vec<u16> = partials.iter().map(|partial| partial.index()).collect();
            let points: Vec<G1Affine> = partials.iter().map(|partial| partial.point()).collect();
            // Once for this committee: its table of all subsets would cost more than it saves.
            let signature = interpolate(&Row::of(&members), &points).to_affine();
            self.certificate = Signature::of(signature).ok();
        }
        for partial in bad {
            let index = partial.index();
            let proof = match self.first.get(&(MessageKind::Activation, index)) {
                Some(at) => self.entries[*at].clone(),
                None => self.entries.last().cloned().unwrap_or_default(),
            };
            self.blame(Party::Player(index), FaultKind::BadActivation, &[&proof]);
        }
        if self.certificate.is_some() && self.phase == Phase::Activate {
            self.phase = Phase::Done;
        }
    }

    /// Blames somebody with the entry at hand, behind what else shows it.
    fn blame_last(&mut self, member: Party, kind: FaultKind, before: &[&[u8]]) {
        let last = self.entries.last().cloned().unwrap_or_default();
        let proof: Vec<&[u8]> = before.iter().copied().chain([last.as_slice()]).collect();
        self.blame(member, kind, &proof);
    }
}

/// What each qualified dealing counts: 1 for a new key, else the value at 0 over the indices that
/// the dealers had in the OLD set.
pub(crate) fn weights(info: &Info, qualified: &[u16]) -> Vec<Scalar> {
    match info.kind() {
        CeremonyKind::New => vec![Scalar::ONE; qualified.len()],
        CeremonyKind::Refresh | CeremonyKind::Reshare => polynomial::weights(qualified),
    }
}
