//! `kill.state`: the holds that stand.

use std::fmt::Write as _;

use cwts_types::KillState;

use super::HoldsError;
use super::page::{PAGE_SLOTS, page_image};
use super::text::{Lines, canonical, percent, seal};

/// The holds that stand.
pub const STATE_FILE: &str = "kill.state";

/// One standing hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Number of the hold.
    pub id: u64,
    /// Slot of its scope.
    pub slot: u32,
    /// What it sets: never ACTIVE.
    pub state: KillState,
    /// Rank of who holds.
    pub rank: u8,
    /// Whether reducing orders pass in HALTED.
    pub allow_reduce: bool,
    /// Log index of its KILL.
    pub seq: u64,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// What `kill.state` says.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct KillSnapshot {
    /// Number of kill events so far.
    pub epoch: u32,
    /// Log index of the last KILL or RESUME; 0 without one.
    pub seq: u64,
    /// The standing holds, by id.
    pub holds: Vec<Hold>,
}

impl KillSnapshot {
    /// The text of `kill.state`.
    pub fn encode(&self) -> String {
        let mut text = format!("{STATE_HEAD}\nepoch {}\nseq {}\n", self.epoch, self.seq);
        for hold in &self.holds {
            let Hold { id, slot, state, rank, allow_reduce, seq, actor, reason } = hold;
            let (state, flags) = (*state as u8, u8::from(*allow_reduce));
            let (actor, reason) = (percent(actor), percent(reason));
            // Writing to a String cannot fail.
            let _ =
                writeln!(text, "hold {id} {slot} {state} {rank} {flags} {seq} {actor} {reason}");
        }
        seal(text)
    }

    /// Reads `kill.state`.
    pub fn parse(bytes: &[u8]) -> Result<Self, HoldsError> {
        let mut lines = Lines::open(bytes, STATE_HEAD)?;
        let epoch = lines.field("epoch")?;
        let seq = lines.field("seq")?;
        let mut parsed = Self { epoch, seq, holds: Vec::new() };
        while let Some(line) = lines.next() {
            let words: Vec<&str> = line.split(' ').collect();
            let ["hold", id, slot, state, rank, flags, seq, actor, reason] = words[..] else {
                return Err(lines.wrong("a hold has nine words"));
            };
            let state = state.parse().ok().and_then(KillState::from_code);
            let state = state.filter(|s| *s != KillState::Active);
            parsed.holds.push(Hold {
                id: lines.number(id)?,
                slot: lines.number(slot)?,
                state: state.ok_or_else(|| lines.wrong("a hold's state is 1 or 2"))?,
                rank: lines.number(rank)?,
                allow_reduce: lines.number::<u8>(flags)? == 1,
                seq: lines.number(seq)?,
                actor: lines.text(actor)?,
                reason: lines.text(reason)?,
            });
        }
        canonical(bytes, &parsed.encode())?;
        Ok(parsed)
    }

    /// The page that these holds make: each scope's own state is its strictest hold.
    pub fn page(&self) -> Vec<u8> {
        let mut states = Vec::new();
        for hold in &self.holds {
            let slot = hold.slot as usize;
            if slot >= PAGE_SLOTS {
                continue;
            }
            if states.len() <= slot {
                states.resize(slot + 1, KillState::Active);
            }
            states[slot] = states[slot].max(hold.state);
        }
        page_image(self.epoch.into(), &states)
    }
}

const STATE_HEAD: &str = "cwts kill state v1";
