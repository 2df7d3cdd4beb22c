//! What a decision shows is what it compared: a limit is violated exactly when a value shown lies
//! beyond it, and what a refusal says was observed is among what is shown.

use std::cell::RefCell;
use std::collections::BTreeSet;

use cwts_risk::{COMPARED, Compared, Engine, Of, UNCOMPARED};
use cwts_types::{Body, CONTROLS, Control, Entry, entry_flag};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::common::*;
use crate::entries::{Draft, draft, every_limit, lay_out, stream};

#[test]
fn a_limit_is_violated_when_the_value_shown_is_beyond_it() {
    let mut runner = TestRunner::new(cases(300));
    runner.run(&stream(150), |entries| shown(&entries).map(|_| ())).unwrap();
}

#[test]
fn every_comparison_is_shown_by_some_order() {
    let seen = RefCell::new(BTreeSet::new());
    let drafts = prop::collection::vec((draft(), prop_oneof![3 => 0..8i64, 1 => 20..90i64]), 75);
    let mut runner = TestRunner::new(cases(300));
    let law = |drafts: Vec<(Draft, i64)>| {
        // Each twice, at one time: equal orders are rare by chance alone, as few are accepted.
        let twice: Vec<_> = drafts
            .into_iter()
            .flat_map(|(draft, step)| [(draft.clone(), step), (draft, 0)])
            .collect();
        seen.borrow_mut().extend(shown(&lay_out(&twice, &every_limit()))?);
        Ok(())
    };
    runner.run(&drafts, law).unwrap();
    let seen = seen.into_inner();
    let missed: Vec<_> = (0..COMPARED.len()).filter(|row| !seen.contains(row)).collect();
    let missed: Vec<_> = missed.into_iter().map(|row| COMPARED[row]).collect();
    assert!(missed.is_empty(), "never compared: {missed:?}");
}

#[test]
fn every_control_compares_or_says_why_not() {
    for info in CONTROLS {
        let compares = COMPARED.iter().any(|row| row.control == info.control);
        let excused = UNCOMPARED.iter().any(|row| row.0 == info.control);
        assert!(compares != excused, "{}", info.name);
    }
    assert_eq!(UNCOMPARED.iter().map(|row| row.0).collect::<BTreeSet<_>>().len(), UNCOMPARED.len());
    let rows: Vec<_> =
        COMPARED.iter().map(|r| (r.control, r.level.name(), r.unit.name())).collect();
    assert_eq!(rows.iter().collect::<BTreeSet<_>>().len(), rows.len());
    assert!(COMPARED.is_sorted_by_key(|row| row.control), "a control's rows stand together");
}

/// Folds a stream and holds the law at each decision; gives the rows that were shown.
fn shown(entries: &[Entry]) -> Result<BTreeSet<usize>, TestCaseError> {
    let mut engine = Engine::new();
    let mut twin = Engine::new();
    let mut seen = BTreeSet::new();
    for (i, entry) in entries.iter().enumerate() {
        let plain = twin.step(i as u64, entry).unwrap();
        let Body::Order(order, _) = &entry.body else {
            engine.step(i as u64, entry).unwrap();
            continue;
        };
        let replayed = entry.header.flags & entry_flag::REPLAYED != 0;
        let mut rows: Vec<Compared> = Vec::new();
        let mut near: Vec<Compared> = Vec::new();
        let outcome = engine.decide_seen(order, replayed, |sight| {
            sight.each(true, |row| rows.push(row));
            sight.each(false, |row| near.push(row));
        });
        let close = rows.iter().filter(|row| COMPARED[row.row].is_close(row.value, row.limit));
        prop_assert_eq!(near, close.copied().collect::<Vec<_>>());
        // Looking changes nothing.
        prop_assert_eq!(Some(&outcome), plain.as_ref());
        if rows.is_empty() {
            continue;
        }
        for info in CONTROLS {
            let of_control = |row: &&Compared| COMPARED[row.row].control == info.control;
            let mut of_control = rows.iter().filter(of_control);
            if COMPARED.iter().all(|row| row.control != info.control || row.of == Of::Latch) {
                continue;
            }
            let beyond = of_control.any(|row| COMPARED[row.row].is_beyond(row.value, row.limit));
            let violated = outcome.decision.reasons.contains(info.control);
            // Auctions bar what has no price, too.
            let holds = beyond == violated || info.control == Control::AuctionRule && violated;
            prop_assert!(holds, "{} of {:?}: {:?}", info.name, order, rows);
        }
        for violation in &outcome.violations {
            let of_control = |row: &&Compared| COMPARED[row.row].control == violation.control;
            let price = matches!(
                violation.control,
                Control::PriceCollar | Control::PriceMove | Control::AuctionRule
            );
            if price || !COMPARED.iter().any(|row| row.control == violation.control) {
                continue;
            }
            let named = |row: &Compared| {
                COMPARED[row.row].level == violation.level
                    && (row.value, row.limit) == (violation.observed, violation.limit)
            };
            let found = rows.iter().filter(of_control).any(named);
            prop_assert!(found, "{:?} of {:?}: {:?}", violation, order, rows);
        }
        for row in &rows {
            prop_assert!(!engine.place_text(row.row, row.place).is_empty());
            seen.insert(row.row);
        }
    }
    Ok(seen)
}
