//! Expansion of `$name` in values.
//!
//! ```text
//! reference = "$" name | "${" inner "}" | "$(" inner ")" | "$$"            ; $$ is one dollar
//! inner     = [blank] name [blank]                                          ; its value, expanded in its turn
//!           | name "?" text | name ":" text                                ; if not empty | if empty
//!           | name "?" "{" text "}" [ ":" ( "{" text "}" | text ) ]
//!           | "{" text "}" op "{" text "}" [ choice ]                      ; without a choice "true" or nothing
//! op        = ( "==" | "!=" | "<" | "<=" | ">=" | ">" ) [ "level" ]
//! name      = 1*( ALPHA / DIGIT / "_" )
//! ```
//!
//! Loops are cut off by depth, doubling (`a=$b$b`, `b=$c$c` …) by the size of the result.

use crate::level::Level;
use std::cmp::Ordering;

/// How deep references and braces may nest, together, as in Postfix ("unreasonable macro call nesting"): each costs stack.
pub const DEPTH_LIMIT: usize = 100;
/// How long a value may become: far above any list of domains or networks, far below what hurts.
pub const RESULT_LIMIT: usize = 1024 * 1024;
/// References followed for one value: what is longest in practice (`proxy_read_maps`) follows a few hundred.
pub const STEP_LIMIT: usize = 20_000;

/// Why a value can't be expanded, in Postfix's words where it has them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MacroError {
    #[error("unreasonable macro call nesting: \"{0}\"")]
    Nesting(String),
    #[error("truncated macro reference: \"{0}\"")]
    Truncated(String),
    #[error("empty macro name: \"{0}\"")]
    EmptyName(String),
    #[error("attribute name syntax error at: \"{0}\"")]
    Name(String),
    #[error("{expected} expected at: \"{at}\"")]
    Expected { expected: &'static str, at: String },
    #[error("unexpected input at: \"{0}\"")]
    Unexpected(String),
    #[error("malformed compatibility level syntax: \"{0}\"")]
    Level(String),
    #[error("the value becomes longer than {RESULT_LIMIT} octets")]
    TooLong,
}

/// Where names get their values from.
pub trait Names {
    /// The unexpanded value; none if there is no such name.
    fn value(&self, name: &str) -> Option<String>;
}

impl<F: Fn(&str) -> Option<String>> Names for F {
    fn value(&self, name: &str) -> Option<String> {
        self(name)
    }
}

/// A value with everything in it replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expanded {
    pub text: String,
    /// Names that have no value anywhere; they became nothing.
    pub undefined: Vec<String>,
}

/// Expands `text` and, in their turn, the values it refers to.
pub fn expand(text: &str, names: &dyn Names) -> Result<Expanded, MacroError> {
    let mut run = Run { names, undefined: Vec::new(), steps: 0, size: 0 };
    let text = run.text(text, 0)?;
    Ok(Expanded { text, undefined: run.undefined })
}

/// The names that `text` refers to, without following them; for finding parameters that nobody uses.
pub fn references(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            rest = after;
            continue;
        }
        let enclosed = rest.starts_with(['{', '(']);
        let inner = if enclosed { rest[1..].trim_ascii_start() } else { rest };
        let (name, after) = inner.split_at(name_end(inner));
        let whole = !enclosed || after.trim_ascii_start().starts_with(['?', ':', '}', ')']);
        if !name.is_empty() && whole {
            found.push(name.to_owned());
        }
    }
    found
}

struct Run<'n> {
    names: &'n dyn Names,
    undefined: Vec<String>,
    steps: usize,
    size: usize,
}

impl Run<'_> {
    fn text(&mut self, text: &str, depth: usize) -> Result<String, MacroError> {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            let here = &rest[at..];
            let after = &rest[at + 1..];
            rest = match after.as_bytes().first() {
                Some(b'$') => {
                    out.push('$');
                    &after[1..]
                }
                Some(b'{') => self.enclosed(here, ('{', '}'), depth, &mut out)?,
                Some(b'(') => self.enclosed(here, ('(', ')'), depth, &mut out)?,
                _ => {
                    let end = name_end(after);
                    if end == 0 {
                        return Err(MacroError::EmptyName(here.to_owned()));
                    }
                    out.push_str(&self.name(&after[..end], depth)?);
                    &after[end..]
                }
            };
            self.grown(out.len())?;
        }
        out.push_str(rest);
        self.size = self.size.saturating_add(out.len());
        self.grown(out.len())?;
        Ok(out)
    }

    fn grown(&self, length: usize) -> Result<(), MacroError> {
        let long = length > RESULT_LIMIT || self.size > RESULT_LIMIT.saturating_mul(4) || self.steps > STEP_LIMIT;
        if long { Err(MacroError::TooLong) } else { Ok(()) }
    }

    fn enclosed<'t>(
        &mut self,
        here: &'t str,
        pair: (char, char),
        depth: usize,
        out: &mut String,
    ) -> Result<&'t str, MacroError> {
        if depth >= DEPTH_LIMIT {
            let inner = here[2..].trim_ascii_start();
            let name = &inner[..name_end(inner)];
            return Err(MacroError::Nesting(if name.is_empty() { short(here) } else { name.to_owned() }));
        }
        let (inner, rest) = balanced(&here[1..], pair).ok_or_else(|| MacroError::Truncated(here.to_owned()))?;
        if inner.trim_ascii().is_empty() {
            return Err(MacroError::EmptyName(here.to_owned()));
        }
        out.push_str(&self.inner(inner, depth + 1)?);
        Ok(rest)
    }

    fn inner(&mut self, inner: &str, depth: usize) -> Result<String, MacroError> {
        let body = inner.trim_ascii_start();
        if body.starts_with('{') {
            return self.comparison(body, depth);
        }
        let end = name_end(body);
        let (name, rest) = body.split_at(end);
        let rest_trimmed = rest.trim_ascii_start();
        match rest_trimmed.as_bytes().first() {
            None if name.is_empty() => Err(MacroError::EmptyName(inner.to_owned())),
            None => self.name(name, depth),
            Some(b'?' | b':') => {
                // The raw value decides, as in Postfix: `a = $empty` is not empty.
                let full = self.raw(name).is_some_and(|value| !value.is_empty());
                self.choice(full, rest_trimmed, inner, depth)
            }
            Some(_) => Err(MacroError::Name(pointed(inner, rest))),
        }
    }

    fn comparison(&mut self, body: &str, depth: usize) -> Result<String, MacroError> {
        let (left, rest) = balanced(body, ('{', '}')).ok_or_else(|| MacroError::Truncated(body.to_owned()))?;
        let rest = rest.trim_ascii_start();
        let end = rest.find(|c: char| !"=!<>".contains(c)).unwrap_or(rest.len());
        let (sign, after) = rest.split_at(end);
        let by_level = after.starts_with("level");
        let after = after.strip_prefix("level").unwrap_or(after).trim_ascii_start();
        let holds: fn(Ordering) -> bool = match sign {
            "==" => Ordering::is_eq,
            "!=" => Ordering::is_ne,
            "<" => Ordering::is_lt,
            "<=" => Ordering::is_le,
            ">=" => Ordering::is_ge,
            ">" => Ordering::is_gt,
            _ => {
                // The quotes too are those of Postfix.
                let expected = "\"==\" or \"!=\"\" or \"<\"\" or \"<=\"\" or \">=\"\" or \">\"";
                return Err(MacroError::Expected { expected, at: pointed(&body[1..], rest) });
            }
        };
        if !after.starts_with('{') {
            return Err(MacroError::Expected { expected: "\"{\"", at: pointed(body, after) });
        }
        let (right, rest) = balanced(after, ('{', '}')).ok_or_else(|| MacroError::Truncated(body.to_owned()))?;
        let left = self.text(left, depth)?;
        let right = self.text(right, depth)?;
        let order = if by_level { level(&left)?.cmp(&level(&right)?) } else { order(&left, &right) };
        let holds = holds(order);
        let rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return Ok(if holds { "true".to_owned() } else { String::new() });
        }
        self.choice(holds, rest, body, depth)
    }

    /// `?…` or `:…` after a name or a comparison.
    fn choice(&mut self, holds: bool, rest: &str, all: &str, depth: usize) -> Result<String, MacroError> {
        let (want, after) = if let Some(after) = rest.strip_prefix('?') {
            (true, after)
        } else if let Some(after) = rest.strip_prefix(':') {
            (false, after)
        } else {
            return Err(MacroError::Expected { expected: "\"?\" or \":\"", at: pointed(all, rest) });
        };
        let braced = after.trim_ascii_start();
        if !braced.starts_with('{') {
            return if holds == want { self.text(after, depth) } else { Ok(String::new()) };
        }
        let (first, rest) = balanced(braced, ('{', '}')).ok_or_else(|| MacroError::Truncated(all.to_owned()))?;
        let rest = rest.trim_ascii_start();
        let second = match (want, rest.strip_prefix(':')) {
            (_, None) if rest.is_empty() => "",
            (true, None) => return Err(MacroError::Expected { expected: "\":\"", at: pointed(&braced[1..], rest) }),
            (false, _) => return Err(MacroError::Unexpected(pointed(&braced[1..], rest))),
            (true, Some(second)) => {
                let second = second.trim_ascii_start();
                match balanced(second, ('{', '}')) {
                    Some((inner, "")) => inner,
                    Some((inner, tail)) if tail.trim_ascii().is_empty() => inner,
                    Some((_, tail)) => return Err(MacroError::Unexpected(pointed(all, tail))),
                    None => second,
                }
            }
        };
        self.text(if holds == want { first } else { second }, depth)
    }

    fn name(&mut self, name: &str, depth: usize) -> Result<String, MacroError> {
        if depth >= DEPTH_LIMIT {
            return Err(MacroError::Nesting(name.to_owned()));
        }
        match self.raw(name) {
            Some(value) => self.text(&value, depth + 1),
            None => Ok(String::new()),
        }
    }

    fn raw(&mut self, name: &str) -> Option<String> {
        self.steps = self.steps.saturating_add(1);
        let value = self.names.value(name);
        if value.is_none() && !self.undefined.iter().any(|n| n == name) {
            self.undefined.push(name.to_owned());
        }
        value
    }
}

/// `{a{b}c}rest` → `a{b}c`, `rest`; none if it never ends. `text` starts with the opening one.
fn balanced(text: &str, (open, close): (char, char)) -> Option<(&str, &str)> {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        if c == open {
            depth += 1;
        } else if c == close {
            depth = depth.checked_sub(1)?;
            if depth == 0 {
                return Some((&text[open.len_utf8()..at], &text[at + close.len_utf8()..]));
            }
        } else if depth == 0 {
            return None;
        }
    }
    None
}

fn name_end(text: &str) -> usize {
    text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len())
}

/// Numbers compare as numbers, all else as text.
fn order(left: &str, right: &str) -> Ordering {
    match (number(left), number(right)) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => left.cmp(right),
    }
}

fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) { None } else { text.parse().ok() }
}

fn level(text: &str) -> Result<Level, MacroError> {
    Level::parse(text).ok_or_else(|| MacroError::Level(text.to_owned()))
}

/// `...before>>>rest`, as Postfix points into a value. `rest` is a tail of `all`.
fn pointed(all: &str, rest: &str) -> String {
    let end = all.len().saturating_sub(rest.len());
    let before: Vec<char> = all.get(..end).unwrap_or("").trim_ascii_end().chars().rev().take(20).collect();
    format!("...{}>>>{}", before.into_iter().rev().collect::<String>(), short(rest))
}

fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(name: &str) -> Option<String> {
        let value = match name {
            "mydomain" => "example.test",
            "myhostname" => "mail.$mydomain",
            "relayhost" => "",
            "indirect" => "$relayhost",
            "compatibility_level" => "3.6",
            "loop" => "x$loop2",
            "loop2" => "$loop",
            "money" => "$$5",
            "lz" => "0123456789",
            _ if name.len() == 2 && name.starts_with('l') => {
                let next = char::from(name.as_bytes()[1] + 1);
                return Some(format!("$l{next}$l{next}"));
            }
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn ok(text: &str) -> String {
        expand(text, &names).unwrap_or_else(|e| panic!("{text}: {e}")).text
    }

    #[test]
    fn expands_as_postfix_3_7_11_was_seen_to() {
        let cases = [
            ("plain", "plain"),
            ("$mydomain", "example.test"),
            ("x$myhostname-", "xmail.example.test-"),
            ("${mydomain}|$(mydomain)|${ mydomain }|", "example.test|example.test|example.test|"),
            ("$mydomain.$relayhost.", "example.test.."),
            ("$$x", "$x"),
            ("$$$mydomain$$|", "$example.test$|"),
            ("$money", "$5"),
            ("$mydomain?x|", "example.test?x|"),
            ("${mydomain?yes-$mydomain}|", "yes-example.test|"),
            ("${relayhost?A}|", "|"),
            ("${relayhost:A b}|", "A b|"),
            ("$(mydomain?x)|", "x|"),
            ("${mydomain?{A}:{B}}|", "A|"),
            ("${relayhost?{A}:{B}}|", "B|"),
            ("${relayhost ? {A} : {B} }|", "B|"),
            ("${relayhost?{A}: B }|", "B |"),
            ("${relayhost:{A}}|", "A|"),
            ("x${mydomain?{ A }}|", "x A |"),
            ("x${mydomain? A }|", "x A |"),
            ("${mydomain?a}b}|", "ab}|"),
            ("${mydomain?a{b}c}|", "a{b}c|"),
            ("${mydomain?{A$mydomain}:{B}}|", "Aexample.test|"),
            ("${mydomain?{${mydomain?{A}}}:{B}}|", "A|"),
            ("${nosuch?{A}:{B}}|", "B|"),
            ("${indirect?x}|", "x|"),
            ("${{} == {$indirect}?{x}:{y}}|", "x|"),
            ("${{$mydomain} == {example.test} ? {yes} : {no}}|", "yes|"),
            ("${{$mydomain}=={example.test}?{yes}:{no}}|", "yes|"),
            ("${{$mydomain} != {example.test} ? {yes} : {no}}|", "no|"),
            ("${{$mydomain} != {example.test} ? {yes}}|", "|"),
            ("${{$mydomain} == {example.test} : {no}}|", "|"),
            ("x${{a} == {a} ? { y } : {n}}|", "x y |"),
            ("x${{ a } == {a} ? { y } : {n}}|", "xn|"),
            ("x${{a} == {a}?y}|", "xy|"),
            ("x${{a} == {b}}|", "x|"),
            ("${{a} == {a}}|", "true|"),
            ("${{9} < {10} ? {yes} : {no}}|", "yes|"),
            ("${{a9} < {a10} ? {yes} : {no}}|", "no|"),
            ("${{3.6} <level {3.11} ? {yes} : {no}}|", "yes|"),
            ("${{3.6} >=level {3.11} ? {yes} : {no}}|", "no|"),
            ("${{$compatibility_level} <level {1} ? {yes} : {no}}|", "no|"),
            ("${relayhost?{10}:{300}}s", "300s"),
        ];
        for (text, want) in cases {
            assert_eq!(ok(text), want, "{text}");
        }
    }

    #[test]
    fn faults_are_told_in_the_words_of_postfix() {
        let cases = [
            ("${mydomain|", "truncated macro reference: \"${mydomain|\""),
            ("${|", "truncated macro reference: \"${|\""),
            ("$|", "empty macro name: \"$|\""),
            ("${}|", "empty macro name: \"${}|\""),
            ("$ x|", "empty macro name: \"$ x|\""),
            ("a$", "empty macro name: \"$\""),
            ("${my-domain}|", "attribute name syntax error at: \"...my>>>-domain\""),
            ("${my domain}|", "attribute name syntax error at: \"...my>>> domain\""),
            ("${mydomain#x}|", "attribute name syntax error at: \"...mydomain>>>#x\""),
            ("${mydomain?{A} junk}|", "\":\" expected at: \"...A}>>>junk\""),
            ("${mydomain:{A}?{B}}|", "unexpected input at: \"...A}>>>?{B}\""),
            ("${{x} <level {3.6.6} ? {yes} : {no}}|", "malformed compatibility level syntax: \"x\""),
            ("$loop", "unreasonable macro call nesting: \"loop\""),
        ];
        for (text, want) in cases {
            assert_eq!(expand(text, &names).unwrap_err().to_string(), want, "{text}");
        }
        assert!(matches!(expand("${{a} = {b} ? {y}}", &names), Err(MacroError::Expected { .. })));
        assert!(matches!(expand("${{a}}", &names), Err(MacroError::Expected { .. })));
    }

    #[test]
    fn undefined_names_are_told_once() {
        let expanded = expand("a$nosuch${nosuch}$other|", &names).unwrap();
        assert_eq!(expanded, Expanded { text: "a|".into(), undefined: vec!["nosuch".into(), "other".into()] });
    }

    #[test]
    fn doubling_and_deep_braces_are_bounded() {
        assert_eq!(expand("$la", &names), Err(MacroError::TooLong));
        let deep = "${mydomain?".repeat(20_000) + &"}".repeat(20_000);
        assert!(matches!(expand(&deep, &names), Err(MacroError::Nesting(_))));
        // Both limits at once: each of many values nests braces as deep as allowed.
        let nested = |name: &str| {
            let number: usize = name.strip_prefix('v')?.parse().ok()?;
            Some(format!("{}$v{}{}", "${v0?".repeat(90), number + 1, "}".repeat(90)))
        };
        assert!(expand("$v0", &nested).is_err());
    }

    #[test]
    fn references_are_found_without_following_them() {
        let found = references("$a ${b?$c} $(d) $$e ${{$f} == {x} ? {$g}} ${{i} == {j}} $ ${ h } ${k-l}");
        assert_eq!(found, ["a", "b", "c", "d", "f", "g", "h"]);
    }

    proptest! {
        #[test]
        fn never_panics_and_text_without_dollar_stays(text in "[${}():?=<a-c lv0-2]{0,40}") {
            let result = expand(&text, &names);
            if !text.contains('$') {
                prop_assert_eq!(result.unwrap().text, text);
            }
        }
    }
}
