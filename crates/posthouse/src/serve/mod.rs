//! `serve`: every service of this process, in the foreground, until TERM.

mod doors;
mod locks;
mod pickup;
pub mod services;
mod signals;
mod sweep;

pub use pickup::open_rooms;

use std::path::Path;

use auth::{Auth, AuthSettings};
use clap::Args;
use net::{Stopper, TlsFiles, TlsServer};

use crate::failure::{Code, Failure};
use crate::house::{self, House};

/// Every service there is to serve, in the order of the manual.
pub const SERVICES: [&str; 10] = ["smtp", "submission", "submissions", "lmtp", "imap", "imaps", "pop3", "pop3s", "queue", "upkeep"];

/// Those of them that have no doors.
const BEHIND: [&str; 2] = ["queue", "upkeep"];

/// Less is too few for the clients of a small office, some of which open a connection a folder.
const FEW_DESCRIPTORS: u64 = 4096;

/// What `serve` is told.
#[derive(Args, Clone, Debug, Default)]
pub struct Options {
    /// Only these services of the store; another process can serve the others
    #[arg(long, value_name = "SERVICE,…", value_delimiter = ',')]
    pub only: Vec<String>,
    /// How lines of the log look
    #[arg(long, value_name = "FORM", value_enum, default_value_t)]
    pub log: crate::log::Form,
}

/// Serves until it is told to stop.
pub fn run(directory: &Path, options: &Options) -> Result<(), Failure> {
    if let Some(unknown) = options.only.iter().find(|name| !SERVICES.contains(&name.as_str())) {
        return Err(Failure::new(Code::Usage, "--only", format!("no service {unknown:?}; there are {}", SERVICES.join(", "))));
    }
    let config = house::configuration(directory)?;
    crate::log::for_serving(&config, options.log)?;
    for problem in config.problems() {
        tracing::warn!("{problem}");
    }
    house::runtime()?.block_on(async {
        let house = house::open(config).await?;
        let served = serve(&house, options, |_| async { Ok(()) }).await;
        house.close().await;
        served
    })
}

/// Opens the doors, calls `ready` with them open, and serves until a signal.
pub async fn serve<F>(house: &House, options: &Options, ready: impl FnOnce(Stopper) -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    let wanted = |service: &str| match options.only.is_empty() {
        true => house.config.serves(service),
        false => options.only.iter().any(|only| only == service),
    };
    if let Some(problem) = crate::command::check::two_classes(house).await?.first() {
        return Err(Failure::new(Code::Unsound, &problem.subject, format!("{}; {}", problem.text, problem.fix)));
    }
    if rustix::process::geteuid().is_root() {
        tracing::warn!("started as root, everything runs as root; start it as a user of its own with CAP_NET_BIND_SERVICE");
    }
    raise_descriptors();
    refuse_huge_pages();
    let signals = signals::Signals::listen()?;
    let stopper = Stopper::new();
    let tls = certificates(house)?;
    let held = locks::hold(house, SERVICES.into_iter().filter(|service| !BEHIND.contains(service) && wanted(service)))?;
    // a service manager may forbid it to this process; setup has done it then
    if let Err(failure) = open_rooms(&house.config.store_directory()) {
        tracing::error!("{failure}");
    }
    house.db.listen();
    let scram = crate::command::user::scram(house);
    let scram_plus = house.config.bool("scram_plus");
    let settings = AuthSettings { default_domain: default_domain(house).await?, scram, scram_plus, ..AuthSettings::default() };
    let auth = Auth::new(house.store.clone(), settings).map_err(|error| Failure::new(Code::Unavailable, "auth", error))?;
    auth.look_for_keys().await;
    let doors = doors::open(house, &wanted, tls.is_some())?;
    let (mut tasks, mut changeable) = services::start(house, doors, auth, tls.as_ref(), &stopper);
    tasks.extend(services::start_housekeeping(house, &wanted, &stopper, &mut changeable)?);
    say("posthouse: ready")?;
    let outcome = ready(stopper.clone()).await;
    match &outcome {
        Ok(()) => signals::until_told(signals, house, tls.as_ref(), &changeable, &stopper).await,
        Err(_) => stopper.cut(),
    }
    for task in tasks {
        if let Err(error) = task.await {
            tracing::error!("a service ended badly: {error}");
        }
    }
    drop(held);
    outcome
}

/// Where the kernel hands out huge pages unasked, a page that one session touches would weigh 2 MB.
fn refuse_huge_pages() {
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "huge pages stay");
    }
}

/// A session takes a descriptor, and shells give 1024 at first: as many as this process may have.
fn raise_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let most = getrlimit(Resource::Nofile).maximum;
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }) {
        tracing::warn!("open files: {error}; the limit stays as it was");
    }
    if most.is_some_and(|most| most < FEW_DESCRIPTORS) {
        tracing::warn!("this process may open {} files; each connection takes one or more. Raise it: LimitNOFILE, ulimit -Hn", most.unwrap_or_default());
    }
}

/// A line for whoever started us.
pub fn say(line: &str) -> Result<(), Failure> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|error| Failure::new(Code::Unavailable, "stdout", error))
}

/// The certificates; none when neither file is there, and then nothing offers TLS.
fn certificates(house: &House) -> Result<Option<TlsServer>, Failure> {
    let path = |name| house.config.path(name).unwrap_or_default();
    let files = TlsFiles { cert: path("tls_cert_file"), key: path("tls_key_file"), names: Some(house.config.directory().join("certs")) };
    if !files.cert.exists() && !files.key.exists() {
        tracing::warn!("no certificate: {} is not there; without TLS nobody can log in. setup --self-signed makes one", files.cert.display());
        return Ok(None);
    }
    TlsServer::new(files).map(Some).map_err(|error| Failure::new(Code::Unsound, "tls_cert_file", error))
}

/// A login without a domain is completed by the only hosted one.
async fn default_domain(house: &House) -> Result<Option<String>, Failure> {
    let domains = house.store.domains().await.map_err(|error| crate::failure::of_store("domains", &error))?;
    Ok(match &domains[..] {
        [only] => Some(only.name.clone()),
        _ => None,
    })
}
