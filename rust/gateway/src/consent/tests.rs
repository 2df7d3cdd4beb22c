//! Logs whose entries say yes for somebody who did not.

use super::*;
use cwts_audit::SigningKey;
use cwts_audit::consent::{LimitsConsent, ResumeConsent};
use cwts_types::{
    Config, ConfigKind, Header, Kill, KillState, LimitActivate, LimitApprove, LimitDirection,
    LimitPropose, Resume, Scope, Signature,
};
use sha2::{Digest as _, Sha256};

const LOG_ID: [u8; 8] = [9; 8];

fn key(name: &str) -> SigningKey {
    SigningKey::from_seed(name, &[name.len() as u8; 32]).unwrap()
}

fn limits(qty: u32) -> String {
    let mut text = format!("schema = 1\n[account.A]\nmax_order_qty = {qty}\n");
    for name in ["bo", "anna"] {
        let key = key(name).verify_key().to_string();
        let may = r#"["raise", "resume", "override", "hold"]"#;
        text += &format!("[operator.{name}]\nkey = \"{key}\"\nmay = {may}\n");
    }
    text
}

/// The entries of one story; `spoil` changes what is said before it is told.
struct Story {
    fold: Fold,
    index: u64,
}

impl Story {
    fn new() -> Self {
        let mut engine = Engine::new();
        engine.activate(1, limits(100).as_bytes()).unwrap();
        Self { fold: Fold::new(engine, LOG_ID), index: 20 }
    }

    fn tell(&mut self, body: Body) {
        self.index += 1;
        self.fold.take(self.index, &Entry { header: Header::default(), body });
    }

    /// A change to `qty` by anna, with this direction and the approval of bo.
    fn change(&mut self, qty: u32, direction: LimitDirection, made: Made) {
        let text = limits(qty);
        let sha256 = Sha256::digest(text.as_bytes()).into();
        let text = text.into_bytes();
        self.tell(Body::Config(Config { kind: ConfigKind::Limits, part: 0, parts: 1, text }));
        let first_part = self.index;
        let consent = LimitsConsent {
            log_id: made.log_id,
            version: 2,
            sha256,
            effective_ns: 0,
            expires_ns: 0,
            reason: "why",
        };
        self.tell(Body::LimitPropose(LimitPropose {
            id: 1,
            version: 2,
            parts: 1,
            direction,
            first_part,
            effective_ns: 0,
            expires_ns: 0,
            sha256,
            maker: "anna".to_owned(),
            reason: "why".to_owned(),
            signature: Some(key(made.maker).sign_digest(&consent.digest())),
        }));
        if direction == LimitDirection::Raise {
            let signature = Some(key(made.checker).sign_digest(&consent.digest()));
            let checker = "bo".to_owned();
            self.tell(Body::LimitApprove(LimitApprove { id: 1, sha256, checker, signature }));
        }
        let active = LimitActivate { version: 2, parts: 1, first_part, sha256 };
        self.tell(Body::LimitActivate(active));
    }

    fn findings(&self) -> Vec<&str> {
        self.fold.out.findings.iter().map(|f| f.got.as_str()).collect()
    }
}

/// Whose keys really signed, and for which log.
#[derive(Clone, Copy)]
struct Made {
    log_id: [u8; 8],
    maker: &'static str,
    checker: &'static str,
}

const GOOD: Made = Made { log_id: LOG_ID, maker: "anna", checker: "bo" };

#[test]
fn a_raise_needs_both_signatures_and_a_tightening_is_one() {
    for (qty, direction) in [(200, LimitDirection::Raise), (50, LimitDirection::Tighten)] {
        let mut story = Story::new();
        story.change(qty, direction, GOOD);
        assert_eq!(story.findings(), Vec::<&str>::new());
        assert_eq!((story.fold.out.authenticated, story.fold.out.unauthenticated), (1, 0));
        assert_eq!(story.fold.engine.limits_version(), 2);
    }
    for (made, who) in [
        (Made { maker: "bo", ..GOOD }, "`anna`"),
        (Made { checker: "anna", ..GOOD }, "`bo`"),
        (Made { checker: "mallory", ..GOOD }, "`bo`"),
    ] {
        let mut story = Story::new();
        story.change(200, LimitDirection::Raise, made);
        let found = story.findings();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(who) && found[0].contains("does not verify"), "{found:?}");
    }
    // What was said of another log says nothing of this one.
    let mut story = Story::new();
    story.change(200, LimitDirection::Raise, Made { log_id: [8; 8], ..GOOD });
    assert_eq!(story.findings().len(), 2);
}

#[test]
fn a_raise_that_calls_itself_a_tightening_is_found() {
    let mut story = Story::new();
    story.change(200, LimitDirection::Tighten, GOOD);
    assert_eq!(story.findings(), ["`account.A.max_order_qty` raised by anna alone"]);
}

#[test]
fn a_resume_needs_both_signatures_over_its_hold() {
    for (hold_said, signers, good) in [
        (1, ["anna", "bo"], true),
        (2, ["anna", "bo"], false),
        (1, ["anna", "anna"], false),
        (1, ["bo", "anna"], false),
    ] {
        let mut story = Story::new();
        story.tell(Body::Kill(Kill {
            hold: 1,
            epoch: 1,
            state: KillState::Halted,
            scope: Scope::FIRM,
            rank: 2,
            allow_reduce: false,
            actor: "gateway".to_owned(),
            reason: "trip".to_owned(),
        }));
        let kill_seq = story.index;
        let said = ResumeConsent { log_id: LOG_ID, hold: hold_said, kill_seq, reason: "seen" };
        let signed: [Signature; 2] = signers.map(|name| key(name).sign_digest(&said.digest()));
        story.tell(Body::Resume(Resume {
            hold: 1,
            epoch: 2,
            actor: "anna".to_owned(),
            approver: "bo".to_owned(),
            reason: "seen".to_owned(),
            signatures: Some(signed),
        }));
        assert_eq!(story.findings().is_empty(), good, "{signers:?}: {:?}", story.findings());
    }
    // Without signatures it does not even fold.
    let mut story = Story::new();
    story.tell(Body::Resume(Resume {
        hold: 1,
        epoch: 2,
        actor: "anna".to_owned(),
        approver: "bo".to_owned(),
        reason: "seen".to_owned(),
        signatures: None,
    }));
    assert!(!story.findings().is_empty());
}

#[test]
fn an_override_needs_both_signatures_over_its_order_and_controls() {
    use cwts_audit::consent::OverrideConsent;
    for (order_said, controls_said, signers, good) in [
        (7, 1 << 10, ["anna", "bo"], true),
        (8, 1 << 10, ["anna", "bo"], false),
        (7, 1 << 4, ["anna", "bo"], false),
        (7, 1 << 10, ["anna", "anna"], false),
        (7, 1 << 10, ["bo", "anna"], false),
        (7, 1 << 10, ["mallory", "bo"], false),
    ] {
        let mut story = Story::new();
        let said = OverrideConsent {
            log_id: LOG_ID,
            order_id: 1,
            order_seq: order_said,
            controls: controls_said,
            expires_ns: 9,
            reason: "seen",
        };
        let signed: [Signature; 2] = signers.map(|name| key(name).sign_digest(&said.digest()));
        let mut told = cwts_types::Override {
            order_id: 1,
            order_seq: 7,
            controls: cwts_types::Reasons(1 << 10),
            expires_ns: 9,
            actor: "anna".to_owned(),
            approver: "bo".to_owned(),
            reason: "seen".to_owned(),
            signatures: Some(signed),
        };
        story.tell(Body::Override(told.clone()));
        assert_eq!(story.findings().is_empty(), good, "{signers:?}: {:?}", story.findings());
        assert_eq!(story.fold.out.authenticated, 1);
        told.signatures = None;
        story.tell(Body::Override(told));
        assert!(story.findings().last().unwrap().contains("did not sign"));
    }
}

/// A gateway that asked nobody would be found out by its log: the bytes are right, and what
/// they say is not.
#[test]
fn a_log_with_a_resume_that_nobody_signed_does_not_verify() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("log");
    let mut gateway = crate::Gateway::open(&crate::GatewayOptions {
        limits: Some(("limits.toml".to_owned(), limits(100).into_bytes())),
        dir: Some(dir.clone()),
        keys: Some(crate::KeyStore::new(temp.path().join("keys"))),
        origin: None,
        anchor: None,
        release: cwts_types::ReleaseMode::Async,
    })
    .unwrap();
    let options = crate::HaltOptions {
        reason: "look".to_owned(),
        actor: "eve".to_owned(),
        reduce_only: false,
        allow_reduce: false,
    };
    gateway.halt("firm", &options).unwrap();
    let checked = || {
        let storage = cwts_audit::FsStorage::open(&dir).unwrap();
        let keys = cwts_audit::VerifyKeys::default();
        let mut verdict = cwts_audit::verify(&storage, &keys, cwts_audit::Level::Full).unwrap();
        check_consents(&dir, &mut verdict).unwrap();
        verdict
    };
    let now = gateway.clock.now();
    let resume = Resume {
        hold: 1,
        epoch: gateway.engine.kill_epoch() + 1,
        actor: "anna".to_owned(),
        approver: "bo".to_owned(),
        reason: "seen".to_owned(),
        signatures: None,
    };
    gateway.append(Body::Resume(resume), now, 0).unwrap();
    gateway.sync().unwrap();
    let verdict = checked();
    let found: Vec<_> = verdict.findings.iter().map(|f| f.kind).collect();
    assert!(found.contains(&FindingKind::ConsentBad) && !verdict.is_ok(), "{found:?}");
}

#[test]
fn a_case_needs_both_signatures_over_what_it_holds() {
    use cwts_audit::consent::{HoldConsent, ReleaseConsent};
    for (signers, to_said, seq_moved, good) in [
        (["anna", "bo"], 20, 0, true),
        (["anna", "bo"], 21, 0, false),
        (["anna", "anna"], 20, 0, false),
        (["bo", "anna"], 20, 0, false),
        (["mallory", "bo"], 20, 0, false),
        (["anna", "bo"], 20, 1, false),
    ] {
        let mut story = Story::new();
        let mut hold = cwts_types::Hold {
            case: "c1".to_owned(),
            account: 0,
            instrument: 0,
            person: 0,
            from_ns: 10,
            to_ns: to_said,
            actor: "anna".to_owned(),
            approver: "bo".to_owned(),
            reason: "asked".to_owned(),
            signatures: None,
        };
        let said = HoldConsent { log_id: LOG_ID, hold: &hold }.digest();
        let both = |said| signers.map(|name| key(name).sign_digest(&said));
        hold.signatures = Some(both(said));
        hold.to_ns = 20;
        story.tell(Body::Hold(hold));
        let reason = "over";
        let hold_seq = story.index + seq_moved;
        let said = ReleaseConsent { log_id: LOG_ID, hold_seq, reason }.digest();
        story.tell(Body::HoldRelease(cwts_types::HoldRelease {
            case: "c1".to_owned(),
            actor: "anna".to_owned(),
            approver: "bo".to_owned(),
            reason: reason.to_owned(),
            signatures: Some(both(said)),
        }));
        assert_eq!(story.findings().is_empty(), good, "{signers:?}: {:?}", story.findings());
        assert_eq!(story.fold.out.authenticated, 2);
    }
}
