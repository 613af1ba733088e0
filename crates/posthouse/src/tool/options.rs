//! Options as getopt(3) reads them: letters may be bundled, values glued, the first other word ends them.

use std::fmt;

/// The options with their values, and the other words.
pub(super) type Options = (Vec<(char, String)>, Vec<String>);

/// A letter that is no option, or has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    Unknown(char),
    NoValue(char),
}

/// As getopt(3) complains, after the program's name.
impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wrong::Unknown(letter) => write!(f, "invalid option -- '{letter}'"),
            Wrong::NoValue(letter) => write!(f, "option requires an argument -- '{letter}'"),
        }
    }
}

/// Reads `arguments` of `program`; in `known` a letter that takes a value is followed by a colon. What is wrong is told on stderr.
pub(super) fn read(program: &str, arguments: &[String], known: &str) -> Result<Options, Wrong> {
    parse(arguments, known).inspect_err(|wrong| eprintln!("{program}: {wrong}"))
}

fn parse(arguments: &[String], known: &str) -> Result<Options, Wrong> {
    let mut options = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "--" {
            return Ok((options, rest.cloned().collect()));
        }
        let Some(letters) = argument.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            return Ok((options, std::iter::once(argument).chain(rest).cloned().collect()));
        };
        for (at, letter) in letters.char_indices() {
            let place = known.find(letter).filter(|_| letter != ':').ok_or(Wrong::Unknown(letter))?;
            let after = at + letter.len_utf8();
            if !known[place + letter.len_utf8()..].starts_with(':') {
                options.push((letter, String::new()));
                continue;
            }
            let glued = Some(&letters[after..]).filter(|glued| !glued.is_empty()).map(str::to_owned);
            options.push((letter, glued.or_else(|| rest.next().cloned()).ok_or(Wrong::NoValue(letter))?));
            break;
        }
    }
    Ok((options, Vec::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_bundled_and_values_glued() {
        let read = |line: &str| parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>(), "bhq:d:");
        let option = |letter: char, value: &str| (letter, value.to_owned());
        assert_eq!(read("-bhq ID more -b"), Ok((vec![option('b', ""), option('h', ""), option('q', "ID")], vec!["more".into(), "-b".into()])));
        assert_eq!(read("-dALL -d -"), Ok((vec![option('d', "ALL"), option('d', "-")], vec![])));
        assert_eq!(read("-b -- -h"), Ok((vec![option('b', "")], vec!["-h".into()])));
        assert_eq!(read("-b - x"), Ok((vec![option('b', "")], vec!["-".into(), "x".into()])));
        assert_eq!(read("-x"), Err(Wrong::Unknown('x')));
        assert_eq!(read("-b:"), Err(Wrong::Unknown(':')));
        assert_eq!(read("-q"), Err(Wrong::NoValue('q')));
        assert_eq!(read("-é"), Err(Wrong::Unknown('é')));
    }
}
