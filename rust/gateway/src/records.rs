//! What somebody writes into the log by hand: notes, and corrections of earlier entries.
//!
//! Source: SEC Rule 17a-4(f)(2)(i)(A): who changed what and when, and both versions stay.

use cwts_types::{
    Amend, Body, ENTRY_BYTES_MAX, Entry, Fsck, HEADER_BYTES, Header, Note, RegisterKind,
};

use crate::GatewayError;
use crate::clock::Now;
use crate::control::clipped;
use crate::gateway::Gateway;
use crate::keys::random_32;

impl Gateway {
    /// Appends a note and gives its index. It is not durable yet.
    ///
    /// # Errors
    /// The entry is too long, there is no log, or it has no room or failed.
    pub fn note(&mut self, text: &str, actor: &str) -> Result<u64, GatewayError> {
        let salt = salt()?;
        self.write_record(Body::Note(Note { salt, text: bounded("text", text)? }), actor)
    }

    /// Appends a correction of an earlier entry and gives its index.
    ///
    /// # Errors
    /// The entry is not there yet; else as [`Gateway::note`].
    pub fn amend(
        &mut self,
        index: u64,
        [field, value, reason]: [&str; 3],
        actor: &str,
    ) -> Result<u64, GatewayError> {
        if index >= self.next_index() {
            return Err(GatewayError::Record(format!(
                "index: entry {index} is not there to be corrected, the log has {}",
                self.next_index()
            )));
        }
        let (field, value) = (bounded("field", field)?, bounded("value", value)?);
        let reason = bounded("reason", reason)?;
        let amend = Amend { index, salt: salt()?, field, value, reason };
        self.write_record(Body::Amend(amend), actor)
    }

    /// Appends what a check of this log found and gives its index.
    ///
    /// # Errors
    /// As [`Gateway::note`].
    pub fn record_check(&mut self, check: Fsck, actor: &str) -> Result<u64, GatewayError> {
        self.write_record(Body::Fsck(check), actor)
    }

    fn write_record(&mut self, body: Body, actor: &str) -> Result<u64, GatewayError> {
        self.attend()?;
        let entry = Entry { header: Header::default(), body };
        let bytes = entry.to_bytes().len();
        if bytes > ENTRY_BYTES_MAX {
            return Err(GatewayError::EntryTooLong { field: "text", bytes, max: ENTRY_BYTES_MAX });
        }
        let now = self.clock.now();
        let actor = self.responsible(actor, now)?;
        self.append_record(entry.body, actor, now)
    }

    /// The number of whoever is responsible, registered if new; 0 for nobody.
    pub(crate) fn responsible(&mut self, actor: &str, now: Now) -> Result<u32, GatewayError> {
        Ok(match actor {
            "" => 0,
            name => {
                self.register(RegisterKind::Actor, None, &clipped(name), now)?;
                let registry = self.engine.registry();
                registry.handle(RegisterKind::Actor, &clipped(name)).unwrap_or(0)
            }
        })
    }

    /// Appends a body that fits an entry, at `next_index`.
    pub(crate) fn append_record(
        &mut self,
        body: Body,
        actor: u32,
        now: Now,
    ) -> Result<u64, GatewayError> {
        let Some(log) = &mut self.log else {
            return Err(GatewayError::Record("log: there is none to write to".to_owned()));
        };
        if let Some(why) = log.failure() {
            return Err(self.fail(why));
        }
        if !log.has_room(1) {
            return Err(GatewayError::Backpressure);
        }
        let index = self.next_index();
        let header = Header { actor, ..self.header(1, now) };
        let bytes = Entry { header, body }.to_bytes();
        let log = self.log.as_mut();
        if log.is_some_and(|log| log.push(&bytes)) {
            return Ok(index);
        }
        let why = self.log.as_ref().and_then(crate::log::LogTail::failure).unwrap_or_default();
        Err(self.fail(why))
    }
}

fn salt() -> Result<[u8; 16], GatewayError> {
    let mut salt = [0; 16];
    salt.copy_from_slice(&random_32()?[..16]);
    Ok(salt)
}

/// A text that may stand in an entry; the entry's own length is bounded when it is whole.
fn bounded(field: &'static str, text: &str) -> Result<String, GatewayError> {
    let bytes = HEADER_BYTES + text.len();
    if bytes > ENTRY_BYTES_MAX {
        return Err(GatewayError::EntryTooLong { field, bytes, max: ENTRY_BYTES_MAX });
    }
    if text.contains('\0') {
        return Err(GatewayError::Record(format!("{field}: holds a NUL")));
    }
    Ok(text.to_owned())
}
