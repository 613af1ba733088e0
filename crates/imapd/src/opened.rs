//! The bodies of many messages, opened some at a time and ahead of their turn.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;

use bodies::Reader;
use mail::Uid;
use store::{AccountId, MailboxId, Message, READ_ALL, Store};

use crate::ahead::Ahead;

/// Octets opened at once: small messages are read whole when they are opened, of a large one the first piece.
const OCTETS: u64 = 512 * 1024;

type Group = Vec<(Uid, Result<Reader, db::Error>)>;
type Work = Pin<Box<dyn Future<Output = Group> + Send>>;

pub(crate) struct Opened {
    groups: Ahead<Waiting, Group>,
    /// The group whose turn it is.
    here: VecDeque<(Uid, Result<Reader, db::Error>)>,
}

/// The groups to open.
struct Waiting {
    store: Store,
    account: AccountId,
    mailbox: MailboxId,
    groups: VecDeque<Vec<Uid>>,
}

impl Iterator for Waiting {
    type Item = Work;

    fn next(&mut self) -> Option<Work> {
        let (store, account, mailbox, uids) = (self.store.clone(), self.account, self.mailbox, self.groups.pop_front()?);
        Some(Box::pin(async move { each(&uids, store.read_all(account, mailbox, &uids).await) }))
    }
}

impl Opened {
    pub(crate) fn new(store: &Store, account: AccountId, mailbox: MailboxId) -> Opened {
        let waiting = Waiting { store: store.clone(), account, mailbox, groups: VecDeque::new() };
        Opened { groups: Ahead::new(waiting), here: VecDeque::new() }
    }

    /// These too, ascending and above those before.
    pub(crate) fn add(&mut self, messages: &[Message]) {
        self.groups.more(|waiting| waiting.groups.extend(groups(messages)));
    }

    /// The body of a message; ask by ascending UID. None when it is not there any more.
    pub(crate) async fn next(&mut self, uid: Uid) -> Result<Option<Reader>, db::Error> {
        loop {
            while self.here.front().is_some_and(|(first, _)| *first < uid) {
                self.here.pop_front();
            }
            match self.here.pop_front() {
                Some((first, opened)) if first == uid => return opened.map(Some),
                Some(later) => {
                    self.here.push_front(later);
                    return Ok(None);
                }
                None => match self.groups.next().await {
                    Some(group) => self.here = group.into(),
                    None => return Ok(None),
                },
            }
        }
    }
}

/// What keeps a whole group from being read keeps each of it: none is told to be gone for it.
fn each(uids: &[Uid], read: Result<Group, db::Error>) -> Group {
    read.unwrap_or_else(|error| uids.iter().map(|&uid| (uid, Err(error.clone()))).collect())
}

fn groups(messages: &[Message]) -> Vec<Vec<Uid>> {
    let mut groups: Vec<Vec<Uid>> = Vec::new();
    let mut octets = u64::MAX;
    for message in messages {
        octets = octets.saturating_add(message.size);
        match groups.last_mut() {
            Some(last) if octets <= OCTETS && last.len() < READ_ALL => last.push(message.row.uid),
            _ => {
                octets = message.size;
                groups.push(vec![message.row.uid]);
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_cannot_be_read_is_not_gone() {
        let uids: Vec<Uid> = [1, 4].into_iter().filter_map(Uid::new).collect();
        let told = each(&uids, Err(db::Error::Busy("locked".into())));
        assert_eq!(told.iter().map(|(uid, _)| *uid).collect::<Vec<_>>(), uids);
        assert!(told.iter().all(|(_, read)| matches!(read, Err(db::Error::Busy(_)))));
    }
}
