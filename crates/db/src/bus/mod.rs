//! Bells between the processes of a store: what one commits, the others hear of within some milliseconds.
//!
//! ```text
//!   commit ─► here: every listener of this process, at once
//!        └──► Pending ─► the ringer: at most one letter every GAP ─► Datagrams (SQLite) | NOTIFY (PostgreSQL)
//!   ear ◄── a letter of another process ─► its listeners
//! ```
//!
//! A bell is a hint, rung after the commit and outside its transaction: one that is lost is made up for by whoever asks the
//! database now and then. So nobody waits for it, it is tried only so often, and what is too much becomes "anything".

mod datagram;
mod notify;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::{Bells, Changed, Key};

/// The least time between two letters: what is committed meanwhile goes with the next. 20 ms: nobody at a screen sees it, and
/// fifty letters a second cost nothing that could be measured, however many commits there are.
const GAP: Duration = Duration::from_millis(20);
/// Keys gathered for one ring; more are told as "anything changed".
const PENDING: usize = 2048;
/// Octets of a letter: PostgreSQL takes 7999 (and a terminating zero), and a datagram more than that.
const LETTER: usize = 7900;
/// How often a ring is tried again, [`GAP`] apart, for a process that has not read what came before: it is stopped, or the
/// machine is busy. Afterwards it finds out by asking the database.
const TRIES: usize = 50;

/// What changed, as it is gathered and sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    keys: BTreeSet<Key>,
    anything: bool,
}

impl News {
    fn add(&mut self, keys: impl IntoIterator<Item = Key>) {
        if !self.anything {
            self.keys.extend(keys);
            if self.keys.len() > PENDING {
                *self = News { keys: BTreeSet::new(), anything: true };
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.keys.is_empty() && !self.anything
    }

    /// As letters of the process `sender`: `0123456789abcdef a17 a18 q5 d`, or `… *` for anything.
    fn letters(&self, sender: u64) -> Vec<String> {
        if self.anything {
            return vec![format!("{sender:016x} *")];
        }
        let mut letters: Vec<String> = Vec::new();
        for key in &self.keys {
            let word = match key {
                Key::Directory => " d".to_owned(),
                Key::Account(id) => format!(" a{id}"),
                Key::Queued(id) => format!(" q{id}"),
            };
            match letters.last_mut() {
                Some(last) if last.len() + word.len() <= LETTER => last.push_str(&word),
                _ => letters.push(format!("{sender:016x}{word}")),
            }
        }
        letters
    }

    /// The sender and the news of a letter; `None`: it is none. A word of a later version means that anything may have changed.
    fn read(letter: &str) -> Option<(u64, News)> {
        let mut words = letter.split(' ');
        let sender = u64::from_str_radix(words.next()?, 16).ok()?;
        let mut news = News::default();
        for word in words {
            let number = || word.get(1..)?.parse().ok();
            let key = match word.as_bytes().first() {
                Some(b'd') => Some(Key::Directory),
                Some(b'a') => number().map(Key::Account),
                Some(b'q') => number().map(Key::Queued),
                _ => None,
            };
            match key {
                Some(key) => news.add([key]),
                None => news = News { keys: BTreeSet::new(), anything: true },
            }
        }
        Some((sender, news))
    }

    /// Tells the listeners of this process.
    fn ring(&self, bells: &Bells) {
        let keys: Vec<Key> = self.keys.iter().copied().collect();
        bells.ring_here(if self.anything { Changed::Anything } else { Changed::Keys(&keys) });
    }
}

/// The way from process to process that an engine has.
#[derive(Clone)]
pub(crate) enum Way {
    /// Sockets in this directory.
    Datagrams(Arc<Path>),
    /// The database's own.
    Notify(Box<PgConnectOptions>),
}

/// This process's place among those of its store.
pub(crate) struct Bus {
    way: Way,
    /// By which this process knows its own letters.
    id: u64,
    pending: Arc<Mutex<News>>,
    /// Wakes the ringer; it ends when this is gone.
    wake: Mutex<Option<mpsc::Sender<()>>>,
    tasks: Mutex<Tasks>,
}

#[derive(Default)]
struct Tasks {
    ringer: Option<JoinHandle<()>>,
    ear: Option<JoinHandle<()>>,
}

impl Bus {
    /// Rings for what this process commits, within the runtime.
    pub(crate) fn start(way: Way) -> Bus {
        let id = rand::random();
        let pending = Arc::new(Mutex::new(News::default()));
        let (wake, woken) = mpsc::channel(1);
        let ringer = match &way {
            Way::Datagrams(directory) => tokio::spawn(ring(datagram::Ringer::new(directory.clone(), id), id, pending.clone(), woken)),
            Way::Notify(options) => tokio::spawn(ring(notify::Ringer::new((**options).clone()), id, pending.clone(), woken)),
        };
        let tasks = Mutex::new(Tasks { ringer: Some(ringer), ear: None });
        Bus { way, id, pending, wake: Mutex::new(Some(wake)), tasks }
    }

    /// The others are to hear of a commit. Never waits.
    pub(crate) fn tell_others(&self, keys: &[Key]) {
        lock(&self.pending).add(keys.iter().copied());
        if let Some(wake) = &*lock(&self.wake) {
            // Full: it will look anyway.
            let _ = wake.try_send(());
        }
    }

    /// From now on the listeners of this process hear of the others' commits. `bells` are not kept alive by it.
    pub(crate) fn listen(&self, bells: &Arc<Bells>) {
        let (id, bells) = (self.id, Arc::downgrade(bells));
        let heard = move |letter: Letter<'_>| {
            let Some(bells) = bells.upgrade() else { return };
            match letter {
                Letter::Text(text) => match News::read(text) {
                    Some((sender, news)) if sender != id => news.ring(&bells),
                    _ => {}
                },
                Letter::Lost => bells.ring_here(Changed::Anything),
            }
        };
        let ear = match &self.way {
            Way::Datagrams(directory) => match datagram::Ear::open(directory, id) {
                Ok(ear) => tokio::spawn(ear.hear(heard)),
                Err(error) => {
                    tracing::warn!("{}: {error}; what other processes of this store change is noticed some seconds later", directory.display());
                    return;
                }
            },
            Way::Notify(options) => tokio::spawn(notify::hear((**options).clone(), heard)),
        };
        if let Some(before) = lock(&self.tasks).ear.replace(ear) {
            before.abort();
        }
    }

    /// Sends what waits, and hears nothing more.
    pub(crate) async fn close(&self) {
        lock(&self.wake).take();
        let tasks = std::mem::take(&mut *lock(&self.tasks));
        if let Some(ear) = tasks.ear {
            ear.abort();
        }
        if let Some(ringer) = tasks.ringer
            && let Err(error) = ringer.await
        {
            tracing::error!("whoever rings for other processes: {error}");
        }
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        if let Some(ear) = lock(&self.tasks).ear.take() {
            ear.abort();
        }
    }
}

/// What an ear hears.
enum Letter<'l> {
    Text(&'l str),
    /// Some may have been lost.
    Lost,
}

/// Sends letters to every other process.
trait Rings: Send {
    /// False when somebody could not be told now and should be told again.
    fn ring(&mut self, letters: &[String]) -> impl Future<Output = bool> + Send;
}

async fn ring(mut way: impl Rings, id: u64, pending: Arc<Mutex<News>>, mut woken: mpsc::Receiver<()>) {
    let mut tried = 0;
    let mut open = true;
    loop {
        if tried == 0 {
            open = woken.recv().await.is_some();
        }
        let news = std::mem::take(&mut *lock(&pending));
        if !news.is_empty() {
            if way.ring(&news.letters(id)).await || tried == TRIES {
                tried = 0;
            } else {
                tried += 1;
                let mut pending = lock(&pending);
                let later = std::mem::replace(&mut *pending, news);
                pending.anything |= later.anything;
                pending.add(later.keys);
            }
        }
        if !open {
            return;
        }
        tokio::time::sleep(GAP).await;
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> impl Strategy<Value = Key> {
        prop_oneof![Just(Key::Directory), any::<i64>().prop_map(Key::Account), any::<i64>().prop_map(Key::Queued)]
    }

    proptest! {
        #[test]
        fn letters_say_what_was_gathered(keys in proptest::collection::vec(key(), 0..3000), sender: u64) {
            let mut news = News::default();
            news.add(keys);
            let mut read = News::default();
            for letter in news.letters(sender) {
                prop_assert!(letter.len() <= LETTER);
                let (from, more) = News::read(&letter).unwrap();
                prop_assert_eq!(from, sender);
                read.anything |= more.anything;
                read.add(more.keys);
            }
            prop_assert_eq!(read, news);
        }

        #[test]
        fn any_text_is_read_or_not(text: String) {
            let _ = News::read(&text);
        }
    }

    #[test]
    fn what_is_too_much_or_not_known_is_anything() {
        let mut news = News::default();
        news.add((0..=PENDING as i64).map(Key::Account));
        assert!(news.anything && news.keys.is_empty());
        assert!(News::read("00 a1 x7").unwrap().1.anything);
        assert!(News::read("00 anumber").unwrap().1.anything);
        assert_eq!(News::read("no letter"), None);
    }
}
