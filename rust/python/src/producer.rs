//! `cwts.Producer`: one of many senders in front of a gateway, without its lock.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use cwts_gateway::intake::{self, Answered, Intake, Tag};
use cwts_gateway::{GatewayError, KillSwitch};
use cwts_risk::Outcome;
use cwts_types::{DECISION_BYTES, RegisterKind};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyByteArray;

use crate::decision::{Decision, OrderNames};
use crate::desk::{Handles, Inner, lock, names, records_of};
use crate::error::Error;
use crate::order::{Order, name_of};

/// The intake of one gateway; made with its first producer.
#[derive(Default)]
pub(crate) struct IntakeHost(Mutex<Option<Running>>);

struct Running {
    intake: Intake,
    thread: JoinHandle<()>,
}

impl IntakeHost {
    pub(crate) fn open(
        &self,
        inner: &Arc<Mutex<Inner>>,
        switch: &Arc<KillSwitch>,
        name: &str,
    ) -> Result<Producer, GatewayError> {
        let mut host = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A closed gateway gets no intake any more.
        lock(inner, switch)?.core()?;
        let running = match host.take() {
            Some(running) => host.insert(running),
            None => host.insert(start(Arc::downgrade(inner), Arc::clone(switch))?),
        };
        let core = running.intake.open(lock(inner, switch)?.core()?, name)?;
        let handles = Mutex::default();
        Ok(Producer { core, inner: Arc::clone(inner), switch: Arc::clone(switch), handles })
    }

    /// Decides what was sent, and ends the thread.
    pub(crate) fn stop(&self) {
        let running = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Running { intake, thread }) = running {
            intake.stop();
            // A panic in there has halted everything; the next caller is told.
            let _ = thread.join();
        }
    }
}

fn start(inner: Weak<Mutex<Inner>>, switch: Arc<KillSwitch>) -> Result<Running, GatewayError> {
    let (intake, drain) = Intake::new()?;
    let with = move |job: &mut dyn FnMut(&mut cwts_gateway::Gateway)| {
        let Some(inner) = inner.upgrade() else { return false };
        let Ok(mut inner) = lock(&inner, &switch) else { return false };
        let Ok(core) = inner.core() else { return false };
        job(core);
        true
    };
    let thread = std::thread::Builder::new()
        .name("cwts-intake".to_owned())
        .spawn(move || intake::serve(drain, with))
        .map_err(|source| GatewayError::File { path: "thread cwts-intake".to_owned(), source })?;
    Ok(Running { intake, thread })
}

/// A named sender; every method may be called from any thread.
#[pyclass(frozen, module = "cwts._core")]
pub(crate) struct Producer {
    core: intake::Producer,
    inner: Arc<Mutex<Inner>>,
    switch: Arc<KillSwitch>,
    handles: Mutex<Handles>,
}

#[pymethods]
impl Producer {
    /// Its name in the log.
    #[getter]
    fn name(&self) -> &str {
        self.core.name()
    }

    /// The `producer` of its entries in the log.
    #[getter]
    fn id(&self) -> u32 {
        self.core.id()
    }

    /// What was sent and not answered, or whose answer nobody took.
    #[getter]
    fn open(&self) -> usize {
        self.core.open()
    }

    #[getter]
    fn is_closed(&self) -> bool {
        self.core.is_closed()
    }

    /// Sends an order and waits for its decision.
    fn submit(&self, py: Python<'_>, order: &Order) -> Result<Decision, Error> {
        let answered = py.detach(|| {
            let answered = self.core.submit(&self.record(order), tag_of(order))?;
            Ok::<_, GatewayError>(self.decision(&answered, || names(order)))
        });
        Ok(answered?)
    }

    /// Sends an order and does not wait; gives its ticket.
    fn post(&self, py: Python<'_>, order: &Order) -> Result<u64, Error> {
        Ok(py.detach(|| self.core.post(&self.record(order), tag_of(order)))?)
    }

    /// Sends the cancel of a working order and does not wait; gives its ticket.
    fn post_cancel(&self, py: Python<'_>, order_id: u64) -> Result<u64, Error> {
        let record = cwts_types::Order {
            order_id,
            ref_id: order_id,
            kind: cwts_types::OrderKind::Cancel as u8,
            side: 1,
            type_tif: 2,
            ..cwts_types::Order::default()
        };
        Ok(py.detach(|| self.core.post(&record, by_handles(&record)))?)
    }

    /// Sends records, all or none, and does not wait; gives the first ticket and the one behind
    /// the last.
    fn post_batch(&self, py: Python<'_>, records: PyBuffer<u8>) -> Result<(u64, u64), Error> {
        let orders = records_of(py, &records)?;
        let tickets = py.detach(|| self.core.post_all(&orders, by_handles))?;
        Ok((tickets.start, tickets.end))
    }

    /// The answers that are there, oldest first, each with its ticket.
    #[pyo3(signature = (count_max, wait_s=0.0))]
    fn decisions(
        &self,
        py: Python<'_>,
        count_max: usize,
        wait_s: f64,
    ) -> Result<Vec<(u64, Decision)>, Error> {
        let wait = seconds(wait_s)?;
        let answers = py.detach(|| {
            let answers = self.core.take(count_max, wait)?;
            let row = |answer: &Answered| {
                (answer.ticket, self.decision(answer, || self.names_of(answer.tag)))
            };
            Ok::<_, GatewayError>(answers.iter().map(row).collect::<Vec<_>>())
        });
        Ok(answers?)
    }

    /// The same as records, and the tickets as little-endian u64.
    #[pyo3(signature = (count_max, wait_s=0.0))]
    fn decision_records<'py>(
        &self,
        py: Python<'py>,
        count_max: usize,
        wait_s: f64,
    ) -> Result<(Bound<'py, PyByteArray>, Bound<'py, PyByteArray>), Error> {
        let wait = seconds(wait_s)?;
        let (tickets, records) = py.detach(|| {
            let answers = self.core.take(count_max, wait)?;
            let mut tickets = Vec::with_capacity(answers.len() * size_of::<u64>());
            let mut records = Vec::with_capacity(answers.len() * DECISION_BYTES);
            for answer in &answers {
                tickets.extend_from_slice(&answer.ticket.to_le_bytes());
                records.extend_from_slice(&answer.decision.to_bytes());
            }
            Ok::<_, GatewayError>((tickets, records))
        })?;
        Ok((PyByteArray::new(py, &tickets), PyByteArray::new(py, &records)))
    }

    /// Sends no more; what was sent is decided, and its answers can still be taken.
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.core.close());
    }
}

impl Producer {
    /// Only a name that this producer has not sent before asks the gateway.
    fn record(&self, order: &Order) -> cwts_types::Order {
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        handles.record(order, |kind, name| {
            let mut inner = lock(&self.inner, &self.switch).ok()?;
            inner.core().ok()?.engine().registry().handle(kind, name)
        })
    }

    fn decision(&self, answer: &Answered, names: impl FnOnce() -> OrderNames) -> Decision {
        if answer.violations.is_empty() {
            return Decision::accepted_record(answer.decision);
        }
        let outcome = Outcome { decision: answer.decision, violations: answer.violations.clone() };
        let names = names();
        let Ok(mut inner) = lock(&self.inner, &self.switch) else {
            return Decision::accepted_record(answer.decision);
        };
        match inner.core() {
            Ok(core) => Decision::new(&outcome, core.engine(), &names),
            // Closed: mask and first reason are the record's; names and cures are gone.
            Err(_) => Decision::accepted_record(answer.decision),
        }
    }

    fn names_of(&self, tag: Tag) -> OrderNames {
        let [symbol, account, strategy] = tag;
        if symbol != NO_NAMES {
            return OrderNames {
                symbol: name_of(symbol),
                account: name_of(account),
                strategy: name_of(strategy),
            };
        }
        let name = |kind, handle| {
            let mut inner = lock(&self.inner, &self.switch).ok()?;
            let engine = inner.core().ok()?.engine();
            engine.registry().name(kind, handle).map(str::to_owned)
        };
        OrderNames {
            symbol: name(RegisterKind::Instrument, account).unwrap_or_default(),
            account: name(RegisterKind::Account, strategy).unwrap_or_default(),
            strategy: String::new(),
        }
    }
}

fn tag_of(order: &Order) -> Tag {
    [order.symbol, order.account, order.strategy]
}

/// Of a record there are handles, no names.
fn by_handles(order: &cwts_types::Order) -> Tag {
    [NO_NAMES, order.instrument, order.account]
}

fn seconds(wait_s: f64) -> PyResult<Duration> {
    if (0.0..=WAIT_MAX_S).contains(&wait_s) {
        return Ok(Duration::from_secs_f64(wait_s));
    }
    Err(PyValueError::new_err(format!("wait_s: {wait_s} is not in 0..={WAIT_MAX_S}")))
}

/// First number of a tag that carries handles; fewer names than this are ever interned.
const NO_NAMES: u32 = u32::MAX;
/// Longest wait for an answer.
const WAIT_MAX_S: f64 = 3_600.0;
