//! Every control at its limit, one below and one above, through a new order and through
//! a replace, at every level that it has.

#[path = "../common/mod.rs"]
mod common;
mod kills;
mod latches;
mod markets;
mod nodes;
mod owners;
mod prices;
mod records;
mod sizes;
mod sums;
mod windows;

use common::{Firm, Limits, PX};
use cwts_risk::Outcome;
use cwts_types::{CONTROLS, Control, Order, order_flag};

/// How an order reaches the engine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Path {
    New,
    Replace,
}

pub(crate) const BOTH: [Path; 2] = [Path::New, Path::Replace];

/// Sends `order` as a new one, or as a replace of an order of one unit at half the price: the
/// replace adds up to the same reservation, so every boundary lies in the same place.
pub(crate) fn send(path: Path, firm: &mut Firm, order: Order) -> Outcome {
    match path {
        Path::New => firm.decide(&order),
        Path::Replace => {
            let seed = seed(firm, order);
            let replace = firm.replacing(seed, order);
            firm.decide(&replace)
        }
    }
}

/// A small working order of the same owner.
pub(crate) fn seed(firm: &mut Firm, order: Order) -> u64 {
    let order_id = firm.id();
    let flags = order_flag::ODD_LOT;
    let half = PX / 2;
    firm.accept(Order { order_id, qty: 1, px: half, type_tif: 2, flags, ..order })
}

/// One below, at, and one above: the verdicts, and the outcome above.
pub(crate) fn around(
    limits: &Limits,
    path: Path,
    at: i64,
    make: impl Fn(&mut Firm, i64) -> Order,
) -> Outcome {
    let run = |value| {
        let mut firm = Firm::new(limits);
        let order = make(&mut firm, value);
        send(path, &mut firm, order)
    };
    common::assert_accepted(&run(at - 1));
    common::assert_accepted(&run(at));
    run(at + 1)
}

type Tests = &'static [fn()];

/// The boundary tests by control.
const TABLE: &[(Control, Tests)] = &[
    (Control::LimitNotSet, &[records::limit_not_set, records::limit_not_set_levels]),
    (Control::UnknownHandle, &[records::unknown_handle]),
    (Control::Malformed, &[records::malformed, records::malformed_replace]),
    (Control::ArithmeticOverflow, &[nodes::arithmetic_overflow]),
    (Control::MaxOrderQty, &[sizes::max_order_qty]),
    (Control::MinOrderQty, &[markets::min_order_qty]),
    (Control::LotSize, &[sizes::lot_size]),
    (Control::TickSize, &[sizes::tick_size]),
    (Control::MaxOrderNotional, &[sizes::max_order_notional]),
    (Control::MinOrderNotional, &[markets::min_order_notional]),
    (Control::PriceCollar, &[prices::price_collar]),
    (Control::ReferenceMissing, &[prices::reference_missing]),
    (Control::ReferenceStale, &[prices::reference_stale]),
    (Control::PriceMove, &[markets::price_move, markets::times_at_the_end_of_time_are_times]),
    (Control::LuldBand, &[markets::luld_band]),
    (Control::InstrumentHalted, &[markets::instrument_halted]),
    (Control::MarketWideHalt, &[markets::market_wide_halt]),
    (Control::SessionClosed, &[markets::session_closed]),
    (Control::AuctionRule, &[markets::auction_rule]),
    (Control::OrderTypeNotAllowed, &[markets::order_type_not_allowed]),
    (Control::RestrictedInstrument, &[records::restricted_instrument]),
    (
        Control::NotPermitted,
        &[owners::not_permitted, owners::an_account_that_comes_later_is_on_the_list],
    ),
    (Control::ShortMark, &[owners::short_mark]),
    (Control::ShortSaleRestriction, &[markets::short_sale_restriction]),
    (
        Control::Locate,
        &[owners::locate_is_the_most_that_is_sold_short, owners::locate_rolls_with_the_day],
    ),
    (Control::UnknownOrder, &[records::unknown_order]),
    (Control::MessageRate, &[windows::message_rate, windows::message_rate_counts_cancels]),
    (Control::AttemptRate, &[owners::attempt_rate]),
    (Control::DuplicateId, &[owners::duplicate_id, owners::duplicate_id_of_the_day]),
    (Control::DuplicateOrder, &[windows::duplicate_order]),
    (Control::RepeatedExecution, &[latches::repeated_execution]),
    (
        Control::WindowNotional,
        &[sums::window_notional, sums::a_window_of_notional_remembers_so_many],
    ),
    (Control::MaxPosition, &[nodes::max_position]),
    (Control::MaxOpenOrders, &[sums::max_open_orders]),
    (Control::MaxOpenNotional, &[nodes::max_open_notional]),
    (Control::CreditLimit, &[nodes::credit_limit, nodes::credit_counts_what_is_held]),
    (Control::NetExposure, &[sums::net_exposure]),
    (Control::Concentration, &[sums::concentration]),
    (Control::DailyNotional, &[sums::daily_notional]),
    (Control::DailyQty, &[sums::daily_qty]),
    (Control::DailyOrders, &[sums::daily_orders]),
    (Control::BuyingPower, &[sums::buying_power]),
    (Control::LossLimit, &[latches::loss_limit, latches::a_loss_latches_until_lifted]),
    (Control::Drawdown, &[latches::drawdown]),
    (Control::SelfTrade, &[owners::self_trade]),
    (Control::ReduceOnlyWouldIncrease, &[owners::reduce_only]),
    (Control::KillReduceOnly, &[kills::kill_reduce_only]),
    (Control::KillHalted, &[kills::kill_halted]),
    (Control::SlowDown, &[sums::slow_down]),
    (Control::Reconciling, &[markets::reconciling]),
];

/// Enforced by the gateway, in front of the engine.
const ELSEWHERE: &[Control] = &[Control::AuditBackpressure];

#[test]
fn every_control_has_a_boundary_test() {
    let tested: Vec<Control> = TABLE.iter().map(|row| row.0).chain(ELSEWHERE.to_vec()).collect();
    let all: Vec<Control> = CONTROLS.iter().map(|row| row.control).collect();
    assert_eq!(tested, all);
    assert!(TABLE.iter().all(|row| !row.1.is_empty()));
}
