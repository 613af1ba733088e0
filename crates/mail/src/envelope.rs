//! ENVELOPE: the fields of a message's header that a mailbox list shows (RFC 3501 §7.4.2, RFC 9051 §7.5.2).
//!
//! Strings are raw: unfolded, but encoded words (RFC 2047) stay as they are; a client decodes them. The address lists are
//! read as RFC 5322 §3.4 and §4.4 have them, and anything else somehow: there is no list that cannot be read.
//!
//! ```text
//! address  = [ phrase ] "<" [ route ":" ] addr-spec ">"  /  addr-spec [ "(" name ")" ]
//! addr-spec = word *("." word) "@" domain    ; blanks and comments anywhere between
//! group    = phrase ":" [ address *( "," address ) ] ";"
//! ```

use crate::encoded_word::encoded_word_length;
use crate::header;

/// Addresses kept of one envelope. Each is at least two octets in the header and over a hundred in memory; longer lists are
/// cut off, which no reader of a mailbox list will see.
pub const MAX_ADDRESSES: usize = 10_000;

/// What a mailbox list shows of a message. `None` is a field that is absent, `Some("")` one that is there and empty; an empty
/// list is both.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Envelope {
    pub date: Option<Vec<u8>>,
    pub subject: Option<Vec<u8>>,
    pub from: Vec<EnvelopeAddress>,
    /// As `from` if the header has none.
    pub sender: Vec<EnvelopeAddress>,
    /// As `from` if the header has none.
    pub reply_to: Vec<EnvelopeAddress>,
    pub to: Vec<EnvelopeAddress>,
    pub cc: Vec<EnvelopeAddress>,
    pub bcc: Vec<EnvelopeAddress>,
    pub in_reply_to: Option<Vec<u8>>,
    pub message_id: Option<Vec<u8>>,
}

/// One address, or one end of a group: `host` is `None` only there; with `mailbox` it is the group's begin and name, without
/// its end. An address that has no domain has the host `""`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EnvelopeAddress {
    /// The display name, unquoted; from a comment if there is no other.
    pub name: Option<Vec<u8>>,
    /// The source route `@a,@b`.
    pub adl: Option<Vec<u8>>,
    /// The local part without its quotes, or the group's name.
    pub mailbox: Option<Vec<u8>>,
    pub host: Option<Vec<u8>>,
}

impl Envelope {
    /// The names of the fields it is made from.
    pub const FIELDS: [&'static str; 10] = ["Date", "Subject", "From", "Sender", "Reply-To", "To", "Cc", "Bcc", "In-Reply-To", "Message-ID"];

    /// From a header (or a message: its header ends at the empty line). Of a string that comes twice the first counts; lists
    /// that come twice are joined.
    pub fn of_header(header: &[u8]) -> Envelope {
        Envelope::with_budget(header, &mut { MAX_ADDRESSES })
    }

    /// As [`of_header`](Envelope::of_header), taking the addresses off a budget that several envelopes share.
    pub(crate) fn with_budget(header: &[u8], budget: &mut usize) -> Envelope {
        let mut envelope = Envelope::default();
        for field in header::fields(header) {
            envelope.note(&field, budget);
        }
        for list in [&mut envelope.sender, &mut envelope.reply_to] {
            if list.is_empty() && *budget >= envelope.from.len() {
                *budget -= envelope.from.len();
                list.clone_from(&envelope.from);
            }
        }
        envelope
    }

    fn note(&mut self, field: &header::Field<'_>, budget: &mut usize) {
        let strings = [
            ("Date", &mut self.date),
            ("Subject", &mut self.subject),
            ("In-Reply-To", &mut self.in_reply_to),
            ("Message-ID", &mut self.message_id),
        ];
        for (name, string) in strings {
            if field.is(name) {
                string.get_or_insert_with(|| header::unfold(field.value));
            }
        }
        let lists = [
            ("From", &mut self.from),
            ("Sender", &mut self.sender),
            ("Reply-To", &mut self.reply_to),
            ("To", &mut self.to),
            ("Cc", &mut self.cc),
            ("Bcc", &mut self.bcc),
        ];
        for (name, list) in lists {
            if field.is(name) {
                read_list(&header::unfold(field.value), list, budget);
            }
        }
    }
}

/// The addresses of a raw field value, groups as in an envelope.
pub fn addresses(value: &[u8]) -> Vec<EnvelopeAddress> {
    let mut list = Vec::new();
    read_list(&header::unfold(value), &mut list, &mut { MAX_ADDRESSES });
    list
}

fn read_list(text: &[u8], list: &mut Vec<EnvelopeAddress>, budget: &mut usize) {
    let mut tokens = Tokens { text, at: 0 };
    let mut in_group = false;
    let mut push = |address| {
        if *budget > 0 {
            *budget -= 1;
            list.push(address);
        }
    };
    loop {
        let (run, end) = Run::read(&mut tokens, in_group);
        match end {
            End::Angle => {
                let mut address = angle(&mut tokens);
                address.name = run.phrase().or_else(|| run.comment.clone());
                push(address);
                // What stands between '>' and the next separator belongs to nobody.
                match skip_to_separator(&mut tokens) {
                    End::Semicolon if in_group => {
                        in_group = false;
                        push(EnvelopeAddress::default());
                    }
                    End::Nothing => break,
                    _ => {}
                }
                continue;
            }
            End::Colon => {
                in_group = true;
                push(EnvelopeAddress { mailbox: Some(run.phrase().unwrap_or_default()), ..EnvelopeAddress::default() });
                continue;
            }
            _ => {}
        }
        if let Some(address) = run.bare_address() {
            push(address);
        }
        match end {
            End::Semicolon if in_group => {
                in_group = false;
                push(EnvelopeAddress::default());
            }
            End::Nothing => break,
            _ => {}
        }
    }
    if in_group {
        push(EnvelopeAddress::default());
    }
}

/// What ended a run of words.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Comma,
    Semicolon,
    Colon,
    Angle,
    Nothing,
}

/// The words up to something that gives them a meaning.
#[derive(Default)]
struct Run {
    words: Vec<Word>,
    comment: Option<Vec<u8>>,
}

struct Word {
    text: Vec<u8>,
    /// The `@` itself, not a quoted one.
    at_sign: bool,
    /// It stood in quotes: its dots are none.
    quoted: bool,
    /// A blank stood before it.
    spaced: bool,
}

impl Word {
    /// `a . b`: whether this goes on where the one before stopped, as RFC 5322 §4.4 lets a local part have blanks around its dots.
    fn continues(&self, before: &Word) -> bool {
        let dotted = |word: &Word, dot: fn(&[u8]) -> bool| !word.quoted && dot(&word.text);
        !self.spaced || dotted(self, |text| text.starts_with(b".")) || dotted(before, |text| text.ends_with(b"."))
    }
}

impl Run {
    fn read(tokens: &mut Tokens<'_>, in_group: bool) -> (Run, End) {
        let mut run = Run::default();
        let mut spaced = false;
        while let Some(token) = tokens.next() {
            let (text, quoted) = match token {
                Token::Blank => {
                    spaced = true;
                    continue;
                }
                Token::Comment(text) => {
                    if !text.is_empty() {
                        run.comment = Some(text);
                    }
                    spaced = true;
                    continue;
                }
                Token::Special(b',') => return (run, End::Comma),
                Token::Special(b';') => return (run, End::Semicolon),
                Token::Special(b'<') => return (run, End::Angle),
                Token::Special(b':') if !in_group && !run.words.is_empty() && !run.has_at() => return (run, End::Colon),
                // A colon that begins no group, a stray '>'.
                Token::Special(b':' | b'>') => {
                    spaced = true;
                    continue;
                }
                Token::Special(other) => {
                    run.words.push(Word { text: vec![other], at_sign: other == b'@', quoted: false, spaced: std::mem::take(&mut spaced) });
                    continue;
                }
                Token::Text(text) => (text, false),
                Token::Quoted(text) => (text, true),
            };
            run.words.push(Word { text, at_sign: false, quoted, spaced: std::mem::take(&mut spaced) });
        }
        (run, End::Nothing)
    }

    fn has_at(&self) -> bool {
        self.words.iter().any(|word| word.at_sign)
    }

    /// All words as a display name; `None` if that would be empty.
    fn phrase(&self) -> Option<Vec<u8>> {
        Some(join(&self.words, true)).filter(|phrase| !phrase.is_empty())
    }

    /// An address without angle brackets; `None` if there are no words.
    fn bare_address(mut self) -> Option<EnvelopeAddress> {
        if self.words.is_empty() {
            return None;
        }
        let (host, local) = match self.words.iter().rposition(|word| word.at_sign) {
            // `a . b @ c` is one local part. In `John Doe jd@example.org` it is what touches the @, the rest a name.
            Some(at) => {
                let domain = self.words.split_off(at);
                let whole = self.words.windows(2).all(|pair| pair[1].continues(&pair[0]));
                let local = self.words.iter().rposition(|word| word.spaced && !whole).unwrap_or(0);
                (join(domain.get(1..).unwrap_or_default(), false), self.words.split_off(local))
            }
            // One word is a local part, several are a name.
            None if self.words.len() == 1 => (Vec::new(), std::mem::take(&mut self.words)),
            None => (Vec::new(), Vec::new()),
        };
        let name = self.phrase().or(self.comment);
        Some(EnvelopeAddress { name, adl: None, mailbox: Some(join(&local, false)), host: Some(host) })
    }
}

/// `addr-spec` or `route ":" addr-spec` up to the `>`, whose `<` is gone.
fn angle(tokens: &mut Tokens<'_>) -> EnvelopeAddress {
    let (mut adl, mut words): (Option<Vec<u8>>, Vec<Word>) = (None, Vec::new());
    while let Some(token) = tokens.peek() {
        let routing = adl.is_none() && words.first().is_some_and(|word| word.at_sign);
        match token {
            Token::Special(b'>') => {
                tokens.next();
                break;
            }
            // The '>' was forgotten: leave the separator for the list.
            Token::Special(b',' | b';') if !routing => break,
            Token::Special(b':') if routing => adl = Some(join(&std::mem::take(&mut words), false)),
            Token::Special(other) => words.push(Word { text: vec![other], at_sign: other == b'@', quoted: false, spaced: false }),
            Token::Text(text) | Token::Quoted(text) => words.push(Word { text, at_sign: false, quoted: false, spaced: false }),
            Token::Blank | Token::Comment(_) => {}
        }
        tokens.next();
    }
    let host = match words.iter().rposition(|word| word.at_sign) {
        Some(at) => join(words.split_off(at).get(1..).unwrap_or_default(), false),
        None => Vec::new(),
    };
    EnvelopeAddress { name: None, adl, mailbox: Some(join(&words, false)), host: Some(host) }
}

fn skip_to_separator(tokens: &mut Tokens<'_>) -> End {
    while let Some(token) = tokens.next() {
        match token {
            Token::Special(b',') => return End::Comma,
            Token::Special(b';') => return End::Semicolon,
            _ => {}
        }
    }
    End::Nothing
}

fn join(words: &[Word], with_blanks: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(words.iter().map(|word| word.text.len() + 1).sum());
    for word in words {
        if with_blanks && word.spaced && !out.is_empty() {
            out.push(b' ');
        }
        out.extend_from_slice(&word.text);
    }
    out
}

enum Token {
    Blank,
    /// An atom (with its dots), an encoded word, a domain literal.
    Text(Vec<u8>),
    /// The content of a quoted string.
    Quoted(Vec<u8>),
    Comment(Vec<u8>),
    /// One of `< > , ; : @`.
    Special(u8),
}

/// RFC 5322 §3.2, with every octet in some token. No recursion: comments count their depth.
struct Tokens<'t> {
    text: &'t [u8],
    at: usize,
}

impl Tokens<'_> {
    fn peek(&mut self) -> Option<Token> {
        let at = self.at;
        let token = self.next();
        self.at = at;
        token
    }

    fn next(&mut self) -> Option<Token> {
        let first = *self.text.get(self.at)?;
        let start = self.at;
        self.at += 1;
        Some(match first {
            b' ' | b'\t' => Token::Blank,
            b'<' | b'>' | b',' | b';' | b':' => Token::Special(first),
            b'@' => Token::Special(first),
            b'"' => Token::Quoted(self.quoted()),
            b'(' => Token::Comment(self.comment()),
            b'[' if start.checked_sub(1).and_then(|before| self.text.get(before)) == Some(&b'@') => {
                let rest = self.text.get(start..).unwrap_or_default();
                self.at = start + memchr::memchr(b']', rest).map_or(rest.len(), |end| end + 1);
                Token::Text(self.text.get(start..self.at).unwrap_or_default().to_vec())
            }
            _ => {
                self.at = start;
                Token::Text(self.atom())
            }
        })
    }

    fn atom(&mut self) -> Vec<u8> {
        let start = self.at;
        while let Some(byte) = self.text.get(self.at) {
            if b" \t<>,;:@\"(".contains(byte) {
                break;
            }
            // Many senders put commas and dots into encoded words: such a word is one piece.
            let word = if *byte == b'=' { self.text.get(self.at..).and_then(encoded_word_length) } else { None };
            self.at += word.unwrap_or(1);
        }
        self.text.get(start..self.at).unwrap_or_default().to_vec()
    }

    fn quoted(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some(&byte) = self.text.get(self.at) {
            self.at += 1;
            match byte {
                b'"' => break,
                b'\\' => {
                    out.extend(self.text.get(self.at));
                    self.at += 1;
                }
                other => out.push(other),
            }
        }
        out
    }

    fn comment(&mut self) -> Vec<u8> {
        let (mut out, mut depth) = (Vec::new(), 1usize);
        while let Some(&byte) = self.text.get(self.at) {
            self.at += 1;
            match byte {
                b'\\' => {
                    out.extend(self.text.get(self.at));
                    self.at += 1;
                    continue;
                }
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            out.push(byte);
        }
        out.trim_ascii().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As IMAP would print it, `~` for NIL.
    fn shown(list: &[EnvelopeAddress]) -> String {
        let part = |part: &Option<Vec<u8>>| part.as_ref().map_or("~".to_owned(), |text| format!("{:?}", String::from_utf8_lossy(text)));
        let one = |a: &EnvelopeAddress| format!("({} {} {} {})", part(&a.name), part(&a.adl), part(&a.mailbox), part(&a.host));
        list.iter().map(one).collect()
    }

    #[test]
    fn lists() {
        for (given, seen) in [
            ("", ""),
            (" , ,", ""),
            ("a@b", r#"(~ ~ "a" "b")"#),
            ("a@b, <c@d>,", r#"(~ ~ "a" "b")(~ ~ "c" "d")"#),
            ("John Doe <jd@x>", r#"("John Doe" ~ "jd" "x")"#),
            ("John Q. Public<jd@x>", r#"("John Q. Public" ~ "jd" "x")"#),
            (r#""Doe, John \"X\"" <jd@x>"#, r#"("Doe, John \"X\"" ~ "jd" "x")"#),
            ("=?utf-8?Q?D=C3=B6, J?= =?utf-8?q?x?= <jd@x>", r#"("=?utf-8?Q?D=C3=B6, J?= =?utf-8?q?x?=" ~ "jd" "x")"#),
            ("jd@x (John (the) Doe)", r#"("John (the) Doe" ~ "jd" "x")"#),
            ("(c) jd (d) @ (e) x . y", r#"("e" ~ "jd" "x.y")"#),
            ("a . b @ example . test", r#"(~ ~ "a.b" "example.test")"#),
            ("a. b@c, a .b@c, \"a\" . \"b\" (x) . c@d", r#"(~ ~ "a.b" "c")(~ ~ "a.b" "c")("x" ~ "a.b.c" "d")"#),
            ("< a . b @ c . d >", r#"(~ ~ "a.b" "c.d")"#),
            ("\"J.\" jd@x, John Q. jd@x", r#"("J." ~ "jd" "x")("John Q." ~ "jd" "x")"#),
            ("<@a,@b:u@c>", r#"(~ "@a,@b" "u" "c")"#),
            ("X <@a:u@c> , y@z", r#"("X" "@a" "u" "c")(~ ~ "y" "z")"#),
            ("undisclosed-recipients:;", r#"(~ ~ "undisclosed-recipients" ~)(~ ~ ~ ~)"#),
            ("A Group: a@b, C <c@d>; e@f", r#"(~ ~ "A Group" ~)(~ ~ "a" "b")("C" ~ "c" "d")(~ ~ ~ ~)(~ ~ "e" "f")"#),
            ("G: a@b", r#"(~ ~ "G" ~)(~ ~ "a" "b")(~ ~ ~ ~)"#),
            ("G: <a@b>; <c@d>", r#"(~ ~ "G" ~)(~ ~ "a" "b")(~ ~ ~ ~)(~ ~ "c" "d")"#),
            ("G: x, H: a@b; :c@d>", r#"(~ ~ "G" ~)(~ ~ "x" "")("H" ~ "a" "b")(~ ~ ~ ~)(~ ~ "c" "d")"#),
            ("root", r#"(~ ~ "root" "")"#),
            ("John Doe", r#"("John Doe" ~ "" "")"#),
            ("John Doe jd@x", r#"("John Doe" ~ "jd" "x")"#),
            ("<>", r#"(~ ~ "" "")"#),
            ("X <a@b, c@d", r#"("X" ~ "a" "b")(~ ~ "c" "d")"#),
            (r#""a b"@x"#, r#"(~ ~ "a b" "x")"#),
            (r#""a@b"@x"#, r#"(~ ~ "a@b" "x")"#),
            ("u@h1@h2", r#"(~ ~ "u@h1" "h2")"#),
            ("u@[IPv6:::1], b@c", r#"(~ ~ "u" "[IPv6:::1]")(~ ~ "b" "c")"#),
            ("[List] X <a@b>", r#"("[List] X" ~ "a" "b")"#),
            ("a@b <a@b>", r#"("a@b" ~ "a" "b")"#),
            (r#""open <a@b>"#, r#"(~ ~ "open <a@b>" "")"#),
            ("(open", ""),
            ("a;b@c", r#"(~ ~ "a" "")(~ ~ "b" "c")"#),
            ("'x' <a@b> junk, c@d", r#"("'x'" ~ "a" "b")(~ ~ "c" "d")"#),
        ] {
            assert_eq!(shown(&addresses(given.as_bytes())), seen, "{given}");
        }
    }

    #[test]
    fn fallbacks_and_repetitions() {
        let envelope = Envelope::of_header(
            b"Subject:\r\nFROM: a@b\r\nFrom: c@d\r\nSender: \r\nTo: t@u\r\nSubject: second\r\nMessage-Id:\r\n <1@x>\r\nDate: now\r\n\r\nCc: body@x\r\n",
        );
        assert_eq!(envelope.subject.as_deref(), Some(&b""[..]));
        assert_eq!(envelope.message_id.as_deref(), Some(&b"<1@x>"[..]));
        assert_eq!(envelope.in_reply_to, None);
        assert_eq!(shown(&envelope.from), r#"(~ ~ "a" "b")(~ ~ "c" "d")"#);
        assert_eq!(envelope.sender, envelope.from);
        assert_eq!(envelope.reply_to, envelope.from);
        assert!(envelope.cc.is_empty() && envelope.bcc.is_empty());
        assert_eq!(Envelope::of_header(b""), Envelope::default());
    }

    #[test]
    fn a_long_list_is_cut_off() {
        let many = "a,".repeat(MAX_ADDRESSES + 5);
        assert_eq!(addresses(many.as_bytes()).len(), MAX_ADDRESSES);
        let header = format!("From: {many}\r\nTo: b@c\r\n");
        let envelope = Envelope::of_header(header.as_bytes());
        assert_eq!(envelope.from.len() + envelope.to.len() + envelope.sender.len(), MAX_ADDRESSES);
    }

    proptest! {
        #[test]
        fn no_list_panics_and_groups_are_closed(text in "[ab@<>,;:()\\\\\"\\[\\]=?qé ]{0,40}") {
            let list = addresses(text.as_bytes());
            let begins = list.iter().filter(|a| a.host.is_none() && a.mailbox.is_some()).count();
            let ends = list.iter().filter(|a| a.host.is_none() && a.mailbox.is_none()).count();
            prop_assert_eq!(begins, ends);
        }

        #[test]
        fn plain_lists_come_back(list in proptest::collection::vec(("[A-Z][a-z]{0,5}", "[a-z.]{1,8}", "[a-z.]{1,8}"), 0..6)) {
            let text: Vec<_> = list.iter().map(|(name, local, host)| format!("{name} <{local}@{host}>")).collect();
            let got: Vec<_> = addresses(text.join(",\r\n ").as_bytes()).into_iter().map(|a| {
                let text = |part: Option<Vec<u8>>| String::from_utf8(part.unwrap()).unwrap();
                (text(a.name), text(a.mailbox), text(a.host))
            }).collect();
            prop_assert_eq!(got, list);
        }
    }
}
