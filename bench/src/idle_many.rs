//! Many sessions in IDLE over TLS: what each costs the server, how long it takes until all are told of a message, and what the server
//! keeps once they are gone.
//!
//! The driver is a process of its own; the server's memory is read from `/proc/PID/status`. Accounts are `PREFIX0@DOMAIN` …, with one
//! password; each has as many sessions as it takes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Sessions that log in at once.
const AT_ONCE: usize = 64;
/// How long it may take until the last one is told.
const LONGEST: Duration = Duration::from_secs(120);
/// How long the server is left alone before its memory is read: compressors go after three seconds, and what sessions had a
/// moment after they ended.
const SETTLED: Duration = Duration::from_secs(10);

#[derive(Args)]
pub struct Options {
    #[arg(long, default_value = "localhost")]
    host: String,
    #[arg(long)]
    smtp: u16,
    #[arg(long)]
    imaps: u16,
    /// Whom to believe
    #[arg(long)]
    ca: PathBuf,
    /// The server's process
    #[arg(long)]
    pid: u32,
    #[arg(long, default_value = "u")]
    prefix: String,
    #[arg(long, default_value = "example.test")]
    domain: String,
    #[arg(long)]
    password: String,
    #[arg(long, default_value_t = 200)]
    accounts: usize,
    #[arg(long, default_value_t = 10_000)]
    sessions: usize,
    /// COMPRESS=DEFLATE
    #[arg(long)]
    compress: bool,
    #[arg(long, default_value = "")]
    label: String,
}

pub async fn run(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    raise_descriptors()?;
    let options = Arc::new(options);
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&options.ca)? {
        roots.add(certificate?)?;
    }
    let tls = TlsConnector::from(Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()));
    let fresh = resident(options.pid)?;
    let (seats, begun) = (Arc::new(Semaphore::new(AT_ONCE)), Instant::now());
    let (told, mut news) = mpsc::unbounded_channel();
    let (mut opening, mut waiting) = (JoinSet::new(), JoinSet::new());
    for n in 0..options.sessions {
        let (options, tls, seats) = (options.clone(), tls.clone(), seats.clone());
        opening.spawn(async move {
            let _seat = seats.acquire().await?;
            Session::open(&options, &tls, n % options.accounts).await
        });
    }
    while let Some(opened) = opening.join_next().await {
        let session = opened?.map_err(|error| error.to_string())?;
        waiting.spawn(session.wait(told.clone()));
    }
    let opened = begun.elapsed();
    tokio::time::sleep(SETTLED).await;
    let idle = resident(options.pid)?;
    let begun = Instant::now();
    let mut first_acknowledged = None;
    for account in 0..options.accounts {
        let message = crate::message(&format!("idle-many-{}-{account}", std::process::id()), 4096);
        crate::smtp::deliver(&options.host, options.smtp, &address(&options, account), &message).await?;
        first_acknowledged.get_or_insert_with(|| begun.elapsed());
    }
    let acknowledged = begun.elapsed();
    let mut last_told = Duration::ZERO;
    for _ in 0..options.sessions {
        let at = tokio::time::timeout(LONGEST, news.recv()).await.map_err(|_| "not all were told")?.ok_or("no session is left")?;
        last_told = last_told.max(at.saturating_duration_since(begun));
    }
    let after = resident(options.pid)?;
    waiting.shutdown().await;
    tokio::time::sleep(SETTLED).await;
    let closed = resident(options.pid)?;
    let kib = |from: u64, to: u64| (to.saturating_sub(from) as f64) / options.sessions as f64;
    println!(
        "{}",
        serde_json::json!({"measure": "idle-many", "label": options.label, "sessions": options.sessions, "compress": options.compress,
            "open_s": opened.as_secs_f64(), "rss_before_kib": fresh, "rss_idle_kib": idle, "kib_per_session": kib(fresh, idle),
            "last_250_s": acknowledged.as_secs_f64(), "last_told_s": last_told.as_secs_f64(),
            "told_after_last_250_s": (last_told.saturating_sub(acknowledged)).as_secs_f64(), "rss_after_kib": after, "rss_closed_kib": closed})
    );
    Ok(())
}

fn address(options: &Options, account: usize) -> String {
    format!("{}{account}@{}", options.prefix, options.domain)
}

/// One client.
struct Session {
    stream: TlsStream<TcpStream>,
    zip: Option<(Compress, Decompress)>,
    read: Vec<u8>,
}

impl Session {
    /// In IDLE in its account's INBOX.
    async fn open(options: &Options, tls: &TlsConnector, account: usize) -> Result<Session, Failed> {
        let stream = TcpStream::connect((options.host.as_str(), options.imaps)).await?;
        stream.set_nodelay(true)?;
        let stream = tls.connect(ServerName::try_from(options.host.clone())?, stream).await?;
        let mut session = Session { stream, zip: None, read: Vec::new() };
        session.until("* OK").await?;
        session.ask(&format!("a LOGIN {} \"{}\"", address(options, account), options.password), "a OK").await?;
        if options.compress {
            session.ask("b COMPRESS DEFLATE", "b OK").await?;
            session.zip = Some((Compress::new(Compression::fast(), false), Decompress::new(false)));
        }
        session.ask("c SELECT INBOX", "c OK").await?;
        session.ask("d IDLE", "+ ").await?;
        if let Some((ours, _)) = &mut session.zip {
            *ours = Compress::new(Compression::fast(), false); // a stream may begin anew after a flush; the driver needs no memory
        }
        Ok(session)
    }

    async fn ask(&mut self, line: &str, answer: &str) -> Result<(), Failed> {
        let mut octets = format!("{line}\r\n").into_bytes();
        if let Some((ours, _)) = &mut self.zip {
            let mut squeezed = Vec::with_capacity(octets.len() + 256);
            ours.compress_vec(&octets, &mut squeezed, FlushCompress::Sync)?;
            octets = squeezed;
        }
        self.stream.write_all(&octets).await?;
        self.until(answer).await
    }

    /// Reads until a line that begins with `answer`.
    async fn until(&mut self, answer: &str) -> Result<(), Failed> {
        loop {
            while let Some(end) = self.read.iter().position(|&octet| octet == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                if line.starts_with(answer.as_bytes()) {
                    return Ok(());
                }
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Result<(), Failed> {
        let mut octets = [0; 2048];
        let size = self.stream.read(&mut octets).await?;
        if size == 0 {
            return Err("the server closed a session".into());
        }
        match &mut self.zip {
            None => self.read.extend_from_slice(&octets[..size]),
            Some((_, theirs)) => {
                let mut plain = Vec::with_capacity(64 << 10);
                theirs.decompress_vec(&octets[..size], &mut plain, FlushDecompress::Sync)?;
                self.read.append(&mut plain);
            }
        }
        Ok(())
    }

    /// Says when the first message came.
    async fn wait(mut self, told: mpsc::UnboundedSender<Instant>) {
        loop {
            if self.more().await.is_err() {
                return;
            }
            if self.read.windows(7).any(|word| word == b" EXISTS") {
                break;
            }
        }
        let _ = told.send(Instant::now());
        // Stays until the driver has seen enough.
        while self.more().await.is_ok() {
            self.read.clear();
        }
    }
}

/// As many sockets as the system lets this process have.
fn raise_descriptors() -> rustix::io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
}

/// VmRSS in KiB.
fn resident(pid: u32) -> Result<u64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
