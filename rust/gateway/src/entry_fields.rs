//! An entry as JSON, by the layout that SCHEMA gives: what an archive can do with itself.

use cwts_types::{Entry, HEADER_BYTES, schema_json};
use serde_json::{Map, Value, json};

use crate::hex;

/// Type, header and body of an entry; numbers of 64 bits as text, because JSON readers round them.
///
/// `None` if the bytes are no entry of a type that the schema has.
pub fn entry_fields(index: u64, bytes: &[u8]) -> Option<Value> {
    let entry = Entry::decode(bytes).ok()?;
    let schema: Value = serde_json::from_str(&schema_json()).ok()?;
    let code = u64::from(*bytes.first()?);
    let layout = schema["types"].as_array()?.iter().find(|row| row["type"] == code)?;
    let header = fields(&schema["header"], bytes.get(..HEADER_BYTES)?)?;
    let body = fields(&layout["fields"], bytes.get(HEADER_BYTES..)?)?;
    Some(json!({
        "index": index,
        "type": entry.body.entry_type().name(),
        "header": header,
        "body": body,
    }))
}

fn fields(layout: &Value, mut bytes: &[u8]) -> Option<Value> {
    let mut out = Map::new();
    for field in layout.as_array()? {
        let (name, kind) = (field[0].as_str()?, field[1].as_str()?);
        let value = field_value(kind, &mut bytes)?;
        if name != "zero" {
            out.insert(name.to_owned(), value);
        }
    }
    bytes.is_empty().then_some(Value::Object(out))
}

fn field_value(kind: &str, bytes: &mut &[u8]) -> Option<Value> {
    let left = bytes.len();
    let mut take = |count: usize| -> Option<&[u8]> {
        let (head, rest) = bytes.split_at_checked(count)?;
        *bytes = rest;
        Some(head)
    };
    if let Some(count) = kind.strip_prefix("bytes[").and_then(|rest| rest.strip_suffix(']')) {
        return Some(json!(hex(take(count.parse().ok()?)?)));
    }
    Some(match kind {
        "u8" => json!(take(1)?[0]),
        "u16" => json!(u16::from_le_bytes(take(2)?.try_into().ok()?)),
        "i32" => json!(i32::from_le_bytes(take(4)?.try_into().ok()?)),
        "u32" => json!(u32::from_le_bytes(take(4)?.try_into().ok()?)),
        "u64" => json!(u64::from_le_bytes(take(8)?.try_into().ok()?).to_string()),
        "i64" => json!(i64::from_le_bytes(take(8)?.try_into().ok()?).to_string()),
        "str" | "blob" | "blob of 0 or 64" => {
            let count = u16::from_le_bytes(take(2)?.try_into().ok()?);
            let text = take(count.into())?;
            match str::from_utf8(text) {
                Ok(text) if kind != "blob of 0 or 64" => json!(text),
                _ => json!(hex(text)),
            }
        }
        // What is left: a tail, violations, signatures.
        _ => json!(hex(take(left)?)),
    })
}

#[cfg(test)]
mod tests {
    use cwts_types::{Body, Header, Note, Order};

    use super::*;

    #[test]
    fn an_entry_is_read_by_its_schema() {
        let order = Order { seq: 7, order_id: u64::MAX, px: -1, account: 3, ..Order::default() };
        for (body, field, value) in [
            (Body::Order(order, vec![1, 2]), "order_id", json!("18446744073709551615")),
            (Body::Order(order, vec![1, 2]), "tail", json!("0102")),
            (Body::Note(Note { salt: [1; 16], text: "ä".to_owned() }), "text", json!("ä")),
        ] {
            let bytes = Entry { header: Header::default(), body }.to_bytes();
            let row = entry_fields(7, &bytes).unwrap();
            assert_eq!(row["body"][field], value);
            assert_eq!(row["index"], 7);
            assert!(entry_fields(7, &bytes[1..]).is_none());
        }
    }
}
