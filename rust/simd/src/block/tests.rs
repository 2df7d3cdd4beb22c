use proptest::prelude::*;

use super::*;
use crate::columns::{Bounds, Path, flag, with_path};
use crate::{Divisor, Groups};

/// A record as the log has it: px at 16, qty at 24, instrument at 48.
fn record(row: Row, instrument: u32) -> [u8; 64] {
    let mut record = [0; 64];
    record[16..24].copy_from_slice(&row.px.to_le_bytes());
    record[24..32].copy_from_slice(&row.qty.to_le_bytes());
    record[48..52].copy_from_slice(&instrument.to_le_bytes());
    record[63] = row.flags;
    record
}

fn row(record: &[u8; 64]) -> Row {
    let word = |at: usize| i64::from_le_bytes(*record[at..].first_chunk().unwrap());
    Row { px: word(16), qty: word(24), flags: record[63] }
}

/// Limits that differ from instrument to instrument.
fn limits(instrument: u32) -> Limits {
    let tick = u64::from(instrument % 5 + 1);
    Limits::new(&Bounds {
        max_qty: 500 + i64::from(instrument),
        min_qty: 1,
        lot: Divisor::new(u64::from(instrument % 3 + 1)).unwrap(),
        tick: Divisor::new(tick).unwrap(),
        lo: 100,
        hi: 900,
        max_notional: 200_000,
        min_notional: 10,
    })
}

proptest! {
    #[test]
    fn a_grouped_block_is_found_equal_to_its_orders_one_by_one(
        orders in prop::collection::vec((0_i64..1_000, -2_i64..700, 0_u8..8, 0_u32..9), 0..300),
    ) {
        let (mut records, mut instruments) = (Vec::new(), Vec::new());
        for (px, qty, flags, instrument) in orders {
            records.push(record(Row { px, qty, flags }, instrument));
            instruments.push(instrument);
        }
        let mut groups = Groups::new();
        groups.group(&instruments).unwrap();
        let mut columns = Columns::new();
        columns.gather(&records, groups.order(), row);
        for run in groups.runs() {
            columns.check(Kernel::best(), &limits(run.instrument), run.start..run.end);
        }
        let (mut reasons, mut tq) = (vec![0; records.len()], vec![0; records.len()]);
        columns.scatter(groups.order(), &mut reasons, &mut tq);

        let scalar = with_path(Path::Scalar).unwrap();
        let mut single = Columns::new();
        for (index, record) in records.iter().enumerate() {
            single.fill(std::slice::from_ref(record), row);
            single.check(scalar, &limits(instruments[index]), 0..1);
            prop_assert_eq!(single.reasons(), &reasons[index..=index]);
            prop_assert_eq!(single.tq(), &tq[index..=index]);
        }
    }
}

#[test]
fn a_shorter_block_leaves_no_row_of_a_longer_one() {
    let mut columns = Columns::new();
    columns.fill(&[1, 2, 3], |px| Row { px: *px, qty: 1, flags: flag::ODD_LOT });
    columns.fill(&[9], |px| Row { px: *px, qty: 1, flags: 0 });
    assert_eq!((columns.len(), columns.is_empty()), (1, false));
    columns.check(Kernel::best(), &limits(0), 0..1);
    assert_eq!((columns.reasons(), columns.tq()), (&[1 << 9][..], &[9][..]));
}
