//! What a client can say: one file a command, and the table that names them all.
//!
//! ```text
//! command = tag SP (command-any / command-auth / command-nonauth / command-select) CRLF        RFC 3501 §9
//! ```

pub mod append;
pub mod authenticate;
mod compress;
pub mod copy;
pub mod create;
pub mod enable;
pub mod fetch;
pub mod id;
pub mod idle;
pub mod list;
pub mod login;
pub mod mailbox;
pub(crate) mod next;
pub mod quota;
pub mod rename;
pub mod search;
pub mod select;
pub mod sort;
pub mod status;
pub mod store;
pub mod thread;
pub mod uid;

pub use append::Append;
pub use authenticate::Authenticate;
pub use copy::Copy;
pub use create::Create;
pub use enable::Extension;
pub use fetch::Fetch;
pub use list::{List, Pattern};
pub use login::Login;
pub use rename::Rename;
pub use search::{Key, Search};
pub use select::{Known, Select};
pub use sort::Sort;
pub use status::{Status, StatusItem};
pub use store::Store;
pub use thread::Thread;

use crate::cursor::{Bad, Cursor};
use crate::response::Response;
use crate::{Limits, Names, SequenceSet};
use dialogue::Answer;
use mail::MailboxName;

/// The client's name for a command: 1 to 64 characters of `ASTRING-CHAR` except `+`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Tag(String);

/// Longest tag taken: clients send 1 to 10 characters, and each is echoed and logged.
const TAG: usize = 64;

impl Tag {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn constant(tag: &str) -> Tag {
        Tag(tag.to_owned())
    }

    /// The tag at the start of a line, whatever follows it; so that even a broken command is answered by name.
    pub(crate) fn of_line(line: &[u8]) -> Option<Tag> {
        let tag = crate::cursor::run(line, crate::cursor::is_tag_char);
        let follows = line.get(tag.len()).copied();
        let ends = matches!(follows, None | Some(b' ' | b'\r' | b'\n'));
        if tag.is_empty() || tag.len() > TAG || !ends {
            return None;
        }
        String::from_utf8(tag.to_vec()).ok().map(Tag)
    }
}

/// A whole and valid command. (For APPEND: all of it but the message.)
#[derive(Clone, PartialEq, Debug)]
pub struct Command {
    pub tag: Tag,
    pub body: CommandBody,
    /// The client didn't wait: a command by sequence number lies unread behind this one, and counts as it was told until now (E-04).
    /// Unknown, so `false`, for a command that takes more from the client before it ends.
    pub number_follows: bool,
}

#[derive(Clone, PartialEq, Debug)]
pub enum CommandBody {
    // any state
    Capability,
    Noop,
    Logout,
    /// Field and value; empty for `ID NIL`.
    Id(Vec<(String, Option<String>)>),
    // not authenticated
    StartTls,
    Login(Login),
    Authenticate(Authenticate),
    // authenticated
    /// RFC 5161; before a mailbox is selected, as the handler knows.
    Enable(Vec<Extension>),
    Namespace,
    List(List),
    Lsub(Pattern),
    Xlist(Pattern),
    Subscribe(MailboxName),
    Unsubscribe(MailboxName),
    Select(Select),
    Examine(Select),
    Status(Status),
    /// The name of a quota root.
    GetQuota(String),
    GetQuotaRoot(MailboxName),
    /// The name of a quota root.
    SetQuota(String),
    Create(Create),
    Delete(MailboxName),
    Rename(Rename),
    Append(Append),
    /// In place of `BodyEnd`: the message is whole, and another one of the same APPEND comes.
    AppendMore(append::Message),
    Idle,
    /// DEFLATE, the one algorithm there is.
    Compress,
    // selected
    Check,
    Close,
    Unselect,
    /// `None`: EXPUNGE. `Some`: UID EXPUNGE, only these UIDs (RFC 4315 §2.1).
    Expunge(Option<SequenceSet>),
    Fetch(Fetch),
    Store(Store),
    Copy(Copy),
    /// RFC 6851; its arguments are those of COPY.
    Move(Copy),
    Search(Search),
    Sort(Sort),
    Thread(Thread),
    /// The session's own answer, on its way through the handler: give it back unchanged.
    Reflex(Reflex),
}

impl CommandBody {
    /// Whether it is a "CONDSTORE enabling command" (RFC 7162 §3.1): who says it wants MODSEQs from now on. Not among them here are
    /// SELECT and EXAMINE, which may come too early for it, and ENABLE.
    pub fn enables_condstore(&self) -> bool {
        match self {
            CommandBody::Status(status) => status.items.contains(&StatusItem::HighestModSeq),
            CommandBody::List(list) => list.returns.status.contains(&StatusItem::HighestModSeq),
            CommandBody::Fetch(fetch) => fetch.items.contains(&fetch::Item::ModSeq),
            CommandBody::Store(store) => store.unchanged_since.is_some(),
            CommandBody::Search(Search { key, .. }) | CommandBody::Sort(Sort { key, .. }) | CommandBody::Thread(Thread { key, .. }) => {
                key.any(&|key| matches!(key, Key::ModSeq(_)))
            }
            _ => false,
        }
    }
}

/// What the session would write itself if reading could write: a `+` for a literal, a `BAD`.
#[derive(Clone, PartialEq, Debug)]
pub struct Reflex {
    pub(crate) reaction: Reaction,
    pub(crate) empties_saved: bool,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Reaction {
    Continue,
    Refuse(Response),
    Close(Response),
}

impl Reflex {
    /// The answer to hand back.
    pub fn answer(self) -> Answer<Response> {
        match self.reaction {
            Reaction::Continue => Answer::Go(Response::Continue("OK".into())),
            Reaction::Refuse(response) => Answer::Done(response),
            Reaction::Close(response) => Answer::Close(response),
        }
    }

    /// Whether the conversation ends with it.
    pub fn closes(&self) -> bool {
        matches!(self.reaction, Reaction::Close(_))
    }

    /// Whether a search is refused whose result was to be `$`: that is empty now (RFC 5182 §2.1).
    pub fn empties_saved(&self) -> bool {
        self.empties_saved
    }
}

/// When a command is legal, as far as the session knows: RFC 3501 §3.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum When {
    Any,
    BeforeLogin,
    AfterLogin,
}

/// What a connection has said of itself, as far as the grammar depends on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    BeforeLogin,
    LoggedIn,
    /// Logged in, and IMAP4rev2 is on.
    Rev2,
}

impl Stage {
    pub(crate) fn logged_in(self) -> bool {
        self != Stage::BeforeLogin
    }

    pub(crate) fn names(self) -> Names {
        if self == Stage::Rev2 { Names::Utf8 } else { Names::Mutf7 }
    }
}

type Arguments = fn(&mut Cursor) -> Result<CommandBody, Bad>;

/// Every command: its name, when it is legal, how its arguments are read.
const COMMANDS: &[(&str, When, Arguments)] = &[
    ("CAPABILITY", When::Any, |_| Ok(CommandBody::Capability)),
    ("NOOP", When::Any, |_| Ok(CommandBody::Noop)),
    ("LOGOUT", When::Any, |_| Ok(CommandBody::Logout)),
    ("ID", When::Any, id::parse),
    ("STARTTLS", When::BeforeLogin, |_| Ok(CommandBody::StartTls)),
    ("LOGIN", When::BeforeLogin, login::parse),
    ("AUTHENTICATE", When::BeforeLogin, authenticate::parse),
    ("ENABLE", When::AfterLogin, enable::parse),
    ("NAMESPACE", When::AfterLogin, |_| Ok(CommandBody::Namespace)),
    ("LIST", When::AfterLogin, list::parse),
    ("LSUB", When::AfterLogin, |cursor| list::parse_plain(cursor).map(CommandBody::Lsub)),
    ("XLIST", When::AfterLogin, |cursor| list::parse_plain(cursor).map(CommandBody::Xlist)),
    ("SUBSCRIBE", When::AfterLogin, |cursor| mailbox::parse(cursor).map(CommandBody::Subscribe)),
    ("UNSUBSCRIBE", When::AfterLogin, |cursor| mailbox::parse(cursor).map(CommandBody::Unsubscribe)),
    ("SELECT", When::AfterLogin, |cursor| select::parse(cursor).map(CommandBody::Select)),
    ("EXAMINE", When::AfterLogin, |cursor| select::parse(cursor).map(CommandBody::Examine)),
    ("STATUS", When::AfterLogin, status::parse),
    ("GETQUOTA", When::AfterLogin, quota::parse_get),
    ("GETQUOTAROOT", When::AfterLogin, |cursor| mailbox::parse(cursor).map(CommandBody::GetQuotaRoot)),
    ("SETQUOTA", When::AfterLogin, quota::parse_set),
    ("CREATE", When::AfterLogin, create::parse),
    ("DELETE", When::AfterLogin, |cursor| mailbox::parse(cursor).map(CommandBody::Delete)),
    ("RENAME", When::AfterLogin, rename::parse),
    ("APPEND", When::AfterLogin, append::parse),
    ("IDLE", When::AfterLogin, |_| Ok(CommandBody::Idle)),
    ("COMPRESS", When::AfterLogin, compress::parse),
    ("CHECK", When::AfterLogin, |_| Ok(CommandBody::Check)),
    ("CLOSE", When::AfterLogin, |_| Ok(CommandBody::Close)),
    ("UNSELECT", When::AfterLogin, |_| Ok(CommandBody::Unselect)),
    ("EXPUNGE", When::AfterLogin, |_| Ok(CommandBody::Expunge(None))),
    ("FETCH", When::AfterLogin, |cursor| fetch::parse(cursor, false)),
    ("STORE", When::AfterLogin, |cursor| store::parse(cursor, false)),
    ("COPY", When::AfterLogin, |cursor| copy::parse(cursor, false).map(CommandBody::Copy)),
    ("MOVE", When::AfterLogin, |cursor| copy::parse(cursor, false).map(CommandBody::Move)),
    ("SEARCH", When::AfterLogin, |cursor| search::parse(cursor, false)),
    ("SORT", When::AfterLogin, |cursor| sort::parse(cursor, false)),
    ("THREAD", When::AfterLogin, |cursor| thread::parse(cursor, false)),
    ("UID", When::AfterLogin, uid::parse),
];

/// Reads a command. `whole`: all of it is there, without its final CRLF. Not `whole`: it ends in a literal still to come
/// (`…{5}CRLF`); says [`Bad::NeedsLiteral`], or returns the APPEND whose message it is, or what is wrong so far.
pub(crate) fn parse(line: &[u8], whole: bool, stage: Stage, limits: &Limits) -> Result<Command, Bad> {
    let tag = Tag::of_line(line).ok_or(Bad::syntax("A command begins with a tag"))?;
    let mut cursor = Cursor::new(line.get(tag.0.len()..).unwrap_or_default(), whole, limits);
    cursor.names = stage.names();
    cursor.sp().map_err(|_| Bad::syntax("A command follows the tag"))?;
    let name = cursor.atom().map_err(|_| Bad::syntax("A command follows the tag"))?;
    let (_, when, arguments) = COMMANDS
        .iter()
        .find(|(known, _, _)| known.as_bytes().eq_ignore_ascii_case(name))
        .ok_or(Bad::syntax("Unknown command"))?;
    match (when, stage.logged_in()) {
        (When::BeforeLogin, true) => return Err(Bad::syntax("Already logged in")),
        (When::AfterLogin, false) => return Err(Bad::syntax("Log in first")),
        _ => {}
    }
    let body = arguments(&mut cursor)?;
    cursor.end()?;
    if whole == matches!(body, CommandBody::Append(_)) {
        return Err(Bad::syntax("Literal expected")); // only APPEND ends in a literal, and it does
    }
    Ok(Command { tag, body, number_follows: false })
}

#[cfg(test)]
mod print;
#[cfg(test)]
mod tests;
