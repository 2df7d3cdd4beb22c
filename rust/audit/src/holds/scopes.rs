//! `kill.scopes`: the names of the scopes, a line a slot.

use std::fmt::Write as _;

use cwts_types::ScopeKind;

use super::HoldsError;
use super::text::{Lines, canonical, percent, seal};

/// Names of the scopes, in slot order.
pub const SCOPES_FILE: &str = "kill.scopes";

/// One scope, whose slot is its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedScope {
    /// Kind.
    pub kind: ScopeKind,
    /// Name.
    pub name: String,
}

/// The text of `kill.scopes`.
pub fn encode_scopes(scopes: &[NamedScope]) -> String {
    let mut text = format!("{SCOPES_HEAD}\n");
    for (slot, scope) in scopes.iter().enumerate() {
        let _ = writeln!(text, "{slot} {} {}", scope.kind.name(), percent(&scope.name));
    }
    seal(text)
}

/// Reads `kill.scopes`.
pub fn parse_scopes(bytes: &[u8]) -> Result<Vec<NamedScope>, HoldsError> {
    let mut lines = Lines::open(bytes, SCOPES_HEAD)?;
    let mut scopes = Vec::new();
    while let Some(line) = lines.next() {
        let words: Vec<&str> = line.split(' ').collect();
        let [_, kind, name] = words[..] else { return Err(lines.wrong("a scope has three words")) };
        let kind = kind.parse().map_err(|_| lines.wrong("no kind of scope"))?;
        scopes.push(NamedScope { kind, name: lines.text(name)? });
    }
    let firm = scopes.first().is_some_and(|s| s.kind == ScopeKind::Firm && s.name == "firm");
    if !firm {
        return Err(HoldsError::Malformed { line: 2, what: "slot 0 is `firm firm`" });
    }
    canonical(bytes, &encode_scopes(&scopes))?;
    Ok(scopes)
}

const SCOPES_HEAD: &str = "cwts kill scopes v1";
