//! `demo`: a working mail server on loopback with two accounts, and lines ready to paste.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use mail::Address;
use serde_json::json;

use crate::certificates::{self, Files};
use crate::failure::{Code, Failure, of_store};
use crate::house::{self, House};
use crate::serve;
use crate::setup;

/// What `demo` is told.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Where everything lies; a second run goes on with what is there
    #[arg(long, value_name = "DIR", default_value = "./var/demo")]
    dir: PathBuf,
    /// Added to the standard ports
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    port_offset: u16,
}

const DOMAIN: &str = "example.test";
const HOSTNAME: &str = "mail.example.test";
/// Where the services listen, and what the certificate is valid for too.
const HOST: &str = "localhost";
const SERVICES: [(&str, u16); 7] =
    [("smtp", 25), ("submission", 587), ("submissions", 465), ("imap", 143), ("imaps", 993), ("pop3", 110), ("pop3s", 995)];

/// Makes what is not there, and serves.
pub fn run(options: &Options) -> Result<(), Failure> {
    let dir = std::path::absolute(&options.dir).map_err(|error| Failure::new(Code::BadInput, "--dir", error))?;
    let config = dir.join("config");
    if options.port_offset > u16::MAX - 995 {
        return Err(Failure::new(Code::Usage, "--port-offset", format!("at most {}", u16::MAX - 995)));
    }
    fs::create_dir_all(&dir).map_err(|error| Failure::new(Code::Unavailable, dir.display(), error))?;
    let setup = setup::Options {
        hostname: HOSTNAME.into(),
        domain: DOMAIN.into(),
        store_dir: Some(dir.join("store")),
        port_offset: Some(options.port_offset),
        database_url: None,
        self_signed: true,
        postmaster: None,
        yes: true,
        log: Some(dir.join("mail.log")),
        alone: true,
    };
    setup::run(&config, &setup)?;
    let demo = Demo::prepare(&dir, &config, options.port_offset)?;
    let loaded = house::configuration(&config)?;
    crate::log::for_serving(&loaded, crate::log::Form::Text)?;
    house::runtime()?.block_on(async {
        let house = house::open(loaded).await?;
        let served = async {
            let fresh = demo.make_accounts(&house).await?;
            serve::serve(&house, &serve::Options::default(), |_| demo.ready(fresh)).await
        };
        let served = served.await;
        house.close().await;
        served
    })
}

/// What the demo shows.
struct Demo {
    dir: PathBuf,
    ca: PathBuf,
    offset: u16,
    accounts: Vec<(Address, String)>,
}

impl Demo {
    /// Reads the passwords of an earlier run, or makes them; writes `demo.json`.
    fn prepare(dir: &Path, config: &Path, offset: u16) -> Result<Demo, Failure> {
        let file = dir.join("demo.json");
        let known: serde_json::Value = match fs::read_to_string(&file) {
            Ok(text) => serde_json::from_str(&text)
                .map_err(|error| Failure::new(Code::BadInput, file.display(), format!("{error}; remove it to get new passwords")))?,
            Err(_) => serde_json::Value::Null,
        };
        let account = |n: usize, name: &str| {
            let password = known["accounts"][n]["password"].as_str().map_or_else(password, str::to_owned);
            let address = Address::parse(&format!("{name}@{DOMAIN}")).map_err(|error| Failure::new(Code::BadInput, name, error))?;
            Ok((address, password))
        };
        let demo = Demo { dir: dir.to_owned(), ca: Files::below(config).ca, offset, accounts: vec![account(0, "alice")?, account(1, "bob")?] };
        certificates::write(&file, &format!("{:#}\n", demo.json()), 0o600)?;
        Ok(demo)
    }

    fn port(&self, service: &str) -> u16 {
        SERVICES.iter().find(|(name, _)| *name == service).map_or(0, |(_, port)| port + self.offset)
    }

    fn json(&self) -> serde_json::Value {
        let accounts: Vec<_> = self.accounts.iter().map(|(address, password)| json!({"address": address.to_string(), "password": password})).collect();
        let ports: serde_json::Map<String, serde_json::Value> =
            SERVICES.iter().map(|(name, _)| ((*name).to_owned(), json!(self.port(name)))).collect();
        json!({"host": HOST, "ca": self.ca.display().to_string(), "accounts": accounts, "ports": ports})
    }

    /// Makes the accounts that are not there; gives those it made.
    async fn make_accounts(&self, house: &House) -> Result<Vec<Address>, Failure> {
        let mut made = Vec::new();
        for (address, password) in &self.accounts {
            let scram = crate::command::user::scram(house);
            let secret = auth::secret_of(password.as_bytes(), scram, &[]).map_err(|error| Failure::new(Code::Unavailable, address, error))?;
            let there = house.store.account_by_login(address).await.map_err(|error| of_store(address, &error))?;
            match there {
                Some(account) => house.store.set_password(account.id, secret).await.map_err(|error| of_store(address, &error))?,
                None => {
                    house.store.add_account(address, secret, None).await.map_err(|error| of_store(address, &error))?;
                    made.push(address.clone());
                }
            }
        }
        Ok(made)
    }

    /// The server is up: welcomes new accounts through it, and says what to type.
    async fn ready(&self, fresh: Vec<Address>) -> Result<(), Failure> {
        for address in fresh {
            welcome(self.port("smtp"), &address).await.map_err(|error| Failure::new(Code::Unavailable, "welcome message", error))?;
        }
        serve::say(&self.told())
    }

    fn told(&self) -> String {
        let (alice, password) = &self.accounts[0];
        let (bob, bobs) = &self.accounts[1];
        let (ca, host) = (self.ca.display(), HOST);
        let [submission, submissions, imaps, pop3s] = ["submission", "submissions", "imaps", "pop3s"].map(|service| self.port(service));
        format!(
            "
A mail server for {DOMAIN} is running on this machine only. Ctrl-C ends it; the same command goes on with it.
Everything is in {dir}; mail.log there tells what happens.

Accounts       {alice}  password {password}
               {bob}    password {bobs}
Thunderbird    name and address as above; configure by hand:
               incoming  IMAP  {host}  port {imaps}  SSL/TLS  normal password  (or POP3, port {pop3s})
               outgoing  SMTP  {host}  port {submissions}  SSL/TLS  normal password
               It asks once about the certificate; or import the authority {ca} first.

Send, list, fetch and read; paste these into another terminal:

  swaks --server {host}:{submission} --tls --tls-ca-path {ca} --auth PLAIN --auth-user {alice} --auth-password {password} \\
        --from {alice} --to {bob} --header 'Subject: hello'
  curl --cacert {ca} --user {bob}:{bobs} 'imaps://{host}:{imaps}/INBOX?ALL'
  curl --cacert {ca} --user {bob}:{bobs} 'imaps://{host}:{imaps}/INBOX;MAILINDEX=1'
  curl --cacert {ca} --user {bob}:{bobs} 'pop3s://{host}:{pop3s}/1'
  mutt -e 'set ssl_ca_certificates_file={ca} ssl_starttls=yes' -f 'imaps://{bob_user}:{bobs}@{host}:{imaps}/INBOX'
",
            dir = self.dir.display(),
            bob_user = bob.to_string().replace('@', "%40"),
        )
    }
}

/// Letters and digits that are not taken for one another; 16 of them are 80 bits.
fn password() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz123456789";
    (0..16).map(|_| char::from(LETTERS[usize::from(rand::random::<u8>() % 32)])).collect()
}

/// Sends a first message to `to` through the real SMTP path.
async fn welcome(port: u16, to: &Address) -> std::io::Result<()> {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
    let mut stream = BufReader::new(stream);
    let text = format!(
        "From: Posthouse <postmaster@{DOMAIN}>\r\nTo: <{to}>\r\nSubject: Welcome\r\nDate: {}\r\nMessage-ID: <welcome.{}@{HOSTNAME}>\r\n\
         \r\nThis message came in by SMTP, was stored in one transaction and became a file in your Maildir.\r\n.\r\n",
        mail::Date::utc(now()).rfc5322(),
        to.local(),
    );
    let said = [format!("EHLO {HOSTNAME}\r\n"), "MAIL FROM:<>\r\n".into(), format!("RCPT TO:<{to}>\r\n"), "DATA\r\n".into(), text, "QUIT\r\n".into()];
    for line in std::iter::once(String::new()).chain(said) {
        stream.write_all(line.as_bytes()).await?;
        let mut reply = String::new();
        loop {
            reply.clear();
            stream.read_line(&mut reply).await?;
            if reply.as_bytes().get(3) != Some(&b'-') {
                break;
            }
        }
        if !reply.starts_with(['2', '3']) {
            return Err(std::io::Error::other(format!("{} was answered {}", line.trim_end(), reply.trim_end())));
        }
    }
    Ok(())
}

/// Seconds since 1970.
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
