//! The public side: a fold over the ordered list, the same for every member and every auditor.
//!
//! Invariant: nothing here is secret, and nothing but the list moves it. Two boards that were given
//! the same entries agree on the qualified dealers, the key and every fault.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use super::dealing::Dealing;
use super::error::CeremonyError;
use super::fault::{Cause, Fault, FaultKind, Party, Refusal};
use super::info::Info;
use super::message::{self, CLOSE_BYTES, Close, Message, MessageKind};
use super::output::Output;
use crate::point::Signature;
use crate::recover::Partial;
use crate::scalar::Scalar;

/// Entries of the longest list: what 128 members may say, twice, and what the sequencer says.
pub const ENTRIES_MAX: usize = 2_048;
/// Bytes of the longest list.
pub const LIST_BYTES_MAX: usize = 16 << 20;

const LIST_DOMAIN: &[u8] = b"cwts/ceremony-list/v1\0";

/// How far a ceremony is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Round 1: dealers deal.
    Deal,
    /// Round 2: players acknowledge or complain.
    Answer,
    /// Round 3: dealers show the shares of silent players.
    Reveal,
    /// Round 4: players sign what they saw.
    Agree,
    /// Round 5: players sign with their new shares.
    Activate,
    /// The new epoch may begin.
    Done,
    /// The old epoch goes on.
    Failed,
}

impl Phase {
    /// The round that a close ends.
    pub(crate) fn round(self) -> Option<u8> {
        match self {
            Self::Deal => Some(1),
            Self::Answer => Some(2),
            Self::Reveal => Some(3),
            _ => None,
        }
    }
}

pub(crate) struct Board {
    pub(crate) info: Info,
    pub(crate) previous: Option<Output>,
    pub(crate) entries: Vec<Vec<u8>>,
    bytes: usize,
    pub(crate) digest: [u8; 32],
    pub(crate) phase: Phase,
    pub(crate) cause: Option<Cause>,
    /// The phase in which it failed.
    reached: Phase,
    pub(crate) faults: Vec<Fault>,
    /// Where the first message of each kind and sender stands; of a close, the round is the sender.
    pub(crate) first: BTreeMap<(MessageKind, u16), usize>,
    /// What came from outside the list: proof that the sequencer showed two.
    pub(crate) heard: Option<Vec<u8>>,
    pub(crate) disqualified: BTreeSet<u16>,
    /// Those whose public part holds.
    pub(crate) dealings: BTreeMap<u16, Dealing>,
    /// The dealings that round 1 closed with.
    pub(crate) roster: Vec<(u16, [u8; 32])>,
    /// (dealer, player).
    pub(crate) complaints: BTreeSet<(u16, u16)>,
    /// Players without an answer when round 2 closed.
    pub(crate) silent: Vec<u16>,
    /// Valid logs, in the order of the list.
    pub(crate) logs: Vec<(u16, Vec<(u16, Scalar)>)>,
    pub(crate) output: Option<Output>,
    pub(crate) heads: BTreeSet<u16>,
    /// Activations that were not looked at.
    pub(crate) pending: Vec<Partial>,
    pub(crate) good: Vec<Partial>,
    pub(crate) certificate: Option<Signature>,
}

impl Board {
    pub(crate) fn new(info: Info, previous: Option<Output>) -> Result<Self, CeremonyError> {
        info.check_previous(previous.as_ref())?;
        let digest =
            Sha256::new_with_prefix(LIST_DOMAIN).chain_update(info.digest()).finalize().into();
        Ok(Self {
            info,
            previous,
            entries: Vec::new(),
            bytes: 0,
            digest,
            phase: Phase::Deal,
            cause: None,
            reached: Phase::Deal,
            faults: Vec::new(),
            first: BTreeMap::new(),
            heard: None,
            disqualified: BTreeSet::new(),
            dealings: BTreeMap::new(),
            roster: Vec::new(),
            complaints: BTreeSet::new(),
            silent: Vec::new(),
            logs: Vec::new(),
            output: None,
            heads: BTreeSet::new(),
            pending: Vec::new(),
            good: Vec::new(),
            certificate: None,
        })
    }

    /// Takes the next entry, whatever it is: it is part of the list.
    pub(crate) fn deliver(&mut self, bytes: &[u8]) -> Result<(MessageKind, Party), Refusal> {
        if self.entries.len() == ENTRIES_MAX || self.bytes + bytes.len() > LIST_BYTES_MAX {
            self.fail(Cause::ListFull);
            return Err(Refusal::Over);
        }
        let before = self.digest;
        self.bytes += bytes.len();
        self.entries.push(bytes.to_vec());
        self.digest = Sha256::new_with_prefix(LIST_DOMAIN)
            .chain_update(before)
            .chain_update(Sha256::digest(bytes))
            .finalize()
            .into();
        if self.phase == Phase::Failed {
            return Err(Refusal::Over);
        }
        let message = message::read(bytes, &self.info)?;
        let slot = slot(&message)?;
        self.check_first(slot, &message, bytes)?;
        // A close that is refused is the sequencer's word all the same: it has no second one.
        if message.kind == MessageKind::Close {
            self.first.insert(slot, self.entries.len() - 1);
        }
        self.accept(&message, before)?;
        self.first.insert(slot, self.entries.len() - 1);
        self.check_alive();
        Ok((message.kind, message.party))
    }

    /// What [`Board::deliver`] would say, as far as that is cheap: for who orders the messages.
    pub(crate) fn admit(&self, bytes: &[u8]) -> Result<(), Refusal> {
        if self.entries.len() >= ENTRIES_MAX || self.bytes + bytes.len() > LIST_BYTES_MAX {
            return Err(Refusal::Over);
        }
        let message = message::read(bytes, &self.info)?;
        match self.first.get(&slot(&message)?) {
            _ if self.phase == Phase::Failed => Err(Refusal::Over),
            Some(at) if signed(&self.entries[*at]) == message.signed => Err(Refusal::Duplicate),
            // A second, different one is evidence, however late: into the list with it, once.
            Some(_) if self.has_fault(message.party, FaultKind::Equivocation) => {
                Err(Refusal::Second)
            }
            Some(_) => Ok(()),
            None => self.check_phase(message.kind),
        }
    }

    /// Takes a message that came from a peer and not through the list. Only a second list of the
    /// sequencer is looked for.
    pub(crate) fn hear(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let message = message::read(bytes, &self.info)?;
        let close = match message.kind {
            MessageKind::Close => bytes,
            MessageKind::Answer | MessageKind::DealerLog | MessageKind::Head => {
                message.body.get(..CLOSE_BYTES).ok_or(Refusal::Malformed)?
            }
            _ => return Err(Refusal::Stranger { kind: message.kind }),
        };
        if self.is_second_list(close)? {
            self.heard = Some(bytes.to_vec());
        }
        Ok(())
    }

    /// Whether a close is not the one of this list; then the sequencer is at fault.
    pub(crate) fn is_second_list(&mut self, close: &[u8]) -> Result<bool, Refusal> {
        let message = message::read(close, &self.info)?;
        if message.kind != MessageKind::Close {
            return Err(Refusal::Malformed);
        }
        let Some(at) = self.first.get(&slot(&message)?) else { return Ok(false) };
        let own = self.entries[*at].clone();
        if signed(&own) == message.signed {
            return Ok(false);
        }
        self.blame(Party::Sequencer, FaultKind::Equivocation, &[&own, close]);
        Ok(true)
    }

    fn check_first(
        &mut self,
        slot: (MessageKind, u16),
        message: &Message<'_>,
        bytes: &[u8],
    ) -> Result<(), Refusal> {
        let Some(at) = self.first.get(&slot) else { return Ok(()) };
        let first = self.entries[*at].clone();
        if signed(&first) == message.signed {
            return Err(Refusal::Duplicate);
        }
        self.blame(message.party, FaultKind::Equivocation, &[&first, bytes]);
        self.check_alive();
        Err(Refusal::Second)
    }

    pub(crate) fn check_phase(&self, kind: MessageKind) -> Result<(), Refusal> {
        let (from, to) = match kind {
            MessageKind::Dealing => (Phase::Deal, Phase::Deal),
            MessageKind::Answer => (Phase::Answer, Phase::Answer),
            MessageKind::DealerLog => (Phase::Reveal, Phase::Reveal),
            MessageKind::Head => (Phase::Agree, Phase::Done),
            MessageKind::Activation => (Phase::Activate, Phase::Done),
            MessageKind::Close => (Phase::Deal, Phase::Reveal),
            MessageKind::Abort => (Phase::Deal, Phase::Activate),
        };
        match self.phase {
            Phase::Failed => Err(Refusal::Over),
            phase if phase < from => Err(Refusal::Early),
            phase if phase > to => Err(Refusal::Late),
            _ => Ok(()),
        }
    }

    fn accept(&mut self, message: &Message<'_>, before: [u8; 32]) -> Result<(), Refusal> {
        self.check_phase(message.kind)?;
        match (message.kind, message.party) {
            (MessageKind::Dealing, Party::Dealer(dealer)) => self.dealing(dealer, message.body),
            (MessageKind::Answer, Party::Player(player)) => {
                return match self.of_this_list(1, message.body)? {
                    Some(body) => self.answer(player, body),
                    None => Ok(()),
                };
            }
            (MessageKind::DealerLog, Party::Dealer(dealer)) => {
                return match self.of_this_list(2, message.body)? {
                    Some(body) => self.dealer_log(dealer, body),
                    None => Ok(()),
                };
            }
            (MessageKind::Head, Party::Player(player)) => {
                match self.of_this_list(3, message.body)? {
                    Some([]) => self.head(player),
                    Some(_) => return Err(Refusal::Malformed),
                    None => {}
                }
            }
            (MessageKind::Activation, Party::Player(player)) => {
                self.activation(player, message.body);
            }
            (MessageKind::Close, _) => return self.close(message.body, before),
            (MessageKind::Abort, _) => self.fail(Cause::Aborted),
            _ => return Err(Refusal::Malformed),
        }
        Ok(())
    }

    /// What stands behind a body's close, if that is this list's; none if it is another list's, and
    /// the sequencer convicted.
    fn of_this_list<'b>(
        &mut self,
        round: u16,
        body: &'b [u8],
    ) -> Result<Option<&'b [u8]>, Refusal> {
        let (close, rest) = body.split_at_checked(CLOSE_BYTES).ok_or(Refusal::Malformed)?;
        if close == self.entry(MessageKind::Close, round) {
            return Ok(Some(rest));
        }
        if self.is_second_list(close)? { Ok(None) } else { Err(Refusal::Malformed) }
    }

    fn close(&mut self, body: &[u8], before: [u8; 32]) -> Result<(), Refusal> {
        let close = Close::parse(body).ok_or(Refusal::Malformed)?;
        if self.phase.round() != Some(close.round) {
            return Err(Refusal::Early);
        }
        if close.pos + 1 != self.entries.len() as u64 || close.digest != before {
            return Err(Refusal::CloseMismatch);
        }
        let (have, need) = self.count();
        if have < need {
            return Err(Refusal::CloseEarly { have, need });
        }
        match self.phase {
            Phase::Deal => {
                let standing =
                    self.dealings.iter().filter(|(dealer, _)| !self.disqualified.contains(dealer));
                self.roster = standing.map(|(dealer, dealt)| (*dealer, dealt.digest)).collect();
                self.phase = Phase::Answer;
            }
            Phase::Answer => {
                self.silent = self.absent(MessageKind::Answer, self.info.n());
                self.phase = Phase::Reveal;
            }
            _ => self.conclude(),
        }
        Ok(())
    }

    /// Valid messages of this round, and how many close it.
    pub(crate) fn count(&self) -> (u16, u16) {
        let standing = |dealer: &u16| !self.disqualified.contains(dealer);
        let dealers = self.info.dealers_quorum();
        match self.phase {
            Phase::Deal => {
                (self.dealings.keys().filter(|dealer| standing(dealer)).count() as u16, dealers)
            }
            Phase::Answer => (
                self.info.n() - self.absent(MessageKind::Answer, self.info.n()).len() as u16,
                self.info.t(),
            ),
            Phase::Reveal => {
                (self.logs.iter().filter(|(dealer, _)| standing(dealer)).count() as u16, dealers)
            }
            Phase::Agree => (self.heads.len() as u16, self.info.t()),
            _ => ((self.good.len() + self.pending.len()) as u16, self.info.t()),
        }
    }

    /// Those of whom something is awaited in this phase.
    pub(crate) fn missing(&self) -> Vec<Party> {
        let dealers = self.info.dealers().len() as u16;
        let phase = if self.phase == Phase::Failed { self.reached } else { self.phase };
        match phase {
            Phase::Deal => list(Party::Dealer, self.absent(MessageKind::Dealing, dealers)),
            Phase::Answer => list(Party::Player, self.absent(MessageKind::Answer, self.info.n())),
            Phase::Reveal => {
                let dealt = self.roster.iter().map(|(dealer, _)| *dealer);
                let open = dealt.filter(|dealer| {
                    !self.disqualified.contains(dealer)
                        && !self.first.contains_key(&(MessageKind::DealerLog, *dealer))
                });
                list(Party::Dealer, open.collect())
            }
            Phase::Agree => list(Party::Player, self.absent(MessageKind::Head, self.info.n())),
            _ => list(Party::Player, self.absent(MessageKind::Activation, self.info.n())),
        }
    }

    fn absent(&self, kind: MessageKind, count: u16) -> Vec<u16> {
        (1..=count).filter(|index| !self.first.contains_key(&(kind, *index))).collect()
    }

    pub(crate) fn blame(&mut self, member: Party, kind: FaultKind, proof: &[&[u8]]) {
        if !self.has_fault(member, kind) {
            let proof = proof.iter().map(|bytes| bytes.to_vec()).collect();
            self.faults.push(Fault { member, kind, proof });
        }
        match member {
            Party::Dealer(dealer) if self.phase < Phase::Agree => {
                self.disqualified.insert(dealer);
            }
            Party::Sequencer => self.fail(Cause::SequencerEquivocated),
            _ => {}
        }
    }

    pub(crate) fn has_fault(&self, member: Party, kind: FaultKind) -> bool {
        self.faults.iter().any(|fault| fault.member == member && fault.kind == kind)
    }

    /// Fails if no result can be reached any more.
    pub(crate) fn check_alive(&mut self) {
        let left = match self.phase {
            Phase::Deal => self.info.dealers().len() - self.disqualified.len(),
            Phase::Answer | Phase::Reveal => {
                let roster = self.roster.iter();
                roster.filter(|(dealer, _)| !self.disqualified.contains(dealer)).count()
            }
            _ => return,
        };
        if left < usize::from(self.info.dealers_quorum()) {
            self.fail(Cause::TooFewDealers);
        }
    }

    pub(crate) fn fail(&mut self, cause: Cause) {
        // What t members signed with their new shares is true, whatever comes after it.
        if self.phase < Phase::Done {
            self.reached = self.phase;
            self.phase = Phase::Failed;
            self.cause = Some(cause);
        }
    }

    /// The entry that holds a message.
    pub(crate) fn entry(&self, kind: MessageKind, index: u16) -> &[u8] {
        self.first.get(&(kind, index)).map_or(&[], |at| &self.entries[*at])
    }
}

/// All of a message but its signature.
fn signed(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().saturating_sub(64)]
}

fn slot(message: &Message<'_>) -> Result<(MessageKind, u16), Refusal> {
    let index = match message.party {
        Party::Dealer(index) | Party::Player(index) => index,
        Party::Sequencer if message.kind == MessageKind::Close => {
            u16::from(Close::parse(message.body).ok_or(Refusal::Malformed)?.round)
        }
        Party::Sequencer => 0,
    };
    Ok((message.kind, index))
}

fn list(party: fn(u16) -> Party, indices: Vec<u16>) -> Vec<Party> {
    indices.into_iter().map(party).collect()
}
