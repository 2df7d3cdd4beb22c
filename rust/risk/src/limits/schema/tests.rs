use super::*;
use crate::limits::parse;

/// The keys that the reader says it knows where it finds one that it does not.
fn known(text: &str, at: &str) -> Vec<String> {
    let errors = parse(text).unwrap_err().0;
    let error = errors.iter().find(|e| e.key == format!("{at}zzzzzzzzzzzzzzzzzzzz"));
    let message = &error.unwrap_or_else(|| panic!("{at}: {errors:?}")).message;
    let (_, list) = message.split_once("known here: ").unwrap();
    let mut keys: Vec<String> = list.split(", ").map(str::to_owned).collect();
    keys.sort();
    keys
}

fn named(keys: &[Key], more: &[&str]) -> Vec<String> {
    let mut names: Vec<String> =
        keys.iter().map(|k| k.name).chain(more.iter().copied()).map(str::to_owned).collect();
    names.sort();
    names
}

const ODD: &str = "zzzzzzzzzzzzzzzzzzzz = 1\n";

#[test]
fn the_table_has_the_readers_keys_and_no_others() {
    for section in SECTIONS.iter().filter(|s| s.path != "fx") {
        let path = section.path.replace('*', "X");
        let text = match section.path {
            "" => format!("schema = 1\n{ODD}"),
            _ => format!("schema = 1\n[{path}]\n{ODD}"),
        };
        let at = if path.is_empty() { String::new() } else { format!("{path}.") };
        let mut more: Vec<&str> = Vec::new();
        match section.path {
            "" => {
                for other in SECTIONS.iter().filter(|s| !s.path.is_empty()) {
                    let first = other.path.split('.').next().unwrap();
                    if !more.contains(&first) {
                        more.push(first);
                    }
                }
            }
            "account.*" => more.push("instrument"),
            _ => {}
        }
        assert_eq!(known(&text, &at), named(section.keys, &more), "[{path}]");
        for key in section.keys {
            if let Kind::Table(inner) | Kind::TableOrNone(inner) = key.kind {
                let path = if path.is_empty() { String::new() } else { format!("{path}.") };
                let text = format!("schema = 1\n[{path}{}]\n{ODD}", key.name);
                let at = format!("{path}{}.", key.name);
                assert_eq!(known(&text, &at), named(inner, &[]), "[{at}]");
            }
        }
    }
}
