//! What a decision shows is what it compared: a limit is violated exactly when the value shown
//! lies above it.

use cwts_risk::{COMPARED, Compared, Engine};
use cwts_types::{Body, entry_flag};
use proptest::prelude::*;

use crate::common::*;
use crate::entries::stream;

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_limit_is_violated_when_the_value_shown_is_above_it(entries in stream(150)) {
        let mut engine = Engine::new();
        let mut twin = Engine::new();
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
            let above_quarter = rows.iter().filter(|row| row.value > row.limit >> 2);
            prop_assert_eq!(near, above_quarter.copied().collect::<Vec<_>>());
            // Looking changes nothing.
            prop_assert_eq!(Some(&outcome), plain.as_ref());
            if rows.is_empty() {
                continue;
            }
            for (control, _) in COMPARED {
                let of_control = rows.iter().filter(|row| COMPARED[row.row].0 == control);
                let above = of_control.filter(|row| row.value > row.limit).count() > 0;
                let violated = outcome.decision.reasons.contains(control);
                prop_assert_eq!(above, violated, "{} of {:?}: {:?}", control.name(), order, rows);
            }
            for row in &rows {
                prop_assert!(!engine.place_text(row.row, row.place).is_empty());
            }
        }
    }
}
