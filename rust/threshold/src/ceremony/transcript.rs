//! What anyone needs to judge a ceremony again: its information, what it goes on from, the list.

use super::board::{Board, ENTRIES_MAX, LIST_BYTES_MAX, Phase};
use super::error::CeremonyError;
use super::fault::{Cause, Fault, Party};
use super::info::Info;
use super::message::MESSAGE_BYTES_MAX;
use super::output::Output;
use super::wire::{Reader, put_block};
use crate::point::Signature;

const MAGIC: &[u8; 8] = b"CWTSCTRN";
const VERSION: u16 = 1;

/// What the public messages of a ceremony say.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// The information. Compare its digest with the one that you know.
    pub info: Info,
    /// How far it came.
    pub phase: Phase,
    /// The result, from round 4 on.
    pub output: Option<Output>,
    /// The new members' signature over it; with it the epoch may begin.
    pub certificate: Option<Signature>,
    /// Why it failed.
    pub cause: Option<Cause>,
    /// Who did what, each judged again.
    pub faults: Vec<Fault>,
    /// Whose message was awaited in the last phase.
    pub missing: Vec<Party>,
}

pub(crate) fn write(board: &Board) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&VERSION.to_le_bytes());
    put_block(&mut out, board.info.to_bytes());
    put_block(&mut out, &board.previous.as_ref().map(Output::to_bytes).unwrap_or_default());
    out.extend_from_slice(&(board.entries.len() as u32).to_le_bytes());
    board.entries.iter().for_each(|entry| put_block(&mut out, entry));
    put_block(&mut out, board.heard.as_deref().unwrap_or_default());
    out
}

/// Judges a ceremony from its transcript alone: qualified dealers, key, certificate, and blame.
///
/// # Errors
/// [`CeremonyError`] for bytes that are no transcript. Whatever stands in the list of one that is,
/// is judged.
pub fn verify_transcript(bytes: &[u8]) -> Result<Judgement, CeremonyError> {
    let mut reader = Reader::new(bytes);
    reader.literal("magic", MAGIC)?;
    reader.literal("version", &VERSION.to_le_bytes())?;
    let info = Info::parse(reader.block("information", MESSAGE_BYTES_MAX)?)?;
    let previous = match reader.block("previous output", MESSAGE_BYTES_MAX)? {
        [] => None,
        bytes => Some(Output::parse(bytes)?),
    };
    let mut board = Board::new(info, previous)?;
    let count = reader.u32("entries")? as usize;
    if count > ENTRIES_MAX {
        return Err(CeremonyError::TooLong { field: "entries", got: count, max: ENTRIES_MAX });
    }
    for _ in 0..count {
        // What is refused counts for nothing, and is part of the list all the same.
        let _ = board.deliver(reader.block("entry", LIST_BYTES_MAX)?);
    }
    match reader.block("heard", MESSAGE_BYTES_MAX)? {
        [] => {}
        heard => {
            let _ = board.hear(heard);
        }
    }
    reader.end()?;
    board.settle();
    Ok(Judgement {
        phase: board.phase,
        missing: board.missing(),
        output: board.output,
        certificate: board.certificate,
        cause: board.cause,
        faults: board.faults,
        info: board.info,
    })
}
