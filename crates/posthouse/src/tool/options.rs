//! Options as getopt(3) reads them: letters may be bundled, values glued, the first other word ends them.

/// The options with their values, and the other words; or the letter that is wrong.
pub(super) type Options = (Vec<(char, String)>, Vec<String>);

/// Reads `arguments`; in `known` a letter that takes a value is followed by a colon.
pub(super) fn read(arguments: &[String], known: &str) -> Result<Options, char> {
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
            let place = known.find(letter).filter(|_| letter != ':').ok_or(letter)?;
            let after = at + letter.len_utf8();
            if !known[place + letter.len_utf8()..].starts_with(':') {
                options.push((letter, String::new()));
                continue;
            }
            let glued = Some(&letters[after..]).filter(|glued| !glued.is_empty()).map(str::to_owned);
            options.push((letter, glued.or_else(|| rest.next().cloned()).ok_or(letter)?));
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
        let read = |line: &str| read(&line.split(' ').map(str::to_owned).collect::<Vec<_>>(), "bhq:d:");
        let option = |letter: char, value: &str| (letter, value.to_owned());
        assert_eq!(read("-bhq ID more -b"), Ok((vec![option('b', ""), option('h', ""), option('q', "ID")], vec!["more".into(), "-b".into()])));
        assert_eq!(read("-dALL -d -"), Ok((vec![option('d', "ALL"), option('d', "-")], vec![])));
        assert_eq!(read("-b -- -h"), Ok((vec![option('b', "")], vec!["-h".into()])));
        assert_eq!(read("-b - x"), Ok((vec![option('b', "")], vec!["-".into(), "x".into()])));
        assert_eq!(read("-x"), Err('x'));
        assert_eq!(read("-b:"), Err(':'));
        assert_eq!(read("-q"), Err('q'));
        assert_eq!(read("-é"), Err('é'));
    }
}
