//! `regexp:` and `pcre:` tables, regexp_table(5), pcre_table(5): the first pattern that matches.
//!
//! ```text
//! line    = [ "!" ] pattern WSP result  /  "if" WSP [ "!" ] pattern  /  "endif"
//! pattern = "/" regex "/" *flag            ; any character that is no letter, digit or blank instead of "/"
//! flag    = "i" / "m"                       ; each turns over what holds without it: letter case does not matter, the key is one line
//!         / "x" / "s" / "A" / "U"           ; pcre only. Postfix's x of regexp (basic patterns) is not here
//! result  = text with $1 ${1} $(1) for what a group matched, $$ for a dollar
//! ```
//!
//! Patterns are matched in time linear in the key, so none can be made to run for ever; look-around and back references, which can, are
//! refused, and the rule is left out with a warning.

use super::{Building, Rule, first, logical, ruling};
use crate::problem::Problem;
use regex::{Regex, RegexBuilder};

/// Octets of one compiled pattern: a list of some thousand words; Postfix has no limit.
const PATTERN_LIMIT: usize = 1024 * 1024;

/// Rules of one table: all of their patterns may be tried for each key.
const RULES_LIMIT: usize = 10_000;

/// A table of patterns.
#[derive(Clone, Debug)]
pub struct Rules(Vec<Rule<Pattern, Vec<Piece>>>);

#[derive(Clone, Debug)]
struct Pattern {
    regex: Regex,
    negated: bool,
}

/// A part of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Group(usize),
}

impl Rules {
    /// What `key` leads to.
    pub fn get(&self, key: &str) -> Option<String> {
        let (pattern, pieces) = first(&self.0, |pattern| pattern.regex.is_match(key) != pattern.negated)?;
        let groups = pattern.regex.captures(key);
        let group = |number: usize| groups.as_ref().and_then(|groups| groups.get(number)).map_or("", |found| found.as_str());
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Group(number) => group(*number).to_owned(),
        };
        Some(pieces.iter().map(piece).collect())
    }
}

/// Reads a table of `kind` (`regexp` or `pcre`); rules that are wrong are warned of and left out.
pub fn parse(kind: &str, file: &str, text: &str) -> (Rules, Vec<Problem>) {
    let mut building = Building::new();
    let mut problems = Vec::new();
    for (count, (line, text)) in logical(text).into_iter().enumerate() {
        if count >= RULES_LIMIT {
            problems.push(ruling(kind, file, line, format!("more than {RULES_LIMIT} rules: the rest is left out")));
            break;
        }
        if let Err(what) = rule(kind, &text, line, &mut building) {
            problems.push(ruling(kind, file, line, what));
        }
    }
    let (rules, open) = building.done();
    problems.extend(open.into_iter().map(|line| ruling(kind, file, line, "IF has no matching ENDIF")));
    (Rules(rules), problems)
}

fn rule(kind: &str, text: &str, line: u32, building: &mut Building<Pattern, Vec<Piece>>) -> Result<(), String> {
    let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    match word.to_ascii_lowercase().as_str() {
        "endif" if !rest.is_empty() => Err("ignoring extra text after ENDIF".to_owned()),
        "endif" if !building.end_if() => Err("ignoring ENDIF without matching IF".to_owned()),
        "endif" => Ok(()),
        "if" => {
            let (pattern, rest) = pattern(kind, rest.trim_ascii_start())?;
            building.start_if(pattern, line);
            if rest.is_empty() { Ok(()) } else { Err(format!("ignoring extra text after IF statement: \"{rest}\"")) }
        }
        "" => {
            let (pattern, rest) = pattern(kind, text)?;
            let pieces = pieces(rest)?;
            let most = pieces.iter().map(|piece| if let Piece::Group(number) = piece { *number } else { 0 }).max().unwrap_or(0);
            if most > 0 && pattern.negated {
                return Err("$number found in negative match replacement text: skipping this rule".to_owned());
            }
            if most >= pattern.regex.captures_len() {
                return Err(format!("out of range replacement index \"{most}\": skipping this rule"));
            }
            building.add(pattern, pieces);
            if rest.is_empty() { Err("no replacement text: using empty string".to_owned()) } else { Ok(()) }
        }
        _ => Err("ignoring unrecognized request".to_owned()),
    }
}

/// `!/regex/flags rest` → the pattern, and the rest without white space before it.
fn pattern<'t>(kind: &str, text: &'t str) -> Result<(Pattern, &'t str), String> {
    let bare = text.trim_start_matches(['!', ' ', '\t']);
    let negated = text[..text.len() - bare.len()].matches('!').count() % 2 == 1;
    let delimiter = bare.chars().next().ok_or("no regexp: skipping this rule")?;
    let body = &bare[delimiter.len_utf8()..];
    let mut escaped = false;
    let end = body.char_indices().find(|(_, c)| {
        let ends = !escaped && *c == delimiter;
        escaped = !escaped && *c == '\\';
        ends
    });
    let (end, _) = end.ok_or_else(|| format!("no closing regexp delimiter \"{delimiter}\": skipping this rule"))?;
    let after = &body[end + delimiter.len_utf8()..];
    let flags = &after[..after.find(|c: char| c.is_ascii_whitespace()).unwrap_or(after.len())];
    let rest = after[flags.len()..].trim_ascii();
    // The delimiter within the pattern keeps its backslash: \/ is a slash to the engine too.
    let source = &body[..end];
    let mut options = Flags { ignore_case: true, dot_all: true, ..Flags::default() };
    for flag in flags.chars() {
        match (kind, flag) {
            (_, 'i') => options.ignore_case ^= true,
            ("regexp", 'm') => {
                // REG_NEWLINE: both at once.
                options.multi_line ^= true;
                options.dot_all ^= true;
            }
            (_, 'm') => options.multi_line ^= true,
            ("pcre", 'x') => options.white_space ^= true,
            ("pcre", 's') => options.dot_all ^= true,
            ("pcre", 'A') => options.anchored ^= true,
            ("pcre", 'U') => options.lazy ^= true,
            _ => return Err(format!("unknown regexp option \"{flag}\": skipping this rule")),
        }
    }
    let regex = options.compile(source).map_err(|what| format!("{what}: skipping this rule"))?;
    Ok((Pattern { regex, negated }, rest))
}

/// How a pattern is meant.
#[derive(Clone, Copy, Default)]
struct Flags {
    ignore_case: bool,
    multi_line: bool,
    white_space: bool,
    dot_all: bool,
    anchored: bool,
    lazy: bool,
}

impl Flags {
    fn compile(self, source: &str) -> Result<Regex, String> {
        let source = if self.anchored { format!("\\A(?:{source})") } else { source.to_owned() };
        let mut builder = RegexBuilder::new(&source);
        builder.case_insensitive(self.ignore_case).multi_line(self.multi_line).ignore_whitespace(self.white_space);
        builder.dot_matches_new_line(self.dot_all).swap_greed(self.lazy).size_limit(PATTERN_LIMIT);
        // The last line of the explanation says what is wrong; those before draw where.
        builder.build().map_err(|error| error.to_string().lines().last().unwrap_or("").trim_start_matches("error: ").to_owned())
    }
}

/// A result with its groups.
fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        pieces.push(Piece::Text(rest[..at].to_owned()));
        let after = &rest[at + 1..];
        if let Some(after) = after.strip_prefix('$') {
            pieces.push(Piece::Text("$".to_owned()));
            rest = after;
            continue;
        }
        let (inner, closing) = match after.as_bytes().first() {
            Some(b'{') => (&after[1..], "}"),
            Some(b'(') => (&after[1..], ")"),
            _ => (after, ""),
        };
        let digits = inner.find(|c: char| !c.is_ascii_digit()).unwrap_or(inner.len());
        let number = inner[..digits].parse().map_err(|_| "bad replacement syntax: skipping this rule".to_owned())?;
        rest = inner[digits..].strip_prefix(closing).ok_or_else(|| "bad replacement syntax: skipping this rule".to_owned())?;
        pieces.push(Piece::Group(number));
    }
    pieces.push(Piece::Text(rest.to_owned()));
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_pattern_that_matches_counts() {
        let text = "/^Subject: (.*) viagra (.*)$/ REJECT ${1}-$(2)-$$\n!/@example\\.test$/ outside\nif /^joe/\n/^joe\\+(.*)@/  joe.$1@new.test\nendif\n/^user@/i cased\n|a\\|b| pipe\n";
        let (rules, problems) = parse("regexp", "t", text);
        assert!(problems.is_empty(), "{problems:?}");
        let cases = [
            ("subject: buy VIAGRA now", Some("REJECT buy-now-$")),
            ("x@elsewhere.test", Some("outside")),
            ("joe+list@example.test", Some("joe.list@new.test")),
            ("user@example.test", Some("cased")),
            ("User@example.test", None),
            ("joe@example.test", None),
            ("a|b@example.test", Some("pipe")),
        ];
        for (key, want) in cases {
            assert_eq!(rules.get(key).as_deref(), want, "{key}");
        }
    }

    #[test]
    fn wrong_rules_are_told_and_left_out() {
        let text = "/abc\n/a(b/ x\n/a/q x\n/a/ $1\n!/a/ $1\n/a/ ${x}\nnonsense x\nendif\n/(?=a)b/ x\n/ok/\nif /a/ more\n/b/ c\n";
        let (rules, problems) = parse("regexp", "t", text);
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let want = [
            "regexp map t, line 1: no closing regexp delimiter \"/\": skipping this rule",
            "regexp map t, line 2: unclosed group: skipping this rule",
            "regexp map t, line 3: unknown regexp option \"q\": skipping this rule",
            "regexp map t, line 4: out of range replacement index \"1\": skipping this rule",
            "regexp map t, line 5: $number found in negative match replacement text: skipping this rule",
            "regexp map t, line 6: bad replacement syntax: skipping this rule",
            "regexp map t, line 7: ignoring unrecognized request",
            "regexp map t, line 8: ignoring ENDIF without matching IF",
            "regexp map t, line 9: look-around, including look-ahead and look-behind, is not supported: skipping this rule",
            "regexp map t, line 10: no replacement text: using empty string",
            "regexp map t, line 11: ignoring extra text after IF statement: \"more\"",
            "regexp map t, line 11: IF has no matching ENDIF",
        ];
        assert_eq!(said, want);
        assert_eq!((rules.get("ok").as_deref(), rules.get("ab").as_deref(), rules.get("b")), (Some(""), Some("c"), None));
    }

    #[test]
    fn patterns_that_never_end_elsewhere_end_here() {
        let (rules, _) = parse("pcre", "t", "/^(a+)+$/ x\n/(x+x+)+y/ y\n");
        let started = std::time::Instant::now();
        assert_eq!(rules.get(&("a".repeat(50_000) + "!")), None);
        assert_eq!(rules.get(&"x".repeat(5_000)), None);
        assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
        let (_, problems) = parse("pcre", "t", "/(a{1000}){1000}/ x\n");
        assert!(problems.iter().any(|problem| problem.text.contains("skipping this rule")), "{problems:?}");
    }
}
