//! The targets' own laws: seeds are valid, a campaign is deterministic, and a fault is found.

use super::*;

const SEED: u64 = 20_261_127;

#[test]
fn every_target_starts_from_a_valid_input() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty(), "{}: no seed", target.name);
        let mut accepted = 0;
        for (number, seed) in seeds.iter().enumerate() {
            assert!(
                seed.len() <= INPUT_BYTES_MAX,
                "{}: seed {number}: {}",
                target.name,
                seed.len()
            );
            let outcome = check(target, seed)
                .unwrap_or_else(|what| panic!("{}: seed {number}: {what}", target.name));
            accepted += usize::from(outcome.accepted);
        }
        // The sniffer's own seeds are of formats that this build does not decode; a frame's of a
        // segment of many frames; a sample's tail lacks what it names.
        assert!(accepted >= 1, "{}: none of its {} seeds is taken", target.name, seeds.len());
    }
}

#[test]
fn names_are_unique_and_the_planted_one_is_in_no_list() {
    let mut names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), TARGETS.len());
    assert!(!names.contains(&"planted"));
    assert!(target("planted").is_some() && target("nothing").is_none());
}

#[test]
fn a_campaign_is_the_same_again_and_in_any_slices() {
    for target in TARGETS {
        let whole = run(target, SEED, 0, 24, [0; 32]);
        assert_eq!(whole.found, [], "{}", target.name);
        assert_eq!(run(target, SEED, 0, 24, [0; 32]), whole, "{}", target.name);
        let first = run(target, SEED, 0, 7, [0; 32]);
        let rest = run(target, SEED, 7, 17, first.digest);
        assert_eq!(rest.digest, whole.digest, "{}", target.name);
        assert_eq!(first.accepted + rest.accepted, whole.accepted);
        let other = run(target, SEED + 1, 0, 24, [0; 32]);
        assert_ne!(other.digest, whole.digest, "{}: another seed, the same cases", target.name);
    }
}

#[test]
fn the_planted_bug_is_found_with_its_case_and_input() {
    let planted = target("planted").unwrap();
    let report = run(planted, SEED, 0, PLANTED_CASES, [0; 32]);
    let found = report.found.first().expect("the planted bug was not found");
    assert!(found.what.contains("planted.rs:"), "{}", found.what);
    assert_eq!(input(planted, SEED, found.case), found.input, "the case gives its input again");
    assert_eq!(check(planted, &found.input).unwrap_err(), found.what);
}

#[test]
fn mutations_reach_both_sides_of_every_parser() {
    for target in TARGETS {
        let report = run(target, SEED, 0, 300, [0; 32]);
        assert_eq!(report.found, [], "{}", target.name);
        let refused = report.cases - report.accepted;
        assert!(report.accepted > 0, "{}: nothing is taken", target.name);
        assert!(refused > 0, "{}: nothing is refused", target.name);
    }
}

/// Cases within which the mutator finds the planted bug.
const PLANTED_CASES: u64 = 2_000;
