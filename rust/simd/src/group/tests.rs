use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Handles with and without repetitions, small and beyond 20 bits.
fn block() -> impl Strategy<Value = Vec<u32>> {
    let handle = prop_oneof![
        4 => 0_u32..4,
        2 => 0_u32..3_000,
        1 => 1_046_000_u32..1_048_576,
    ];
    let wide = prop_oneof![handle.clone(), 1_048_576_u32..1_048_600, any::<u32>()];
    let length = prop_oneof![0_usize..40, 100_usize..300, Just(BLOCK_MAX)];
    length.prop_flat_map(move |length| {
        prop_oneof![
            prop::collection::vec(handle.clone(), length),
            prop::collection::vec(wide.clone(), length),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn runs_hold_entries_in_arrival_order(blocks in prop::collection::vec(block(), 1..4)) {
        // One Groups for all: nothing of an earlier block may be left in a later one.
        let mut groups = Groups::new();
        for instruments in blocks {
            groups.group(&instruments).unwrap();
            let mut expected: BTreeMap<u32, Vec<u16>> = BTreeMap::new();
            for (index, handle) in (0..).zip(&instruments) {
                expected.entry(*handle).or_default().push(index);
            }
            let mut end = 0;
            let mut found = BTreeMap::new();
            for run in groups.runs() {
                prop_assert_eq!(run.start, end);
                end = run.end;
                let entries = groups.order()[run.start..run.end].to_vec();
                prop_assert!(found.insert(run.instrument, entries).is_none(), "two runs of one");
            }
            prop_assert_eq!(end, instruments.len());
            prop_assert_eq!(groups.order().len(), instruments.len());
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn long_runs_are_never_missed(instruments in block()) {
        let mut different = instruments.clone();
        different.sort_unstable();
        different.dedup();
        let long = !instruments.is_empty() && different.len() * MEAN_RUN_MIN <= instruments.len();
        if long {
            prop_assert!(has_long_runs(&instruments));
        }
        // The other side is an estimate; far from the border it must be right.
        if different.len() * 4 > instruments.len() {
            prop_assert!(!has_long_runs(&instruments));
        }
    }
}

#[test]
fn runs_ascend_by_handle_or_by_first_appearance() {
    let mut groups = Groups::new();
    let handles = |groups: &Groups| groups.runs().iter().map(|r| r.instrument).collect::<Vec<_>>();
    groups.group(&[7, 3, 7, 1_048_575]).unwrap();
    assert_eq!(handles(&groups), [3, 7, 1_048_575]);
    assert_eq!(groups.order(), [1, 0, 2, 3]);
    groups.group(&[7, 3, 7, 1_048_576]).unwrap();
    assert_eq!(handles(&groups), [7, 3, 1_048_576]);
    assert_eq!(groups.order(), [0, 2, 1, 3]);
}

#[test]
fn a_block_of_as_many_instruments_as_entries_fills_the_table_half() {
    let instruments: Vec<u32> = (0..BLOCK_MAX as u32).map(|i| u32::MAX - i * 8_192).collect();
    let mut groups = Groups::new();
    groups.group(&instruments).unwrap();
    assert_eq!(groups.runs().len(), BLOCK_MAX);
    assert!(!has_long_runs(&instruments));
}

#[test]
fn a_block_that_is_too_long_is_refused() {
    let mut groups = Groups::new();
    let error = groups.group(&vec![0; BLOCK_MAX + 1]).unwrap_err();
    assert_eq!(error, BlockError { entries: 4_097 });
    assert_eq!(error.to_string(), "a block of 4097 entries: at most 4096, cut it");
}
