//! Every decision of a log, made again: `cwts log verify --level replay`.
//!
//! Hashes prove that an entry is the one that was written, not that it was right. The engine is a
//! function of the entries before, so whoever has the log can decide each order again and compare
//! the record and its violations, bit for bit.

use std::path::Path;

use cwts_audit::{Finding, FindingKind, Verdict};
use cwts_risk::{Engine, Outcome};
use cwts_types::{Body, Decision, Entry};

use crate::GatewayError;
use crate::reader::read_log;

/// Decisions that differ and are named; the log is wrong with one.
const NAMED_MAX: u64 = 100;

/// Decides every order of a log again, and adds what differs to what the bytes gave.
///
/// # Errors
/// There is no log, or a file cannot be read.
pub fn check_decisions(dir: &Path, verdict: &mut Verdict) -> Result<(), GatewayError> {
    // Damaged entries do not fold: what is wrong with them is told already.
    if !verdict.is_ok() {
        verdict.not_checked.push("decisions, made again: entries are damaged".to_owned());
        return Ok(());
    }
    let mut again = DecideAgain::default();
    let findings = &mut verdict.findings;
    read_log(dir, &mut |index, bytes| {
        findings.extend(again.entry(index, bytes));
        Ok(())
    })?;
    let DecideAgain { compared, differing, .. } = again;
    verdict.notes.push(format!("{compared} decisions were made again, {differing} differ"));
    Ok(())
}

/// The fold that decides again, fed with entries in order.
#[derive(Debug, Default)]
pub(crate) struct DecideAgain {
    engine: Engine,
    /// What the last order gives, until its decision comes.
    open: Option<Outcome>,
    compared: u64,
    differing: u64,
    /// Behind an entry that does not fit nothing follows.
    ended: bool,
}

impl DecideAgain {
    /// Takes in an entry; gives what is wrong with it.
    pub(crate) fn entry(&mut self, index: u64, bytes: &[u8]) -> Option<Finding> {
        if self.ended {
            return None;
        }
        let finding = |kind| Finding::new(kind, "wal").index(index).by("the entries before it");
        let entry = Entry::decode(bytes).ok()?;
        let outcome = match self.engine.step(index, &entry) {
            Ok(outcome) => outcome,
            Err(error) => {
                self.ended = true;
                let says = "an entry that follows from those before";
                return Some(finding(FindingKind::ParentBad).says(says, error));
            }
        };
        let Body::Decision(decision, violations) = &entry.body else {
            if matches!(entry.body, Body::Order(..)) {
                self.open = outcome;
            }
            return None;
        };
        self.compared += 1;
        let again = self.open.take();
        let same = |a: &Outcome| a.decision == *decision && a.violations == *violations;
        if again.as_ref().is_some_and(same) {
            return None;
        }
        self.differing += 1;
        let none = "no decision: no order waits for one".to_owned();
        let expected = again.map_or(none, |again| words(&again.decision));
        (self.differing <= NAMED_MAX)
            .then(|| finding(FindingKind::DecisionDiffers).says(expected, words(decision)))
    }
}

fn words(decision: &Decision) -> String {
    let verdict = if decision.is_accepted() { "accepted" } else { "refused" };
    let reasons: Vec<&str> = decision.reasons.iter().map(cwts_types::Control::name).collect();
    format!("{verdict} [{}], observed {}", reasons.join(" "), decision.observed)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cwts_audit::{FsStorage, Level, VerifyKeys, verify};
    use cwts_risk::Outcome;
    use cwts_types::{NO_CONTROL, Order, Reasons, ReleaseMode, Side, producer};

    use super::*;
    use crate::{Gateway, GatewayOptions, KeyStore, Watch};

    const LIMITS: &str = "schema = 1\n[firm]\nbase_currency = \"USD\"\ncredit = \"1_000_000\"\n\
        [account.a]\nmax_order_qty = 10\nmax_order_notional = \"50_000\"\ncredit = \"900_000\"\n\
        max_position = { long = 100, short = 0 }\nmessage_rate = { max = 60, window = \"1s\" }\n\
        [strategy.default]\nmessage_rate = { max = 60, window = \"1s\" }\n\
        [group.us]\ntick = \"0.01\"\nlot = 1\n[instrument]\nACME = { group = \"us\" }\n";

    /// A gateway that lies: hashes, signatures, numbers, all of it is right, but one decision.
    #[test]
    fn a_log_with_perfect_hashes_and_one_false_decision_is_found() {
        type Lie = fn(&mut Outcome);
        let honest: Lie = |_| {};
        let accepts: Lie = |outcome| {
            outcome.violations.clear();
            outcome.decision.reasons = Reasons::NONE;
            outcome.decision.first = NO_CONTROL;
            outcome.decision.verdict = cwts_types::Verdict::Accept as u8;
        };
        let shades: Lie = |outcome| outcome.decision.observed += 1;
        let rounds: Lie = |outcome| outcome.violations[0].limit += 1;
        for (lie, differing) in [(honest, 0), (accepts, 1), (shades, 1), (rounds, 1)] {
            let temp = tempfile::tempdir().unwrap();
            let dir = temp.path().join("log");
            let mut gateway = Gateway::open(&GatewayOptions {
                limits: Some(("limits.toml".to_owned(), LIMITS.as_bytes().to_vec())),
                dir: Some(dir.clone()),
                keys: Some(KeyStore::new(temp.path().join("keys"))),
                origin: None,
                anchor: None,
                release: ReleaseMode::Async,
            })
            .unwrap();
            let (mut false_at, mut live) = (0, Vec::new());
            let mut watch = Watch::new(&dir, None);
            for n in 0..5 {
                let now = gateway.clock.now();
                let seq = gateway.log.as_ref().unwrap().next_index();
                let order = Order {
                    seq,
                    ts: now.utc_ns,
                    px: 1_000_000_000,
                    qty: 5_000,
                    order_id: 100 + n,
                    instrument: 1,
                    account: 1,
                    strategy: 1,
                    kind: 1,
                    side: Side::Buy as u8,
                    ..Order::default()
                };
                let mut outcome = gateway.engine.decide(&order, false);
                assert!(!outcome.decision.is_accepted());
                if n == 2 {
                    lie(&mut outcome);
                    false_at = seq + 1;
                }
                let header = gateway.header(producer::API as usize, now);
                gateway.append_pair(&order, &outcome, header).unwrap();
                gateway.log.as_ref().unwrap().wait_durable().unwrap();
                let seen = watch.look(Duration::ZERO).unwrap();
                assert!(seen.size == seq + 2 || !live.is_empty(), "it stands where it found");
                assert!(seen.findings.is_empty() || n == 2, "found as it is written");
                live.extend(seen.findings.into_iter().map(|f| (f.kind, f.index)));
            }
            gateway.close().unwrap();
            let storage = FsStorage::open(&dir).unwrap();
            let mut verdict = verify(&storage, &VerifyKeys::default(), Level::Full).unwrap();
            assert_eq!(verdict.findings, [], "the bytes are right");
            check_decisions(&dir, &mut verdict).unwrap();
            let found: Vec<_> = verdict.findings.iter().map(|f| (f.kind, f.index)).collect();
            if differing == 0 {
                assert_eq!(found, []);
            } else {
                assert_eq!(found, [(FindingKind::DecisionDiffers, Some(false_at))]);
            }
            assert_eq!(live, found, "whoever watches says the same, at once");
            let note = format!("5 decisions were made again, {differing} differ");
            assert!(verdict.notes.contains(&note), "{:?}", verdict.notes);
        }
    }
}
