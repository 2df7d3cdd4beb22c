//! Orders from Arrow tables: the same columns as in files.

use cwts_feeds::columnar::BatchRows;
use cwts_feeds::event::{Event, EventKind, flag};
use cwts_gateway::GatewayError;
use cwts_types::{Order, RegisterKind};
use pyo3_arrow::PyTable;

use crate::error::Error;

/// The table's rows as order records; names that nobody registered get handle 0.
pub(crate) fn orders(
    table: PyTable,
    handle: &dyn Fn(RegisterKind, &str) -> u32,
) -> Result<Vec<Order>, Error> {
    let (batches, _) = table.into_inner();
    let mut rows = BatchRows::new(None);
    let mut out = Vec::new();
    let mut events: Vec<Event> = Vec::new();
    for batch in &batches {
        rows.bind(batch).map_err(GatewayError::from)?;
        while rows.has_rows() {
            events.clear();
            rows.read(&mut events).map_err(GatewayError::from)?;
            let names = rows.names();
            for event in &events {
                out.push(order(event, names, handle)?);
            }
        }
    }
    Ok(out)
}

fn order(
    event: &Event,
    names: &cwts_feeds::event::Names,
    handle: &dyn Fn(RegisterKind, &str) -> u32,
) -> Result<Order, Error> {
    let (kind, ref_id) = match event.kind {
        EventKind::Add => (1, 0),
        EventKind::Replace => (2, event.ref_id),
        EventKind::Delete => (3, event.order_id),
        other => {
            let why =
                format!("row {}: kind {other:?} is no order; add, replace or delete", event.src);
            return Err(GatewayError::Replay(why).into());
        }
    };
    let look = |kind, list: &[String], at: u32| {
        let name = list.get(at as usize).map_or("default", String::as_str);
        handle(kind, name)
    };
    let is_market = event.flags & flag::UNDEF_PX != 0;
    Ok(Order {
        seq: 0,
        ts: event.ts_ns,
        px: if is_market { 0 } else { event.px },
        qty: event.qty,
        order_id: event.order_id,
        ref_id,
        instrument: look(RegisterKind::Instrument, &names.instruments, event.instrument),
        account: look(RegisterKind::Account, &names.accounts, event.account),
        strategy: look(RegisterKind::Strategy, &names.strategies, event.strategy),
        kind,
        side: event.side,
        type_tif: if is_market { 1 } else { 2 },
        flags: 0,
    })
}
