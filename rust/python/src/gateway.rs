//! `cwts.Gateway`: the live gateway behind a lock that is held for one order at a time.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use cwts_gateway::{
    Gateway as Core, GatewayError, GatewayOptions, HaltOptions, KeyStore, KillSwitch, Retention,
    raise,
};
use cwts_risk::ExecEffect;
use cwts_risk::limits::ReferenceSource;
use cwts_types::{DECISION_BYTES, Exec, OrderKind, RegisterKind, ReleaseMode, Verdict, exec_type};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes};
use pyo3_arrow::PyTable;
use serde_json::json;

use crate::convert::to_py;
use crate::decision::{Decision, OrderNames};
use crate::desk::{Inner, bytes_of, lock, names, orders_in, records_of};
use crate::error::Error;
use crate::order::Order;
use crate::producer::{IntakeHost, Producer};

/// One gateway; every method may be called from any thread.
#[pyclass(frozen, module = "cwts._core")]
pub(crate) struct Gateway {
    inner: Arc<Mutex<Inner>>,
    pub(crate) switch: Arc<KillSwitch>,
    pub(crate) dir: Option<PathBuf>,
    stop: Arc<AtomicBool>,
    intake: IntakeHost,
    /// Whether `submit` waits for the disk.
    waits: bool,
}

impl Gateway {
    /// A gateway that is open already, attended from now on.
    pub(crate) fn of(core: Core, release: ReleaseMode) -> Self {
        let dir = core.dir().map(PathBuf::from);
        let switch = core.switch();
        let inner = Arc::new(Mutex::new(Inner::new(core)));
        let stop = Arc::new(AtomicBool::new(false));
        if dir.is_some() {
            attend(Arc::downgrade(&inner), Arc::clone(&stop));
        }
        let waits = release == ReleaseMode::Durable;
        Self { inner, switch, dir, stop, intake: IntakeHost::default(), waits }
    }

    pub(crate) fn lock(&self) -> Result<MutexGuard<'_, Inner>, GatewayError> {
        lock(&self.inner, &self.switch)
    }
}

#[pymethods]
impl Gateway {
    #[new]
    #[pyo3(signature = (limits, limits_path, log=None, *, keys=None, origin=None, anchor=None,
        release="async", retention_years=None, rule=None))]
    #[expect(clippy::too_many_arguments, reason = "one argument an option of the gateway")]
    fn new(
        py: Python<'_>,
        limits: Option<Vec<u8>>,
        limits_path: String,
        log: Option<PathBuf>,
        keys: Option<PathBuf>,
        origin: Option<String>,
        anchor: Option<PathBuf>,
        release: &str,
        retention_years: Option<u16>,
        rule: Option<&str>,
    ) -> Result<Self, Error> {
        let retention = retention_years.map(|years| Retention::new(years, rule)).transpose()?;
        let release = match release {
            "async" => ReleaseMode::Async,
            "durable" => ReleaseMode::Durable,
            other => {
                let why = format!("release: {other:?} is not one of async, durable");
                return Err(PyValueError::new_err(why).into());
            }
        };
        let options = GatewayOptions {
            limits: limits.map(|text| (limits_path, text)),
            dir: log,
            keys: keys.map(KeyStore::new),
            origin,
            anchor,
            release,
        };
        Ok(Self::of(py.detach(|| Core::open_promising(&options, retention))?, release))
    }

    #[getter]
    fn limits_version(&self) -> Result<u32, Error> {
        Ok(self.lock()?.core()?.engine().limits_version())
    }

    #[getter]
    fn next_index(&self) -> Result<u64, Error> {
        Ok(self.lock()?.core()?.next_index())
    }

    #[getter]
    fn durable(&self) -> Result<u64, Error> {
        Ok(self.lock()?.core()?.durable())
    }

    #[getter]
    fn is_closed(&self) -> bool {
        self.lock().is_ok_and(|inner| inner.core.is_none())
    }

    /// Decides an order and changes nothing; it is not logged.
    fn check(&self, py: Python<'_>, order: &Order) -> Result<Py<Decision>, Error> {
        let mut inner = self.lock()?;
        let record = inner.record(order)?;
        let core = inner.core()?;
        let decision = if record.order_id != 0 {
            Decision::new(&core.check_now(&record)?, core.engine(), &names(order))
        } else if let Some(outcome) = core.refusal(&record)? {
            Decision::new(&outcome, core.engine(), &names(order))
        } else {
            // An accepted check of an order without an id is the same object until the limits
            // or the kill state move: it is immutable, so it can be shared.
            let key = core.answer_key();
            if let Some((cached, decision)) = &inner.accepted
                && *cached == key
            {
                return Ok(decision.clone_ref(py));
            }
            let outcome = inner.core()?.check_now(&record)?;
            drop(inner);
            let decision = Py::new(py, Decision::accepted_record(outcome.decision))?;
            self.lock()?.accepted = Some((key, decision.clone_ref(py)));
            return Ok(decision);
        };
        // Python code may run when an object is made: never under the lock.
        drop(inner);
        Ok(Py::new(py, decision)?)
    }

    /// Decides, reserves, logs and releases.
    fn submit(&self, py: Python<'_>, order: &Order) -> Result<Decision, Error> {
        if self.waits {
            return Ok(py.detach(|| self.submit_locked(order))?);
        }
        Ok(self.submit_locked(order)?)
    }

    /// Decides records as if they were submitted in order, then forgets it.
    fn check_batch<'py>(
        &self,
        py: Python<'py>,
        records: PyBuffer<u8>,
    ) -> Result<Bound<'py, PyByteArray>, Error> {
        let bytes = bytes_of(py, &records)?;
        self.check_all(py, orders_in(&bytes))
    }

    /// Submits records in order.
    fn submit_batch<'py>(
        &self,
        py: Python<'py>,
        records: PyBuffer<u8>,
    ) -> Result<Bound<'py, PyByteArray>, Error> {
        let orders = records_of(py, &records)?;
        self.submit_all(py, orders)
    }

    /// [`Gateway::check_batch`] of an Arrow table.
    fn check_table<'py>(
        &self,
        py: Python<'py>,
        table: PyTable,
    ) -> Result<Bound<'py, PyByteArray>, Error> {
        let orders = self.orders_of(table)?;
        self.check_all(py, orders.iter().copied())
    }

    /// [`Gateway::submit_batch`] of an Arrow table.
    fn submit_table<'py>(
        &self,
        py: Python<'py>,
        table: PyTable,
    ) -> Result<Bound<'py, PyByteArray>, Error> {
        let orders = self.orders_of(table)?;
        self.submit_all(py, orders)
    }

    /// Opens a named producer: a queue of its own into this gateway.
    fn producer(&self, py: Python<'_>, name: &str) -> Result<Producer, Error> {
        py.detach(|| Ok(self.intake.open(&self.inner, &self.switch, name)?))
    }

    /// Asks the venue to cancel an order; risk never refuses that.
    fn cancel(&self, py: Python<'_>, order_id: u64) -> Result<Decision, Error> {
        Ok(py.detach(|| self.cancel_locked(order_id))?)
    }

    #[pyo3(signature = (order_id, exec_type, last_px_e9=0, last_qty=0, cum_qty=0, exec_id=""))]
    fn on_execution_report(
        &self,
        order_id: u64,
        exec_type: &str,
        last_px_e9: i64,
        last_qty: i64,
        cum_qty: i64,
        exec_id: &str,
    ) -> Result<&'static str, Error> {
        let code = match exec_type {
            "new" => exec_type::NEW,
            "fill" => exec_type::TRADE,
            "canceled" => exec_type::CANCELED,
            "replaced" => exec_type::REPLACED,
            "rejected" => exec_type::REJECTED,
            "expired" => exec_type::EXPIRED,
            "done" => exec_type::DONE_FOR_DAY,
            other => {
                let why = format!(
                    "exec_type: {other:?} is not one of new, fill, canceled, replaced, rejected, \
                     expired, done"
                );
                return Err(PyValueError::new_err(why).into());
            }
        };
        if last_qty < 0 || cum_qty < 0 {
            return Err(PyValueError::new_err("last_qty and cum_qty: must not be negative").into());
        }
        let exec = Exec {
            order_id,
            exec_id: cwts_gateway::text_id(exec_id),
            last_px: last_px_e9,
            last_qty,
            cum_qty,
            exec_type: code,
            ord_status: b'0',
            ..Exec::default()
        };
        let effect = self.lock()?.core()?.on_execution_report(&exec)?;
        Ok(match effect {
            ExecEffect::Applied => "applied",
            ExecEffect::Duplicate => "duplicate",
            ExecEffect::UnknownOrder => "unknown_order",
            ExecEffect::Overfill => "overfill",
            #[expect(unreachable_patterns, reason = "a new effect must be named here first")]
            _ => "other",
        })
    }

    #[pyo3(signature = (symbol, last_e9=None, bid_e9=0, ask_e9=0, ts_ns=None))]
    fn set_reference(
        &self,
        symbol: &str,
        last_e9: Option<i64>,
        bid_e9: i64,
        ask_e9: i64,
        ts_ns: Option<u64>,
    ) -> Result<(), Error> {
        let mut inner = self.lock()?;
        let core = inner.core()?;
        let handle = core.engine().registry().handle(RegisterKind::Instrument, symbol);
        let Some(handle) = handle else {
            let shown: String = symbol.chars().take(64).collect();
            let why = format!(
                "symbol: {shown:?} is not registered; add {shown} = {{ tick = \"0.01\", lot = 1 \
                 }} under [instrument] to the limits file"
            );
            return Err(PyValueError::new_err(why).into());
        };
        // What the symbol's collar does not listen to would be taken in silence.
        let is_mid = core.engine().reference_source(handle) == Some(ReferenceSource::Mid);
        if is_mid && (bid_e9 == 0 || ask_e9 == 0) || !is_mid && last_e9.is_none() {
            let wanted = if is_mid { "the middle: give bid and ask" } else { "a price: give last" };
            let why = format!("set_reference({symbol:?}): its collar is around {wanted}");
            return Err(PyValueError::new_err(why).into());
        }
        core.set_reference(handle, last_e9, bid_e9, ask_e9, ts_ns)?;
        Ok(())
    }

    #[pyo3(signature = (scope="firm", *, reason="", actor="", reduce_only=false,
        allow_reduce=false))]
    fn halt(
        &self,
        py: Python<'_>,
        scope: &str,
        reason: &str,
        actor: &str,
        reduce_only: bool,
        allow_reduce: bool,
    ) -> Result<u64, Error> {
        let options = HaltOptions {
            reason: reason.to_owned(),
            actor: actor.to_owned(),
            reduce_only,
            allow_reduce,
        };
        if scope == "firm" {
            // The whole firm needs no look-up: it is felt before this thread gets the lock.
            let firm = cwts_gateway::firm();
            let ticket = raise(&self.switch, &firm, Some(0), &options);
            return py.detach(|| {
                let mut inner = self.lock()?;
                let core = inner.core()?;
                core.poll()?;
                Ok(core.hold_of(ticket))
            });
        }
        py.detach(|| Ok(self.lock()?.core()?.halt(scope, &options)?))
    }

    #[pyo3(signature = (hold, *, actor, approver, reason))]
    fn resume(
        &self,
        py: Python<'_>,
        hold: u64,
        actor: &str,
        approver: &str,
        reason: &str,
    ) -> Result<(), Error> {
        py.detach(|| Ok(self.lock()?.core()?.resume(hold, actor, approver, reason)?))
    }

    fn holds<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>, Error> {
        let state = cwts_gateway::engine_state(self.lock()?.core()?.engine());
        Ok(to_py(py, &state["holds"])?)
    }

    fn handle(&self, kind: &str, name: &str) -> Result<Option<u32>, Error> {
        let kind = match kind {
            "account" => RegisterKind::Account,
            "instrument" => RegisterKind::Instrument,
            "strategy" => RegisterKind::Strategy,
            "customer" => RegisterKind::Customer,
            "desk" => RegisterKind::Desk,
            "venue" => RegisterKind::Venue,
            other => {
                let why = format!(
                    "kind: {other:?} is not one of account, instrument, strategy, customer, \
                     desk, venue"
                );
                return Err(PyValueError::new_err(why).into());
            }
        };
        Ok(self.lock()?.core()?.engine().registry().handle(kind, name))
    }

    fn position(&self, account: &str, symbol: &str) -> Result<i64, Error> {
        let mut inner = self.lock()?;
        let engine = inner.core()?.engine();
        let account = engine.registry().handle(RegisterKind::Account, account);
        let instrument = engine.registry().handle(RegisterKind::Instrument, symbol);
        Ok(account.zip(instrument).map_or(0, |(a, i)| engine.position(a, i)))
    }

    fn state<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>, Error> {
        let mut inner = self.lock()?;
        let core = inner.core()?;
        let mut state = cwts_gateway::engine_state(core.engine());
        state["entries"] = json!(core.next_index());
        state["durable"] = json!(core.durable());
        state["backpressure"] = json!(core.backpressure());
        state["checkpoint_size"] = json!(core.checkpoint().map(|c| c.size));
        drop(inner);
        Ok(to_py(py, &state)?)
    }

    fn snapshot<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyBytes>, Error> {
        let bytes = self.lock()?.core()?.engine().snapshot();
        Ok(PyBytes::new(py, &bytes))
    }

    /// Waits until everything so far is durable.
    fn sync(&self, py: Python<'_>) -> Result<(), Error> {
        py.detach(|| Ok(self.lock()?.core()?.sync()?))
    }

    /// Ends the gateway; closing twice is no error.
    fn close<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>, Error> {
        self.stop.store(true, Ordering::Release);
        let closed = py.detach(|| {
            // What producers sent before is decided first; what they send from here on is refused.
            self.intake.stop();
            let core = self.lock()?.core.take();
            core.map(Core::close).transpose()
        })?;
        let checkpoint = closed.flatten().map(
            |c| json!({ "origin": c.origin, "size": c.size, "root": cwts_gateway::hex(&c.root) }),
        );
        Ok(to_py(py, &json!(checkpoint))?)
    }
}

impl Gateway {
    /// The lock is taken and given back inside: whoever waits for it may hold the interpreter.
    fn submit_locked(&self, order: &Order) -> Result<Decision, GatewayError> {
        let mut inner = self.lock()?;
        let record = inner.record(order)?;
        let core = inner.core()?;
        let submitted = core.submit(&record)?;
        let outcome = &submitted.outcome;
        if outcome.violations.is_empty() {
            return Ok(Decision::accepted_record(outcome.decision));
        }
        Ok(Decision::new(outcome, core.engine(), &names(order)))
    }

    fn cancel_locked(&self, order_id: u64) -> Result<Decision, GatewayError> {
        let mut inner = self.lock()?;
        let core = inner.core()?;
        let record = cwts_types::Order {
            order_id,
            ref_id: order_id,
            kind: OrderKind::Cancel as u8,
            side: 1,
            type_tif: 2,
            ..cwts_types::Order::default()
        };
        let submitted = core.submit(&record)?;
        let names =
            OrderNames { symbol: String::new(), account: String::new(), strategy: String::new() };
        Ok(Decision::new(&submitted.outcome, core.engine(), &names))
    }

    fn orders_of(&self, table: PyTable) -> Result<Vec<cwts_types::Order>, Error> {
        let mut inner = self.lock()?;
        let registry = inner.core()?.engine().registry();
        let handle = |kind, name: &str| registry.handle(kind, name).unwrap_or(0);
        crate::table::orders(table, &handle)
    }

    fn check_all<'py>(
        &self,
        py: Python<'py>,
        orders: impl ExactSizeIterator<Item = cwts_types::Order> + Clone + Send,
    ) -> Result<Bound<'py, PyByteArray>, Error> {
        let len = orders.len() * DECISION_BYTES;
        // Written where Python will read it: a million decisions are 64 MB.
        Ok(PyByteArray::new_with(py, len, |out| {
            py.detach(|| -> Result<(), GatewayError> {
                let mut records = out.as_chunks_mut::<DECISION_BYTES>().0.iter_mut();
                self.lock()?.core()?.check_each(orders, |decision| {
                    if let Some(record) = records.next() {
                        *record = decision.to_bytes();
                    }
                })
            })
            .map_err(|error| Error::from(error).into())
        })?)
    }

    fn submit_all<'py>(
        &self,
        py: Python<'py>,
        orders: Vec<cwts_types::Order>,
    ) -> Result<Bound<'py, PyByteArray>, Error> {
        let out = py.detach(|| -> Result<Vec<u8>, GatewayError> {
            let decisions = self.lock()?.core()?.submit_batch(&orders)?;
            let mut out = Vec::with_capacity(decisions.len() * DECISION_BYTES);
            for decision in &decisions {
                out.extend_from_slice(&decision.to_bytes());
            }
            Ok(out)
        })?;
        Ok(PyByteArray::new(py, &out))
    }
}

/// Takes in what other processes ask for, even when no order comes.
fn attend(inner: Weak<Mutex<Inner>>, stop: Arc<AtomicBool>) {
    let run = move || {
        while !stop.load(Ordering::Acquire) {
            std::thread::sleep(ATTEND);
            let Some(inner) = inner.upgrade() else { return };
            let Ok(mut inner) = inner.lock() else { return };
            if let Some(core) = &mut inner.core {
                // An error here is kept by the gateway, and told to its next caller.
                let _ = core.poll();
            }
        }
    };
    // Without the thread an idle gateway would answer a halt only at its next order.
    let _ = std::thread::Builder::new().name("cwts-attend".to_owned()).spawn(run);
}

/// How often an idle gateway looks at its kill page.
const ATTEND: Duration = Duration::from_millis(10);
const _: () = assert!(Verdict::Accept as u8 == 1);
