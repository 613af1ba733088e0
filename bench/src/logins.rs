//! Logins by IMAP: connect, TLS or not, LOGIN, LOGOUT, from so many clients at once against any server; and how long they take while others
//! guess passwords beside them.
//!
//! Accounts are `PREFIX0@DOMAIN` …, with one password. Each logs in once before the clock starts, so that a server which remembers
//! verified logins has them. Who guesses comes from `--wrong-from`, an address of the loopback, with another wrong password each time.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpSocket;
use tokio_rustls::TlsConnector;

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// How long a guess may take to be answered; servers let guessers wait.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Args, Clone)]
pub struct Options {
    #[arg(long, default_value = "127.0.0.1")]
    address: IpAddr,
    /// Of IMAP: in clear (plaintext_auth = loopback), or with --ca over TLS from the first octet
    #[arg(long)]
    port: u16,
    /// Over TLS, believing this certificate
    #[arg(long)]
    ca: Option<PathBuf>,
    /// The name in the certificate
    #[arg(long, default_value = "localhost")]
    name: String,
    #[arg(long, default_value = "u")]
    prefix: String,
    #[arg(long, default_value = "example.test")]
    domain: String,
    #[arg(long)]
    password: String,
    #[arg(long, default_value_t = 200)]
    accounts: usize,
    /// Clients at once
    #[arg(long, default_value_t = 10)]
    clients: usize,
    #[arg(long, default_value_t = 2000)]
    count: usize,
    /// Guesses a second beside them
    #[arg(long, default_value_t = 0)]
    wrong_per_second: u32,
    /// Whose password is guessed
    #[arg(long, value_enum, default_value_t = Whose::Nobody)]
    wrong: Whose,
    #[arg(long, default_value = "127.0.0.2")]
    wrong_from: IpAddr,
    #[arg(long, default_value = "")]
    label: String,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
enum Whose {
    /// Of names that no account has
    Nobody,
    /// Of the accounts that log in meanwhile
    Same,
}

/// Connects, logs in and out.
struct Client {
    options: Options,
    tls: Option<TlsConnector>,
}

pub async fn run(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let client = Arc::new(Client { tls: options.ca.as_ref().map(believing).transpose()?, options });
    let options = &client.options;
    for account in 0..options.accounts {
        client.login(None, &client.user(account), &options.password).await.map_err(|error| format!("{}: {error}", client.user(account)))?;
    }
    let guessed = Arc::new(AtomicUsize::new(0));
    let guessing = (options.wrong_per_second > 0).then(|| tokio::spawn(guess(client.clone(), guessed.clone())));
    let (next, begun) = (Arc::new(AtomicUsize::new(0)), Instant::now());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..options.clients {
        tasks.spawn(log_in_and_out(client.clone(), next.clone()));
    }
    let mut times = Vec::new();
    while let Some(task) = tasks.join_next().await {
        times.extend(task?.map_err(|error| error.to_string())?);
    }
    let seconds = begun.elapsed().as_secs_f64();
    if let Some(guessing) = guessing {
        guessing.abort();
    }
    times.sort_by(f64::total_cmp);
    println!(
        "{}",
        serde_json::json!({"measure": "logins", "label": options.label, "clients": options.clients, "count": options.count, "tls": client.tls.is_some(),
            "wrong_per_second": options.wrong_per_second, "wrong": format!("{:?}", options.wrong).to_lowercase(), "wrong_answered": guessed.load(Ordering::Relaxed),
            "per_s": (times.len() as f64 / seconds).round(), "p50_ms": crate::quantile(&times, 0.5), "p99_ms": crate::quantile(&times, 0.99)})
    );
    Ok(())
}

fn believing(ca: &PathBuf) -> Result<TlsConnector, Box<dyn std::error::Error>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca)? {
        roots.add(certificate?)?;
    }
    Ok(TlsConnector::from(Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())))
}

/// Milliseconds of each login.
async fn log_in_and_out(client: Arc<Client>, next: Arc<AtomicUsize>) -> Result<Vec<f64>, Failed> {
    let mut times = Vec::new();
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        if n >= client.options.count {
            return Ok(times);
        }
        let begun = Instant::now();
        client.login(None, &client.user(n), &client.options.password).await?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
}

/// Guesses until it is dropped. That a guess fails is what it is for.
async fn guess(client: Arc<Client>, answered: Arc<AtomicUsize>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / client.options.wrong_per_second);
    let mut guesses = tokio::task::JoinSet::new();
    for n in 0.. {
        ticks.tick().await;
        let (client, answered) = (client.clone(), answered.clone());
        guesses.spawn(async move {
            let user = match client.options.wrong {
                Whose::Nobody => format!("nobody{n}@{}", client.options.domain),
                Whose::Same => client.user(n),
            };
            let password = format!("wrong{n}");
            let guessed = client.login(Some(client.options.wrong_from), &user, &password);
            if let Ok(Err(_)) = tokio::time::timeout(PATIENCE, guessed).await {
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
        while guesses.try_join_next().is_some() {}
    }
}

impl Client {
    fn user(&self, n: usize) -> String {
        format!("{}{}@{}", self.options.prefix, n % self.options.accounts, self.options.domain)
    }

    async fn login(&self, from: Option<IpAddr>, user: &str, password: &str) -> Result<(), Failed> {
        let socket = if self.options.address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(from) = from {
            socket.bind((from, 0).into())?;
        }
        let stream = socket.connect((self.options.address, self.options.port).into()).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            Some(tls) => session(tls.connect(ServerName::try_from(self.options.name.clone())?, stream).await?, user, password).await,
            None => session(stream, user, password).await,
        }
    }
}

async fn session(stream: impl AsyncRead + AsyncWrite + Unpin, user: &str, password: &str) -> Result<(), Failed> {
    let mut stream = BufReader::new(stream);
    until(&mut stream, "* OK").await?;
    for (command, answer) in [(format!("a LOGIN {user} \"{password}\"\r\n"), "a "), ("b LOGOUT\r\n".into(), "b ")] {
        stream.write_all(command.as_bytes()).await?;
        stream.flush().await?;
        let line = until(&mut stream, answer).await?;
        if !line.contains(" OK ") {
            return Err(line.into());
        }
    }
    Ok(())
}

/// The first line that begins with `start`.
async fn until(stream: &mut (impl AsyncBufReadExt + Unpin), start: &str) -> Result<String, Failed> {
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err("the server closed the connection".into());
        }
        if line.starts_with(start) {
            return Ok(line);
        }
    }
}
