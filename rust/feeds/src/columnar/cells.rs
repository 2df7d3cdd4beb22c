//! One column of a batch as cells that are read by row, whatever its Arrow type.

use super::SCALE_KEY;
use crate::decimal::{NANO_SCALE, scaled};
use crate::error::{FeedError, FeedErrorKind};
use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, ArrayRef, Decimal128Array, Int64Array, UInt64Array};
use arrow_array::{LargeStringArray, StringArray, StringViewArray};
use arrow_schema::{DataType, Field, TimeUnit};

/// A column's cells.
pub(super) enum Cells {
    Signed(Int64Array),
    Unsigned(UInt64Array),
    /// Units of `10^-scale`.
    Decimal(Decimal128Array, i32),
    /// Units of so many nanoseconds.
    Time(Int64Array, i64),
    Text(Text),
}

/// Text cells.
pub(super) enum Text {
    Plain(StringArray),
    Large(LargeStringArray),
    View(StringViewArray),
    /// Keys (NULL_KEY where null) into distinct values.
    Dictionary {
        keys: Vec<u32>,
        values: Box<Text>,
    },
}

/// One cell.
pub(super) enum Cell<'a> {
    Null,
    Number(i128),
    Text(&'a str),
}

pub(super) const NULL_KEY: u32 = u32::MAX;

impl Cells {
    /// The cells of `array`; `field` says what they mean.
    pub(super) fn of(array: &ArrayRef, field: &Field) -> Result<Self, FeedError> {
        macro_rules! widened {
            ($narrow:ty, $wide:ident, $variant:ident) => {{
                let wide = array.as_primitive::<$narrow>().unary::<_, $wide>(Into::into);
                Ok(Self::$variant(wide))
            }};
        }
        match array.data_type() {
            DataType::Int8 => widened!(Int8Type, Int64Type, Signed),
            DataType::Int16 => widened!(Int16Type, Int64Type, Signed),
            DataType::Int32 => widened!(Int32Type, Int64Type, Signed),
            DataType::Int64 => Ok(Self::Signed(array.as_primitive::<Int64Type>().clone())),
            DataType::UInt8 => widened!(UInt8Type, UInt64Type, Unsigned),
            DataType::UInt16 => widened!(UInt16Type, UInt64Type, Unsigned),
            DataType::UInt32 => widened!(UInt32Type, UInt64Type, Unsigned),
            DataType::UInt64 => Ok(Self::Unsigned(array.as_primitive::<UInt64Type>().clone())),
            DataType::Decimal128(_, scale) => {
                let values = array.as_primitive::<Decimal128Type>().clone();
                Ok(Self::Decimal(values, i32::from(*scale)))
            }
            DataType::Timestamp(unit, _) => Ok(Self::times(array, *unit)),
            DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Dictionary(_, _) => Ok(Self::Text(Text::of(array, field)?)),
            DataType::Float16 | DataType::Float32 | DataType::Float64
                if field.name().eq_ignore_ascii_case("price") =>
            {
                let detail = format!(
                    "column '{}' is {}; give integers with '{SCALE_KEY}', decimals or text",
                    field.name(),
                    array.data_type()
                );
                Err(FeedError::new(FeedErrorKind::FloatPrice, detail))
            }
            _ => Err(bad_column(field, array.data_type())),
        }
    }

    fn times(array: &ArrayRef, unit: TimeUnit) -> Self {
        let (values, factor) = match unit {
            TimeUnit::Second => {
                (array.as_primitive::<TimestampSecondType>().reinterpret_cast(), 1_000_000_000)
            }
            TimeUnit::Millisecond => {
                (array.as_primitive::<TimestampMillisecondType>().reinterpret_cast(), 1_000_000)
            }
            TimeUnit::Microsecond => {
                (array.as_primitive::<TimestampMicrosecondType>().reinterpret_cast(), 1_000)
            }
            TimeUnit::Nanosecond => {
                (array.as_primitive::<TimestampNanosecondType>().reinterpret_cast(), 1)
            }
        };
        Self::Time(values, factor)
    }

    /// The cell at `row`; a number is in the column's own units (times in nanoseconds).
    pub(super) fn at(&self, row: usize) -> Cell<'_> {
        match self {
            Self::Signed(values) if values.is_valid(row) => Cell::Number(values.value(row).into()),
            Self::Unsigned(values) if values.is_valid(row) => {
                Cell::Number(values.value(row).into())
            }
            Self::Decimal(values, _) if values.is_valid(row) => Cell::Number(values.value(row)),
            Self::Time(values, factor) if values.is_valid(row) => {
                Cell::Number(i128::from(values.value(row)) * i128::from(*factor))
            }
            Self::Text(text) => text.at(row).map_or(Cell::Null, Cell::Text),
            _ => Cell::Null,
        }
    }
}

impl Text {
    fn of(array: &ArrayRef, field: &Field) -> Result<Self, FeedError> {
        Ok(match array.data_type() {
            DataType::Utf8 => Self::Plain(array.as_string::<i32>().clone()),
            DataType::LargeUtf8 => Self::Large(array.as_string::<i64>().clone()),
            DataType::Utf8View => Self::View(array.as_string_view().clone()),
            DataType::Dictionary(_, values)
                if !matches!(values.as_ref(), DataType::Dictionary(_, _)) =>
            {
                let dictionary = array.as_any_dictionary();
                let values = Self::of(dictionary.values(), field)?;
                let keys = keys(dictionary.keys(), dictionary.values().len(), field)?;
                Self::Dictionary { keys, values: Box::new(values) }
            }
            other => return Err(bad_column(field, other)),
        })
    }

    /// The text at `row`; null and empty are both None.
    fn at(&self, row: usize) -> Option<&str> {
        let text = match self {
            Self::Plain(values) => values.is_valid(row).then(|| values.value(row))?,
            Self::Large(values) => values.is_valid(row).then(|| values.value(row))?,
            Self::View(values) => values.is_valid(row).then(|| values.value(row))?,
            Self::Dictionary { keys, values } => match keys[row] {
                NULL_KEY => return None,
                key => values.at(key as usize)?,
            },
        };
        (!text.is_empty()).then_some(text)
    }
}

fn keys(keys: &dyn Array, values: usize, field: &Field) -> Result<Vec<u32>, FeedError> {
    macro_rules! narrowed {
        ($($pattern:path => $type:ty,)+) => {
            match keys.data_type() {
                $($pattern => keys
                    .as_primitive::<$type>()
                    .iter()
                    .map(|key| key.map_or(Some(NULL_KEY), |key| u32::try_from(key).ok()))
                    .collect::<Option<Vec<u32>>>(),)+
                _ => None,
            }
        };
    }
    let keys = narrowed! {
        DataType::Int8 => Int8Type,
        DataType::Int16 => Int16Type,
        DataType::Int32 => Int32Type,
        DataType::Int64 => Int64Type,
        DataType::UInt8 => UInt8Type,
        DataType::UInt16 => UInt16Type,
        DataType::UInt32 => UInt32Type,
        DataType::UInt64 => UInt64Type,
    };
    keys.filter(|keys| keys.iter().all(|&key| key == NULL_KEY || (key as usize) < values))
        .ok_or_else(|| {
            let detail = format!("column '{}' has keys beyond its dictionary", field.name());
            FeedError::new(FeedErrorKind::Corrupt, detail)
        })
}

/// How a price column's numbers become units of 1e-9.
#[derive(Clone, Copy)]
pub(super) struct PriceScale(i32);

impl PriceScale {
    pub(super) fn of(field: &Field, cells: &Cells) -> Result<Self, FeedError> {
        let scale = match cells {
            Cells::Decimal(_, scale) => Some(*scale),
            Cells::Text(_) => Some(0),
            Cells::Time(_, _) => None,
            Cells::Signed(_) | Cells::Unsigned(_) => match field.metadata().get(SCALE_KEY) {
                Some(text) => text.parse().ok(),
                None => Some(NANO_SCALE as i32),
            },
        };
        scale.filter(|scale| (-SCALE_MAX..=SCALE_MAX).contains(scale)).map(Self).ok_or_else(|| {
            let detail = format!(
                "column '{}' needs a type of integers, decimals or text and a scale within \
                 {SCALE_MAX}",
                field.name()
            );
            FeedError::new(FeedErrorKind::BadColumn, detail)
        })
    }

    /// The price in a cell, None where it is null.
    pub(super) fn px(self, cell: &Cell<'_>) -> Result<Option<i64>, FeedError> {
        let value = match cell {
            Cell::Null => return Ok(None),
            Cell::Text(text) => return scaled(text.as_bytes(), NANO_SCALE, "price").map(Some),
            Cell::Number(value) => *value,
        };
        let shift = NANO_SCALE as i32 - self.0;
        let factor = 10_i128.pow(shift.unsigned_abs());
        let px = if shift >= 0 {
            value.checked_mul(factor)
        } else if value % factor == 0 {
            Some(value / factor)
        } else {
            let detail = format!("price {value}e-{} has more than {NANO_SCALE} places", self.0);
            return Err(FeedError::new(FeedErrorKind::TooFine, detail));
        };
        px.and_then(|px| i64::try_from(px).ok()).map(Some).ok_or_else(|| {
            let detail = format!("price {value}e-{} exceeds 64 bits", self.0);
            FeedError::new(FeedErrorKind::NumberOutOfRange, detail)
        })
    }
}

/// Decimal places of a price column, either way.
const SCALE_MAX: i32 = 18;

fn bad_column(field: &Field, found: &DataType) -> FeedError {
    let detail = format!("column '{}' has the type {found}", field.name());
    FeedError::new(FeedErrorKind::BadColumn, detail)
}
