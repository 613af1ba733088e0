//! The base subject: what a subject is about, without `Re:`, `Fwd:`, `[list]` and `(fwd)` — RFC 5256 §2.1, by which servers and
//! clients agree on the order of a mailbox and on its threads.
//!
//! ```text
//! subject      = *subj-leader [subj-middle] *subj-trailer
//! subj-refwd   = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"
//! subj-blob    = "[" *BLOBCHAR "]" *WSP            ; BLOBCHAR: any but [ and ]
//! subj-leader  = (*subj-blob subj-refwd) / WSP
//! subj-trailer = "(fwd)" / WSP
//! subj-fwd     = "[fwd:" subject "]"
//! ```
//!
//! Each octet is looked at a fixed number of times: a subject may be long, and made by an enemy.

/// What is left of a subject.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BaseSubject {
    /// In its own case; compare it by [`crate::casemap::key`].
    pub text: String,
    /// Something that makes a reply or a forward was removed.
    pub is_reply: bool,
}

impl BaseSubject {
    /// From the raw value of a Subject field.
    pub fn of_field(value: &[u8]) -> BaseSubject {
        BaseSubject::of_text(&crate::header::decode_text(value))
    }

    /// From a subject as a reader sees it.
    pub fn of_text(subject: &str) -> BaseSubject {
        let text = single_spaced(subject); // (1)
        let (mut base, mut is_reply) = (text.as_str(), false);
        loop {
            base = without_trailers(base, &mut is_reply); // (2)
            base = without_leaders(base, &mut is_reply); // (3), (4), (5)
            match forwarded(base) {
                Some(inner) => (base, is_reply) = (inner, true), // (6)
                None => return BaseSubject { text: base.to_owned(), is_reply },
            }
        }
    }
}

/// Tabs, line ends and runs of blanks become one space.
fn single_spaced(text: &str) -> String {
    let is_blank = |c| matches!(c, ' ' | '\t' | '\r' | '\n');
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match is_blank(c) {
            true if out.ends_with(' ') => {}
            true => out.push(' '),
            false => out.push(c),
        }
    }
    out
}

fn without_trailers<'t>(mut text: &'t str, is_reply: &mut bool) -> &'t str {
    loop {
        text = text.trim_end_matches(' ');
        match strip_suffix(text, "(fwd)") {
            Some(rest) => (text, *is_reply) = (rest, true),
            None => return text,
        }
    }
}

/// Leaders, and blobs as long as something is left behind them.
fn without_leaders<'t>(mut text: &'t str, is_reply: &mut bool) -> &'t str {
    loop {
        text = text.trim_start_matches(' ');
        let (mut last, mut after) = (text, text);
        while let Some(rest) = blob(after) {
            (last, after) = (after, rest);
        }
        match refwd(after) {
            Some(rest) => (text, *is_reply) = (rest, true),
            // No reply behind all the blobs is none behind some of them: step (4) takes them one by one, and leaves the last if
            // nothing follows.
            None if after.is_empty() => return last,
            None => return after,
        }
    }
}

/// Behind a `subj-refwd`.
fn refwd(text: &str) -> Option<&str> {
    let rest = strip_prefix(text, "re").or_else(|| strip_prefix(text, "fwd")).or_else(|| strip_prefix(text, "fw"))?;
    let rest = rest.trim_start_matches(' ');
    blob(rest).unwrap_or(rest).strip_prefix(':')
}

/// Behind a `subj-blob`.
fn blob(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let end = memchr::memchr2(b'[', b']', inner.as_bytes())?;
    Some(inner.get(end..)?.strip_prefix(']')?.trim_start_matches(' '))
}

/// Within `[fwd: … ]`.
fn forwarded(text: &str) -> Option<&str> {
    strip_prefix(text, "[fwd:")?.strip_suffix(']')
}

fn strip_prefix<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| text.get(prefix.len()..)).flatten()
}

fn strip_suffix<'t>(text: &'t str, suffix: &str) -> Option<&'t str> {
    let at = text.len().checked_sub(suffix.len())?;
    text.get(at..)?.eq_ignore_ascii_case(suffix).then(|| text.get(..at)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_rfc_5256_removes() {
        let table = [
            ("hello", "hello", false),
            ("  hello \t\r\n world  ", "hello world", false),
            ("Re: hello", "hello", true),
            ("re:hello", "hello", true),
            ("RE : FW: fwd :hello", "hello", true),
            ("Re [2]: hello", "hello", true),
            ("Re[2]: hello", "hello", true),
            ("Re [a] [b]: hello", "Re [a] [b]: hello", false),
            ("[list] hello", "hello", false),
            ("[list] Re: [list] hello", "hello", true),
            ("[a] [b][c] Re: hello", "hello", true),
            ("Re: [list]", "[list]", true),
            ("[a] [b]", "[b]", false),
            ("[a][b] ", "[b]", false),
            ("[]", "[]", false),
            ("hello (fwd)", "hello", true),
            ("hello (FWD) (fwd)  ", "hello", true),
            ("(fwd)", "", true),
            ("[Fwd: hello]", "hello", true),
            ("[fwd: [fwd: Re: hello (fwd)]]", "hello", true),
            ("[fwd: hello", "[fwd: hello", false),
            ("[fwd: a] b", "b", false),
            ("[fwd:]", "", true),
            ("Re: [fwd: [list] Re: hello] (fwd)", "hello", true),
            ("Re:", "", true),
            ("Re: ", "", true),
            ("", "", false),
            ("Reply: hello", "Reply: hello", false),
            ("fwdx: hello", "fwdx: hello", false),
            ("Re", "Re", false),
            ("re: re: re:", "", true),
            ("[unclosed Re: hello", "[unclosed Re: hello", false),
            ("Re: grün [é] ", "grün [é]", true),
            ("é", "é", false),
            ("AW: hallo", "AW: hallo", false), // the RFC knows English only
        ];
        for (subject, base, is_reply) in table {
            assert_eq!(BaseSubject::of_text(subject), BaseSubject { text: base.into(), is_reply }, "{subject:?}");
        }
    }

    #[test]
    fn a_field_is_decoded_first() {
        let base = BaseSubject::of_field(b" =?utf-8?q?Re:_Gr=C3=BC=C3=9Fe?=\r\n\tan alle");
        assert_eq!(base, BaseSubject { text: "Grüße an alle".into(), is_reply: true });
    }

    /// The six steps as the RFC writes them, without regard to time.
    fn plainly(subject: &str) -> BaseSubject {
        let (mut text, mut is_reply) = (single_spaced(subject), false);
        let leader = |text: &str| {
            if let Some(rest) = text.strip_prefix(' ') {
                return Some((rest.to_owned(), false));
            }
            let mut at = text;
            loop {
                if let Some(rest) = refwd(at) {
                    return Some((rest.to_owned(), true));
                }
                at = blob(at)?;
            }
        };
        loop {
            loop {
                if let Some(rest) = text.strip_suffix(' ') {
                    text = rest.to_owned();
                } else if text.to_ascii_lowercase().ends_with("(fwd)") {
                    text.truncate(text.len() - 5);
                    is_reply = true;
                } else {
                    break;
                }
            }
            loop {
                let before = text.clone();
                while let Some((rest, reply)) = leader(&text) {
                    (text, is_reply) = (rest, is_reply || reply);
                }
                if let Some(rest) = blob(&text).filter(|rest| !rest.is_empty()) {
                    text = rest.to_owned();
                }
                if text == before {
                    break;
                }
            }
            let lower = text.to_ascii_lowercase();
            if lower.starts_with("[fwd:") && lower.ends_with(']') {
                text = text[5..text.len() - 1].to_owned();
                is_reply = true;
            } else {
                return BaseSubject { text, is_reply };
            }
        }
    }

    proptest! {
        #[test]
        fn it_is_what_the_steps_give(words in proptest::collection::vec(proptest::sample::select(vec!["re", "Fw", "fwd", ":", " ", "\t", "[", "]", "[a]", "(fwd)", "[fwd:", "x", "é"]), 0..14)) {
            let subject = words.concat();
            prop_assert_eq!(BaseSubject::of_text(&subject), plainly(&subject), "{:?}", subject);
        }

        #[test]
        fn a_reply_to_a_subject_has_its_base(subject in "[a-z\\[\\]:() é]{0,20}") {
            let base = BaseSubject::of_text(&subject);
            let reply = BaseSubject::of_text(&format!("Re: {subject}"));
            prop_assert_eq!(&reply.text, &base.text);
            prop_assert!(reply.is_reply);
            prop_assert_eq!(BaseSubject::of_text(&base.text).text, base.text, "a base is its own base");
        }
    }

    #[test]
    fn a_subject_made_to_be_slow_is_not() {
        for hostile in ["[]", "re:", "[fwd:", "(fwd)", " [", "re [", "[a]re[b]"] {
            let subject = hostile.repeat(200_000);
            let _ = BaseSubject::of_text(&subject);
            let _ = BaseSubject::of_text(&format!("{subject}{}", "]".repeat(200_000)));
        }
    }
}
