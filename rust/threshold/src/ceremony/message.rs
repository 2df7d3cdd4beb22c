//! A message: who says what in which ceremony, signed.
//!
//! `kind u8 | vote key 32 | info digest 32 | length u32 | body | signature 64`. The sender's index
//! is looked up by the key that signed; no body holds the index of its sender. The bodies of rounds
//! 2 to 4 begin with the close of the round before, so they belong to one list: in another one they
//! convict the sequencer, not who sent them.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use super::fault::{Party, Refusal};
use super::info::Info;
use super::wire::{Reader, put_block};

/// Bytes of the longest message.
pub const MESSAGE_BYTES_MAX: usize = 64 << 10;

const SIGN_DOMAIN: &[u8] = b"cwts/ceremony/v1\0";
const SIGNATURE_BYTES: usize = 64;
/// Bytes of a whole close: its head, round, position, digest, signature.
pub(crate) const CLOSE_BYTES: usize = 1 + 32 + 32 + 4 + (1 + 8 + 32) + SIGNATURE_BYTES;

/// What a message is. Everybody sends one of each kind at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum MessageKind {
    /// A dealer's polynomial and encrypted shares (round 1).
    Dealing = 1,
    /// A player's acks and complaints (round 2).
    Answer = 2,
    /// A dealer's forced reveals (round 3).
    DealerLog = 3,
    /// A player's signature over the list so far (round 4).
    Head = 4,
    /// A player's partial signature with its new share (round 5).
    Activation = 5,
    /// The sequencer closes a round.
    Close = 6,
    /// The sequencer gives up.
    Abort = 7,
}

impl MessageKind {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Dealing,
        Self::Answer,
        Self::DealerLog,
        Self::Head,
        Self::Activation,
        Self::Close,
        Self::Abort,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dealing => "dealing",
            Self::Answer => "answer",
            Self::DealerLog => "dealer log",
            Self::Head => "head",
            Self::Activation => "activation",
            Self::Close => "close",
            Self::Abort => "abort",
        }
    }
}

/// A message whose signature holds, by somebody who may send it.
#[derive(Clone, Copy)]
pub(crate) struct Message<'b> {
    pub(crate) kind: MessageKind,
    pub(crate) party: Party,
    pub(crate) body: &'b [u8],
    /// All but the signature: what two messages differ in.
    pub(crate) signed: &'b [u8],
}

/// Signs a message. The bytes depend on nothing else: Ed25519 is deterministic.
pub(crate) fn write(kind: MessageKind, info: &Info, key: &SigningKey, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind as u8];
    out.extend_from_slice(key.verifying_key().as_bytes());
    out.extend_from_slice(&info.digest());
    put_block(&mut out, body);
    let signature = key.sign(&[SIGN_DOMAIN, &out].concat());
    out.extend_from_slice(&signature.to_bytes());
    out
}

/// Reads a message and checks whose it is.
pub(crate) fn read<'b>(bytes: &'b [u8], info: &Info) -> Result<Message<'b>, Refusal> {
    let fields = split(bytes, info)?;
    let (party, key) = sender(&fields, info)?;
    verify(key, &fields)?;
    Ok(Message { kind: fields.kind, party, body: fields.body, signed: fields.signed })
}

struct Fields<'b> {
    kind: MessageKind,
    vote: [u8; 32],
    body: &'b [u8],
    signed: &'b [u8],
    signature: [u8; SIGNATURE_BYTES],
}

fn split<'b>(bytes: &'b [u8], info: &Info) -> Result<Fields<'b>, Refusal> {
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(Refusal::TooLong { got: bytes.len() });
    }
    let mut reader = Reader::new(bytes);
    let fields = (|| {
        let kind = reader.u8("kind").ok()?;
        let kind = MessageKind::ALL.into_iter().find(|known| *known as u8 == kind)?;
        let vote = reader.array("vote key").ok()?;
        let digest: [u8; 32] = reader.array("info digest").ok()?;
        let body = reader.block("body", MESSAGE_BYTES_MAX).ok()?;
        let signature = reader.array("signature").ok()?;
        reader.end().ok()?;
        let signed = &bytes[..bytes.len() - SIGNATURE_BYTES];
        Some((digest, Fields { kind, vote, body, signed, signature }))
    })();
    let (digest, fields) = fields.ok_or(Refusal::Malformed)?;
    if digest != info.digest() {
        return Err(Refusal::WrongCeremony);
    }
    Ok(fields)
}

fn sender<'i>(fields: &Fields<'_>, info: &'i Info) -> Result<(Party, &'i VerifyingKey), Refusal> {
    let stranger = Refusal::Stranger { kind: fields.kind };
    match fields.kind {
        MessageKind::Dealing | MessageKind::DealerLog => {
            let index = info.dealer(&fields.vote).ok_or(stranger)?;
            Ok((Party::Dealer(index), &info.dealers()[usize::from(index) - 1].vote))
        }
        MessageKind::Answer | MessageKind::Head | MessageKind::Activation => {
            let index = info.player(&fields.vote).ok_or(stranger)?;
            Ok((Party::Player(index), &info.players()[usize::from(index) - 1].vote))
        }
        MessageKind::Close | MessageKind::Abort if fields.vote == info.sequencer() => {
            Ok((Party::Sequencer, info.sequencer_key()))
        }
        MessageKind::Close | MessageKind::Abort => Err(stranger),
    }
}

fn verify(key: &VerifyingKey, fields: &Fields<'_>) -> Result<(), Refusal> {
    let signature = Signature::from_bytes(&fields.signature);
    key.verify_strict(&[SIGN_DOMAIN, fields.signed].concat(), &signature)
        .map_err(|_| Refusal::BadSignature)
}

/// The sequencer's word that a round is over: at which place of which list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Close {
    pub(crate) round: u8,
    /// The place of the close itself.
    pub(crate) pos: u64,
    /// The running digest of all entries before it.
    pub(crate) digest: [u8; 32],
}

impl Close {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        [&[self.round][..], &self.pos.to_le_bytes(), &self.digest].concat()
    }

    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        let round = reader.u8("round").ok().filter(|round| (1..=3).contains(round))?;
        let pos = reader.u64("position").ok()?;
        let digest = reader.array("digest").ok()?;
        reader.end().ok()?;
        Some(Self { round, pos, digest })
    }
}
