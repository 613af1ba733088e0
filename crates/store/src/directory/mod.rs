//! Who has mail: domains, accounts, aliases, credentials.
//!
//! Addresses are compared without regard to case, as [`mail::Address::folded`] writes them.

mod account;
mod alias;
mod credential;
mod domain;
mod house_key;
mod lookup;

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use bodies::Home;
use db::Error;
use mail::Address;

use crate::{AccountId, Refused, Store};

pub use alias::Alias;
pub use credential::{Credential, MAX_APP_PASSWORDS, Secret};
pub use domain::Domain;
pub(crate) use domain::Hosted;
pub use lookup::Lookup;

/// What an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Everything.
    Active,
    /// Gets mail, but nobody logs in.
    Disabled,
    /// Is being erased: it gets nothing.
    Removed,
}

/// An account of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// For good.
    pub id: AccountId,
    /// Its address and the name it logs in with.
    pub login: Address,
    /// What it may do.
    pub state: State,
    /// CRLF octets it may keep.
    pub quota_bytes: Option<u64>,
    /// Messages it may keep.
    pub quota_messages: Option<u64>,
    /// CRLF octets it keeps.
    pub used_bytes: u64,
    /// Messages it keeps.
    pub used_messages: u64,
}

impl Account {
    /// Whether so many messages of `size` octets together fit.
    pub fn has_room_for(&self, messages: u64, size: u64) -> bool {
        let bytes = self.quota_bytes.is_none_or(|most| self.used_bytes.saturating_add(size) <= most);
        bytes && self.quota_messages.is_none_or(|most| self.used_messages.saturating_add(messages) <= most)
    }

    /// Whether one message of `size` octets could lie there if there were no other.
    pub fn could_hold(&self, size: u64) -> bool {
        self.quota_bytes.is_none_or(|most| size <= most) && self.quota_messages != Some(0)
    }
}

/// Where accounts live, remembered; and the lock under which directories are made, moved and removed.
#[derive(Default)]
pub(crate) struct Homes {
    known: Mutex<HashMap<AccountId, Home>>,
    one: tokio::sync::Mutex<()>,
}

/// Nobody else makes, moves, removes or fills directories until it is dropped.
pub(crate) struct Alone<'s> {
    _task: tokio::sync::MutexGuard<'s, ()>,
    /// The lock of the processes goes with the descriptor.
    _process: rustix::fd::OwnedFd,
}

/// How long another process may keep us from the directories: it holds them for a group of files and a sync.
const WAIT: Duration = Duration::from_secs(30);
/// Between two looks whether it still does.
const PAUSE: Duration = Duration::from_millis(20);

impl Homes {
    pub(crate) fn forget(&self, account: AccountId) {
        self.known.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).remove(&account);
    }
}

impl Store {
    /// Work on directories is done one at a time in a store: names of directories follow names of mailboxes, and a file
    /// placed under a name that is just being moved would be lost. The processes of a store meet at a lock on its spool.
    pub(crate) async fn one_at_a_time(&self) -> Result<Alone<'_>, Error> {
        use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
        let task = self.inner.homes.one.lock().await;
        let spool = self.bodies().directories().1;
        let failed = |error: rustix::io::Errno| Error::Engine(format!("{}: {error}", spool.display()));
        let process = open(&spool, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
        let deadline = tokio::time::Instant::now() + WAIT;
        loop {
            match flock(&process, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Alone { _task: task, _process: process }),
                Err(rustix::io::Errno::WOULDBLOCK) if tokio::time::Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    return Err(Error::Busy(format!("{}: another process of this store has locked the mail directories for {} s", spool.display(), WAIT.as_secs())));
                }
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// The directory of an account's Maildir.
    pub async fn home(&self, account: AccountId) -> Result<Home, Error> {
        let known = self.inner.homes.known.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get(&account).cloned();
        if let Some(home) = known {
            return Ok(home);
        }
        let found = self.account(account).await?.ok_or_else(|| Error::from(Refused::NoSuchAccount(account.to_string())))?;
        let home = self.bodies().home(&found.login).map_err(|error| Error::Engine(error.to_string()))?;
        self.inner.homes.known.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(account, home.clone());
        Ok(home)
    }
}

/// An address that the directory holds.
fn stored(text: &str) -> Result<Address, Error> {
    Address::parse(text).map_err(|_| Error::Broken(format!("address {text:?} in the database")))
}
