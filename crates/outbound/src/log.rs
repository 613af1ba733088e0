//! Lines about deliveries, as the tools that read Postfix's log expect them (mta.md §7.2).

use std::time::Duration;

use mail::Status;
use mda::log::{Plain, delay};
use queue::{Entry, Message};

/// Where the time of a delivery went.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    /// From acceptance to being taken up.
    pub before: Duration,
    /// Waiting for its turn.
    pub queued: Duration,
    /// Names, connection, greeting.
    pub setup: Duration,
    pub transfer: Duration,
}

/// What became of a recipient.
pub(crate) struct Line<'a> {
    pub message: &'a Message,
    pub entry: &'a Entry,
    /// `mx.test[192.0.2.1]:25` or `none`.
    pub relay: &'a str,
    /// How many messages this connection has carried, this one included.
    pub conn_use: usize,
    pub times: Times,
    pub status: Status,
    pub word: &'a str,
    pub text: &'a str,
}

impl Line<'_> {
    pub fn tell(&self) {
        let Line { message, entry, relay, conn_use, times, status, word, .. } = self;
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let all = [times.before, times.queued, times.setup, times.transfer];
        let total = delay(millis(all.iter().sum()));
        let delays = all.map(|time| delay(millis(time))).join("/");
        let original = if entry.original.eq_ignore_ascii_case(&entry.address) { String::new() } else { format!(" orig_to=<{}>,", Plain(&entry.original)) };
        let used = if *conn_use > 1 { format!(" conn_use={conn_use},") } else { String::new() };
        let (to, text) = (Plain(&entry.address), Plain(self.text));
        tracing::info!(target: "postfix/smtp", "{}: to=<{to}>,{original} relay={relay},{used} delay={total}, delays={delays}, dsn={status}, status={word} ({text})", message.id);
    }
}
