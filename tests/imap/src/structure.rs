//! ENVELOPE, BODY and BODYSTRUCTURE — RFC 3501 §7.4.2 and §9 `body`, `envelope`: held to their grammar, and brought into one
//! form, since types, names of parameters and encodings are the same in any case.

use crate::value::{Malformed, Value};

fn wrong<T>(what: &str, value: &Value) -> Result<T, Malformed> {
    Err(format!("{what} is no such thing: {value:?}"))
}

/// What a list still has to give.
struct Fields<'v>(std::slice::Iter<'v, Value>);

impl<'v> Fields<'v> {
    fn next(&mut self, what: &str) -> Result<&'v Value, Malformed> {
        self.0.next().ok_or_else(|| format!("{what} is missing"))
    }

    fn nstring(&mut self, what: &str) -> Result<Value, Malformed> {
        match self.next(what)? {
            value @ (Value::Nil | Value::Text(_)) => Ok(value.clone()),
            value => wrong(what, value),
        }
    }

    fn string(&mut self, what: &str) -> Result<Value, Malformed> {
        match self.next(what)? {
            value @ Value::Text(_) => Ok(value.clone()),
            value => wrong(what, value),
        }
    }

    /// A string that means the same in any case.
    fn word(&mut self, what: &str) -> Result<Value, Malformed> {
        self.string(what).map(|value| lower(&value))
    }

    fn number(&mut self, what: &str) -> Result<Value, Malformed> {
        let value = self.next(what)?;
        if value.number().is_some() { Ok(value.clone()) } else { wrong(what, value) }
    }

    fn end(mut self) -> Result<(), Malformed> {
        match self.0.next() {
            None => Ok(()),
            Some(more) => wrong("what follows", more),
        }
    }
}

fn lower(value: &Value) -> Value {
    match value {
        Value::Text(text) => Value::Text(text.to_ascii_lowercase()),
        other => other.clone(),
    }
}

fn fields<'v>(what: &str, value: &'v Value) -> Result<Fields<'v>, Malformed> {
    match value {
        Value::List(values) if !values.is_empty() => Ok(Fields(values.iter())),
        other => wrong(what, other),
    }
}

/// An envelope.
pub fn envelope(value: &Value) -> Result<Value, Malformed> {
    let mut given = fields("an envelope", value)?;
    let mut out = vec![given.nstring("date")?, given.nstring("subject")?];
    for what in ["from", "sender", "reply-to", "to", "cc", "bcc"] {
        out.push(addresses(what, given.next(what)?)?);
    }
    out.push(given.nstring("in-reply-to")?);
    out.push(given.nstring("message-id")?);
    given.end()?;
    Ok(Value::List(out))
}

fn addresses(what: &str, value: &Value) -> Result<Value, Malformed> {
    if *value == Value::Nil {
        return Ok(Value::Nil);
    }
    let mut out = Vec::new();
    for address in fields(what, value)?.0 {
        let mut given = fields(what, address)?;
        let address = ["name", "adl", "mailbox", "host"].map(|part| given.nstring(part));
        given.end()?;
        out.push(Value::List(address.into_iter().collect::<Result<_, _>>()?));
    }
    Ok(Value::List(out))
}

/// A body; `extended` if it is BODYSTRUCTURE, which has extension data.
pub fn body(value: &Value, extended: bool) -> Result<Value, Malformed> {
    let mut given = fields("a body", value)?;
    let parts = given.0.clone().take_while(|value| matches!(value, Value::List(_))).count();
    let mut out = Vec::new();
    if parts > 0 {
        for part in given.0.by_ref().take(parts) {
            out.push(body(part, extended)?);
        }
        out.push(given.word("a subtype")?);
        if extended {
            out.push(params(given.next("parameters")?)?);
            extension(&mut given, &mut out)?;
        }
        given.end()?;
        return Ok(Value::List(out));
    }
    let (kind, subtype) = (given.word("a type")?, given.word("a subtype")?);
    let is = |kinds: &[u8], subtypes: &[&[u8]]| kind.octets() == Some(kinds) && subtypes.iter().any(|is| subtype.octets() == Some(is));
    let (message, text) = (is(b"message", &[b"rfc822", b"global"]), kind.octets() == Some(b"text"));
    out.extend([kind, subtype, params(given.next("parameters")?)?, given.nstring("an id")?, given.nstring("a description")?]);
    out.extend([given.word("an encoding")?, given.number("octets")?]);
    if message {
        out.extend([envelope(given.next("an envelope")?)?, body(given.next("a body")?, extended)?]);
    }
    if message || text {
        out.push(given.number("lines")?);
    }
    if extended {
        out.push(given.nstring("an MD5")?);
        extension(&mut given, &mut out)?;
    }
    given.end()?;
    Ok(Value::List(out))
}

fn params(value: &Value) -> Result<Value, Malformed> {
    if *value == Value::Nil {
        return Ok(Value::Nil);
    }
    let mut given = fields("parameters", value)?;
    let mut out = Vec::new();
    while !given.0.as_slice().is_empty() {
        out.extend([given.word("a parameter")?, given.string("a parameter's value")?]);
    }
    Ok(Value::List(out))
}

/// Disposition, language, location.
fn extension(given: &mut Fields<'_>, out: &mut Vec<Value>) -> Result<(), Malformed> {
    out.push(match given.next("a disposition")? {
        Value::Nil => Value::Nil,
        value => {
            let mut given = fields("a disposition", value)?;
            let disposition = vec![given.word("a disposition")?, params(given.next("parameters")?)?];
            given.end()?;
            Value::List(disposition)
        }
    });
    out.push(match given.next("a language")? {
        value @ (Value::Nil | Value::Text(_)) => lower(value),
        value => {
            let mut given = fields("languages", value)?;
            let mut languages = Vec::new();
            while !given.0.as_slice().is_empty() {
                languages.push(given.word("a language")?);
            }
            // One in parentheses is the same as one without.
            if languages.len() == 1 { languages.remove(0) } else { Value::List(languages) }
        }
    });
    out.push(given.nstring("a location")?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Reader;

    fn value(text: &str) -> Value {
        Reader::new(text.as_bytes()).value(0).unwrap()
    }

    #[test]
    fn what_has_the_form_is_taken() {
        let leaf = r#"("TEXT" "Plain" ("Charset" "us-ascii") NIL NIL "7BIT" 3 1 NIL ("INLINE" NIL) ("EN") NIL)"#;
        let low = r#"("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1 NIL ("inline" NIL) "en" NIL)"#;
        assert_eq!(body(&value(leaf), true), Ok(value(low)));
        assert_eq!(body(&value(&format!("({leaf}{leaf} \"MIXED\" NIL NIL NIL NIL)")), true), Ok(value(&format!("({low} {low} \"mixed\" NIL NIL NIL NIL)"))));
        let envelope = r#"(NIL "s" ((NIL NIL "a" "b")) NIL NIL NIL NIL NIL NIL NIL)"#;
        assert_eq!(super::envelope(&value(envelope)), Ok(value(envelope)));
        let inner = r#"("TEXT" "PLAIN" NIL NIL NIL "7bit" 3 1)"#;
        assert!(body(&value(&format!("(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 9 {envelope} {inner} 4)")), false).is_ok());
    }

    #[test]
    fn what_has_not_is_refused() {
        for bad in [
            "()", "NIL", "(\"text\" \"plain\" NIL NIL NIL \"7bit\" 3)", "(\"text\" \"plain\" () NIL NIL \"7bit\" 3 1)", "(\"text\" \"plain\" (\"a\") NIL NIL \"7bit\" 3 1)",
            "(\"image\" \"png\" NIL NIL NIL \"7bit\" 3 1)", "(\"image\" \"png\" NIL NIL NIL NIL 3)", "(\"image\" NIL NIL NIL NIL \"7bit\" 3)", "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 3)",
        ] {
            assert!(body(&value(bad), false).is_err(), "{bad}");
        }
        for bad in ["(NIL NIL () NIL NIL NIL NIL NIL NIL NIL)", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL)", "(NIL NIL ((NIL NIL \"a\")) NIL NIL NIL NIL NIL NIL NIL)"] {
            assert!(super::envelope(&value(bad)).is_err(), "{bad}");
        }
    }
}
