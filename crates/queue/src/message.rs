//! What the queue knows of a message and its recipients.

use bodies::Place;
use db::Row;
use mail::{Address, ReversePath, Status};

use crate::QueueId;

/// `flags`: a bounce returns the header only (RFC 3461, RET=HDRS).
pub const FLAG_RETURN_HEADERS: i64 = 1;
/// `flags`: the message needs SMTPUTF8 (RFC 6531).
pub const FLAG_UTF8: i64 = 2;
/// `flags`: the body was declared 8BITMIME (RFC 6152).
pub const FLAG_8BIT: i64 = 4;
/// `flags`: a bounce returns the whole message (RFC 3461, RET=FULL).
pub const FLAG_RETURN_FULL: i64 = 16;
/// `flags`: its sender was told that it is late.
pub const FLAG_WARNED: i64 = 8;

/// Who tries a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// A mailbox here: the runner of `mda`.
    Local,
    /// Leaves this machine, to this next hop (empty: that of its domain).
    Remote(String),
}

/// `kind` of a local recipient.
pub(crate) const KIND_LOCAL: i64 = 0;
/// `kind` of a recipient elsewhere.
pub(crate) const KIND_REMOTE: i64 = 1;

impl Route {
    pub(crate) fn kind(&self) -> i64 {
        match self {
            Route::Local => KIND_LOCAL,
            Route::Remote(_) => KIND_REMOTE,
        }
    }

    pub(crate) fn hop(&self) -> &str {
        match self {
            Route::Local => "",
            Route::Remote(hop) => hop,
        }
    }
}

/// Of what the sender wants to hear (RFC 3461 §4.1), as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notify(pub u8);

impl Notify {
    pub const NEVER: Notify = Notify(0);
    pub const SUCCESS: Notify = Notify(1);
    pub const FAILURE: Notify = Notify(2);
    pub const DELAY: Notify = Notify(4);

    /// Whether it holds one of those.
    pub fn has(self, wish: Notify) -> bool {
        self.0 & wish.0 != 0
    }

    /// All but those.
    #[must_use]
    pub fn without(self, wish: Notify) -> Notify {
        Notify(self.0 & !wish.0)
    }
}

impl Default for Notify {
    /// What a sender gets who did not ask: failures and delays.
    fn default() -> Notify {
        Notify(Notify::FAILURE.0 | Notify::DELAY.0)
    }
}

/// A recipient to be queued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    pub address: Address,
    pub route: Route,
    /// As the sender named it, before aliases.
    pub original: Address,
    /// ORCPT of RFC 3461, as it came.
    pub orcpt: Option<String>,
    pub notify: Notify,
    /// Milliseconds since 1970: the first attempt.
    pub due: i64,
    /// Why it is queued, if an attempt was made already.
    pub reply: Option<(Status, String)>,
    /// The message arrived already: it stands here only until its sender was told so.
    pub arrived: Option<Arrived>,
}

impl Recipient {
    /// A recipient to be tried from `due` on.
    pub fn new(address: Address, route: Route, due: i64) -> Recipient {
        Recipient { original: address.clone(), address, route, orcpt: None, notify: Notify::default(), due, reply: None, arrived: None }
    }
}

/// How a message came to a recipient (RFC 3464 §2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrived {
    /// In a mailbox.
    Delivered,
    /// At a server that sends no reports.
    Relayed,
    /// At several others, for whom the address stands.
    Expanded,
}

/// What becomes of a recipient next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Tried when it is due.
    Pending,
    /// Waits for the operator.
    Held,
    /// Given up; waits for its bounce.
    Failed,
    /// Done with; its sender wants to hear of it (RFC 3461, NOTIFY=SUCCESS).
    Arrived(Arrived),
}

impl State {
    pub(crate) fn code(self) -> i64 {
        match self {
            State::Pending => 0,
            State::Held => 1,
            State::Failed => 2,
            State::Arrived(Arrived::Delivered) => 3,
            State::Arrived(Arrived::Relayed) => 4,
            State::Arrived(Arrived::Expanded) => 5,
        }
    }

    fn of(code: i64) -> State {
        match code {
            0 => State::Pending,
            2 => State::Failed,
            3 => State::Arrived(Arrived::Delivered),
            4 => State::Arrived(Arrived::Relayed),
            5 => State::Arrived(Arrived::Expanded),
            _ => State::Held, // unknown, from a newer program: nobody touches it
        }
    }
}

/// A recipient in the queue.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its number in the message.
    pub n: i64,
    /// As text: a row that no longer parses must still be shown, and can be deleted.
    pub address: String,
    pub route: Route,
    /// As the sender named it, before aliases.
    pub original: String,
    pub orcpt: Option<String>,
    pub notify: Notify,
    pub state: State,
    /// Milliseconds since 1970.
    pub due: i64,
    pub attempts: i64,
    pub status: Option<Status>,
    /// Why it is still here.
    pub reply: Option<String>,
}

/// A message in the queue with (some of) its recipients, in order of their numbers.
#[derive(Clone, Debug)]
pub struct Message {
    pub id: QueueId,
    /// As text, empty for none.
    pub sender: String,
    /// Where its bytes are; `None` for a place that this program does not know.
    pub place: Option<Place>,
    /// Octets in CRLF form.
    pub size: u64,
    /// Octets as a file in a Maildir.
    pub disk_size: u64,
    /// Milliseconds since 1970.
    pub created: i64,
    /// Milliseconds since 1970.
    pub expires: i64,
    /// `FLAG_…`
    pub flags: i64,
    pub envid: Option<String>,
    /// Who submitted it, if a login of ours did.
    pub account: Option<i64>,
    /// Where it came from, for the log.
    pub origin: Option<String>,
    pub recipients: Vec<Entry>,
}

/// The columns that [`read`] takes, of `queue_message m` and `queue_rcpt r`.
pub(crate) const COLUMNS: &str = "m.id, m.sender, m.place, m.size, m.created, m.expires, m.flags, m.envid, m.account_id, m.origin, \
     r.n, r.rcpt, r.kind, r.route, r.orcpt, r.notify, r.state, r.due, r.attempts, r.status, r.reply, m.disk_size, r.original";

impl Message {
    /// The sender as an address; a row that does not parse is a bounce to nobody.
    pub fn reverse_path(&self) -> ReversePath {
        ReversePath::parse(&self.sender).unwrap_or(ReversePath::Null)
    }
}

/// Messages from rows of [`COLUMNS`], in the order in which each first appears.
pub(crate) fn read(rows: &[Row]) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    let mut index = std::collections::HashMap::new();
    for row in rows {
        let Some(id) = QueueId::from_i64(row.int(0)) else { continue };
        let at = *index.entry(id).or_insert_with(|| {
            messages.push(message(id, row));
            messages.len() - 1
        });
        messages[at].recipients.push(entry(row));
    }
    for message in &mut messages {
        message.recipients.sort_by_key(|recipient| recipient.n);
    }
    messages
}

fn message(id: QueueId, row: &Row) -> Message {
    Message {
        id,
        sender: row.text(1).into(),
        place: Place::parse(row.text(2)),
        size: row.int(3).unsigned_abs(),
        disk_size: row.int(21).unsigned_abs(),
        created: row.int(4),
        expires: row.int(5),
        flags: row.int(6),
        envid: row.opt_text(7).map(String::from),
        account: row.opt_int(8),
        origin: row.opt_text(9).map(String::from),
        recipients: Vec::new(),
    }
}

fn entry(row: &Row) -> Entry {
    Entry {
        n: row.int(10),
        address: row.text(11).into(),
        route: if row.int(12) == KIND_LOCAL { Route::Local } else { Route::Remote(row.text(13).into()) },
        original: row.text(22).into(),
        orcpt: row.opt_text(14).map(String::from),
        notify: Notify(u8::try_from(row.int(15)).unwrap_or(Notify::default().0)),
        state: State::of(row.int(16)),
        due: row.int(17),
        attempts: row.int(18),
        status: row.opt_text(19).and_then(Status::parse),
        reply: row.opt_text(20).map(String::from),
    }
}
