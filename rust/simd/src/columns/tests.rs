//! Each path against a model in 128-bit integers that shares no code with the kernels, and all
//! paths against each other, at every length around a vector's and at the ends of i64.

use proptest::prelude::*;

use super::*;

/// What the module's table says, by division.
fn model(bounds: &Bounds, row: Row) -> Judged {
    let (px, qty) = (i128::from(row.px), i128::from(row.qty));
    let (tick, lot) = (i128::from(bounds.tick.divisor()), i128::from(bounds.lot.divisor()));
    let mut certain = 0;
    let mut add = |bit: u32, condition: bool| certain |= u16::from(condition) << bit;
    add(4, qty > bounds.max_qty.into());
    add(5, qty < bounds.min_qty.into());
    add(6, qty % lot != 0 && row.flags & 2 == 0);
    add(7, px % tick != 0);
    add(10, (px < bounds.lo.into() || px > bounds.hi.into()) && row.flags & 1 != 0);
    // Below 2^127: two absolute values of at most 2^63.
    let notional = (px * qty).unsigned_abs();
    let mut judged = certain;
    judged |= u16::from(notional > bounds.max_notional) << 8;
    judged |= u16::from(notional < bounds.min_notional) << 9;
    let has_tq = px % tick == 0 && qty >= 0 && row.flags & 4 == 0;
    let tq = has_tq.then(|| px.abs() / tick * qty).and_then(|tq| i64::try_from(tq).ok());
    Judged { certain, judged, tq }
}

struct Judged {
    /// Bits 4 to 7 and 10.
    certain: u16,
    /// Those and the notional's.
    judged: u16,
    /// What the kernel must have written unless it marked the row; `None`: it must mark it.
    tq: Option<i64>,
}

/// Whether the promise of `covers_its_limits` says that this row is not marked.
fn keeps_its_limits(bounds: &Bounds, row: Row, judged: &Judged) -> bool {
    let qty = row.qty > 0 && row.qty <= bounds.max_qty;
    let px = row.px >= bounds.lo && row.px <= bounds.hi;
    qty && px && judged.tq.is_some()
}

fn run(kernel: Kernel, limits: &Limits, rows: &[Row]) -> Vec<(u16, i64)> {
    let px: Vec<_> = rows.iter().map(|row| row.px).collect();
    let qty: Vec<_> = rows.iter().map(|row| row.qty).collect();
    let flags: Vec<_> = rows.iter().map(|row| row.flags).collect();
    // Nothing that is already there may survive.
    let (mut reasons, mut tq) = (vec![0xffff; rows.len()], vec![-1; rows.len()]);
    let columns = Rows { px: &px, qty: &qty, flags: &flags };
    kernel.check(limits, columns, &mut reasons, &mut tq);
    reasons.into_iter().zip(tq).collect()
}

fn check(path: Path, bounds: &Bounds, rows: &[Row]) -> Result<(), TestCaseError> {
    // A processor without the path has nothing to be tested.
    let Ok(kernel) = with_path(path) else { return Ok(()) };
    let limits = Limits::new(bounds);
    let found = run(kernel, &limits, rows);
    for (index, (row, (reasons, tq))) in rows.iter().zip(&found).enumerate() {
        let expected = model(bounds, *row);
        let place = format!("{path}: row {index} of {}: {row:?} {bounds:?}", rows.len());
        if reasons & reason::SCALAR == 0 {
            prop_assert_eq!((*reasons, Some(*tq)), (expected.judged, expected.tq), "{}", place);
        } else {
            let marked = expected.certain | reason::SCALAR;
            prop_assert_eq!((*reasons, *tq), (marked, 0), "{}", place);
            let promised = limits.covers_its_limits() && keeps_its_limits(bounds, *row, &expected);
            prop_assert!(!promised, "marked without need: {}", place);
        }
    }
    // By the model the mark is free within its promise; between the paths it is not.
    let scalar = run(with_path(Path::Scalar).unwrap(), &limits, rows);
    prop_assert_eq!(found, scalar, "{} differs from scalar", path);
    Ok(())
}

/// Any number, but mostly one that a shift, sign or sum could get wrong.
fn extreme() -> impl Strategy<Value = i64> {
    prop_oneof![
        any::<i64>(),
        (0_u32..64, -2_i64..=2).prop_map(|(shift, more)| (1_i64 << shift).wrapping_add(more)),
        (0_u32..64, -2_i64..=2).prop_map(|(shift, more)| (-1_i64 << shift).wrapping_add(more)),
        Just(i64::MIN),
        Just(i64::MAX),
        -3_i64..=3,
    ]
}

fn divisor() -> impl Strategy<Value = Divisor> {
    prop_oneof![
        Just(1),
        Just(10_000_000),
        Just(100),
        (0_u32..64).prop_map(|shift| 1_u64 << shift),
        1_u64..1_000,
        1_u64..,
    ]
    .prop_map(|d| Divisor::new(d).unwrap())
}

fn notional() -> impl Strategy<Value = u128> {
    prop_oneof![
        Just(0),
        Just(u128::MAX),
        any::<u64>().prop_map(u128::from),
        any::<u128>().prop_map(|n| n >> 1),
        (0_u32..128, 0_u128..3).prop_map(|(shift, less)| (1_u128 << shift).saturating_sub(less)),
    ]
}

fn extreme_bounds() -> impl Strategy<Value = Bounds> {
    let bounds = (extreme(), extreme(), divisor(), divisor(), extreme(), extreme());
    (bounds, notional(), notional()).prop_map(
        |((max_qty, min_qty, lot, tick, lo, hi), max_notional, min_notional)| Bounds {
            max_qty,
            min_qty,
            lot,
            tick,
            lo,
            hi,
            max_notional,
            min_notional,
        },
    )
}

/// Limits as people write them, and orders that fall around each of them.
fn ordinary() -> impl Strategy<Value = (Bounds, Vec<Row>)> {
    let bounds = (1_i64..2_000, 0_i64..20, 1_u64..6, 1_u64..50, 1_i64..4_000, 0_i64..4_000);
    let bounds = (bounds, 0_u128..4_000_000, 0_u128..2_000).prop_map(
        |((max_qty, min_qty, lot, tick, lo, width), max_notional, min_notional)| Bounds {
            max_qty,
            min_qty,
            lot: Divisor::new(lot).unwrap(),
            tick: Divisor::new(tick).unwrap(),
            lo,
            hi: lo + width,
            max_notional: max_notional * u128::from(tick),
            min_notional,
        },
    );
    bounds.prop_flat_map(|bounds| {
        let tick = bounds.tick.divisor() as i64;
        let px = prop_oneof![
            (-10_i64..8_000 / tick).prop_map(move |ticks| ticks * tick),
            -10_i64..8_000,
            Just(bounds.lo - 1),
            Just(bounds.lo),
            Just(bounds.hi),
            Just(bounds.hi + 1),
        ];
        let qty = prop_oneof![-2_i64..2_100, Just(bounds.max_qty), Just(bounds.min_qty)];
        let row = (px, qty, 0_u8..8).prop_map(|(px, qty, flags)| Row { px, qty, flags });
        (Just(bounds), prop::collection::vec(row, 0..34))
    })
}

fn extreme_rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (extreme(), extreme(), any::<u8>());
    prop::collection::vec(row.prop_map(|(px, qty, flags)| Row { px, qty, flags }), 0..34)
}

/// Extreme rows, each made a multiple of tick and lot, and small enough to have a tq, now and then.
fn near_rows(bounds: Bounds) -> impl Strategy<Value = (Bounds, Vec<Row>)> {
    let row = (extreme_rows(), 0_u32..64, 0_u32..64).prop_map(move |(mut rows, px, qty)| {
        for (index, row) in rows.iter_mut().enumerate() {
            (row.px, row.qty) = (row.px >> px, row.qty >> qty);
            if index % 3 > 0 {
                row.px -= (i128::from(row.px) % i128::from(bounds.tick.divisor())) as i64;
                row.qty -= (i128::from(row.qty) % i128::from(bounds.lot.divisor())) as i64;
            }
        }
        rows
    });
    (Just(bounds), row)
}

/// The laws, for one path: a failure then names it.
macro_rules! laws {
    ($($path:ident: $variant:ident),*) => { $(
        mod $path {
            use super::*;

            proptest! {
                #[test]
                fn agrees_with_the_model_on_ordinary_orders((bounds, rows) in ordinary()) {
                    check(Path::$variant, &bounds, &rows)?;
                }

                #[test]
                fn agrees_with_the_model_at_the_ends_of_i64(
                    bounds in extreme_bounds(),
                    rows in extreme_rows(),
                ) {
                    check(Path::$variant, &bounds, &rows)?;
                }

                #[test]
                fn agrees_with_the_model_near_the_largest_product(
                    (bounds, rows) in extreme_bounds().prop_flat_map(near_rows),
                ) {
                    check(Path::$variant, &bounds, &rows)?;
                }
            }

            #[test]
            fn agrees_with_the_model_at_every_length() {
                let bounds = sample();
                let rows: Vec<_> = (0..100).map(|n| Row {
                    px: 184_000_000_000 + n * 7_000_000 * (n % 3),
                    qty: n * 31,
                    flags: (n % 8) as u8,
                }).collect();
                for length in 0..=33 {
                    // Not only from the start: vectors need no alignment.
                    for start in 0..9 {
                        check(Path::$variant, &bounds, &rows[start..start + length]).unwrap();
                    }
                }
            }
        }
    )* };
}

laws!(avx512: Avx512, avx2: Avx2, scalar: Scalar);

/// A share of 185.00 in cents, a 5 % collar.
fn sample() -> Bounds {
    Bounds {
        max_qty: 1_000,
        min_qty: 1,
        lot: Divisor::new(100).unwrap(),
        tick: Divisor::new(10_000_000).unwrap(),
        lo: 175_750_000_000,
        hi: 194_250_000_000,
        max_notional: 150_000_000_000_000,
        min_notional: 0,
    }
}

#[test]
fn each_bound_admits_equality_and_refuses_one_beyond() {
    let kernel = Kernel::best();
    let order = Row { px: 185_000_000_000, qty: 800, flags: flag::COLLARED };
    let bits = |bounds: &Bounds, row: Row| run(kernel, &Limits::new(bounds), &[row])[0];
    let bounds = sample();
    assert_eq!(bits(&bounds, order), (0, 18_500 * 800));

    let notional = 185_000_000_000 * 800;
    type Cases = [(fn(&mut Bounds, i64), i64, u16); 6];
    let cases: Cases = [
        (|b, beyond| b.max_qty -= beyond, 200, reason::MAX_ORDER_QTY),
        (|b, beyond| b.min_qty += beyond, 799, reason::MIN_ORDER_QTY),
        (|b, beyond| b.lo += beyond, 185_000_000_000 - 175_750_000_000, reason::PRICE_COLLAR),
        (|b, beyond| b.hi -= beyond, 194_250_000_000 - 185_000_000_000, reason::PRICE_COLLAR),
        (
            |b, beyond| b.max_notional -= beyond as u128,
            150_000_000_000_000 - notional,
            reason::MAX_ORDER_NOTIONAL,
        ),
        (|b, beyond| b.min_notional += beyond as u128, notional, reason::MIN_ORDER_NOTIONAL),
    ];
    for (tighten, to_equality, bit) in cases {
        let mut bounds = sample();
        tighten(&mut bounds, to_equality);
        assert_eq!(bits(&bounds, order).0, 0, "{bit:#x} at equality");
        tighten(&mut bounds, 1);
        assert_eq!(bits(&bounds, order).0, bit, "{bit:#x} one beyond");
    }
    let off_lot = Row { qty: 801, ..order };
    assert_eq!(bits(&bounds, off_lot).0, reason::LOT_SIZE);
    let odd = Row { flags: flag::COLLARED | flag::ODD_LOT, ..off_lot };
    assert_eq!(bits(&bounds, odd).0, 0);
    let off_tick = Row { px: order.px + 1, ..order };
    assert_eq!(bits(&bounds, off_tick).0, reason::TICK_SIZE | reason::SCALAR);
    let far = Row { px: 0, flags: flag::FAR, ..order };
    assert_eq!(bits(&bounds, far).0, reason::SCALAR);
}

#[test]
fn what_is_marked_scalar_follows_from_the_limits() {
    let limits = Limits::new(&sample());
    assert!(limits.covers_its_limits() && !limits.is_scalar_only());
    // 50 million shares of 185.00: px * qty leaves i64, tq does not.
    let large = Bounds { max_qty: 50_000_000, max_notional: u128::MAX, ..sample() };
    let limits = Limits::new(&large);
    let row = Row { px: 185_000_000_000, qty: 50_000_000, flags: flag::COLLARED };
    assert_eq!(run(Kernel::best(), &limits, &[row]), [(0, 18_500 * 50_000_000)]);

    // No collar and no largest quantity: ordinary orders are judged, and no more is promised.
    let open = Bounds { max_qty: i64::MAX, lo: i64::MIN, hi: i64::MAX, ..large };
    let limits = Limits::new(&open);
    assert!(!limits.covers_its_limits() && !limits.is_scalar_only());
    assert_eq!(run(Kernel::best(), &limits, &[row])[0].0, 0);
    // A collar moves; what it admits decides again.
    let narrowed = Limits::new(&Bounds { max_qty: 1_000_000, ..open });
    let narrowed = narrowed.with_collar(large.lo, large.hi);
    assert_eq!(narrowed, Limits::new(&Bounds { max_qty: 1_000_000, ..large }));

    let absurd = Bounds { min_notional: u128::MAX, ..sample() };
    let limits = Limits::new(&absurd).with_collar(0, 1);
    assert!(limits.is_scalar_only());
    for path in Path::ALL {
        let Ok(kernel) = with_path(path) else { continue };
        let rows = [Row { flags: 0, ..row }; 9];
        let bits = reason::SCALAR | reason::MAX_ORDER_QTY;
        assert_eq!(run(kernel, &limits, &rows), [(bits, 0); 9], "{path}");
    }
}

#[test]
fn a_path_that_the_processor_lacks_is_refused() {
    for path in Path::ALL {
        let kernel = with_path(path);
        assert_eq!(kernel.is_ok(), path.is_available());
        match kernel {
            Ok(kernel) => assert_eq!(kernel.path(), path),
            Err(error) => assert!(error.to_string().contains(path.name()), "{error}"),
        }
    }
    assert_eq!(Kernel::best().path(), path());
    assert!(path().is_available() && Path::Scalar.is_available());
}

#[test]
#[should_panic(expected = "columns of one length")]
fn columns_of_two_lengths_are_refused() {
    let rows = Rows { px: &[0, 0], qty: &[1], flags: &[0, 0] };
    Kernel::best().check(&Limits::new(&sample()), rows, &mut [0; 2], &mut [0; 2]);
}
