//! `cwts.Order`: frozen, its names interned once, so that a prebuilt order costs no look-up.

use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};

use cwts_types::{format_e9, order_flag, parse_e9};
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyString};

/// Names of this process; an order holds their numbers.
#[derive(Default)]
struct Names {
    numbers: HashMap<String, u32>,
    names: Vec<String>,
}

static NAMES: LazyLock<RwLock<Names>> = LazyLock::new(RwLock::default);

/// The number of a name.
pub(crate) fn intern(name: &str) -> PyResult<u32> {
    if let Some(number) = NAMES.read().unwrap_or_else(PoisonError::into_inner).numbers.get(name) {
        return Ok(*number);
    }
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains('\0') {
        let shown: String = name.chars().take(80).collect();
        let why = format!("name {shown:?}: must have 1 to {NAME_BYTES_MAX} bytes and no NUL");
        return Err(PyValueError::new_err(why));
    }
    let mut names = NAMES.write().unwrap_or_else(PoisonError::into_inner);
    if let Some(number) = names.numbers.get(name) {
        return Ok(*number);
    }
    if names.names.len() >= NAMES_MAX {
        let why = format!("this process has seen {NAMES_MAX} names; it takes no more");
        return Err(PyOverflowError::new_err(why));
    }
    let number = names.names.len() as u32;
    names.names.push(name.to_owned());
    names.numbers.insert(name.to_owned(), number);
    Ok(number)
}

/// The name of a number.
pub(crate) fn name_of(number: u32) -> String {
    let names = NAMES.read().unwrap_or_else(PoisonError::into_inner);
    names.names.get(number as usize).cloned().unwrap_or_default()
}

/// A price as 1e-9: text, Decimal or whole units. A float has no exact value, so it is refused.
pub(crate) fn price_e9(price: &Bound<'_, PyAny>) -> PyResult<i64> {
    if let Ok(text) = price.cast::<PyString>() {
        return parse_e9(text.to_str()?).map_err(|e| PyValueError::new_err(format!("price: {e}")));
    }
    if price.is_instance_of::<PyBool>() {
        return Err(PyTypeError::new_err("price: a bool is no price"));
    }
    if price.is_instance_of::<PyInt>() {
        let units: i64 =
            price.extract().map_err(|_| PyOverflowError::new_err("price: outside 64 bits"))?;
        return units.checked_mul(1_000_000_000).ok_or_else(|| {
            PyOverflowError::new_err(format!("price: {units} is beyond 9,223,372,036"))
        });
    }
    if price.is_instance_of::<PyFloat>() {
        let shown = price.repr()?.to_string();
        let why = format!("price: a float has no exact value; write price=\"{shown}\"");
        return Err(PyTypeError::new_err(why));
    }
    let is_decimal = price.get_type().name()? == "Decimal";
    if is_decimal {
        let text = price.call_method1("__format__", ("f",))?.extract::<String>()?;
        return parse_e9(&text).map_err(|e| PyValueError::new_err(format!("price: {e}")));
    }
    let kind = price.get_type().name()?;
    Err(PyTypeError::new_err(format!("price: str, Decimal or int, not {kind}")))
}

/// An order that can be checked and submitted any number of times.
#[pyclass(frozen, module = "cwts")]
#[derive(Clone)]
pub(crate) struct Order {
    pub(crate) symbol: u32,
    pub(crate) account: u32,
    pub(crate) strategy: u32,
    pub(crate) record: cwts_types::Order,
}

#[pymethods]
impl Order {
    #[new]
    #[pyo3(signature = (symbol, side, qty, price=None, account="default", strategy="default", *,
        price_e9=None, r#type=None, tif="day", flags=0, order_id=0, replaces=0))]
    #[expect(clippy::too_many_arguments, reason = "one argument a field of the order")]
    fn new(
        symbol: &str,
        side: &str,
        qty: &Bound<'_, PyAny>,
        price: Option<&Bound<'_, PyAny>>,
        account: &str,
        strategy: &str,
        price_e9: Option<i64>,
        r#type: Option<&str>,
        tif: &str,
        flags: u8,
        order_id: u64,
        replaces: u64,
    ) -> PyResult<Self> {
        let px = match (price, price_e9) {
            (Some(_), Some(_)) => {
                return Err(PyTypeError::new_err("price and price_e9: give one of them"));
            }
            (Some(price), None) => self::price_e9(price)?,
            (None, Some(px)) => px,
            (None, None) => 0,
        };
        let side = match side {
            "buy" => 1,
            "sell" => 2,
            "short" => 5,
            "short_exempt" => 6,
            _ => return Err(choice("side", side, "buy, sell, short, short_exempt")),
        };
        let has_price = price.is_some() || price_e9.is_some();
        let order_type = match r#type.unwrap_or(if has_price { "limit" } else { "market" }) {
            "market" => 1,
            "limit" => 2,
            "stop" => 3,
            "stop_limit" => 4,
            "pegged" => 5,
            other => return Err(choice("type", other, "market, limit, stop, stop_limit, pegged")),
        };
        // FIX 59.
        let tif = match tif {
            "day" => 0,
            "gtc" => 1,
            "opg" => 2,
            "ioc" => 3,
            "fok" => 4,
            "gtd" => 6,
            "close" => 7,
            _ => return Err(choice("tif", tif, "day, gtc, opg, ioc, fok, gtd, close")),
        };
        if flags & order_flag::RESERVED != 0 {
            return Err(PyValueError::new_err(format!("flags: {flags} has reserved bits")));
        }
        let record = cwts_types::Order {
            px,
            qty: quantity(qty)?,
            order_id,
            ref_id: replaces,
            kind: if replaces == 0 { 1 } else { 2 },
            side,
            type_tif: tif << 4 | order_type,
            flags,
            ..cwts_types::Order::default()
        };
        let (symbol, account) = (intern(symbol)?, intern(account)?);
        Ok(Self { symbol, account, strategy: intern(strategy)?, record })
    }

    #[getter]
    fn symbol(&self) -> String {
        name_of(self.symbol)
    }

    #[getter]
    fn side(&self) -> &'static str {
        cwts_types::Side::from_code(self.record.side).map_or("none", cwts_types::Side::name)
    }

    #[getter]
    fn qty(&self) -> i64 {
        self.record.qty
    }

    #[getter]
    fn price(&self) -> Option<String> {
        (self.record.px != 0).then(|| format_e9(self.record.px))
    }

    #[getter]
    fn price_e9(&self) -> i64 {
        self.record.px
    }

    #[getter]
    fn account(&self) -> String {
        name_of(self.account)
    }

    #[getter]
    fn strategy(&self) -> String {
        name_of(self.strategy)
    }

    #[getter]
    fn order_id(&self) -> u64 {
        self.record.order_id
    }

    /// The same order with another price or quantity.
    #[pyo3(signature = (*, price=None, price_e9=None, qty=None))]
    fn with_(
        &self,
        price: Option<&Bound<'_, PyAny>>,
        price_e9: Option<i64>,
        qty: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let mut out = self.clone();
        match (price, price_e9) {
            (Some(_), Some(_)) => {
                return Err(PyTypeError::new_err("price and price_e9: give one of them"));
            }
            (Some(price), None) => out.record.px = self::price_e9(price)?,
            (None, Some(px)) => out.record.px = px,
            (None, None) => {}
        }
        if let Some(qty) = qty {
            out.record.qty = quantity(qty)?;
        }
        Ok(out)
    }

    fn __repr__(&self) -> String {
        let price = self.price().map_or_else(|| "None".to_owned(), |p| format!("'{p}'"));
        format!(
            "Order('{}', '{}', qty={}, price={price}, account='{}', strategy='{}')",
            self.symbol(),
            self.side(),
            self.record.qty,
            self.account(),
            self.strategy()
        )
    }
}

/// A quantity is a whole number; anything else is a mistake of the caller.
fn quantity(qty: &Bound<'_, PyAny>) -> PyResult<i64> {
    if qty.is_instance_of::<PyBool>() || qty.is_instance_of::<PyFloat>() {
        let kind = qty.get_type().name()?;
        return Err(PyTypeError::new_err(format!("qty: a whole number, not {kind}")));
    }
    qty.extract::<i64>().map_err(|e| {
        Python::attach(|py| {
            if e.is_instance_of::<PyOverflowError>(py) {
                PyOverflowError::new_err("qty: outside 64 bits")
            } else {
                PyTypeError::new_err("qty: a whole number")
            }
        })
    })
}

fn choice(field: &str, value: &str, allowed: &str) -> PyErr {
    let shown: String = value.chars().take(40).collect();
    PyValueError::new_err(format!("{field}: {shown:?} is not one of {allowed}"))
}

/// Names that one process may intern.
const NAMES_MAX: usize = 1 << 22;
/// Longest name.
const NAME_BYTES_MAX: usize = 128;
