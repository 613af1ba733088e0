//! Typed values: the same spellings as Postfix, and nothing read as something it does not say.

use std::time::Duration;

/// Bits in which Postfix keeps numbers; larger ones are refused as it does.
const INT_MAX: i64 = i32::MAX as i64;

/// `yes` or `no`, in any case.
pub fn boolean(text: &str) -> Result<bool, String> {
    if text.eq_ignore_ascii_case("yes") {
        Ok(true)
    } else if text.eq_ignore_ascii_case("no") {
        Ok(false)
    } else {
        Err(format!("\"{text}\" is neither yes nor no"))
    }
}

/// A decimal number within `min..=max`.
pub fn integer(text: &str, min: i64, max: i64) -> Result<i64, String> {
    let number: i64 = digits(text)?;
    if number < min || number > max {
        return Err(format!("{number} is not between {min} and {max}"));
    }
    Ok(number)
}

/// Octets: a decimal number, as large as a file may be. Postfix knows no suffixes here.
pub fn size(text: &str) -> Result<u64, String> {
    u64::try_from(digits(text)?).map_err(|_| format!("{text} is below zero"))
}

/// A time: a number and one of `s m h d w`; without a letter, `unit` is meant.
pub fn time(text: &str, unit: char) -> Result<Duration, String> {
    let (number, unit) = match text.char_indices().next_back() {
        Some((at, letter)) if letter.is_ascii_alphabetic() => (&text[..at], letter.to_ascii_lowercase()),
        _ => (text, unit),
    };
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return Err(format!("\"{text}\": the unit of a time is one of s m h d w")),
    };
    let number = digits(number).map_err(|_| format!("\"{text}\" is not a time such as 30s, 5m, 4h, 5d or 1w"))?;
    match number.checked_mul(seconds) {
        Some(total) if (0..=INT_MAX).contains(&total) => Ok(Duration::from_secs(total.unsigned_abs())),
        _ => Err(format!("\"{text}\" is out of range")),
    }
}

/// The elements of a list: separated by commas and white space; `{ … }` is one element, its braces removed.
/// Unbalanced braces are an error, as in Postfix.
pub fn list(text: &str) -> Result<Vec<String>, String> {
    let separator = |c: char| c == ',' || c.is_ascii_whitespace();
    let mut elements = Vec::new();
    let mut rest = text.trim_start_matches(separator);
    while !rest.is_empty() {
        if rest.starts_with('{') {
            let end = matching(rest).ok_or_else(|| format!("\"{rest}\": a brace is never closed"))?;
            elements.push(rest[1..end].trim_ascii().to_owned());
            rest = &rest[end + 1..];
            if !rest.is_empty() && !rest.starts_with(separator) {
                return Err(format!("\"{rest}\": after a closing brace a comma or blank must come"));
            }
        } else {
            let end = token(rest, separator).ok_or_else(|| format!("\"{rest}\": a brace is never closed"))?;
            elements.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
        rest = rest.trim_start_matches(separator);
    }
    Ok(elements)
}

/// Where a word ends; braces within keep it together: `inline:{ a = b, c = d }` is one.
fn token(text: &str, separator: impl Fn(char) -> bool) -> Option<usize> {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            c if depth == 0 && separator(c) => return Some(at),
            _ => {}
        }
    }
    (depth == 0).then_some(text.len())
}

fn matching(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

fn digits(text: &str) -> Result<i64, String> {
    let figures = text.strip_prefix('-').unwrap_or(text);
    if figures.is_empty() || !figures.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("\"{text}\" is not a number"));
    }
    text.parse().map_err(|_| format!("{text} is out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn booleans_are_yes_and_no_only() {
        assert_eq!(boolean("yes"), Ok(true));
        assert_eq!(boolean("NO"), Ok(false));
        for bad in ["", "true", "1", "on", "yes ", "y"] {
            assert!(boolean(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn numbers_keep_their_range() {
        assert_eq!(integer("50", 0, 100), Ok(50));
        assert_eq!(integer("-1", -1, 100), Ok(-1));
        for bad in ["101", "", "x", "5x", "+5", "1.5", "99999999999999999999", "-", " 5"] {
            assert!(integer(bad, 0, 100).is_err(), "{bad:?}");
        }
        assert_eq!(size("10240000"), Ok(10_240_000));
        assert_eq!(size("5000000000"), Ok(5_000_000_000));
        assert!(size("-1").is_err());
        assert!(size("10M").is_err());
    }

    #[test]
    fn times_have_units() {
        for (text, unit, seconds) in [("300s", 's', 300), ("5d", 's', 432_000), ("0h", 'h', 0), ("5", 'd', 432_000), ("1W", 's', 604_800), ("10m", 's', 600)] {
            assert_eq!(time(text, unit), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in ["", "s", "5y", "5 m", "-5s", "5mm", "99999999w", "9999999999999999999s", "é"] {
            assert!(time(bad, 's').is_err(), "{bad:?}");
        }
    }

    #[test]
    fn lists_split_at_commas_and_blanks_and_keep_braces_together() {
        let cases: [(&str, &[&str]); 7] = [
            ("", &[]),
            (" , ,", &[]),
            ("a,b", &["a", "b"]),
            ("a, b c,,d", &["a", "b", "c", "d"]),
            ("a, { b, c } d", &["a", "b, c", "d"]),
            ("{a {b} c},{}", &["a {b} c", ""]),
            ("check_x { hash:/etc/x, y }", &["check_x", "hash:/etc/x, y"]),
        ];
        for (text, want) in cases {
            assert_eq!(list(text).unwrap(), want, "{text:?}");
        }
        for bad in ["{a", "a {b", "{a}b"] {
            assert!(list(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[-0-9smhdwé{}, a]{0,24}") {
            let _ = (boolean(&text), integer(&text, 0, 9), size(&text), time(&text, 's'), time(&text, 'q'));
            if let Ok(elements) = list(&text) {
                prop_assert!(elements.iter().all(|e| e.len() <= text.len()));
            }
        }
    }
}
