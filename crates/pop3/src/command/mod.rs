//! The commands: one file each. A verb's row in [`VERBS`] says when it is legal and who reads its argument.

use std::fmt;

use crate::{Number, Reply};

mod auth;
pub mod capa;
mod dele;
mod list;
mod noop;
mod pass;
mod quit;
mod retr;
mod rset;
mod stat;
mod stls;
pub mod top;
mod uidl;
mod user;

/// A command, well formed and legal where it came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// USER; `Ok` asks for the password, `Err` forgets the name.
    User(String),
    /// PASS after USER.
    Pass { user: String, password: Secret },
    /// AUTH with a mechanism (in upper case) and perhaps the initial response, still base64 or `=`.
    Auth { mechanism: String, initial: Option<Secret> },
    /// AUTH alone: Outlook asks so for the mechanisms, one a line.
    AuthList,
    /// CAPA.
    Capa,
    /// STLS.
    Stls,
    /// STAT.
    Stat,
    /// LIST, of one message or all.
    List(Option<Number>),
    /// UIDL, of one message or all.
    Uidl(Option<Number>),
    /// TOP: the header and so many lines of the body.
    Top { number: Number, lines: u32 },
    /// RETR.
    Retr(Number),
    /// DELE.
    Dele(Number),
    /// NOOP.
    Noop,
    /// RSET.
    Rset,
    /// QUIT; UPDATE if the client is logged in.
    Quit,
    /// Not a command here and now. Say `reply`, and end the session if `last`.
    Refused { reply: Reply, last: bool },
}

/// Bytes that no log may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Hides `bytes`.
    pub fn new(bytes: &[u8]) -> Secret {
        Secret(bytes.to_vec())
    }

    /// The bytes themselves.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(…)")
    }
}

/// When a verb is legal (RFC 1939 §9).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Authorization,
    Transaction,
    Always,
}

/// What a verb's reader may look at.
pub(crate) struct Reading<'l> {
    /// What stands after the verb and one space; `None` without a space.
    pub(crate) argument: Option<&'l [u8]>,
    /// The name USER left for PASS.
    pub(crate) user: &'l mut Option<String>,
}

type Read = fn(Reading<'_>) -> Result<Command, Reply>;

/// The verbs. A client may write them in any case (RFC 1939 §3).
const VERBS: [(&str, When, Read); 14] = [
    ("USER", When::Authorization, user::read),
    ("PASS", When::Authorization, pass::read),
    ("AUTH", When::Authorization, auth::read),
    ("STLS", When::Authorization, stls::read),
    ("CAPA", When::Always, capa::read),
    ("QUIT", When::Always, quit::read),
    ("STAT", When::Transaction, stat::read),
    ("LIST", When::Transaction, list::read),
    ("UIDL", When::Transaction, uidl::read),
    ("TOP", When::Transaction, top::read),
    ("RETR", When::Transaction, retr::read),
    ("DELE", When::Transaction, dele::read),
    ("NOOP", When::Transaction, noop::read),
    ("RSET", When::Transaction, rset::read),
];

/// Reads a line without its end. `now` is the state the session is in, never [`When::Always`].
pub(crate) fn read(line: &[u8], now: When, user: &mut Option<String>) -> Result<Command, Reply> {
    let (verb, argument) = match line.iter().position(|byte| *byte == b' ') {
        Some(space) => (&line[..space], line.get(space + 1..)),
        None => (line, None),
    };
    let row = VERBS.iter().find(|(name, ..)| verb.eq_ignore_ascii_case(name.as_bytes()));
    let Some((_, when, read)) = row else { return Err(Reply::err("Unknown command")) };
    if *when != When::Always && *when != now {
        return Err(match now {
            When::Transaction => Reply::err("Already logged in"),
            _ => Reply::err("Log in first"),
        });
    }
    read(Reading { argument, user })
}

impl Reading<'_> {
    /// Nothing but spaces after the verb: `STAT ` is what some clients send.
    fn alone(&self, command: Command) -> Result<Command, Reply> {
        match self.words().as_deref() {
            Some([]) => Ok(command),
            _ => Err(Reply::err("This command takes no argument")),
        }
    }

    /// Exactly one message number.
    fn number(&self) -> Result<Number, Reply> {
        match self.words().as_deref() {
            Some([number]) => one(number),
            _ => Err(Reply::err("This command takes a message number")),
        }
    }

    /// A message number or nothing.
    fn maybe_number(&self) -> Result<Option<Number>, Reply> {
        match self.words().as_deref() {
            Some([]) => Ok(None),
            Some([number]) => one(number).map(Some),
            _ => Err(Reply::err("This command takes at most a message number")),
        }
    }

    /// The arguments, separated by spaces; `None` when there are more than any verb takes.
    fn words(&self) -> Option<Vec<&[u8]>> {
        const MOST: usize = 2;
        let argument = self.argument.unwrap_or_default();
        let mut words = argument.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        let taken: Vec<&[u8]> = words.by_ref().take(MOST).collect();
        words.next().is_none().then_some(taken)
    }
}

fn one(text: &[u8]) -> Result<Number, Reply> {
    Number::parse(text).ok_or_else(|| Reply::err("That is not a message number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(number: u32) -> Number {
        Number::new(number).expect("from 1")
    }

    #[test]
    fn transaction_lines() {
        let table: [(&[u8], Option<Command>); 34] = [
            (b"STAT", Some(Command::Stat)),
            (b"stat ", Some(Command::Stat)),
            (b"STAT 1", None),
            (b"STATS", None),
            (b" STAT", None),
            (b"LIST", Some(Command::List(None))),
            (b"LIST 2", Some(Command::List(Some(n(2))))),
            (b"list  2 ", Some(Command::List(Some(n(2))))),
            (b"LIST 0", None),
            (b"LIST -1", None),
            (b"LIST 1 2", None),
            (b"UIDL", Some(Command::Uidl(None))),
            (b"UIDL 7", Some(Command::Uidl(Some(n(7))))),
            (b"UIDL x", None),
            (b"RETR 1", Some(Command::Retr(n(1)))),
            (b"RETR", None),
            (b"RETR 1 2 3", None),
            (b"RETR 99999999999", None),
            (b"DELE 4294967295", Some(Command::Dele(n(u32::MAX)))),
            (b"DELE 4294967296", None),
            (b"TOP 1 10", Some(Command::Top { number: n(1), lines: 10 })),
            (b"TOP 1 0", Some(Command::Top { number: n(1), lines: 0 })),
            (b"TOP 1", None),
            (b"TOP 1 -1", None),
            (b"TOP 0 1", None),
            (b"NOOP", Some(Command::Noop)),
            (b"RSET", Some(Command::Rset)),
            (b"QUIT", Some(Command::Quit)),
            (b"CAPA", Some(Command::Capa)),
            (b"USER tim", None), // no second login
            (b"STLS", None),     // RFC 2595 §4: only in AUTHORIZATION
            (b"LAST", None),
            (b"XTND XLST", None),
            (b"", None),
        ];
        for (line, command) in table {
            let got = read(line, When::Transaction, &mut None).ok();
            assert_eq!(got, command, "{:?}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn nothing_of_a_transaction_is_legal_before_login() {
        for line in [&b"STAT"[..], b"LIST", b"UIDL", b"TOP 1 1", b"RETR 1", b"DELE 1", b"NOOP", b"RSET"] {
            let refused = read(line, When::Authorization, &mut Some("tim".into()));
            assert_eq!(refused, Err(Reply::err("Log in first")), "{:?}", String::from_utf8_lossy(line));
        }
    }
}
