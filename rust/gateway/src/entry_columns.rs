//! Many entries as columns, by the layouts that SCHEMA gives: what a query or an export reads.
//!
//! A column holds one field of all entries of a type, in Arrow's layout: fixed widths
//! little-endian, texts behind 32-bit offsets. A caller decodes a bounded run at a time.

use std::collections::BTreeMap;

use cwts_types::HEADER_BYTES;
use serde_json::Value;

/// The layouts of a log, by type code.
#[derive(Debug)]
pub struct Layouts {
    header: Vec<Field>,
    types: BTreeMap<u8, (String, Vec<Field>)>,
}

#[derive(Debug, Clone)]
struct Field {
    name: String,
    /// As the schema spells it.
    kind: String,
    read: Read,
}

#[derive(Debug, Clone, Copy)]
enum Read {
    Fixed(usize),
    /// Behind a 16-bit length.
    Text,
    Blob,
    /// Whatever is left.
    Rest,
}

/// One field of all entries of a type.
#[derive(Debug)]
pub struct EntryColumn {
    /// The field; of the header behind `header.`.
    pub name: String,
    /// Its type, as the schema spells it; what is behind a length is `str` or `blob`.
    pub kind: String,
    /// The values, one behind the other.
    pub values: Vec<u8>,
    /// Where they start, and where the last one ends; of values of one width empty.
    pub offsets: Vec<i32>,
}

/// The columns of one type.
#[derive(Debug)]
pub struct TypeColumns {
    /// Type code.
    pub code: u8,
    /// Type name.
    pub name: String,
    /// Positions of the entries in the run.
    pub rows: Vec<u32>,
    /// Header first, then the body.
    pub columns: Vec<EntryColumn>,
}

/// An entry that no layout fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the entry at position {position} of the run is not one of the schema's")]
pub struct NoLayout {
    /// Its position in the run.
    pub position: usize,
}

impl Layouts {
    /// Reads the text of a SCHEMA entry; `None` if it is not one.
    pub fn parse(schema: &str) -> Option<Self> {
        let schema: Value = serde_json::from_str(schema).ok()?;
        let mut types = BTreeMap::new();
        for row in schema["types"].as_array()? {
            let code = u8::try_from(row["type"].as_u64()?).ok()?;
            types.insert(code, (row["name"].as_str()?.to_owned(), fields(&row["fields"])?));
        }
        let mut header = fields(&schema["header"])?;
        for field in &mut header {
            // A body may have a field of the same name.
            field.name.insert_str(0, HEADER_PREFIX);
        }
        let width: usize = header
            .iter()
            .map(|field| if let Read::Fixed(width) = field.read { width } else { 0 })
            .sum();
        (width == HEADER_BYTES).then_some(Self { header, types })
    }

    /// The columns of the entries whose type is in `codes`, a type each, ascending.
    ///
    /// # Errors
    /// The first entry of a type that the schema has not, or that its layout does not fit.
    pub fn decode<'e>(
        &self,
        entries: impl Iterator<Item = &'e [u8]>,
        codes: &[u8],
    ) -> Result<Vec<TypeColumns>, NoLayout> {
        let mut out: BTreeMap<u8, TypeColumns> = BTreeMap::new();
        for (position, entry) in entries.enumerate() {
            let fault = NoLayout { position };
            let code = *entry.first().ok_or(fault)?;
            let (name, body) = self.types.get(&code).ok_or(fault)?;
            if !codes.contains(&code) {
                continue;
            }
            let fields = || self.header.iter().chain(body);
            let found = out.entry(code).or_insert_with(|| TypeColumns {
                code,
                name: name.clone(),
                rows: Vec::new(),
                columns: fields().map(EntryColumn::of).collect(),
            });
            let mut rest = entry;
            for (column, field) in found.columns.iter_mut().zip(fields()) {
                column.push(field.read, &mut rest).ok_or(fault)?;
            }
            if !rest.is_empty() {
                return Err(fault);
            }
            found.rows.push(u32::try_from(position).map_err(|_| fault)?);
        }
        Ok(out.into_values().collect())
    }
}

impl EntryColumn {
    fn of(field: &Field) -> Self {
        let kind = match field.read {
            Read::Fixed(_) => field.kind.clone(),
            Read::Text => "str".to_owned(),
            Read::Blob | Read::Rest => "blob".to_owned(),
        };
        let offsets = if matches!(field.read, Read::Fixed(_)) { Vec::new() } else { vec![0] };
        Self { name: field.name.clone(), kind, values: Vec::new(), offsets }
    }

    fn push(&mut self, read: Read, rest: &mut &[u8]) -> Option<()> {
        let width = match read {
            Read::Fixed(width) => width,
            Read::Rest => rest.len(),
            Read::Text | Read::Blob => {
                let (length, after) = rest.split_first_chunk()?;
                *rest = after;
                u16::from_le_bytes(*length).into()
            }
        };
        let (value, after) = rest.split_at_checked(width)?;
        *rest = after;
        if matches!(read, Read::Text) {
            str::from_utf8(value).ok()?;
        }
        self.values.extend_from_slice(value);
        if !matches!(read, Read::Fixed(_)) {
            self.offsets.push(i32::try_from(self.values.len()).ok()?);
        }
        Some(())
    }
}

fn fields(rows: &Value) -> Option<Vec<Field>> {
    let field = |row: &Value| {
        let (name, kind) = (row[0].as_str()?.to_owned(), row[1].as_str()?.to_owned());
        let read = match kind.as_str() {
            "u8" => Read::Fixed(1),
            "u16" => Read::Fixed(2),
            "u32" | "i32" => Read::Fixed(4),
            "u64" | "i64" => Read::Fixed(8),
            "str" => Read::Text,
            "blob" | "blob of 0 or 64" => Read::Blob,
            other => {
                let width = other.strip_prefix("bytes[").and_then(|rest| rest.strip_suffix(']'));
                width.map_or(Some(Read::Rest), |width| width.parse().ok().map(Read::Fixed))?
            }
        };
        Some(Field { name, kind, read })
    };
    rows.as_array()?.iter().map(field).collect()
}

/// What the names of header fields start with.
const HEADER_PREFIX: &str = "header.";

#[cfg(test)]
mod tests {
    use cwts_types::{Body, Entry, Header, Note, Order, schema_json};

    use super::*;

    fn note(text: &str) -> Vec<u8> {
        let body = Body::Note(Note { salt: [7; 16], text: text.to_owned() });
        Entry { header: Header::default(), body }.to_bytes()
    }

    fn order(order_id: u64, tail: &[u8]) -> Vec<u8> {
        let order = Order { order_id, px: -1, ..Order::default() };
        Entry { header: Header::default(), body: Body::Order(order, tail.to_vec()) }.to_bytes()
    }

    fn column<'c>(of: &'c TypeColumns, name: &str) -> &'c EntryColumn {
        of.columns.iter().rfind(|column| column.name == name).unwrap()
    }

    #[test]
    fn fields_of_a_type_stand_in_one_column() {
        let layouts = Layouts::parse(&schema_json()).unwrap();
        let run = [order(5, &[1, 2]), note("ä"), order(u64::MAX, &[]), note("")];
        let found = layouts.decode(run.iter().map(Vec::as_slice), &[0x10, 0x7f]).unwrap();
        let [orders, notes] = &found[..] else { panic!("{found:?}") };
        assert_eq!((orders.name.as_str(), &orders.rows[..]), ("ORDER", &[0, 2][..]));
        let ids = column(orders, "order_id");
        assert_eq!(ids.values, [5_u64.to_le_bytes(), u64::MAX.to_le_bytes()].concat());
        assert!(ids.offsets.is_empty() && ids.kind == "u64");
        let tails = column(orders, "tail");
        assert_eq!((&tails.values[..], &tails.offsets[..]), (&[1, 2][..], &[0, 2, 2][..]));
        let texts = column(notes, "text");
        assert_eq!((&texts.values[..], &texts.offsets[..]), ("ä".as_bytes(), &[0, 2, 2][..]));
        assert_eq!(column(notes, "salt").values, [7; 32]);
        assert_eq!(column(notes, "header.type").values, [0x7f; 2]);
        assert_eq!(layouts.decode(run.iter().map(Vec::as_slice), &[]).unwrap().len(), 0);
    }

    #[test]
    fn what_no_layout_fits_is_named() {
        let layouts = Layouts::parse(&schema_json()).unwrap();
        let good = note("text");
        let mut text = good.clone();
        *text.last_mut().unwrap() = 0xff;
        let mut unknown = good.clone();
        unknown[0] = 0x99;
        let grown = [good.as_slice(), &[0]].concat();
        for bad in [&good[..good.len() - 1], &text, &unknown, &grown, &[]] {
            let found = layouts.decode([good.as_slice(), bad].into_iter(), &[0x7f]);
            assert_eq!(found.unwrap_err(), NoLayout { position: 1 });
        }
        for bad in ["", "{}", "{\"header\":[],\"types\":[]}"] {
            assert!(Layouts::parse(bad).is_none(), "{bad}");
        }
    }
}
