//! Requests: what another process asks of the gateway, a sealed text in a file of its own.

use std::fmt::Write as _;

use super::text::{Lines, canonical, percent, seal};
use super::{HoldsError, NamedScope};

/// Where requests of other processes wait.
pub const REQUESTS_DIRECTORY: &str = "requests/";
/// The longest request that is read.
pub const REQUEST_BYTES_MAX: usize = 16 * 1024;

/// What another process asks of the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KillRequest {
    /// What is asked.
    pub action: KillAction,
    /// Who asks.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When.
    pub utc_ns: u64,
    /// Whether what works in the scope is to be cancelled once the block holds; never of a resume.
    pub cancel_working: bool,
}

/// The three requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KillAction {
    /// Halt a scope.
    Halt(NamedScope),
    /// Let a scope only reduce.
    Reduce(NamedScope),
    /// Lift a hold.
    Resume {
        /// Which.
        hold: u64,
        /// Who agreed.
        approver: String,
    },
}

impl KillRequest {
    /// The text of the request.
    pub fn encode(&self) -> String {
        let mut text = format!("{REQUEST_HEAD}\n");
        match &self.action {
            KillAction::Halt(scope) | KillAction::Reduce(scope) => {
                let halt = matches!(self.action, KillAction::Halt(_));
                let kind = if halt { "halt" } else { "reduce" };
                let (scope, name) = (scope.kind.name(), percent(&scope.name));
                let _ = writeln!(text, "kind {kind}\nscope {scope} {name}");
                if self.cancel_working {
                    let _ = writeln!(text, "{CANCEL_LINE}");
                }
            }
            KillAction::Resume { hold, approver } => {
                let _ = writeln!(text, "kind resume\nhold {hold}\napprover {}", percent(approver));
            }
        }
        let (actor, reason) = (percent(&self.actor), percent(&self.reason));
        let _ = writeln!(text, "actor {actor}\nreason {reason}\nutc_ns {}", self.utc_ns);
        seal(text)
    }

    /// Reads a request.
    pub fn parse(bytes: &[u8]) -> Result<Self, HoldsError> {
        let mut lines = Lines::open(bytes, REQUEST_HEAD)?;
        let action = match lines.value("kind")? {
            kind @ ("halt" | "reduce") => {
                let scope = lines.value("scope")?;
                let (scope, name) =
                    scope.split_once(' ').ok_or_else(|| lines.wrong("a scope is kind and name"))?;
                let scope = scope.parse().map_err(|_| lines.wrong("no kind of scope"))?;
                let scope = NamedScope { kind: scope, name: lines.text(name)? };
                if kind == "halt" { KillAction::Halt(scope) } else { KillAction::Reduce(scope) }
            }
            "resume" => {
                let hold = lines.field("hold")?;
                let approver = lines.value("approver")?;
                KillAction::Resume { hold, approver: lines.text(approver)? }
            }
            _ => return Err(lines.wrong("the kind is halt, reduce or resume")),
        };
        let is_resume = matches!(action, KillAction::Resume { .. });
        let cancel_working = !is_resume && lines.passes(CANCEL_LINE);
        let actor = lines.value("actor")?;
        let actor = lines.text(actor)?;
        let reason = lines.value("reason")?;
        let reason = lines.text(reason)?;
        let utc_ns = lines.field("utc_ns")?;
        let parsed = Self { action, actor, reason, utc_ns, cancel_working };
        canonical(bytes, &parsed.encode())?;
        Ok(parsed)
    }

    /// The path of a request's file; `None` unless the name is 1 to 64 of `a-z A-Z 0-9 . _ -`
    /// and does not start with a dot.
    pub fn path(name: &str) -> Option<String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let fits = (1..=64).contains(&name.len()) && !name.starts_with('.');
        (fits && name.chars().all(plain)).then(|| format!("{REQUESTS_DIRECTORY}{name}.req"))
    }

    /// Whether a file's name is one that [`KillRequest::path`] gives.
    pub fn is_path(path: &str) -> bool {
        path.strip_prefix(REQUESTS_DIRECTORY)
            .and_then(|name| name.strip_suffix(".req"))
            .and_then(Self::path)
            .is_some_and(|p| p == path)
    }
}

const REQUEST_HEAD: &str = "cwts kill request v1";
/// The line of a halt that also cancels; without it the text is that of the first release.
const CANCEL_LINE: &str = "cancel_working yes";
