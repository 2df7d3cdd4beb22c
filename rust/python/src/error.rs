//! Typed errors below, mapped once: every cause has a class and a stable `code`.

use cwts_audit::LogError as AuditLogError;
use cwts_gateway::GatewayError;
use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

create_exception!(cwts._core, CwtsError, PyException, "The base of every error; `code` is stable.");
create_exception!(
    cwts._core,
    InputError,
    CwtsError,
    "An input file is wrong; file, record and byte are named."
);
create_exception!(
    cwts._core,
    LimitsError,
    CwtsError,
    "A limits file is wrong; nothing was applied."
);
create_exception!(cwts._core, LogError, CwtsError, "The log cannot be opened, read or written.");
create_exception!(
    cwts._core,
    LogFailedError,
    LogError,
    "The log has failed; the gateway is halted."
);
create_exception!(cwts._core, LogInUseError, LogError, "Another process holds the log.");
create_exception!(cwts._core, TamperError, LogError, "The log was changed, or set back.");
create_exception!(
    cwts._core,
    RollbackError,
    TamperError,
    "Less is left of the log than was signed, or something else."
);
create_exception!(cwts._core, EntryTooLongError, LogError, "A record does not fit one entry.");
create_exception!(
    cwts._core,
    AuditBackpressureError,
    LogError,
    "The queue to the log is full; nothing was written."
);
create_exception!(
    cwts._core,
    RetentionError,
    LogError,
    "Records must be kept: their time is not over, or a case holds them."
);
create_exception!(cwts._core, PermissionDeniedError, CwtsError, "Who may do what, and with whom.");
create_exception!(
    cwts._core,
    QueueFullError,
    CwtsError,
    "A producer's queue is full; nothing was sent. `wanted` and `bound` say by how much."
);
create_exception!(
    cwts._core,
    ProducerError,
    CwtsError,
    "A producer cannot be opened, or is closed."
);
create_exception!(
    cwts._core,
    ProofError,
    CwtsError,
    "No proof, no statement, or nothing that can be proven; a proof that is false is no error."
);
create_exception!(cwts._core, ScopeError, CwtsError, "No such scope; `nearest` and `known` help.");

/// What a binding fails with.
#[derive(Debug)]
pub(crate) enum Error {
    Gateway(GatewayError),
    Python(PyErr),
}

impl From<GatewayError> for Error {
    fn from(error: GatewayError) -> Self {
        Self::Gateway(error)
    }
}

impl From<cwts_proofs::ProofError> for Error {
    fn from(error: cwts_proofs::ProofError) -> Self {
        Self::Gateway(error.into())
    }
}

impl From<PyErr> for Error {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        match error {
            Error::Python(error) => error,
            Error::Gateway(error) => Python::attach(|py| raise(py, &error)),
        }
    }
}

fn raise(py: Python<'_>, error: &GatewayError) -> PyErr {
    let message = error.to_string();
    let raised = match error {
        GatewayError::Limits { .. }
        | GatewayError::ReplayOnly { .. }
        | GatewayError::LimitChange { .. } => LimitsError::new_err(message),
        GatewayError::Log { source, .. } => match source {
            AuditLogError::InUse => LogInUseError::new_err(message),
            AuditLogError::Tamper { .. } => TamperError::new_err(message),
            AuditLogError::Rollback { .. } => RollbackError::new_err(message),
            _ => LogError::new_err(message),
        },
        GatewayError::LogFailed { .. } => LogFailedError::new_err(message),
        GatewayError::Step { .. } | GatewayError::Key { .. } => LogError::new_err(message),
        GatewayError::Scope(_) => ScopeError::new_err(message),
        GatewayError::Retention(_) => RetentionError::new_err(message),
        GatewayError::Permission(_) => PermissionDeniedError::new_err(message),
        GatewayError::Proof(_) | GatewayError::Opening { .. } => ProofError::new_err(message),
        GatewayError::Feed(_)
        | GatewayError::File { .. }
        | GatewayError::Replay(_)
        | GatewayError::TooManyLiveOrders { .. } => InputError::new_err(message),
        GatewayError::QueueFull { .. } => QueueFullError::new_err(message),
        GatewayError::Producer { .. } => ProducerError::new_err(message),
        GatewayError::EntryTooLong { .. } => EntryTooLongError::new_err(message),
        GatewayError::Backpressure => AuditBackpressureError::new_err(message),
        GatewayError::Record(_) => LogError::new_err(message),
        GatewayError::Cancelled | GatewayError::Closed => CwtsError::new_err(message),
    };
    // Attributes on a fresh exception object cannot fail but for lack of memory.
    let value = raised.value(py);
    let _ = value.setattr("code", error.code());
    match error {
        GatewayError::Limits { errors, .. } => {
            if let Some(first) = errors.0.first() {
                let _ = value.setattr("line", first.line);
                let _ = value.setattr("column", first.column);
                let _ = value.setattr("key", &first.key);
            }
            let rows: Vec<serde_json::Value> = errors
                .0
                .iter()
                .map(|e| {
                    serde_json::json!({
                        "line": e.line, "column": e.column, "key": e.key, "message": e.message,
                    })
                })
                .collect();
            if let Ok(rows) = crate::convert::to_py(py, &serde_json::Value::Array(rows)) {
                let _ = value.setattr("errors", rows);
            }
        }
        GatewayError::ReplayOnly { key, .. } => {
            let _ = value.setattr("key", *key);
        }
        GatewayError::QueueFull { wanted, bound, .. } => {
            let _ = value.setattr("wanted", *wanted);
            let _ = value.setattr("bound", *bound);
        }
        GatewayError::Scope(scope) => {
            let _ = value.setattr("nearest", scope.nearest.as_deref());
            let _ = value.setattr("known", scope.known.clone());
        }
        _ => {}
    }
    raised
}
