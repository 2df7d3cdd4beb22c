//! Requests that carry signatures: a change of limits, an approval, the lifting of a hold, an
//! override, a legal hold and its end, the destruction of a subject's key.
//!
//! A file of its own in the requests' folder, as a kill request is, sealed alike. Who has no key
//! asks without a signature, and the gateway says whether that counts.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cwts_types::Signature;

use super::text::{Lines, canonical, percent, seal};
use super::{HoldsError, REQUESTS_DIRECTORY};

/// The longest change request that is read: the largest limits file as base64.
pub const CHANGE_BYTES_MAX: usize = 6 * 1024 * 1024;
/// The end of a request's name that is complete.
pub const CHANGE_SUFFIX: &str = ".change";
/// The end of a request's name that waits for a second signature.
pub const HALF_SUFFIX: &str = ".half";

/// Somebody's yes: a name, and a signature if there are operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Yes {
    /// Who.
    pub name: String,
    /// By the operator's key.
    pub signature: Option<Signature>,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeAction {
    /// New limits.
    Propose {
        /// The version that they become.
        version: u32,
        /// When what they raise goes back; 0 = never.
        expires_ns: u64,
        /// Who proposes.
        maker: Yes,
        /// Where the text came from, for errors.
        path: String,
        /// The limits file.
        text: Vec<u8>,
    },
    /// Yes to a proposal.
    Approve {
        /// Its number.
        id: u64,
        /// SHA-256 of its text.
        sha256: [u8; 32],
        /// Who agrees.
        checker: Yes,
    },
    /// Lift a hold.
    Resume {
        /// Its number.
        hold: u64,
        /// Who asks.
        actor: Yes,
        /// Who agrees; nobody yet in a request that waits.
        approver: Option<Yes>,
    },
    /// Let one blocked order pass.
    Override {
        /// Its id.
        order_id: u64,
        /// Log index of the order.
        order_seq: u64,
        /// The controls that it may violate, by their bits.
        controls: u64,
        /// When it counts no longer.
        expires_ns: u64,
        /// Who asks.
        actor: Yes,
        /// Who agrees; nobody yet in a request that waits.
        approver: Option<Yes>,
    },
    /// Open a case: what it holds may not be deleted.
    Hold {
        /// Its name.
        case: String,
        /// Handles of account, instrument and person; 0 for any.
        named: [u32; 3],
        /// UTC nanoseconds: from which on, and before which.
        between_ns: [i64; 2],
        /// Who asks.
        actor: Yes,
        /// Who agrees; nobody yet in a request that waits.
        approver: Option<Yes>,
    },
    /// Destroy the key of a subject's texts.
    Shred {
        /// Code of the subject's kind, and its handle.
        subject: (u8, u32),
        /// Who asks.
        actor: Yes,
        /// Who agrees; nobody yet in a request that waits.
        approver: Option<Yes>,
    },
    /// Close a case.
    Release {
        /// Its name.
        case: String,
        /// Who asks.
        actor: Yes,
        /// Who agrees; nobody yet in a request that waits.
        approver: Option<Yes>,
    },
}

/// What another process asks for, signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeRequest {
    /// What is asked.
    pub action: ChangeAction,
    /// Why.
    pub reason: String,
    /// When.
    pub utc_ns: u64,
}

impl ChangeRequest {
    /// The text of the request.
    pub fn encode(&self) -> String {
        let mut text = format!("{HEAD}\n");
        // Writing to a String cannot fail.
        let _ = match &self.action {
            ChangeAction::Propose { version, expires_ns, maker, path, text: file } => {
                let (path, file) = (percent(path), base64(file));
                let maker = yes(maker);
                writeln!(
                    text,
                    "kind propose\nversion {version}\nexpires_ns {expires_ns}\nmaker {maker}\npath \
                     {path}\ntext {file}"
                )
            }
            ChangeAction::Approve { id, sha256, checker } => {
                let (sha256, checker) = (base64(sha256), yes(checker));
                writeln!(text, "kind approve\nproposal {id}\ndigest {sha256}\nchecker {checker}")
            }
            ChangeAction::Resume { hold, actor, approver } => {
                let (actor, approver) = (yes(actor), second(approver.as_ref()));
                writeln!(text, "kind resume\nhold {hold}\nactor {actor}\napprover {approver}")
            }
            ChangeAction::Override {
                order_id,
                order_seq,
                controls,
                expires_ns,
                actor,
                approver,
            } => {
                let (actor, approver) = (yes(actor), second(approver.as_ref()));
                writeln!(
                    text,
                    "kind override\norder {order_id}\nentry {order_seq}\ncontrols \
                     {controls}\nexpires_ns {expires_ns}\nactor {actor}\napprover {approver}"
                )
            }
            ChangeAction::Hold { case, named, between_ns, actor, approver } => {
                let (case, [account, instrument, person]) = (percent(case), named);
                let ([from_ns, to_ns], actor) = (between_ns, yes(actor));
                let approver = second(approver.as_ref());
                writeln!(
                    text,
                    "kind hold\ncase {case}\naccount {account}\ninstrument {instrument}\nperson \
                     {person}\nfrom_ns {from_ns}\nto_ns {to_ns}\nactor {actor}\napprover {approver}"
                )
            }
            ChangeAction::Release { case, actor, approver } => {
                let (case, actor, approver) =
                    (percent(case), yes(actor), second(approver.as_ref()));
                writeln!(text, "kind release\ncase {case}\nactor {actor}\napprover {approver}")
            }
            ChangeAction::Shred { subject: (of, subject), actor, approver } => {
                let (actor, approver) = (yes(actor), second(approver.as_ref()));
                writeln!(
                    text,
                    "kind shred\nof {of}\nsubject {subject}\nactor {actor}\napprover {approver}"
                )
            }
        };
        let _ = writeln!(text, "reason {}\nutc_ns {}", percent(&self.reason), self.utc_ns);
        seal(text)
    }

    /// Reads a request.
    pub fn parse(bytes: &[u8]) -> Result<Self, HoldsError> {
        let mut lines = Lines::open(bytes, HEAD)?;
        let action = match lines.value("kind")? {
            "propose" => ChangeAction::Propose {
                version: lines.field("version")?,
                expires_ns: lines.field("expires_ns")?,
                maker: read_yes(&mut lines, "maker")?,
                path: read_text(&mut lines, "path")?,
                text: {
                    let text = lines.value("text")?;
                    unbase64(&lines, text)?
                },
            },
            "approve" => ChangeAction::Approve {
                id: lines.field("proposal")?,
                sha256: {
                    let digest = lines.value("digest")?;
                    let bytes = unbase64(&lines, digest)?;
                    bytes.try_into().map_err(|_| lines.wrong("a digest has 32 bytes"))?
                },
                checker: read_yes(&mut lines, "checker")?,
            },
            "resume" => ChangeAction::Resume {
                hold: lines.field("hold")?,
                actor: read_yes(&mut lines, "actor")?,
                approver: read_second(&mut lines)?,
            },
            "override" => ChangeAction::Override {
                order_id: lines.field("order")?,
                order_seq: lines.field("entry")?,
                controls: lines.field("controls")?,
                expires_ns: lines.field("expires_ns")?,
                actor: read_yes(&mut lines, "actor")?,
                approver: read_second(&mut lines)?,
            },
            "hold" => ChangeAction::Hold {
                case: read_text(&mut lines, "case")?,
                named: [
                    lines.field("account")?,
                    lines.field("instrument")?,
                    lines.field("person")?,
                ],
                between_ns: [lines.field("from_ns")?, lines.field("to_ns")?],
                actor: read_yes(&mut lines, "actor")?,
                approver: read_second(&mut lines)?,
            },
            "release" => ChangeAction::Release {
                case: read_text(&mut lines, "case")?,
                actor: read_yes(&mut lines, "actor")?,
                approver: read_second(&mut lines)?,
            },
            "shred" => ChangeAction::Shred {
                subject: (lines.field("of")?, lines.field("subject")?),
                actor: read_yes(&mut lines, "actor")?,
                approver: read_second(&mut lines)?,
            },
            _ => {
                let kinds =
                    "the kind is propose, approve, resume, override, hold, release or shred";
                return Err(lines.wrong(kinds));
            }
        };
        let reason = read_text(&mut lines, "reason")?;
        let utc_ns = lines.field("utc_ns")?;
        let parsed = Self { action, reason, utc_ns };
        canonical(bytes, &parsed.encode())?;
        Ok(parsed)
    }

    /// Whether a file's name is that of a change request.
    pub fn is_path(path: &str) -> bool {
        path.strip_prefix(REQUESTS_DIRECTORY)
            .and_then(|name| {
                name.strip_suffix(CHANGE_SUFFIX).or_else(|| name.strip_suffix(HALF_SUFFIX))
            })
            .is_some_and(|name| super::KillRequest::path(name).is_some())
    }
}

fn base64(bytes: &[u8]) -> String {
    // An empty word is no word.
    if bytes.is_empty() { "-".to_owned() } else { STANDARD.encode(bytes) }
}

fn unbase64(lines: &Lines<'_>, word: &str) -> Result<Vec<u8>, HoldsError> {
    if word == "-" {
        return Ok(Vec::new());
    }
    STANDARD.decode(word).map_err(|_| lines.wrong("bytes are not base64"))
}

fn read_text(lines: &mut Lines<'_>, key: &'static str) -> Result<String, HoldsError> {
    let value = lines.value(key)?;
    lines.text(value)
}

/// Who agrees, or that nobody does yet.
fn second(approver: Option<&Yes>) -> String {
    approver.map_or_else(|| "nobody".to_owned(), yes)
}

/// A signature, or `-`, and a name.
fn yes(yes: &Yes) -> String {
    let signature = yes.signature.as_ref().map_or(&[][..], |s| s.as_slice());
    format!("{} {}", base64(signature), percent(&yes.name))
}

fn read_yes(lines: &mut Lines<'_>, key: &'static str) -> Result<Yes, HoldsError> {
    let value = lines.value(key)?;
    parse_yes(lines, value)
}

/// Who agrees, if anybody does yet.
fn read_second(lines: &mut Lines<'_>) -> Result<Option<Yes>, HoldsError> {
    match lines.value("approver")? {
        "nobody" => Ok(None),
        value => parse_yes(lines, value).map(Some),
    }
}

fn parse_yes(lines: &Lines<'_>, value: &str) -> Result<Yes, HoldsError> {
    let (signature, name) =
        value.split_once(' ').ok_or_else(|| lines.wrong("a yes is a signature and a name"))?;
    let bytes = unbase64(lines, signature)?;
    let signature = match bytes.len() {
        0 => None,
        _ => Some(bytes.try_into().map_err(|_| lines.wrong("a signature has 64 bytes"))?),
    };
    Ok(Yes { name: lines.text(name)?, signature })
}

const HEAD: &str = "cwts change request v1";

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<ChangeRequest> {
        let anna = Yes { name: "anna b".to_owned(), signature: Some([7; 64]) };
        let bo = Yes { name: "bo".to_owned(), signature: None };
        let request = |action| ChangeRequest { action, reason: "index day".to_owned(), utc_ns: 5 };
        vec![
            request(ChangeAction::Propose {
                version: 2,
                expires_ns: 9,
                maker: anna.clone(),
                path: "new.toml".to_owned(),
                text: b"schema = 1\n".to_vec(),
            }),
            request(ChangeAction::Approve { id: 1, sha256: [3; 32], checker: bo.clone() }),
            request(ChangeAction::Resume {
                hold: 4,
                actor: anna.clone(),
                approver: Some(bo.clone()),
            }),
            request(ChangeAction::Override {
                order_id: 7,
                order_seq: 9,
                controls: 1 << 29,
                expires_ns: 11,
                actor: anna.clone(),
                approver: Some(bo.clone()),
            }),
            request(ChangeAction::Hold {
                case: "case 7".to_owned(),
                named: [1, 0, 3],
                between_ns: [-5, i64::MAX],
                actor: anna.clone(),
                approver: None,
            }),
            request(ChangeAction::Release {
                case: "case 7".to_owned(),
                actor: anna,
                approver: Some(bo.clone()),
            }),
            request(ChangeAction::Shred { subject: (3, 7), actor: bo.clone(), approver: None }),
            request(ChangeAction::Resume { hold: 4, actor: bo, approver: None }),
        ]
    }

    #[test]
    fn a_request_reads_back_and_no_bit_of_it_is_without_meaning() {
        for request in samples() {
            let text = request.encode();
            assert_eq!(ChangeRequest::parse(text.as_bytes()), Ok(request));
            for bit in 0..text.len() * 8 {
                let mut bytes = text.clone().into_bytes();
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert!(ChangeRequest::parse(&bytes).is_err(), "bit {bit}");
            }
        }
        assert!(ChangeRequest::is_path("requests/7-1.change"));
        assert!(ChangeRequest::is_path("requests/7-1.half"));
        assert!(!ChangeRequest::is_path("requests/.change"));
        assert!(!ChangeRequest::is_path("requests/7.req"));
    }
}
