//! Random streams of entries for the small firm.

use cwts_risk::Engine;
use cwts_types::{
    Body, Config, ConfigKind, Control, Entry, Exec, Header, Kill, KillState, LimitActivate, Locate,
    Order, Override, Phase, Reference, ReleaseDenied, Resume, Scope, ScopeKind, Session,
    SessionKind, entry_flag,
};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::common::*;

/// One entry to be; ids and numbers are filled in when the stream is laid out.
#[derive(Debug, Clone)]
pub(crate) enum Draft {
    Order {
        order: Order,
        target: Index,
        replayed: bool,
    },
    Exec {
        exec: Exec,
        target: Index,
    },
    Reference {
        instrument: u32,
        px: i64,
    },
    Kill {
        kind: u8,
        handle: u32,
        mask: u8,
    },
    Resume(Index),
    Limits {
        qty: i64,
        credit: i64,
    },
    Denied(Index),
    /// Two people let a blocked order pass, and it comes again.
    Override(Index),
    /// What is due is appended, as whoever keeps the log does.
    Due,
    Tick,
    Session {
        kind: SessionKind,
        phase: Phase,
    },
    Locate {
        account: u32,
        qty: i64,
    },
    Market {
        bid: i64,
        restricted: bool,
        band: i64,
    },
}

pub(crate) fn order() -> impl Strategy<Value = Order> {
    (
        prop::sample::select(vec![99, 100, 100, 101, 120]),
        prop::sample::select(vec![1i64, 5, 10, 10, 10, 50, 400]),
        prop::sample::select(vec![1u8, 1, 1, 1, 2, 2, 3]),
        prop::sample::select(vec![1u8, 1, 2, 2, 5]),
        (1..=4u32, 1..=2u32, 1..=2u32),
        prop::bool::weighted(0.1),
    )
        .prop_map(|(px, qty, kind, side, (account, instrument, strategy), is_market)| Order {
            px: if is_market { 0 } else { px * UNIT },
            qty,
            kind,
            side,
            type_tif: if is_market { 1 } else { 2 },
            account,
            instrument,
            strategy,
            ..Order::default()
        })
}

pub(crate) fn draft() -> impl Strategy<Value = Draft> {
    let exec = (prop::sample::select(b"FFFFFF4C38550".to_vec()), -5..450i64, 90..110i64, 0..60u64)
        .prop_map(|(exec_type, cum_qty, px, exec_id)| Exec {
            exec_type,
            cum_qty,
            last_px: px * UNIT,
            last_qty: 1,
            exec_id,
            ..Exec::default()
        });
    prop_oneof![
        16 => (order(), any::<Index>(), prop::bool::weighted(0.1))
            .prop_map(|(order, target, replayed)| Draft::Order { order, target, replayed }),
        10 => (exec, any::<Index>()).prop_map(|(exec, target)| Draft::Exec { exec, target }),
        2 => (1..=3u32, 95..105i64)
            .prop_map(|(instrument, px)| Draft::Reference { instrument, px: px * UNIT }),
        1 => (0..7u8, 1..=2u32, 1..4u8)
            .prop_map(|(kind, handle, mask)| Draft::Kill { kind, handle, mask }),
        2 => any::<Index>().prop_map(Draft::Resume),
        1 => (1..60i64, 100..100_000i64).prop_map(|(qty, credit)| Draft::Limits { qty, credit }),
        1 => any::<Index>().prop_map(Draft::Denied),
        1 => Just(Draft::Tick),
        2 => any::<Index>().prop_map(Draft::Override),
        2 => Just(Draft::Due),
        1 => (session_kind(), prop::sample::select(Phase::ALL.to_vec())).prop_map(|(kind, phase)| {
            let phase = if phase.fits(kind) { phase } else { Phase::Trading };
            Draft::Session { kind, phase }
        }),
        2 => (1..=4u32, 0..200i64).prop_map(|(account, qty)| Draft::Locate { account, qty }),
        1 => (95..105i64, any::<bool>(), 0..4i64)
            .prop_map(|(bid, restricted, band)| Draft::Market { bid, restricted, band }),
    ]
}

fn session_kind() -> impl Strategy<Value = SessionKind> {
    prop::sample::select(vec![SessionKind::Instrument, SessionKind::Venue, SessionKind::Session])
}

/// Limits that a random stream meets now and then.
pub(crate) fn limits() -> Limits {
    let mut limits = Limits::wide().set("firm", "credit", "\"400000\"");
    limits = limits.set("customer.c", "credit", "\"200000\"");
    for account in ["account.A", "account.C"] {
        limits = limits.set(account, "message_rate", "{ max = 5, window = \"20ns\" }").set(
            account,
            "duplicate_order",
            "{ max = 2, window = \"15ns\" }",
        );
    }
    limits.set("strategy.t", "message_rate", "{ max = 7, window = \"30ns\" }")
}

/// The same, and of every kind of state that the other controls keep.
pub(crate) fn many_limits() -> Limits {
    let rate = "{ max = 9, window = \"30ns\" }";
    limits()
        .set("firm", "duplicate_id", "{ max = 40 }")
        .set("firm", "max_open_orders", "12")
        .set("desk.d", "self_trade", "\"reject_newest\"")
        .set("desk.d", "net_exposure", "\"90000\"")
        .set("customer.c", "window_notional", "{ max = \"60000\", window = \"25ns\" }")
        .set("customer.c", "drawdown", "{ max = \"300\", confirm_marks = 2 }")
        .set("account.A", "loss_limit", "{ day = \"200\", confirm_marks = 2 }")
        .set("account.A", "daily_notional", "\"150000\"")
        .set("account.B", "cash", "\"30000\"")
        .set("account.C", "daily_orders", "9")
        .set("account.C", "daily_qty", "500")
        .set("strategy.s", "repeated_execution", rate)
        .set("strategy.s", "max_open_orders", "9")
        .set("strategy.t", "session", "\"X\"")
        .set("session.X", "attempt_rate", rate)
        .set("venue.V", "message_rate", "{ max = 20, window = \"40ns\" }")
        .set("instrument.I", "price_move", "{ bps = 300, period = \"64ns\" }")
        .set("instrument.J", "reg_sho", "true")
        .set("instrument.J", "margin", "\"50%\"")
        .set("control", "staged", "{ slow = 80, slow_delay = \"9ns\" }")
}

/// A limit for each comparison; few of them are ever passed.
pub(crate) fn every_limit() -> Limits {
    let rate = "{ max = 30, window = \"90ns\" }";
    let money = "{ max = \"900000\", window = \"50ns\" }";
    let loss = "{ max = \"4000\", confirm_marks = 2 }";
    let mut limits = many_limits();
    for owner in ["firm", "desk.d", "customer.c", "account.A", "strategy.s"] {
        limits = limits.set(owner, "window_notional", money).set(owner, "max_open_orders", "40");
        limits = limits.set(owner, "loss_limit", &loss.replace("max", "day"));
        limits = limits.set(owner, "drawdown", loss);
        if owner == "strategy.s" {
            continue;
        }
        limits = limits
            .set(owner, "max_open_notional", "\"390000\"")
            .set(owner, "net_exposure", "\"300000\"")
            .set(owner, "concentration", "\"80%\"")
            .set(owner, "daily_notional", "\"700000\"");
    }
    limits
        .set("control", "staged", "{ slow = 5, slow_delay = \"9ns\" }")
        .set("strategy.s", "daily_orders", "60")
        .set("strategy.s", "attempt_rate", rate)
        .set("strategy.s", "message_rate", rate)
        .set("strategy.s", "max_order_qty", "300")
        .set("strategy.s", "max_order_notional", "\"30000\"")
        .set("account.A", "daily_orders", "60")
        .set("account.A", "cash", "\"300000\"")
        .set("session.X", "message_rate", rate)
        .set("instrument.I", "message_rate", rate)
        .set("instrument.I", "max_order_qty", "350")
        .set("instrument.I", "max_order_notional", "\"35000\"")
        .set("instrument.I", "min_order_qty", "2")
        .set("instrument.I", "min_order_notional", "\"200\"")
        .set(
            "instrument.I",
            "price_collar",
            "{ bps = 900, ticks = 1_500, absolute = \"14\", max_age = \"60ns\", \
             reference = \"external\" }",
        )
        .set(
            "instrument.I",
            "auction",
            "{ max_order_qty = 40, max_order_notional = \"4500\", market = false, \
             collar_bps = 600 }",
        )
}

/// The stream: registrations, limits, and then the drafts with ids, times and numbers.
pub(crate) fn lay_out(drafts: &[(Draft, i64)], limits: &Limits) -> Vec<Entry> {
    let mut out = Vec::new();
    let mut version = 0;
    push_limits(&mut out, &mut version, &limits.text());
    for row in registrations() {
        push(&mut out, 0, Body::Register(row));
    }
    let mut ts = START;
    for instrument in [I, J] {
        push(&mut out, 0, reference(instrument, PX, ts));
    }
    let mut holds: Vec<u64> = Vec::new();
    let (mut next_hold, mut epoch, mut next_id) = (1, 0, 1u64);
    for (draft, step) in drafts {
        ts = ts.saturating_add_signed(*step);
        let id_of = |index: &Index| 1 + index.index(next_id as usize + 1) as u64;
        match draft {
            Draft::Order { order, target, replayed } => {
                let ref_id = if order.kind == 1 { 0 } else { id_of(target) };
                let order =
                    Order { ts, order_id: next_id, ref_id, seq: out.len() as u64, ..*order };
                next_id += 1;
                let flags = if *replayed { entry_flag::REPLAYED } else { 0 };
                push(&mut out, flags, Body::Order(order, vec![7; 3]));
            }
            Draft::Exec { exec, target } => {
                push(&mut out, 0, Body::Exec(Exec { ts, order_id: id_of(target), ..*exec }));
            }
            Draft::Reference { instrument, px } => {
                push(&mut out, 0, reference(*instrument, *px, ts));
            }
            Draft::Kill { kind, handle, mask } => {
                let handle = match kind {
                    0 => 0,
                    1 | 6 => 1,
                    _ => *handle,
                };
                epoch += 1;
                holds.push(next_hold);
                let state = if *mask == 1 { KillState::ReduceOnly } else { KillState::Halted };
                let scope = Scope { kind: ScopeKind::from_code(*kind).unwrap(), handle };
                let kill = Kill {
                    hold: next_hold,
                    epoch,
                    state,
                    scope,
                    rank: 0,
                    allow_reduce: *mask == 2,
                    actor: "ana".to_owned(),
                    reason: "law".to_owned(),
                };
                push(&mut out, 0, Body::Kill(kill));
                next_hold += 1;
            }
            Draft::Resume(index) => {
                if holds.is_empty() {
                    continue;
                }
                epoch += 1;
                let hold = holds.remove(index.index(holds.len()));
                let (actor, approver) = ("ana".to_owned(), "bo".to_owned());
                let reason = String::new();
                let resume = Resume { hold, epoch, signatures: None, actor, approver, reason };
                push(&mut out, 0, Body::Resume(resume));
            }
            Draft::Limits { qty, credit } => {
                let text = limits
                    .clone()
                    .set("account.A", "max_order_qty", &qty.to_string())
                    .set("firm", "credit", &format!("\"{credit}\""))
                    .text();
                push_limits(&mut out, &mut version, &text);
            }
            Draft::Denied(index) => {
                let order_id = id_of(index);
                let denied = ReleaseDenied { order_seq: 0, order_id, kill_epoch: epoch };
                push(&mut out, 0, Body::ReleaseDenied(denied));
            }
            Draft::Override(index) => {
                let engine = folded(&out);
                let Some(order) = engine.blocked_order(id_of(index)).copied() else { continue };
                let now = ts.max(engine.last_ts());
                let said = Override {
                    order_id: order.order_id,
                    order_seq: order.seq,
                    controls: set(&SOFT),
                    expires_ns: now + 30,
                    actor: "ana".to_owned(),
                    approver: "bo".to_owned(),
                    reason: "law".to_owned(),
                    signatures: None,
                };
                push_at(&mut out, ts, Body::Override(said));
                let again = Order { ts, seq: out.len() as u64, ..order };
                push(&mut out, 0, Body::Order(again, Vec::new()));
            }
            Draft::Due => {
                for body in folded(&out).take_due() {
                    push_at(&mut out, ts, body);
                }
            }
            Draft::Session { kind, phase } => {
                let session = Session { kind: *kind, handle: 1, phase: *phase };
                push_at(&mut out, ts, Body::Session(session));
            }
            Draft::Locate { account, qty } => {
                let (account, instrument, actor) = (*account, J, String::new());
                push_at(
                    &mut out,
                    ts,
                    Body::Locate(Locate { account, instrument, qty: *qty, actor }),
                );
            }
            Draft::Market { bid, restricted, band } => {
                let flags = if *restricted { 8 } else { 16 } | if *band == 0 { 32 } else { 0 };
                let body = Reference {
                    instrument: J,
                    flags: 2 | flags,
                    bid: bid * UNIT,
                    luld_lo: if *band == 0 { 0 } else { (100 - 5 * band) * UNIT },
                    luld_hi: if *band == 0 { 0 } else { (100 + 5 * band) * UNIT },
                    ts,
                    ..Reference::default()
                };
                push(&mut out, 0, Body::Reference(body));
            }
            Draft::Tick => {
                let header = Header { utc_ns: ts as i64, ..Header::default() };
                out.push(Entry { header, body: Body::Tick });
            }
        }
    }
    out
}

pub(crate) fn stream(most: usize) -> impl Strategy<Value = Vec<Entry>> {
    let step = prop_oneof![
        20 => Just(0i64), 80 => 1..8i64, 10 => -20..0i64, 10 => 20..200i64, 1 => Just(DAY_NS),
    ];
    (prop::collection::vec((draft(), step), 1..most), 0..3).prop_map(|(drafts, which)| {
        let limits = [limits, many_limits, lenient_limits][which as usize]();
        lay_out(&drafts, &limits)
    })
}

/// The same, where some controls block softly and others only alert.
pub(crate) fn lenient_limits() -> Limits {
    let words: Vec<String> = SOFT.iter().map(|c| format!("{} = \"soft\"", c.name())).collect();
    let alert = "LOT_SIZE = \"alert\", DAILY_NOTIONAL = \"alert\"";
    many_limits()
        .set("control", "severity", &format!("{{ {}, {alert} }}", words.join(", ")))
        .set(
            "control",
            "staged",
            "{ slow = 80, slow_delay = \"9ns\", alert = 30, alert_again = 60 }",
        )
        .set("customer.e", "self_trade", "\"cancel_oldest\"")
        .set("instrument.I", "lot", "10")
}

const SOFT: [Control; 4] =
    [Control::MaxOrderQty, Control::PriceCollar, Control::DuplicateOrder, Control::MaxPosition];

/// The state after these entries.
fn folded(entries: &[Entry]) -> Engine {
    let mut engine = Engine::new();
    for (index, entry) in entries.iter().enumerate() {
        engine.step(index as u64, entry).unwrap();
    }
    engine
}

const DAY_NS: i64 = 86_400_000_000_000;

fn push_at(out: &mut Vec<Entry>, ts: u64, body: Body) {
    out.push(Entry { header: Header { utc_ns: ts as i64, ..Header::default() }, body });
}

fn push(out: &mut Vec<Entry>, flags: u16, body: Body) {
    out.push(Entry { header: Header { flags, ..Header::default() }, body });
}

fn reference(instrument: u32, px: i64, ts: u64) -> Body {
    let prior_close = PX;
    Body::Reference(Reference { instrument, flags: 2, px, prior_close, ts, ..Reference::default() })
}

/// A limits text in three chunks, and its activation.
fn push_limits(out: &mut Vec<Entry>, version: &mut u32, text: &str) {
    let bytes = text.as_bytes();
    let chunks: Vec<&[u8]> = bytes.chunks(bytes.len().div_ceil(3)).collect();
    let parts = chunks.len() as u16;
    let first_part = out.len() as u64;
    for (part, chunk) in chunks.into_iter().enumerate() {
        let part = part as u16;
        let config = Config { kind: ConfigKind::Limits, part, parts, text: chunk.to_vec() };
        push(out, 0, Body::Config(config));
    }
    *version += 1;
    let activate = LimitActivate { version: *version, parts, first_part, sha256: [0; 32] };
    push(out, 0, Body::LimitActivate(activate));
}
