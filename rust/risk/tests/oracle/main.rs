//! The engine against an independent evaluation: random streams, and after every input the whole
//! set of violated controls, every sum and every position must be equal.
#![allow(clippy::unwrap_used, reason = "a fixture that fails is a failed test")]

mod model;
mod policy;
mod stream;

use cwts_risk::Engine;
use cwts_types::{CONTROLS, Control, RegisterKind};
use model::Model;
use policy::Policy;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::cell::RefCell;
use stream::{Input, Names};

/// How often each bit was set, so that a stream that never reaches a control is noticed.
type Coverage = Vec<u64>;

fn play(policy: &Policy, inputs: &[Input], coverage: &mut Coverage) -> Result<(), TestCaseError> {
    let mut engine = Engine::new();
    let text = policy.text();
    if let Err(error) = engine.activate(1, text.as_bytes()) {
        return Err(TestCaseError::fail(format!("{error}\n{text}")));
    }
    for row in Policy::registrations() {
        engine.register(&row).map_err(|e| TestCaseError::fail(e.to_string()))?;
    }
    let mut model = Model::new(policy.clone());
    let mut names = Names::default();
    // Nearly every stream starts with a price.
    let opening =
        [1, 2].map(|instrument| Input::Reference { step: 0, instrument, px: 100_000_000_000 });
    let opening = opening.iter().filter(|_| !inputs.len().is_multiple_of(8));
    for (step, input) in opening.chain(inputs).enumerate() {
        let (got, wanted) = names.apply(input, &mut engine, &mut model);
        let said = |mask: u64| {
            let rows = CONTROLS.iter().filter(|r| mask >> r.control as u8 & 1 == 1);
            rows.map(|r| r.name).collect::<Vec<_>>()
        };
        prop_assert_eq!(said(got), said(wanted), "step {}: {:?}\n{}", step, input, text);
        for (bit, count) in coverage.iter_mut().enumerate() {
            // The last place counts what was accepted.
            *count += if bit == 63 { u64::from(got == 0) } else { got >> bit & 1 };
        }
        for (scope, credit, open) in model.nodes() {
            let used = |limit: &str| {
                let rows = engine.usage();
                rows.iter().find(|r| r.scope == scope && r.limit == limit).map(|r| r.used)
            };
            prop_assert_eq!(
                used("credit").map(i128::from),
                Some(credit),
                "step {} {}",
                step,
                scope
            );
            prop_assert_eq!(used("max_open_notional").map(i128::from), Some(open));
        }
        for account in 1..=policy::ACCOUNTS {
            for instrument in 1..=policy::INSTRUMENTS {
                let got = i128::from(engine.position(account, instrument));
                prop_assert_eq!(got, model.position(account, instrument), "step {}", step);
            }
        }
        prop_assert_eq!(engine.working_orders(), model.working(), "step {}", step);
    }
    prop_assert_eq!(engine.registry().len(RegisterKind::Account), policy::ACCOUNTS);
    Ok(())
}

#[test]
fn random_streams_agree_with_the_model() {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let coverage = RefCell::new(vec![0; 64]);
    let streams = (Policy::any(), prop::collection::vec(Input::any(), 1..90));
    let result =
        runner.run(&streams, |(policy, inputs)| play(&policy, &inputs, &mut coverage.borrow_mut()));
    if let Err(error) = result {
        panic!("{error}");
    }
    let coverage = coverage.borrow();
    for row in CONTROLS.iter().filter(|r| MODELLED.contains(&r.control)) {
        let n = coverage[row.control as usize];
        println!("{:24} {n}", row.name);
        assert!(n > 30, "{} is hardly reached: {n}", row.name);
    }
    println!("without a violation      {}", coverage[63]);
    assert!(coverage[63] > 10_000);
}

/// What these streams reach; tests/test_oracle.py has a model of every control.
const MODELLED: [Control; 21] = [
    Control::LimitNotSet,
    Control::UnknownHandle,
    Control::Malformed,
    Control::ArithmeticOverflow,
    Control::MaxOrderQty,
    Control::LotSize,
    Control::TickSize,
    Control::MaxOrderNotional,
    Control::PriceCollar,
    Control::ReferenceMissing,
    Control::ReferenceStale,
    Control::RestrictedInstrument,
    Control::UnknownOrder,
    Control::MessageRate,
    Control::DuplicateOrder,
    Control::MaxPosition,
    Control::MaxOpenNotional,
    Control::CreditLimit,
    Control::ReduceOnlyWouldIncrease,
    Control::KillReduceOnly,
    Control::KillHalted,
];

/// Streams of up to 90 inputs.
const CASES: u32 = 1_500;
