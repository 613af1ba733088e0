//! What IMAP data is made of — RFC 3501 §4, and the brackets of §9 `section` and `resp-text-code`.
//!
//! Strict where clients are: one space between values, nothing after them. `)(` may stand without one, as the parts of a
//! multipart and the addresses of an envelope do.

/// One value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// `NIL`
    Nil,
    /// An atom, a number, a flag; also `BODY[HEADER.FIELDS (A B)]<0>`, whatever stands between the brackets.
    Atom(String),
    /// A string: quoted and literal are the same.
    Text(Vec<u8>),
    /// Values in parentheses.
    List(Vec<Value>),
}

impl Value {
    /// A number.
    pub fn number(&self) -> Option<u64> {
        match self {
            Value::Atom(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            _ => None,
        }
    }

    /// An atom's text.
    pub fn atom(&self) -> Option<&str> {
        match self {
            Value::Atom(text) => Some(text),
            _ => None,
        }
    }

    /// What is in the parentheses.
    pub fn list(&self) -> Option<&[Value]> {
        match self {
            Value::List(values) => Some(values),
            _ => None,
        }
    }

    /// A string that is not NIL, or an atom where an astring may be.
    pub fn octets(&self) -> Option<&[u8]> {
        match self {
            Value::Text(octets) => Some(octets),
            Value::Atom(text) => Some(text.as_bytes()),
            _ => None,
        }
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Nil => f.write_str("NIL"),
            Value::Atom(text) => f.write_str(text),
            Value::Text(octets) if octets.len() > SHOWN => write!(f, "\"{}\"…{} octets", octets[..SHOWN].escape_ascii(), octets.len()),
            Value::Text(octets) => write!(f, "\"{}\"", octets.escape_ascii()),
            Value::List(values) => {
                f.write_str("(")?;
                for (n, value) in values.iter().enumerate() {
                    write!(f, "{}{value:?}", if n > 0 { " " } else { "" })?;
                }
                f.write_str(")")
            }
        }
    }
}

/// Octets of a string that a person is shown.
const SHOWN: usize = 300;
/// Lists in one another: a server that sends more of them could not be read by anyone.
const DEPTH: usize = 250;

/// Reads values, one after another, with a space between them.
pub struct Reader<'o> {
    octets: &'o [u8],
    at: usize,
}

/// Why something is not IMAP.
pub type Malformed = String;

impl<'o> Reader<'o> {
    /// Of one response without its line's end; literals stand in it as they came, `{3}` CRLF `abc`.
    pub fn new(octets: &'o [u8]) -> Reader<'o> {
        Reader { octets, at: 0 }
    }

    /// What has not been read.
    pub fn rest(&self) -> &'o [u8] {
        &self.octets[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.octets.get(self.at).copied()
    }

    fn malformed<T>(&self, what: &str) -> Result<T, Malformed> {
        let end = self.octets.len().min(self.at + 40);
        Err(format!("{what} at octet {}: {:?}", self.at, self.octets[self.at..end].escape_ascii().to_string()))
    }

    /// Takes `octet` or says that it is not there.
    pub fn take(&mut self, octet: u8) -> Result<(), Malformed> {
        if self.peek() != Some(octet) {
            return self.malformed(&format!("no {:?}", char::from(octet)));
        }
        self.at += 1;
        Ok(())
    }

    /// All values to the end.
    pub fn all(mut self) -> Result<Vec<Value>, Malformed> {
        let mut values = Vec::new();
        while self.peek().is_some() {
            if !values.is_empty() && !self.adjoining(&values) {
                self.take(b' ')?;
            }
            values.push(self.value(0)?);
        }
        Ok(values)
    }

    /// `)(`
    fn adjoining(&self, before: &[Value]) -> bool {
        self.peek() == Some(b'(') && matches!(before.last(), Some(Value::List(_)))
    }

    /// The next value.
    pub fn value(&mut self, depth: usize) -> Result<Value, Malformed> {
        match self.peek() {
            Some(b'(') if depth < DEPTH => self.list(depth),
            Some(b'(') => self.malformed("lists too deep"),
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal(),
            Some(b'~') if self.octets.get(self.at + 1) == Some(&b'{') => {
                self.at += 1;
                self.literal()
            }
            Some(_) => self.atom(),
            None => self.malformed("no value"),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, Malformed> {
        self.take(b'(')?;
        let mut values = Vec::new();
        while self.peek() != Some(b')') {
            if !values.is_empty() && !self.adjoining(&values) {
                self.take(b' ')?;
            }
            values.push(self.value(depth + 1)?);
        }
        self.take(b')')?;
        Ok(Value::List(values))
    }

    fn quoted(&mut self) -> Result<Value, Malformed> {
        self.take(b'"')?;
        let mut text = Vec::new();
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    self.at += 1;
                    match self.peek() {
                        Some(octet @ (b'"' | b'\\')) => text.push(octet),
                        _ => return self.malformed("a bad escape"),
                    }
                }
                Some(b'\r' | b'\n' | 0) | None => return self.malformed("a quoted string that does not end"),
                Some(octet) => text.push(octet),
            }
            self.at += 1;
        }
        self.take(b'"')?;
        Ok(Value::Text(text))
    }

    fn literal(&mut self) -> Result<Value, Malformed> {
        self.take(b'{')?;
        let digits = self.rest().iter().take_while(|octet| octet.is_ascii_digit()).count();
        let size = std::str::from_utf8(&self.rest()[..digits]).ok().and_then(|digits| digits.parse::<usize>().ok());
        let Some(size) = size else { return self.malformed("a literal without a size") };
        self.at += digits;
        for octet in *b"}\r\n" {
            self.take(octet)?;
        }
        let Some(text) = self.rest().get(..size) else { return self.malformed("a literal that is too short") };
        self.at += size;
        Ok(Value::Text(text.to_vec()))
    }

    /// Up to a space or parenthesis outside of brackets.
    fn atom(&mut self) -> Result<Value, Malformed> {
        let (from, mut brackets) = (self.at, 0usize);
        while let Some(octet) = self.peek() {
            match octet {
                b'[' => brackets += 1,
                b']' => brackets = brackets.saturating_sub(1),
                b' ' | b'(' | b')' if brackets == 0 => break,
                b'\r' | b'\n' | 0 | b'"' if brackets == 0 => return self.malformed("what no atom has"),
                _ => {}
            }
            self.at += 1;
        }
        if self.at == from {
            return self.malformed("no value");
        }
        let text = &self.octets[from..self.at];
        if text.eq_ignore_ascii_case(b"NIL") {
            return Ok(Value::Nil);
        }
        match std::str::from_utf8(text) {
            Ok(text) => Ok(Value::Atom(text.to_owned())),
            Err(_) => self.malformed("an atom that is no text"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, Malformed> {
        Reader::new(text.as_bytes()).all().map(|values| format!("{:?}", Value::List(values)))
    }

    #[test]
    fn quoted_and_literal_are_the_same() {
        assert_eq!(read("(\"a\\\"b\" NIL {3}\r\na\r\n 12)").unwrap(), r#"(("a\"b" NIL "a\r\n" 12))"#);
        assert_eq!(Reader::new(b"\"ab\"").all(), Reader::new(b"{2}\r\nab").all());
        assert_eq!(read("BODY[HEADER.FIELDS (A B)]<0> {0}\r\n").unwrap(), r#"(BODY[HEADER.FIELDS (A B)]<0> "")"#);
        assert_eq!(read("((\"a\")(\"b\") \"c\")").unwrap(), r#"((("a") ("b") "c"))"#);
    }

    #[test]
    fn what_a_client_could_not_read_is_malformed() {
        for bad in ["(a", "a)", "(a  b)", "( a)", "(a )", "\"a", "\"a\\x\"", "\"a\r\n\"", "{3}\r\nab", "{x}\r\n", "a  b", "a ", "(a)b", "\"a\"\"b\""] {
            assert!(read(bad).is_err(), "{bad:?}: {:?}", read(bad));
        }
        assert!(read(&"(".repeat(100_000)).is_err());
    }
}
