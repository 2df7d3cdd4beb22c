//! The names of each input on their way to handles of the log.
//!
//! Invariant: a name is registered right before the first event that uses it, so the log is the
//! same whatever the sizes of batches and chunks. Across inputs names unify by their text, and so
//! do order ids: numbers stand for themselves, texts are numbered in the order of their first use.

use std::collections::{BTreeMap, VecDeque};

use cwts_feeds::decoder::{ORDER_TEXT_BASE, ORDER_TEXTS_MAX};
use cwts_feeds::event::{Event, Names};
use cwts_types::{Alias, AliasKind, Body, RegisterKind, producer};

use super::Mapping;
use super::fold::Fold;
use crate::GatewayError;

/// What the fold knows of one input.
#[derive(Debug, Default)]
pub(super) struct InputState {
    pub(super) path: String,
    /// Handles of the names that an event has used.
    pub(super) instruments: Vec<u32>,
    pub(super) accounts: Vec<u32>,
    pub(super) strategies: Vec<u32>,
    /// Rows of a snapshot, and rows that follow from a fill.
    pub(super) snapshot: u64,
    pub(super) consequence: u64,
    waiting: [VecDeque<String>; 3],
    texts: VecDeque<String>,
    /// Texts that have come, and those of them that an event has used.
    texts_come: u64,
    texts_used: u64,
    /// Among several inputs: the order id of each text that was used.
    ids: Vec<u64>,
}

/// Text order ids of several inputs.
#[derive(Debug, Default)]
pub(super) struct SharedIds {
    by_text: BTreeMap<String, u64>,
    high_number_seen: bool,
}

impl Fold<'_> {
    /// Takes the names in that came with a batch of input `at`.
    pub(super) fn names(
        &mut self,
        at: usize,
        names: &mut Names,
        texts: &mut Vec<String>,
    ) -> Result<(), GatewayError> {
        if self.fallback == (0, 0) {
            let name = if self.mapping == Mapping::All { "ALL" } else { "default" };
            self.fallback = (
                self.handle(RegisterKind::Account, name)?,
                self.handle(RegisterKind::Strategy, name)?,
            );
        }
        let input = &mut self.inputs[at];
        input.waiting[0].extend(names.instruments.drain(..));
        if self.mapping == Mapping::File {
            input.waiting[1].extend(names.accounts.drain(..));
            input.waiting[2].extend(names.strategies.drain(..));
        }
        input.texts_come += texts.len() as u64;
        input.texts.extend(texts.drain(..));
        Ok(())
    }

    /// Registers the names that an event is the first to use.
    #[inline]
    pub(super) fn use_names(&mut self, event: &Event) -> Result<(), GatewayError> {
        let input = &self.inputs[self.input];
        let is_known = |table: &[u32], handle: u32| (handle as usize) < table.len();
        let by_file = self.mapping == Mapping::File;
        let known = is_known(&input.instruments, event.instrument)
            && (!by_file
                || (event.account == u32::MAX || is_known(&input.accounts, event.account))
                    && (event.strategy == u32::MAX || is_known(&input.strategies, event.strategy)))
            && (input.texts.is_empty() || event.order_id.max(event.ref_id) < ORDER_TEXT_BASE);
        if known { Ok(()) } else { self.register_names(event) }
    }

    #[cold]
    fn register_names(&mut self, event: &Event) -> Result<(), GatewayError> {
        const KINDS: [RegisterKind; 3] =
            [RegisterKind::Instrument, RegisterKind::Account, RegisterKind::Strategy];
        let handles = [event.instrument, event.account, event.strategy];
        for (at, (kind, handle)) in KINDS.into_iter().zip(handles).enumerate() {
            while handle != u32::MAX && self.inputs[self.input].table(at).len() <= handle as usize {
                let Some(name) = self.inputs[self.input].waiting[at].pop_front() else { break };
                let handle = self.handle(kind, &name)?;
                self.inputs[self.input].table(at).push(handle);
                if kind == RegisterKind::Instrument {
                    let wanted = self.references.len().max(handle as usize + 1);
                    self.references.resize(wanted, 0);
                }
            }
        }
        for id in [event.order_id, event.ref_id] {
            self.use_text(id)?;
        }
        Ok(())
    }

    /// Numbers the texts up to that of `id`, and logs what each number stands for.
    fn use_text(&mut self, id: u64) -> Result<(), GatewayError> {
        let Some(wanted) = id.checked_sub(ORDER_TEXT_BASE) else { return Ok(()) };
        while self.inputs[self.input].texts_used <= wanted {
            let Some(text) = self.inputs[self.input].texts.pop_front() else { break };
            let used = self.inputs[self.input].texts_used;
            self.inputs[self.input].texts_used += 1;
            let mut id = ORDER_TEXT_BASE + used;
            if let Some(shared) = &mut self.shared_ids {
                let next = ORDER_TEXT_BASE + shared.by_text.len() as u64;
                let known = shared.by_text.get(&text).copied();
                id = known.unwrap_or(next);
                self.inputs[self.input].ids.push(id);
                if known.is_some() {
                    continue;
                }
                if shared.by_text.len() >= ORDER_TEXTS_MAX {
                    let why = format!("more than {ORDER_TEXTS_MAX} distinct text order ids");
                    return Err(GatewayError::Replay(why));
                }
                shared.by_text.insert(text.clone(), id);
            }
            let alias = Alias { id, kind: AliasKind::ClOrdId, text: text.into_bytes() };
            let ts = self.last_ts;
            self.push(Body::Alias(alias), producer::REPLAY, ts)?;
        }
        Ok(())
    }

    /// An event of one of several inputs, with the order ids that all of them share.
    pub(super) fn with_shared_ids(&mut self, event: &Event) -> Result<Event, GatewayError> {
        let mut event = *event;
        for id in [&mut event.order_id, &mut event.ref_id] {
            let Some(at) = id.checked_sub(ORDER_TEXT_BASE) else { continue };
            let input = &self.inputs[self.input];
            let Some(shared) = &mut self.shared_ids else { continue };
            if at < input.texts_come {
                *id = input.ids.get(at as usize).copied().unwrap_or(*id);
            } else {
                shared.high_number_seen = true;
            }
            if shared.high_number_seen && !shared.by_text.is_empty() {
                let why = format!(
                    "{}: record {}: text order ids beside numbers from 2^63 on: both would share \
                     ids; replay these files with --session file",
                    input.path, event.src
                );
                return Err(GatewayError::Replay(why));
            }
        }
        Ok(event)
    }
}

impl InputState {
    pub(super) fn new(path: &str) -> Self {
        Self { path: path.to_owned(), ..Self::default() }
    }

    fn table(&mut self, at: usize) -> &mut Vec<u32> {
        match at {
            0 => &mut self.instruments,
            1 => &mut self.accounts,
            _ => &mut self.strategies,
        }
    }
}
