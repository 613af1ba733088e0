//! A store with alice, bob and some aliases; a client that speaks lines.

use auth::{Auth, AuthSettings, PlaintextAuth};
use bodies::{Bodies, MailLocation};
use config::domains::Domains;
use mail::{Address, MailboxName};
use net::{Caps, Connection, Limits, Peer, Setup, Stop, TlsServer};
use route::Router;
use smtpd::{Role, Settings, Smtpd};
use std::net::SocketAddr;
use std::time::Duration;
use store::{AccountId, Store};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;

pub const HOST: &str = "mail.example.test";
pub const PASSWORD: &str = "correct horse";

pub struct House {
    pub store: Store,
    pub alice: AccountId,
    pub bob: AccountId,
    pub directory: TempDir,
    /// `default_transport`
    pub transport: &'static str,
    auth: Auth,
}

pub fn address(text: &str) -> Address {
    Address::parse(text).expect("an address")
}

impl House {
    pub async fn new() -> House {
        let house = House::empty().await;
        let record = sasl::Record::of_password(PASSWORD.as_bytes()).expect("a record").to_string();
        let alice = house.store.add_account(&address("alice@example.test"), &record, None).await.expect("alice");
        let bob = house.store.add_account(&address("bob@example.test"), &record, None).await.expect("bob");
        for (alias, targets) in [("info", &["alice@example.test"][..]), ("both", &["alice@example.test", "bob@example.test"]), ("away", &["x@elsewhere.test"])] {
            let targets: Vec<Address> = targets.iter().map(|target| address(target)).collect();
            house.store.set_alias(&format!("{alias}@example.test"), &targets).await.expect("an alias");
        }
        House { alice, bob, ..house }
    }

    /// A domain without accounts.
    pub async fn empty() -> House {
        crate::log::install();
        let directory = tempfile::tempdir().expect("a directory");
        let migrations = [db::MIGRATIONS, store::MIGRATIONS, queue::MIGRATIONS].concat();
        let fresh = db::testing::sqlite(directory.path(), &migrations).await.expect("a database");
        let location = MailLocation::parse(&format!("maildir:{}/mail/%d/%n", directory.path().display())).expect("a location");
        let bodies = Bodies::open(bodies::Settings { spool: directory.path().join("spool"), location }).expect("bodies");
        let store = Store::new(fresh.db, bodies);
        store.add_domain("example.test").await.expect("a domain");
        let auth = Auth::new(store.clone(), AuthSettings { failure_delay: Duration::ZERO, ..AuthSettings::default() }).expect("auth");
        House { store, alice: AccountId::new(0), bob: AccountId::new(0), directory, transport: "smtp", auth }
    }

    pub fn settings(role: Role) -> Settings {
        Settings { plaintext_auth: PlaintextAuth::Loopback, error_sleep: Duration::ZERO, ..Settings::new(role, HOST) }
    }

    pub fn smtpd(&self, settings: Settings) -> Smtpd {
        let local = Domains::new(&[HOST], false, |_| Err("no table".to_owned())).expect("domains");
        let routes = route::Settings { hostname: HOST.into(), domain: "example.test".into(), origin: HOST.into(), local, delimiter: "+".into(), transport: self.transport.into(), ..Default::default() };
        Smtpd::new(self.store.clone(), Some(self.auth.clone()), Router::new(self.store.clone(), routes), settings)
    }

    /// A client on this machine, greeted.
    pub async fn client(&self, role: Role) -> Client {
        self.client_of(Self::settings(role), "127.0.0.1:4711").await
    }

    pub async fn client_of(&self, settings: Settings, remote: &str) -> Client {
        let mut client = self.connect(settings, remote, None).await;
        client.greeted().await;
        client
    }

    /// A connection, before its greeting.
    pub async fn connect(&self, settings: Settings, remote: &str, tls: Option<TlsServer>) -> Client {
        self.connect_until(settings, remote, tls, Stop::never())
    }

    /// The same, until a stop.
    pub fn connect_until(&self, settings: Settings, remote: &str, tls: Option<TlsServer>, stop: Stop) -> Client {
        let implicit = settings.implicit_tls;
        let smtpd = self.smtpd(settings);
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let local = SocketAddr::from(([127, 0, 0, 1], 25));
        let peer = Peer::new(remote.parse().expect("an address"), local, "smtp");
        let setup = Setup { tls, implicit, limits: Limits::default(), stop, caps: Caps::new(10, 10), busy: "421 4.3.2 busy\r\n" };
        let dialogue = smtpd.dialogue(&peer);
        let session = tokio::spawn(async move {
            let connection = Connection { stream: theirs, peer };
            net::converse(connection, dialogue, setup, |talk| smtpd.serve(talk)).await.expect("no panic");
        });
        Client::new(ours, session)
    }

    /// One who logged in.
    pub async fn submitter(&self) -> Client {
        let mut client = self.client(Role::Submission).await;
        client.says("EHLO client.test", "250").await;
        client.says(&login("alice@example.test", PASSWORD), "235").await;
        client
    }

    /// All messages in an INBOX, oldest first.
    pub async fn inbox(&self, account: AccountId) -> Vec<String> {
        let view = self.store.open(account, &MailboxName::inbox()).await.expect("INBOX");
        let mut all = Vec::new();
        for row in &view.rows {
            let mut reader = self.store.read(account, view.mailbox.id, row.uid).await.expect("read").expect("there");
            let mut text = Vec::new();
            while let Some(chunk) = reader.chunk().await.expect("a chunk") {
                text.extend_from_slice(&chunk);
            }
            all.push(String::from_utf8_lossy(&text).into_owned());
        }
        all
    }

    /// Files in the spool.
    pub fn spooled(&self) -> usize {
        std::fs::read_dir(self.directory.path().join("spool")).map_or(0, Iterator::count)
    }
}

/// `AUTH PLAIN` with its initial response.
pub fn login(name: &str, password: &str) -> String {
    format!("AUTH PLAIN {}", sasl::base64::encode(format!("\0{name}\0{password}").as_bytes()))
}

pub struct Client<S = DuplexStream> {
    stream: S,
    session: JoinHandle<()>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub fn new(stream: S, session: JoinHandle<()>) -> Client<S> {
        Client { stream, session }
    }

    /// For a handshake.
    pub fn into_parts(self) -> (S, JoinHandle<()>) {
        (self.stream, self.session)
    }

    pub async fn greeted(&mut self) {
        assert_eq!(self.reply().await, format!("220 {HOST} ESMTP Posthouse"));
    }

    /// Sends a line and reads the reply to it.
    pub async fn say(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes()).await;
        self.reply().await
    }

    /// The same; the reply must begin so.
    pub async fn says(&mut self, line: &str, expected: &str) {
        let reply = self.say(line).await;
        assert!(reply.starts_with(expected), "{line}: {reply}");
    }

    pub async fn send(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).await.expect("the server reads");
    }

    /// A whole message for these recipients; the reply to its end.
    pub async fn submit(&mut self, from: &str, to: &[&str], message: &str) -> String {
        self.says(&format!("MAIL FROM:<{from}>"), "250 2.1.0 Ok").await;
        for to in to {
            self.says(&format!("RCPT TO:<{to}>"), "250 2.1.5 Ok").await;
        }
        self.says("DATA", "354 ").await;
        self.send(message.as_bytes()).await;
        self.say("\r\n.").await
    }

    /// One reply, its lines joined by `\n`; empty when the server closed.
    pub async fn reply(&mut self) -> String {
        let mut lines: Vec<String> = Vec::new();
        let mut line = Vec::new();
        loop {
            let mut octet = [0];
            if self.stream.read(&mut octet).await.expect("the server writes") == 0 {
                return lines.join("\n");
            }
            line.push(octet[0]);
            if line.ends_with(b"\r\n") {
                let text = String::from_utf8(std::mem::take(&mut line)).expect("replies are ASCII");
                let last = text.as_bytes().get(3) != Some(&b'-');
                lines.push(text.trim_end().to_owned());
                if last {
                    return lines.join("\n");
                }
            }
        }
    }

    /// The server closes, after saying this at most.
    pub async fn over(mut self) -> String {
        let rest = self.reply().await;
        drop(self.stream);
        self.session.await.expect("no panic");
        rest
    }

    /// Cuts the line, and waits for the session to notice.
    pub async fn vanish(self) {
        drop(self.stream);
        self.session.await.expect("no panic");
    }
}
