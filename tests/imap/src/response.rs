//! What a server says — RFC 3501 §7.

use crate::value::{Malformed, Reader, Value};

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// `+ text`
    Continue,
    /// `tag OK …`
    Tagged(String, Condition),
    /// `* OK …`, also NO, BAD, BYE, PREAUTH.
    Untagged(Condition),
    /// `* 3 EXISTS`, `* 2 FETCH (…)`
    Numbered(u32, String, Vec<Value>),
    /// `* FLAGS (…)`, `* SEARCH 1 2`
    Data(String, Vec<Value>),
}

/// How something ended, or what the server has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// `OK`, `NO`, `BAD`, `BYE` or `PREAUTH`.
    pub word: String,
    /// What stood in the brackets.
    pub code: Vec<Value>,
    /// For people.
    pub text: String,
}

const WORDS: [&str; 5] = ["OK", "NO", "BAD", "BYE", "PREAUTH"];

impl Condition {
    /// Whether it is OK.
    pub fn is_ok(&self) -> bool {
        self.word == "OK"
    }

    /// What follows the name of the code, if it is this.
    pub fn code(&self, name: &str) -> Option<&[Value]> {
        let (first, rest) = self.code.split_first()?;
        first.atom().is_some_and(|atom| atom.eq_ignore_ascii_case(name)).then_some(rest)
    }
}

impl Response {
    /// Reads one, without its line's end.
    pub fn read(octets: &[u8]) -> Result<Response, Malformed> {
        if octets == b"+" || octets.starts_with(b"+ ") {
            return Ok(Response::Continue);
        }
        let Some(space) = octets.iter().position(|octet| *octet == b' ') else { return Err("a line without a space".into()) };
        let (tag, rest) = (String::from_utf8_lossy(&octets[..space]).into_owned(), &octets[space + 1..]);
        let (word, after) = word(rest);
        if WORDS.contains(&word.as_str()) {
            let condition = condition(word, after)?;
            return Ok(if tag == "*" { Response::Untagged(condition) } else { Response::Tagged(tag, condition) });
        }
        if tag != "*" {
            return Err(format!("neither untagged nor a condition: {word}"));
        }
        if let Ok(number) = word.parse::<u32>() {
            let (what, after) = self::word(after.strip_prefix(b" ").unwrap_or(after));
            return Ok(Response::Numbered(number, what, values(after)?));
        }
        Ok(Response::Data(word, values(after)?))
    }
}

/// The first word in upper case, and what follows it.
fn word(octets: &[u8]) -> (String, &[u8]) {
    let end = octets.iter().position(|octet| matches!(octet, b' ' | b'(')).unwrap_or(octets.len());
    (String::from_utf8_lossy(&octets[..end]).to_ascii_uppercase(), &octets[end..])
}

fn values(octets: &[u8]) -> Result<Vec<Value>, Malformed> {
    Reader::new(octets.strip_prefix(b" ").unwrap_or(octets)).all()
}

/// `SP ["[" code "]" SP] text`
fn condition(word: String, octets: &[u8]) -> Result<Condition, Malformed> {
    let Some(octets) = octets.strip_prefix(b" ") else { return Err(format!("{word} without a text")) };
    let (mut code, mut text) = (Vec::new(), octets);
    if let Some(inside) = octets.strip_prefix(b"[") {
        let Some(end) = inside.iter().position(|octet| *octet == b']') else { return Err("a code that does not end".into()) };
        code = Reader::new(&inside[..end]).all()?;
        text = inside[end + 1..].strip_prefix(b" ").unwrap_or(&inside[end + 1..]);
    }
    if text.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0)) {
        return Err("a text of several lines".into());
    }
    Ok(Condition { word, code, text: String::from_utf8_lossy(text).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Response {
        Response::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn each_kind_is_read() {
        assert_eq!(read("+ idling"), Response::Continue);
        assert!(matches!(read("* 12 EXISTS"), Response::Numbered(12, what, values) if what == "EXISTS" && values.is_empty()));
        assert!(matches!(read("* 1 FETCH (UID 3)"), Response::Numbered(1, what, values) if what == "FETCH" && values.len() == 1));
        assert!(matches!(read("* SEARCH"), Response::Data(what, values) if what == "SEARCH" && values.is_empty()));
        let Response::Tagged(tag, condition) = read("a1 OK [COPYUID 7 1:2 3,4] done") else { panic!() };
        assert_eq!((tag.as_str(), condition.is_ok()), ("a1", true));
        assert_eq!(condition.code("copyuid").unwrap().len(), 3);
        assert!(condition.code("APPENDUID").is_none());
        assert!(matches!(read("* OK [PERMANENTFLAGS (\\Seen \\*)] Limited"), Response::Untagged(condition) if condition.code("PERMANENTFLAGS").is_some()));
        assert!(Response::read(b"garbage").is_err() && Response::read(b"x FETCH").is_err() && Response::read(b"* 1 FETCH (UID").is_err());
    }
}
