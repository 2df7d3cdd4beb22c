//! An observer that looks at what an entry could have raised finds what looking at everything does.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use cwts_risk::{COMPARED, Engine, Of, Peaks, Usage};
use cwts_types::{Control, Entry, Level};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::common::*;
use crate::entries::{draft, every_limit, lay_out};

#[test]
fn a_peak_is_the_highest_use_after_any_entry_and_each_limit_in_use_has_its_row() {
    let step = prop_oneof![99 => 0..9i64, 1 => Just(86_400_000_000_000)];
    let drafts = prop::collection::vec((draft(), step), 1..120);
    let seen = RefCell::new(BTreeSet::new());
    let law = |drafts: Vec<_>| {
        seen.borrow_mut().extend(observed(&lay_out(&drafts, &every_limit()))?);
        Ok(())
    };
    TestRunner::new(cases(400)).run(&drafts, law).unwrap();
    let wanted = COMPARED.iter().filter(|row| matches!(row.of, Of::Use | Of::Latch));
    let wanted: BTreeSet<_> = wanted.map(|row| (row.control, place(row.level))).collect();
    assert_eq!(seen.into_inner(), wanted);
}

/// A scope's first word, as `usage` writes it.
fn place(level: Level) -> String {
    if level == Level::AccountInstrument { "holding" } else { level.name() }.to_owned()
}

fn observed(entries: &[Entry]) -> Result<BTreeSet<(Control, String)>, TestCaseError> {
    let key = |row: &Usage| (row.scope.clone(), row.limit.clone());
    let mut engine = Engine::new();
    let mut peaks = Peaks::new();
    let mut highest: BTreeMap<(String, String), i64> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for (i, entry) in entries.iter().enumerate() {
        engine.step(i as u64, entry).unwrap();
        peaks.entry(&engine, &entry.body);
        for row in engine.usage() {
            let most = highest.entry(key(&row)).or_insert(row.used);
            *most = row.used.max(*most);
            let kind = row.scope.split(':').next().unwrap_or_default().to_owned();
            seen.insert((
                row.control,
                if row.scope.contains('/') { "holding".into() } else { kind },
            ));
        }
    }
    for (row, plain) in engine.usage_since(&peaks).iter().zip(engine.usage()) {
        // What the engine keeps itself stays what it was.
        prop_assert!(plain.peak.is_none() || plain.peak == row.peak, "{:?}", row);
        if plain.peak.is_none() {
            prop_assert_eq!(row.peak, Some(highest[&key(row)]), "{:?}", row);
        }
    }
    Ok(seen)
}
