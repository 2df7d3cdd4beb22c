//! Limits as somebody wrote them.

use cwts_risk::limits::{self, LimitsFile};

use crate::GatewayError;

/// Parses limits for a live gateway: keys of replays are refused.
pub(crate) fn parse_live(path: &str, text: &[u8]) -> Result<LimitsFile, GatewayError> {
    let file = parse_limits(path, text)?;
    match file.replay_only {
        Some(key) => Err(GatewayError::ReplayOnly { path: path.to_owned(), key }),
        None => Ok(file),
    }
}

/// Parses a limits text that came from `path`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse_limits(path: &str, text: &[u8]) -> Result<LimitsFile, GatewayError> {
    let text = std::str::from_utf8(text).map_err(|e| {
        let line = text[..e.valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
        let message = format!("byte {} is not UTF-8", e.valid_up_to());
        let key = "file".to_owned();
        let error = limits::LimitError { line, column: 1, key, message };
        GatewayError::Limits { path: path.to_owned(), errors: limits::LimitErrors(vec![error]) }
    })?;
    let wrong = |errors| GatewayError::Limits { path: path.to_owned(), errors };
    let file = limits::parse(text).map_err(wrong)?;
    // The room that reads the file knows no keys: whether one is a key is known here.
    let mut errors = Vec::new();
    for (name, operator) in &file.operators {
        if let Err(error) = operator.key.parse::<cwts_audit::VerifyKey>() {
            let place = limits::units::Place::new(&["operator", name], "key");
            errors.push(limits::error_at(text, &place, &error.to_string()));
        }
    }
    if errors.is_empty() { Ok(file) } else { Err(wrong(limits::LimitErrors(errors))) }
}
