//! The stateful tester: several clients of one account do at random what mail programs do, and remember what they were told.
//!
//! Two ways to play. **Taking turns** ([`turns`]): one command at a time over several connections, so the whole is determined by its
//! seed, and what is in each mailbox is known exactly ([`truth`]): after each command that may change something, an auditor looks,
//! and every change must be one that the command allows. **All at once** ([`crowd`]): every client in a thread of its own; each is held to what it
//! was told, and at the end all must agree with a fresh connection, with no message lost or doubled and each acknowledged
//! change there.
//!
//! [`view`] is what one client was told: a sequence number → a UID, its flags. [`action`] is what a client may do. [`shrink`] makes the
//! least script of one that fails. [`lie`] falsifies answers, to show that each kind of fault is found.
//!
//! The letters at the begin of a complaint name the rule that was broken: S sequence numbers and UIDs, E when EXPUNGE may be told,
//! M modification sequences, F flags, A APPEND, COPY and MOVE (RFC 3501, 4315, 6851, 7162).

pub mod action;
pub mod client;
pub mod crowd;
pub mod lie;
pub mod shrink;
pub mod truth;
pub mod turns;
pub mod view;

/// Names a message for good: the number in its Message-ID.
pub type Ident = u32;
/// RFC 3501 §2.3.1.1
pub type Uid = u32;
/// Names of flags in lower case, without `\recent`.
pub type Flags = std::collections::BTreeSet<String>;

/// What a server is known to do otherwise, and is not to be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quirk {
    /// RFC822.SIZE of a message that another session expunged is 0 (E-07 wants the truth or nothing). Dovecot.
    SizeOfGoneIsZero,
    /// A MOVE that is refused because some of its messages are gone has moved the others, and no COPYUID says so. Legal, since MOVE may be done in
    /// part (RFC 6851 §3.3); but a client can't know. Dovecot, where
    /// another session expunges at the same time.
    RefusedMoveTellsNothing,
    /// A message that one session expunges or moves while another renames its file, to change its flags, comes back under a new UID. Dovecot over
    /// Maildir says so in its own log ("Expunged message reappeared, giving a new UID").
    ExpungedReappears,
    /// Where clients work all at once, it closes a connection in the middle now and then (seen once, in APPEND, on a busy machine). What was
    /// played until then shows nothing. Dovecot.
    ClosesConnections,
}

/// What is known of Debian's Dovecot 2.3.
pub const DOVECOT: &[Quirk] = &[Quirk::SizeOfGoneIsZero, Quirk::RefusedMoveTellsNothing, Quirk::ExpungedReappears, Quirk::ClosesConnections];

/// What went wrong, and how it came to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The rule and what broke it.
    pub why: String,
    /// What was said, as far as it matters.
    pub transcript: Vec<String>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for line in &self.transcript {
            writeln!(f, "    {line}")?;
        }
        write!(f, "{}", self.why)
    }
}

/// The whole text of a message. Sizes differ, so that none passes for another.
pub fn text(ident: Ident) -> Vec<u8> {
    let filler = "line of filling\r\n".repeat(ident as usize % 7);
    format!(
        "Message-ID: <{ident}@model.test>\r\nFrom: model@example.test\r\nSubject: message {ident}\r\nDate: Mon, 7 Feb 1994 21:52:25 -0800\r\n\r\nThis is message {ident}.\r\n{filler}{}\r\n",
        "x".repeat(ident as usize % 61)
    )
    .into_bytes()
}

/// Which message a text is, if it is one of ours, whole and unchanged.
pub fn ident_of(octets: &[u8]) -> Option<Ident> {
    let begin = octets.strip_prefix(b"Message-ID: <")?;
    let digits = begin.iter().take_while(|octet| octet.is_ascii_digit()).count();
    let ident = std::str::from_utf8(&begin[..digits]).ok()?.parse().ok()?;
    (text(ident) == octets).then_some(ident)
}

/// The numbers of a set such as `3,5:7`; `None` if it is none.
pub fn numbers(set: &str) -> Option<Vec<u32>> {
    let mut all = Vec::new();
    for range in set.split(',') {
        let (from, to) = range.split_once(':').unwrap_or((range, range));
        let (from, to): (u32, u32) = (from.parse().ok()?, to.parse().ok()?);
        // More than any mailbox here has.
        if from == 0 || to == 0 || from.abs_diff(to) > 1_000_000 {
            return None;
        }
        all.extend(from.min(to)..=from.max(to));
    }
    Some(all)
}

#[test]
fn a_text_tells_which_it_is() {
    assert_eq!(ident_of(&text(12)), Some(12));
    let mut other = text(12);
    other.pop();
    assert_eq!(ident_of(&other), None);
    assert_eq!(numbers("3,7:5"), Some(vec![3, 5, 6, 7]));
    assert!(numbers("*").is_none() && numbers("0").is_none() && numbers("1:4294967295").is_none());
}
