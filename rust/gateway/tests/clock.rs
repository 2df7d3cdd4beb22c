//! Readings of the clock: what they set in headers, what one that shows nothing does, what a fold
//! of the log demands.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod live;

use cwts_gateway::{fold_log, read_log};
use cwts_types::{
    AlertKind, Body, Clock, ClockSource, ClockState, Entry, KillState, ReleaseMode, Verdict,
};

fn reading(maxerror_us: i64) -> Clock {
    Clock {
        source: ClockSource::Adjtimex,
        status: 0,
        flags: 0x2001,
        maxerror_us,
        esterror_us: 1,
        offset_ns: 0,
        freq: 0,
        tai: 37,
        bound_us: 100,
        raw_ns: 9,
        utc_minus_mono_ns: 0,
    }
}

#[test]
fn the_first_reading_that_shows_nothing_is_told_and_restricts_as_configured() {
    for (on_loss, verdict) in [
        (None, Verdict::Accept),
        (Some(KillState::ReduceOnly), Verdict::Reject),
        (Some(KillState::Halted), Verdict::Reject),
    ] {
        let temp = tempfile::tempdir().unwrap();
        let mut gateway = live::opened(Some(temp.path()), ReleaseMode::Async);
        assert!(gateway.record_clock(reading(100), on_loss).unwrap());
        let passed = gateway.submit(&live::buy(1)).unwrap();
        assert_eq!(passed.outcome.decision.verdict, Verdict::Accept as u8);
        assert_eq!(gateway.alerts().count(), 0);
        // Told once while it stays, and again after it was right.
        for (maxerror_us, alerts) in [(101, 1), (5_000, 1), (100, 1), (101, 2)] {
            let shown = gateway.record_clock(reading(maxerror_us), on_loss).unwrap();
            assert_eq!(shown, maxerror_us == 100);
            assert_eq!(gateway.alerts().count(), alerts, "{maxerror_us} us");
        }
        let told = gateway.alerts().last().unwrap().alert;
        assert_eq!((told.kind, told.observed, told.limit), (AlertKind::Clock, 101, 100));
        let held: Vec<u8> = gateway.engine().holds().map(|hold| hold.state).collect();
        assert_eq!(held, on_loss.map_or(vec![], |state| vec![state as u8; 2]));
        let after = gateway.submit(&live::buy(1)).unwrap();
        assert_eq!(after.outcome.decision.verdict, verdict as u8);
        gateway.close().unwrap();

        let log = temp.path().join("log");
        let mut states = Vec::new();
        let (mut clocks, mut orders) = (0, Vec::new());
        fold_log(&log, |_, entry, _| {
            match &entry.body {
                Body::Clock(clock) => {
                    clocks += 1;
                    let utc_ns = entry.header.mono_ns as i64 + clock.utc_minus_mono_ns;
                    assert_eq!(entry.header.utc_ns, utc_ns);
                }
                Body::Order(..) => orders.push(entry.header.clock_state),
                _ => {}
            }
            states.push(entry.header.clock_state);
            Ok(())
        })
        .unwrap();
        assert_eq!(clocks, 5);
        assert_eq!(orders, [ClockState::Synced; 2]);
        assert_eq!(states[0], ClockState::Unknown, "nothing was heard yet");
    }
}

#[test]
fn a_log_without_the_alert_that_is_due_is_no_log_of_ours() {
    let temp = tempfile::tempdir().unwrap();
    let mut gateway = live::opened(Some(temp.path()), ReleaseMode::Async);
    gateway.record_clock(Clock { status: 5, ..reading(1) }, None).unwrap();
    gateway.close().unwrap();
    let mut bodies = Vec::new();
    read_log(&temp.path().join("log"), &mut |_, bytes| {
        bodies.push(Entry::decode(bytes).unwrap().body);
        Ok(())
    })
    .unwrap();
    let at = bodies.iter().position(|body| matches!(body, Body::Clock(_))).unwrap();
    assert!(matches!(bodies[at + 1], Body::Alert(alert) if alert.kind == AlertKind::Clock));
    let mut engine = cwts_risk::Engine::default();
    let mut refused = None;
    for (index, body) in bodies.iter().enumerate() {
        // The reading itself is left out: its alert then follows from nothing.
        let entry = Entry { header: cwts_types::Header::default(), body: body.clone() };
        if index != at && engine.step(index as u64, &entry).is_err() {
            refused = Some(index);
            break;
        }
    }
    assert_eq!(refused, Some(at + 1));
}
