//! Windows and sums over accounts, against lists that the test keeps itself.

use cwts_types::{Control, Order};
use proptest::prelude::*;

use crate::common::*;

/// Who sends what when: step of time, account, quantity, price, and whether it is nonsense.
fn steps() -> impl Strategy<Value = Vec<(i64, u32, i64, i64, bool)>> {
    let step = (-30..40i64, 1..=4u32, 1..40i64, 95..106i64, prop::bool::weighted(0.2));
    prop::collection::vec(step, 1..150)
}

fn order(firm: &mut Firm, (account, qty, px): (u32, i64, i64)) -> Order {
    Order { account, ..firm.buy(qty, px * UNIT) }
}

proptest! {
    #![proptest_config(cases(300))]

    /// Attempts: refused ones count, and cancels do; never more than N get by in any (t - w, t].
    #[test]
    fn no_more_attempts_than_so_many_in_any_window(
        max in 1..7usize, window in 1..60u64, steps in steps(),
    ) {
        let rule = format!("{{ max = {max}, window = \"{window}ns\" }}");
        let mut firm = Firm::new(&Limits::wide().set("strategy.s", "attempt_rate", &rule));
        let (mut asked, mut now): (Vec<u64>, u64) = (Vec::new(), START);
        for (step, account, qty, px, is_nonsense) in steps {
            firm.ts = firm.ts.saturating_add_signed(step);
            now = now.max(firm.ts);
            let inside = asked.iter().filter(|t| now - **t < window).count();
            if is_nonsense && step % 2 == 0 {
                let mut cancel = firm.cancel(3);
                cancel.strategy = S;
                prop_assert!(firm.decide(&cancel).decision.is_accepted());
            } else {
                // Off tick: refused, and an attempt all the same.
                let mut next = order(&mut firm, (account, qty, px));
                next.px += i64::from(is_nonsense);
                let reasons = firm.decide(&next).decision.reasons;
                prop_assert_eq!(reasons.contains(Control::AttemptRate), inside >= max);
                prop_assert_eq!(reasons.contains(Control::TickSize), is_nonsense);
            }
            asked.push(now);
        }
    }

    /// However it is cut up over accounts: what a node accepted in any (t - w, t] is within its
    /// limit, and nothing within it is refused.
    #[test]
    fn no_more_notional_than_so_much_in_any_window(
        max in 5..80i64, window in 1..200u64, at in 0..4usize, steps in steps(),
    ) {
        let max = max * 100;
        let (section, under): (&str, &[u32]) = [
            ("strategy.s", &[A, B, C, D][..]),
            ("customer.c", &[A, B][..]),
            ("desk.d", &[A, B, C][..]),
            ("firm", &[A, B, C, D][..]),
        ][at];
        let rule = format!("{{ max = \"{max}\", window = \"{window}ns\" }}");
        let mut firm = Firm::new(&Limits::wide().set(section, "window_notional", &rule));
        let (mut accepted, mut now): (Vec<(u64, i64)>, u64) = (Vec::new(), START);
        for (step, account, qty, px, _) in steps {
            firm.ts = firm.ts.saturating_add_signed(step);
            now = now.max(firm.ts);
            let inside: i64 =
                accepted.iter().filter(|(t, _)| now - t < window).map(|(_, n)| n).sum();
            let next = order(&mut firm, (account, qty, px));
            let decision = firm.decide(&next).decision;
            let is_over = under.contains(&account) && inside + qty * px > max;
            prop_assert_eq!(decision.reasons.contains(Control::WindowNotional), is_over);
            if decision.is_accepted() && under.contains(&account) {
                accepted.push((now, qty * px));
            }
        }
    }

    /// An order in k parts over the accounts of a node takes no more of it than in one.
    #[test]
    fn splitting_over_accounts_passes_no_limit_above(
        key in prop::sample::select(
            vec!["max_open_notional", "net_exposure", "daily_notional", "max_open_orders"],
        ),
        at in 0..3usize, max in 1..60i64, steps in steps(),
    ) {
        let (section, under): (&str, &[u32]) = [
            ("customer.c", &[A, B][..]),
            ("desk.d", &[A, B, C][..]),
            ("firm", &[A, B, C, D][..]),
        ][at];
        let is_count = key == "max_open_orders";
        let most = if is_count { max } else { max * 100 };
        let value = if is_count { max.to_string() } else { format!("\"{most}\"") };
        let mut firm = Firm::new(&Limits::wide().set(section, key, &value));
        let mut used = 0;
        for (_, account, qty, px, _) in steps {
            let next = order(&mut firm, (account, qty, px));
            let adds = if is_count { 1 } else { qty * px };
            let fits = !under.contains(&account) || used + adds <= most;
            prop_assert_eq!(firm.decide(&next).decision.is_accepted(), fits, "{} {}", used, adds);
            if fits && under.contains(&account) {
                used += adds;
            }
        }
        prop_assert!(used <= most);
    }
}
