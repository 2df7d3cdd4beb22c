//! The JSON Schema of a limits file, out of the reader's table of keys.

use cwts_risk::limits::schema::{Absent, Key, Kind, SECTIONS, SectionInfo};
use serde_json::{Map, Value, json};

/// The schema, for editors: `cwts limits check` decides.
pub fn limits_schema() -> Value {
    let mut root = object(&SECTIONS[0]);
    for section in &SECTIONS[1..] {
        let mut path = section.path.split('.');
        let Some(first) = path.next() else { continue };
        match path.collect::<Vec<_>>().as_slice() {
            [] => put(&mut root, first, object(section)),
            ["*"] => put(&mut root, first, named(object(section))),
            // A section inside a named one: `account.*.instrument.*`.
            ["*", inner, ..] => {
                let inside = &mut root["properties"][first]["additionalProperties"];
                put(inside, inner, named(object(section)));
            }
            _ => {}
        }
    }
    // What the table cannot say: a currency's name is free.
    root["properties"]["fx"]["additionalProperties"] = value(&Kind::Price);
    let head = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "A limits file",
        "description": "For editors: `cwts limits check` decides. A mandatory limit that is not \
            written refuses the order; unlimited is the text \"none\". Money is in the firm's base \
            currency, as text or a whole number.",
        "required": ["schema"],
    });
    if let (Value::Object(root), Value::Object(head)) = (&mut root, head) {
        root.extend(head);
    }
    root
}

/// The schema's name.
const SCHEMA_ID: &str = "cwts/limits/v1";

fn put(object: &mut Value, key: &str, value: Value) {
    object["properties"][key] = value;
}

fn named(inner: Value) -> Value {
    let text = inner["description"].clone();
    json!({ "type": "object", "description": text, "additionalProperties": inner })
}

fn object(section: &SectionInfo) -> Value {
    let mut out = table(section.keys);
    out["description"] = json!(section.text);
    out
}

fn table(keys: &[Key]) -> Value {
    let properties: Map<String, Value> = keys
        .iter()
        .map(|key| {
            let mut row = value(&key.kind);
            let mandatory = if key.absent == Absent::Refuses { " Mandatory." } else { "" };
            row["description"] = json!(format!("{}{mandatory}", key.text));
            (key.name.to_owned(), row)
        })
        .collect();
    let required: Vec<&str> =
        keys.iter().filter(|k| k.absent == Absent::Required).map(|k| k.name).collect();
    let mut out = json!({
        "type": "object", "additionalProperties": false, "properties": properties,
    });
    if !required.is_empty() {
        out["required"] = json!(required);
    }
    out
}

/// A collar without a rule is none: the reader refuses it.
fn with_one_of(mut table: Value, keys: &[Key]) -> Value {
    let rules: Vec<&str> =
        keys.iter().filter(|k| COLLAR_RULES.contains(&k.name)).map(|k| k.name).collect();
    if rules.len() == COLLAR_RULES.len() {
        let one: Vec<Value> = rules.iter().map(|rule| json!({ "required": [rule] })).collect();
        table["anyOf"] = json!(one);
    }
    table
}

/// Rules of a collar, of which it has at least one.
const COLLAR_RULES: [&str; 3] = ["bps", "ticks", "absolute"];

fn value(kind: &Kind) -> Value {
    let amount = "^[0-9]+(_[0-9]+)*(\\.[0-9]{1,9})?$";
    match kind {
        Kind::Money => json!({ "anyOf": [
            { "const": "none" },
            { "type": "string", "pattern": amount },
            { "type": "integer", "minimum": 0 },
        ]}),
        Kind::Quantity => json!({ "anyOf": [
            { "const": "none" },
            { "type": "integer", "minimum": 0 },
        ]}),
        Kind::Price => json!({ "anyOf": [
            { "type": "string", "pattern": amount },
            { "type": "integer", "minimum": 1 },
        ]}),
        Kind::Duration => json!({ "type": "string", "pattern": "^[0-9]+(ns|us|ms|s|m|h)$" }),
        Kind::Integer(low, high) => json!({ "type": "integer", "minimum": low, "maximum": high }),
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Text => json!({ "type": "string" }),
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::Names => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Choices(words) => json!({ "type": "array", "items": { "enum": words } }),
        Kind::Table(keys) => with_one_of(table(keys), keys),
        Kind::TableOrNone(keys) => json!({ "anyOf": [{ "const": "none" }, table(keys)] }),
    }
}
