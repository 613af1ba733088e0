//! Text without regard to case, for being looked for: each character in lower case, as Unicode has it.

/// `text` for comparing.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    fold_into(text, &mut folded);
    folded
}

/// Appends `text` for comparing. By character, so that text may come in pieces.
pub fn fold_into(text: &str, folded: &mut String) {
    for c in text.chars() {
        match c {
            _ if c.is_ascii() => folded.push(c.to_ascii_lowercase()),
            // The end of a word is no matter of case.
            'ς' => folded.push('σ'),
            _ => folded.extend(c.to_lowercase()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_is_no_matter() {
        for (a, b) in [("GRÜẞE", "grüße"), ("ΣΊΣΥΦΟΣ", "σίσυφος"), ("Ж", "ж"), ("ABC", "abc")] {
            assert_eq!(fold(a), fold(b));
        }
        assert_ne!(fold("a"), fold("ä"));
    }
}
