//! Names and their handles, in the order in which the log gave them.

use std::collections::BTreeMap;

use cwts_types::{Register, RegisterKind, Scope, ScopeKind};

use crate::StepError;

/// Handles count from 1 within a kind; 0 names nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registry {
    rows: BTreeMap<RegisterKind, Vec<(String, u32)>>,
    handles: BTreeMap<(RegisterKind, String), u32>,
}

impl Registry {
    /// Takes a registration in.
    ///
    /// # Errors
    /// The handle is not the next one, the name is taken, or a bound is reached.
    pub(crate) fn insert(&mut self, register: &Register) -> Result<(), StepError> {
        let rows = self.rows.entry(register.kind).or_default();
        let wanted = rows.len() + 1;
        if register.handle as usize != wanted || wanted > HANDLES_MAX {
            return Err(StepError::Register {
                name: register.name.clone(),
                why: format!(
                    "handle {} where {wanted} comes next (at most {HANDLES_MAX})",
                    register.handle
                ),
            });
        }
        let key = (register.kind, register.name.clone());
        if self.handles.contains_key(&key) {
            return Err(StepError::Register {
                name: register.name.clone(),
                why: "the name is taken".to_owned(),
            });
        }
        rows.push((register.name.clone(), register.parent));
        self.handles.insert(key, register.handle);
        Ok(())
    }

    /// The handle of a name.
    pub fn handle(&self, kind: RegisterKind, name: &str) -> Option<u32> {
        self.handles.get(&(kind, name.to_owned())).copied()
    }

    /// The name of a handle.
    pub fn name(&self, kind: RegisterKind, handle: u32) -> Option<&str> {
        let index = (handle as usize).checked_sub(1)?;
        self.rows.get(&kind)?.get(index).map(|(name, _)| name.as_str())
    }

    /// The parent that a handle was registered with.
    pub fn parent(&self, kind: RegisterKind, handle: u32) -> Option<u32> {
        let index = (handle as usize).checked_sub(1)?;
        self.rows.get(&kind)?.get(index).map(|(_, parent)| *parent)
    }

    /// How many handles a kind has.
    pub fn len(&self, kind: RegisterKind) -> u32 {
        self.rows.get(&kind).map_or(0, |rows| rows.len() as u32)
    }

    /// Whether nothing is registered.
    pub fn is_empty(&self) -> bool {
        self.handles.is_empty()
    }

    /// Names of a kind, by ascending handle.
    pub fn names(&self, kind: RegisterKind) -> impl Iterator<Item = &str> {
        self.rows.get(&kind).into_iter().flatten().map(|(name, _)| name.as_str())
    }

    /// All registrations as they came, kind by kind.
    pub fn rows(&self) -> Vec<Register> {
        let mut out = Vec::new();
        for (kind, rows) in &self.rows {
            for (i, (name, parent)) in rows.iter().enumerate() {
                out.push(Register {
                    kind: *kind,
                    handle: i as u32 + 1,
                    parent: *parent,
                    salt: [0; 16],
                    name: name.clone(),
                });
            }
        }
        out
    }

    /// The scope as text: `account:ACC1`, `firm`.
    pub fn scope_name(&self, scope: Scope) -> String {
        let kind = match scope.kind {
            ScopeKind::Firm => return "firm".to_owned(),
            ScopeKind::Desk => RegisterKind::Desk,
            ScopeKind::Customer => RegisterKind::Customer,
            ScopeKind::Account => RegisterKind::Account,
            ScopeKind::Strategy => RegisterKind::Strategy,
            ScopeKind::Instrument => RegisterKind::Instrument,
            ScopeKind::Venue => RegisterKind::Venue,
            ScopeKind::Session => RegisterKind::Session,
        };
        let name = self.name(kind, scope.handle).unwrap_or("?");
        format!("{}:{name}", scope.kind.name())
    }

    /// The scope that a text such as `account:ACC1` or `firm` names.
    ///
    /// # Errors
    /// The nearest known scope, if one is near.
    pub fn scope(&self, text: &str) -> Result<Scope, UnknownScope> {
        if text == "firm" || text == "firm:firm" {
            return Ok(Scope::FIRM);
        }
        let unknown = || {
            let known = self.scope_names();
            let words: Vec<&str> = known.iter().map(String::as_str).collect();
            UnknownScope {
                text: text.chars().take(128).collect(),
                nearest: crate::limits::nearest(text, &words).map(str::to_owned),
                known,
            }
        };
        let (kind, name) = text.split_once(':').ok_or_else(unknown)?;
        let kind: ScopeKind = kind.parse().map_err(|_| unknown())?;
        let register = RegisterKind::from_code(kind as u8).ok_or_else(unknown)?;
        let handle = self.handle(register, name).ok_or_else(unknown)?;
        Ok(Scope { kind, handle })
    }

    /// Every scope that can be halted, the firm first.
    pub fn scope_names(&self) -> Vec<String> {
        let mut out = vec!["firm".to_owned()];
        for (kind, rows) in &self.rows {
            if let Some(scope) = kind.scope_kind() {
                out.extend(rows.iter().map(|(name, _)| format!("{}:{name}", scope.name())));
            }
        }
        out
    }
}

/// A text that names no registered scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no scope `{text}`{}", hint(nearest.as_deref()))]
pub struct UnknownScope {
    /// What was asked for.
    pub text: String,
    /// The nearest known scope.
    pub nearest: Option<String>,
    /// All known scopes.
    pub known: Vec<String>,
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default()
}

/// Handles of one kind.
const HANDLES_MAX: usize = 1 << 20;
