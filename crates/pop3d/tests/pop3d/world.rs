//! A house with alice and bob, whose passwords are "secret", on every engine; and a client that reads lines.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use auth::{Auth, AuthSettings, PlaintextAuth};
use bodies::{Bodies, MailLocation};
use mail::{Address, Date, Flags, MailboxName, Uid};
use net::{Caps, Connection, Peer, Setup, Stop};
use pop3d::{Pop3d, Settings};
use store::{AccountId, Deposit, Store};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};

pub struct World {
    pub store: Store,
    pub alice: AccountId,
    pub pop3d: Pop3d,
    pub limits: pop3::Limits,
}

impl World {
    /// Delivers a message to alice.
    pub async fn deliver(&self, message: &[u8]) {
        self.deliver_often(message, 1).await;
    }

    /// Delivers a message to alice so many times.
    pub async fn deliver_often(&self, message: &[u8], times: usize) {
        let mut deposits = Vec::new();
        for _ in 0..times {
            deposits.push(self.deposit(message).await);
        }
        let sealed: Vec<bodies::Sealed> = deposits.iter().map(|deposit| deposit.body().clone()).collect();
        self.store.db().commit(deposits).await.expect("delivered");
        sealed.iter().for_each(bodies::Sealed::committed);
    }

    async fn deposit(&self, message: &[u8]) -> Deposit {
        let mut draft = self.store.bodies().draft();
        draft.write(message).await.expect("written");
        let body = draft.sealed().await.expect("sealed");
        Deposit::new(self.alice, MailboxName::inbox(), body, Date::new(1_795_486_185, 60))
    }

    /// What another client, with IMAP, does to alice's messages.
    pub async fn expunge(&self, uid: u32) {
        let inbox = self.inbox().await.id;
        let uid = Uid::new(uid).expect("from 1");
        self.store.expunge(self.alice, inbox, vec![uid], false).await.expect("expunged");
    }

    pub async fn inbox(&self) -> store::Mailbox {
        self.store.mailbox(self.alice, &MailboxName::inbox()).await.expect("read").expect("INBOX is there")
    }

    /// UIDs in INBOX, and whether each is \Seen.
    pub async fn seen(&self) -> Vec<(u32, bool)> {
        let view = self.store.open(self.alice, &MailboxName::inbox()).await.expect("opened");
        view.rows.iter().map(|row| (row.uid.get(), row.flags.contains(Flags::SEEN))).collect()
    }

    /// The same house with other settings.
    pub fn with(&self, settings: Settings) -> Pop3d {
        let auth = AuthSettings { failure_delay: Duration::ZERO, default_domain: Some("example.test".into()), ..AuthSettings::default() };
        Pop3d::new(self.store.clone(), Auth::new(self.store.clone(), auth).expect("memory"), settings)
    }

    /// Connects a client whose wire holds `buffer` bytes.
    pub fn connect(&self, buffer: usize) -> Client<DuplexStream> {
        Client::new(self.wire(buffer, self.pop3d.clone(), setup(Stop::never())))
    }

    /// The client's end of a connection that `pop3d` serves in a task of its own.
    pub fn wire(&self, buffer: usize, pop3d: Pop3d, setup: Setup) -> DuplexStream {
        let (ours, theirs) = duplex(buffer);
        let here = "127.0.0.1:110".parse().expect("an address");
        let connection = Connection { stream: ours, peer: Peer::new(here, here, "pop3") };
        let session = pop3::Session::new(self.limits);
        tokio::spawn(async move {
            net::converse(connection, session, setup, |talk| pop3d.serve(talk)).await.expect("no panic");
        });
        theirs
    }
}

pub fn setup(stop: Stop) -> Setup {
    Setup { tls: None, implicit: false, limits: net::Limits::default(), stop, caps: Caps::new(100, 100), busy: "" }
}

/// Passwords in clear, since the tests' wire is this process's memory.
pub fn in_clear() -> Settings {
    Settings { greeting: "ready".into(), implementation: None, stls: false, plaintext_auth: PlaintextAuth::Loopback }
}

pub async fn on_every_engine<F, T>(test: F)
where
    F: Fn(Arc<World>) -> T,
    T: Future<Output = ()>,
{
    let directory = tempfile::tempdir().expect("a directory");
    let migrations = [db::MIGRATIONS, store::MIGRATIONS].concat();
    for fresh in db::testing::engines(directory.path(), &migrations).await.expect("databases") {
        let location = MailLocation::parse(&format!("maildir:{}/mail/%d/%n", fresh.directory.display())).expect("a location");
        let bodies = Bodies::open(bodies::Settings { spool: fresh.directory.join("spool"), location }).expect("bodies");
        let store = Store::new(fresh.db.clone(), bodies);
        let secret = sasl::Record::of_password(b"secret").expect("hashed").to_string();
        let address = |text| Address::parse(text).expect("an address");
        store.add_domain("example.test").await.expect("a domain");
        let alice = store.add_account(&address("alice@example.test"), &secret, None).await.expect("alice");
        store.add_account(&address("bob@example.test"), &secret, None).await.expect("bob");
        let auth = AuthSettings { failure_delay: Duration::ZERO, default_domain: Some("example.test".into()), ..AuthSettings::default() };
        let pop3d = Pop3d::new(store.clone(), Auth::new(store.clone(), auth).expect("memory"), in_clear());
        test(Arc::new(World { store: store.clone(), alice, pop3d, limits: pop3::Limits::default() })).await;
        // Unless the test closed the database, the store must be sound after it.
        if store.domains().await.is_ok() {
            assert_eq!(store::check::rows(&store).await.expect("checked"), [], "{}", fresh.engine);
        }
    }
}

/// Writes only while it reads, as a client must that sends many commands at once over a narrow wire.
pub struct Client<S> {
    stream: S,
    unsent: VecDeque<u8>,
    unread: Vec<u8>,
}

/// A server that says nothing for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(30);

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub fn new(stream: S) -> Client<S> {
        Client { stream, unsent: VecDeque::new(), unread: Vec::new() }
    }

    pub fn send(&mut self, text: &[u8]) {
        self.unsent.extend(text);
    }

    /// The next line without its CRLF; `None` at the end.
    pub async fn line(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return Some(line.strip_suffix(b"\r\n").expect("a line ends in CRLF").to_vec());
            }
            let more = tokio::time::timeout(PATIENCE, poll_fn(|cx| self.poll(cx))).await.expect("the server is stuck");
            if !more {
                assert!(self.unread.is_empty(), "the server ended within a line");
                return None;
            }
        }
    }

    /// Writes what it can and reads what there is; `false` at the end.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        while !self.unsent.is_empty() {
            let next = self.unsent.make_contiguous();
            match Pin::new(&mut self.stream).poll_write(cx, next) {
                Poll::Ready(Ok(written)) => drop(self.unsent.drain(..written)),
                Poll::Ready(Err(_)) => self.unsent.clear(), // the server is gone; what it said can still be read
                Poll::Pending => break,
            }
        }
        let _ = Pin::new(&mut self.stream).poll_flush(cx);
        let mut buffer = [0; 4096];
        let mut buffer = ReadBuf::new(&mut buffer);
        match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
            Poll::Ready(Ok(())) => {
                self.unread.extend_from_slice(buffer.filled());
                Poll::Ready(!buffer.filled().is_empty())
            }
            Poll::Ready(Err(_)) => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    }

    pub async fn ask(&mut self, command: &str) -> String {
        self.send(format!("{command}\r\n").as_bytes());
        String::from_utf8(self.line().await.unwrap_or_default()).expect("UTF-8")
    }

    /// The body of a long answer, unstuffed, with its line ends.
    pub async fn body(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = self.line().await.expect("an answer has an end");
            if line == b"." {
                return body;
            }
            body.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
            body.extend_from_slice(b"\r\n");
        }
    }

    pub async fn log_in(&mut self) {
        assert_eq!(self.line().await.as_deref(), Some(&b"+OK ready"[..]));
        assert!(self.ask("USER alice").await.starts_with("+OK"));
        let answer = self.ask("PASS secret").await;
        assert!(answer.starts_with("+OK"), "{answer}");
    }

    pub fn into_inner(self) -> S {
        assert!(self.unread.is_empty() && self.unsent.is_empty(), "somebody said more than was read");
        self.stream
    }
}
