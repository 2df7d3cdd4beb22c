//! The form that the kill texts share: lines of words, and the digest of all bytes before it.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::HoldsError;

/// The lines of a sealed text, with the number of the one last read.
pub(super) struct Lines<'a> {
    lines: std::str::Split<'a, char>,
    line: usize,
}

impl<'a> Lines<'a> {
    /// Checks the digest and the first line.
    pub(super) fn open(bytes: &'a [u8], head: &str) -> Result<Self, HoldsError> {
        let wrong = |what| HoldsError::Malformed { line: 1, what };
        let text = str::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8"))?;
        let end = text.len().checked_sub(SEAL_BYTES).ok_or(wrong("it is too short"))?;
        let (body, trailer) = text.split_at_checked(end).ok_or(wrong("it has no digest"))?;
        if trailer != seal_line(body) {
            return Err(HoldsError::Digest);
        }
        let body = body.strip_suffix('\n').ok_or(wrong("it has no lines"))?;
        let mut lines = Self { lines: body.split('\n'), line: 0 };
        if lines.next() == Some(head) { Ok(lines) } else { Err(wrong("the first line is unknown")) }
    }

    pub(super) fn next(&mut self) -> Option<&'a str> {
        self.line += 1;
        self.lines.next()
    }

    /// Passes the next line if it is this one, and says whether it was.
    pub(super) fn passes(&mut self, line: &str) -> bool {
        let is_next = self.lines.clone().next() == Some(line);
        if is_next {
            self.next();
        }
        is_next
    }

    pub(super) fn wrong(&self, what: &'static str) -> HoldsError {
        HoldsError::Malformed { line: self.line, what }
    }

    /// The rest of the next line, which must start with this word.
    pub(super) fn value(&mut self, key: &'static str) -> Result<&'a str, HoldsError> {
        let line = self.next().unwrap_or_default();
        let (word, value) = line.split_once(' ').ok_or_else(|| self.wrong(key))?;
        if word == key { Ok(value) } else { Err(self.wrong(key)) }
    }

    pub(super) fn field<T: std::str::FromStr>(
        &mut self,
        key: &'static str,
    ) -> Result<T, HoldsError> {
        let value = self.value(key)?;
        self.number(value)
    }

    pub(super) fn number<T: std::str::FromStr>(&self, word: &str) -> Result<T, HoldsError> {
        word.parse().map_err(|_| self.wrong("a number does not fit its field"))
    }

    pub(super) fn text(&self, word: &str) -> Result<String, HoldsError> {
        unpercent(word).ok_or_else(|| self.wrong("a text is not percent-encoded"))
    }
}

pub(super) fn canonical(bytes: &[u8], again: &str) -> Result<(), HoldsError> {
    let what = "it can be written in another way";
    if again.as_bytes() == bytes { Ok(()) } else { Err(HoldsError::Malformed { line: 1, what }) }
}

pub(super) fn seal(mut body: String) -> String {
    let line = seal_line(&body);
    body.push_str(&line);
    body
}

fn seal_line(body: &str) -> String {
    let mut line = String::from("sha256 ");
    for byte in Sha256::digest(body.as_bytes()) {
        let _ = write!(line, "{byte:02x}");
    }
    line.push('\n');
    line
}

/// One word: printable ASCII stands for itself, all else and `%` as `%XX`; `%` alone is empty.
pub(super) fn percent(text: &str) -> String {
    if text.is_empty() {
        return "%".to_owned();
    }
    let mut word = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' {
            word.push(char::from(byte));
        } else {
            let _ = write!(word, "%{byte:02X}");
        }
    }
    word
}

fn unpercent(word: &str) -> Option<String> {
    if word == "%" {
        return Some(String::new());
    }
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, after) = rest.split_first_chunk::<2>()?;
        let hex = |digit: u8| char::from(digit).to_digit(16);
        bytes.push((hex(digits[0])? * 16 + hex(digits[1])?) as u8);
        rest = after;
    }
    let text = String::from_utf8(bytes).ok()?;
    (percent(&text) == word).then_some(text)
}

/// `sha256 `, 64 digits, a line feed.
const SEAL_BYTES: usize = 72;
