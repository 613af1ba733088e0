//! The order of text in SORT and THREAD: the collation `i;unicode-casemap` — RFC 5051.
//!
//! A key is made of each character's title case, decomposed; keys are compared octet by octet. So case is no matter, `É` stands
//! beside `E`, and the order is the same on every server.

use unicode_normalization::char::decompose_compatible;

/// What stands for `text` in comparisons.
pub fn key(text: &str) -> String {
    let mut key = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            _ if c.is_ascii() => key.push(c.to_ascii_uppercase()),
            _ => decompose_compatible(title(c), |part| key.push(part)),
        }
    }
    key
}

/// The simple mapping of UnicodeData.txt, one character for one: `ß` has none.
fn title(c: char) -> char {
    // The letters whose title case is not their upper case.
    match c {
        'Ǆ'..='ǆ' => 'ǅ',
        'Ǉ'..='ǉ' => 'ǈ',
        'Ǌ'..='ǌ' => 'ǋ',
        'Ǳ'..='ǳ' => 'ǲ',
        _ => {
            let mut upper = c.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(one), None) => one,
                _ => c,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn case_is_no_matter_and_accents_stand_beside_their_letter() {
        let table = [("abc", "ABC"), ("é", "E\u{301}"), ("É", "E\u{301}"), ("straße", "STRAßE"), ("ﬁ", "fi"), ("ς", "Σ"), ("ǆ", "Dz\u{30c}"), ("", ""), ("日本", "日本")];
        for (text, expected) in table {
            assert_eq!(key(text), expected, "{text}");
        }
        let mut names = ["Zoe", "Éva", "eve", "_x", "Eva", "été"];
        names.sort_by_key(|name| key(name));
        assert_eq!(names, ["Eva", "eve", "été", "Éva", "Zoe", "_x"]);
    }

    proptest! {
        #[test]
        fn upper_and_lower_case_are_one(text in "[a-zA-Zäöüéèñ ]{0,20}") {
            prop_assert_eq!(key(&text.to_uppercase()), key(&text.to_lowercase()));
        }
    }
}
