//! INBOX as one session sees it.

use std::collections::HashMap;

use auth::Identity;
use mail::{Flags, MailboxName, Uid, UidValidity};
use pop3::{Absent, Number};
use store::{AccountId, Change, MailboxId, Store};

use crate::lock::Lock;

/// Messages read by RETR that may wait for their `\Seen`: one flush of the disk for so many.
pub const MAX_SEEN: usize = 100;

/// A maildrop, held and frozen.
pub(crate) struct Maildrop {
    account: AccountId,
    /// Whose it is, for the log.
    pub(crate) user: String,
    inbox: MailboxId,
    uidvalidity: UidValidity,
    /// Message n is at n - 1; ascending.
    uids: Vec<Uid>,
    /// Unique ids taken over from another server, by place; for most accounts none.
    taken_over: HashMap<usize, String>,
    /// Numbers, sizes and marks, in the order of `uids`.
    pub(crate) list: pop3::Maildrop,
    /// Read, and not yet marked so.
    seen: Vec<Uid>,
    /// The vanished message asked for last.
    vanished: Option<Number>,
    lock: Option<Lock>,
}

impl Maildrop {
    /// Looks at INBOX once and for all.
    pub(crate) async fn open(store: &Store, identity: Identity, lock: Lock) -> Result<Maildrop, db::Error> {
        let account = identity.account;
        let view = store.open(account, &MailboxName::inbox()).await?;
        let inbox = &view.mailbox;
        let there: Vec<Uid> = view.rows.iter().map(|row| row.uid).collect();
        let (mut uids, mut octets, mut taken_over) = (Vec::new(), Vec::new(), HashMap::new());
        for (uid, facts) in store.facts(account, inbox, &there).await? {
            if let Some(unique_id) = facts.uidl.filter(|id| is_unique_id(id)) {
                taken_over.insert(uids.len(), unique_id);
            }
            uids.push(uid);
            octets.push(facts.size);
        }
        Ok(Maildrop {
            account,
            user: identity.login.to_string(),
            inbox: inbox.id,
            uidvalidity: inbox.uidvalidity,
            uids,
            taken_over,
            list: pop3::Maildrop::new(octets),
            seen: Vec::new(),
            vanished: None,
            lock: Some(lock),
        })
    }

    /// What a message not marked deleted is called for good: unique in INBOX, the same in every session.
    pub(crate) fn unique_id(&self, number: Number) -> Result<String, Absent> {
        self.list.message(number)?;
        let uid = self.uid(number).ok_or(Absent::Never)?;
        let taken_over = self.taken_over.get(&number.index()).cloned();
        Ok(taken_over.unwrap_or_else(|| format!("{:08x}{:08x}", uid.get(), self.uidvalidity.get())))
    }

    /// The message itself; `None` when another client has removed it.
    pub(crate) async fn read(&self, number: Number, store: &Store) -> Result<Option<bodies::Reader>, db::Error> {
        match self.uid(number) {
            Some(uid) => store.read(self.account, self.inbox, uid).await,
            None => Ok(None),
        }
    }

    /// Lets the next session in; no message is removed from now on.
    pub(crate) fn release(&mut self) {
        self.lock = None;
    }

    /// Whether this vanished message was the last one asked for already.
    pub(crate) fn is_asked_again(&mut self, number: Number) -> bool {
        self.vanished.replace(number) == Some(number)
    }

    /// Notes that the client has the message; now and then writes it down.
    pub(crate) async fn saw(&mut self, number: Number, store: &Store) {
        self.seen.extend(self.uid(number));
        if self.seen.len() >= MAX_SEEN {
            self.write_seen(store).await;
        }
    }

    /// Writes down which messages the client has. A failure costs the marks only, and nobody waits for them.
    pub(crate) async fn write_seen(&mut self, store: &Store) {
        let mut uids = std::mem::take(&mut self.seen);
        if uids.is_empty() {
            return;
        }
        uids.sort_unstable();
        uids.dedup();
        if let Err(error) = store.set_flags(self.account, self.inbox, uids, Change::Add(Flags::SEEN), None).await {
            tracing::warn!(%error, account = %self.account, "messages read by POP3 could not be marked \\Seen");
        }
    }

    /// Removes what is marked deleted, in one step; what is gone already counts as removed.
    pub(crate) async fn remove_deleted(&mut self, store: &Store) -> Result<(), db::Error> {
        let uids: Vec<Uid> = self.list.deleted().filter_map(|number| self.uid(number)).collect();
        if uids.is_empty() {
            return Ok(());
        }
        self.seen.retain(|uid| uids.binary_search(uid).is_err()); // no use in marking what goes
        store.expunge(self.account, self.inbox, uids, false).await?;
        Ok(())
    }

    fn uid(&self, number: Number) -> Option<Uid> {
        self.uids.get(number.index()).copied()
    }
}

/// RFC 1939 §7: 1 to 70 characters from 0x21 to 0x7E. What another server left may be anything.
fn is_unique_id(text: &str) -> bool {
    (1..=70).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::is_unique_id;

    #[test]
    fn only_what_the_grammar_has_is_a_unique_id() {
        let (longest, too_long) = ("x".repeat(70), "x".repeat(71));
        let table = [("000000016b04f1ce", true), ("!~", true), (&longest, true), (&too_long, false), ("", false), ("a b", false), ("é", false)];
        for (text, is) in table {
            assert_eq!(is_unique_id(text), is, "{text:?}");
        }
    }
}
