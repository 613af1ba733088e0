//! A house with two readers: the store, who may read it, and the daemon.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use auth::{Auth, AuthSettings, PlaintextAuth};
use bodies::{Bodies, MailLocation};
use imapd::{Imapd, Settings};
use mail::{Address, Date, MailboxName};
use net::{Broken, Caps, Connection, Limits, Peer, Setup, Stopper, TlsServer};
use store::{AccountId, Deposit, Store};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::task::JoinHandle;

#[derive(Clone)]
pub struct World {
    pub store: Store,
    pub alice: AccountId,
    pub imapd: Imapd,
    pub stopper: Stopper,
    /// Where large messages wait until they are kept.
    pub spool: PathBuf,
    /// A certificate, for tests that need one.
    pub tls: Option<TlsServer>,
    pub engine: &'static str,
    pub url: db::Url,
    /// Sessions whose handler panicked.
    pub panics: Arc<AtomicUsize>,
}

/// Octets in flight each way: small, so that backpressure is met.
const PIPE: usize = 64 << 10;

impl World {
    /// A new connection, as from this machine (or from elsewhere), served in a task of its own.
    pub fn connect(&self, from: &str) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        drop(self.serve(ours, from));
        theirs
    }

    /// Serves `stream` in a task of its own, which ends with the session.
    pub fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, from: &str) -> JoinHandle<()> {
        let address = |text: &str| -> SocketAddr { text.parse().unwrap() };
        let peer = Peer::new(address(from), address("127.0.0.1:143"), "imap");
        let setup = Setup {
            tls: self.tls.clone(),
            implicit: false,
            limits: Limits::default(),
            stop: self.stopper.stop(),
            caps: Caps::new(100, 100),
            busy: "",
        };
        let imapd = self.imapd.clone();
        let dialogue = imapd.dialogue(false);
        let connection = Connection { stream, peer };
        let panics = self.panics.clone();
        tokio::spawn(async move {
            let ended = net::converse(connection, dialogue, setup, |conversation| imapd.serve(conversation)).await;
            if let Err(Broken::Panicked(_)) = ended {
                panics.fetch_add(1, Ordering::Relaxed);
            }
        })
    }

    /// A message comes in, as by SMTP.
    pub async fn deliver(&self, mailbox: &str, message: &[u8]) {
        self.deliver_by(&self.store, mailbox, message).await;
    }

    /// The same store, as another process has it open: its bells do not ring here.
    pub async fn elsewhere(&self) -> Store {
        let migrations = [db::MIGRATIONS, store::MIGRATIONS].concat();
        let db = db::Db::open(&self.url, &migrations).await.unwrap();
        Store::new(db, self.store.bodies().clone())
    }

    /// The same world as a process has it that starts now.
    pub async fn started(&self) -> World {
        let store = self.elsewhere().await;
        let auth = Auth::new(store.clone(), AuthSettings::default()).unwrap();
        let imapd = Imapd::new(store.clone(), auth, settings());
        World { store, imapd, stopper: Stopper::new(), tls: None, ..self.clone() }
    }

    pub async fn deliver_by(&self, store: &Store, mailbox: &str, message: &[u8]) {
        let mut draft = store.bodies().draft();
        draft.write(message).await.unwrap();
        let body = draft.sealed().await.unwrap();
        let mailbox = MailboxName::new(mailbox).unwrap();
        let deposit = Deposit::new(self.alice, mailbox, body, Date::new(1_795_486_185, 60));
        let body = deposit.body().clone();
        store.db().commit(deposit).await.unwrap();
        body.committed();
    }
}

/// Runs `test` in a fresh world on every engine; then the store checks itself.
pub async fn on_every_engine<F, T>(settings: Settings, test: F)
where
    F: Fn(Arc<World>) -> T,
    T: Future<Output = ()>,
{
    // What the operator would read, beside a failure.
    let _ = tracing_subscriber::fmt().with_test_writer().with_max_level(tracing::Level::ERROR).try_init();
    let directory = tempfile::tempdir().unwrap();
    let migrations = [db::MIGRATIONS, store::MIGRATIONS].concat();
    for fresh in db::testing::engines(directory.path(), &migrations).await.unwrap() {
        let location = MailLocation::parse(&format!("maildir:{}/mail/%d/%n", fresh.directory.display())).unwrap();
        let spool = fresh.directory.join("spool");
        let bodies = Bodies::open(bodies::Settings { spool: spool.clone(), location }).unwrap();
        let store = Store::new(fresh.db.clone(), bodies);
        store.add_domain("example.test").await.unwrap();
        let record = sasl::Record::of_password(b"secret").unwrap().to_string();
        let address = |text: &str| Address::parse(text).unwrap();
        let alice = store.add_account(&address("alice@example.test"), &record, None).await.unwrap();
        let bob = store.add_account(&address("bob@example.test"), &record, Some(2000)).await.unwrap();
        store.set_quota(bob, Some(2000), Some(5)).await.unwrap();
        let auth = Auth::new(store.clone(), AuthSettings { failure_delay: Duration::ZERO, ..AuthSettings::default() }).unwrap();
        let imapd = Imapd::new(store.clone(), auth, settings.clone());
        let panics = Arc::new(AtomicUsize::new(0));
        let world = World { store: store.clone(), alice, imapd, stopper: Stopper::new(), spool, tls: None, engine: fresh.engine, url: fresh.url.clone(), panics: panics.clone() };
        test(Arc::new(world)).await;
        assert_eq!(panics.load(Ordering::Relaxed), 0, "{}: a session panicked", fresh.engine);
        assert_eq!(store::check::rows(&store).await.unwrap(), [], "{} before settling", fresh.engine);
        store::settle::settle(&store).await.unwrap();
        assert_eq!(store::check::rows(&store).await.unwrap(), [], "{} settled", fresh.engine);
        assert_eq!(store::check::files(&store).await.unwrap(), [], "{} files", fresh.engine);
    }
}

/// Passwords without TLS from this machine, so that most tests can do without it.
pub fn settings() -> Settings {
    Settings { plaintext_auth: PlaintextAuth::Loopback, append_limit: 10 << 20, ..Settings::default() }
}

