//! What a Python gateway's lock guards: the core, and the handles of interned names.

use std::sync::{Mutex, MutexGuard};

use cwts_gateway::{Gateway as Core, GatewayError, HaltOptions, KillSwitch, raise};
use cwts_types::{ORDER_BYTES, RegisterKind};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::decision::{Decision, OrderNames};
use crate::error::Error;
use crate::order::{Order, name_of};

/// What the lock guards.
pub(crate) struct Inner {
    pub(crate) core: Option<Core>,
    handles: Handles,
    /// The accepted answer of `check`, as long as it is the same.
    pub(crate) accepted: Option<(u64, Py<Decision>)>,
}

impl Inner {
    pub(crate) fn new(core: Core) -> Self {
        Self { core: Some(core), handles: Handles::default(), accepted: None }
    }

    #[inline]
    pub(crate) fn core(&mut self) -> Result<&mut Core, GatewayError> {
        self.core.as_mut().ok_or(GatewayError::Closed)
    }

    /// The order's record with this gateway's handles.
    #[inline]
    pub(crate) fn record(&mut self, order: &Order) -> Result<cwts_types::Order, GatewayError> {
        let core = self.core.as_mut().ok_or(GatewayError::Closed)?;
        Ok(self.handles.record(order, |kind, name| core.engine().registry().handle(kind, name)))
    }
}

/// The lock, unless a panic left the state half changed: then everything is halted.
pub(crate) fn lock<'a>(
    inner: &'a Mutex<Inner>,
    switch: &KillSwitch,
) -> Result<MutexGuard<'a, Inner>, GatewayError> {
    inner.lock().map_err(|_| {
        let options = HaltOptions {
            reason: PANICKED.to_owned(),
            actor: "gateway".to_owned(),
            reduce_only: false,
            allow_reduce: false,
        };
        // The page outlives this process, so the next start is halted too.
        raise(switch, &cwts_gateway::firm(), Some(0), &options);
        GatewayError::LogFailed { why: PANICKED.to_owned() }
    })
}

/// Interned name -> handle, by kind; 0 = not looked up yet.
#[derive(Default)]
pub(crate) struct Handles {
    symbols: Vec<u32>,
    accounts: Vec<u32>,
    strategies: Vec<u32>,
}

impl Handles {
    /// The order's record with a gateway's handles; `handle` looks up what is new.
    #[inline]
    pub(crate) fn record(
        &mut self,
        order: &Order,
        handle: impl Fn(RegisterKind, &str) -> Option<u32>,
    ) -> cwts_types::Order {
        let mut record = order.record;
        let rows = [
            (&mut self.symbols, order.symbol, &mut record.instrument, RegisterKind::Instrument),
            (&mut self.accounts, order.account, &mut record.account, RegisterKind::Account),
            (&mut self.strategies, order.strategy, &mut record.strategy, RegisterKind::Strategy),
        ];
        for (cache, number, field, kind) in rows {
            *field = match cache.get(number as usize) {
                Some(known) if *known != 0 => *known,
                _ => look_up(&handle, cache, number, kind),
            };
        }
        record
    }
}

#[cold]
fn look_up(
    handle: &impl Fn(RegisterKind, &str) -> Option<u32>,
    cache: &mut Vec<u32>,
    number: u32,
    kind: RegisterKind,
) -> u32 {
    let handle = handle(kind, &name_of(number)).unwrap_or(0);
    if cache.len() <= number as usize {
        cache.resize(number as usize + 1, 0);
    }
    cache[number as usize] = handle;
    handle
}

pub(crate) fn names(order: &Order) -> OrderNames {
    OrderNames {
        symbol: name_of(order.symbol),
        account: name_of(order.account),
        strategy: name_of(order.strategy),
    }
}

/// Whole records out of a buffer, as their bytes.
pub(crate) fn bytes_of(py: Python<'_>, records: &PyBuffer<u8>) -> Result<Vec<u8>, Error> {
    if !records.is_c_contiguous() {
        return Err(PyTypeError::new_err("records: must be contiguous").into());
    }
    let bytes = records.to_vec(py)?;
    if !bytes.len().is_multiple_of(ORDER_BYTES) {
        let why = format!("records: {} bytes are no multiple of {ORDER_BYTES}", bytes.len());
        return Err(PyValueError::new_err(why).into());
    }
    Ok(bytes)
}

/// The orders of whole records.
pub(crate) fn orders_in(bytes: &[u8]) -> impl ExactSizeIterator<Item = cwts_types::Order> + Clone {
    bytes.as_chunks::<ORDER_BYTES>().0.iter().map(cwts_types::Order::from_bytes)
}

/// Records out of a buffer of bytes.
pub(crate) fn records_of(
    py: Python<'_>,
    records: &PyBuffer<u8>,
) -> Result<Vec<cwts_types::Order>, Error> {
    Ok(orders_in(&bytes_of(py, records)?).collect())
}

/// Why a gateway answers nothing any more.
const PANICKED: &str = "a panic ended the gateway; it is halted";
