//! What stands behind each door.

use std::sync::Arc;

use arc_swap::ArcSwap;
use auth::{Auth, PlaintextAuth};
use net::{Caps, Limits, Listener, Setup, Stop, Stopper, TlsServer};
use tokio::task::JoinHandle;

use super::locks::Role;
use crate::failure::Failure;
use crate::house::House;

/// Sessions of one service: as many as descriptors are likely to allow.
const SESSIONS: usize = 10_000;
/// Of reading from one address: an office behind one address, each with some mail programs.
const SESSIONS_PER_ADDRESS: usize = 500;

/// What a running server can take from a changed `main.cf`: how SMTP receives. Addresses and ports, and how mail is read, wait
/// for the next start.
pub struct Receiving {
    auth: Auth,
    tls: bool,
    services: Vec<(&'static str, Arc<ArcSwap<smtpd::Smtpd>>)>,
}

impl Receiving {
    /// From the next connection on, as the configuration of `house` says.
    pub fn change(&self, house: &House) {
        for (service, current) in &self.services {
            current.store(Arc::new(smtp(house, service, &self.auth, self.tls)));
        }
    }
}

fn smtp(house: &House, service: &str, auth: &Auth, tls: bool) -> smtpd::Smtpd {
    let role = match service {
        "smtp" => smtpd::Role::Relay,
        "lmtp" => smtpd::Role::Lmtp,
        _ => smtpd::Role::Submission,
    };
    let settings = smtpd::Settings::of(&house.config, role, service == "submissions", tls);
    smtpd::Smtpd::new(house.store.clone(), Some(auth.clone()), router(house), settings)
}

/// Serves every door.
pub fn start(house: &House, doors: Vec<Listener>, auth: Auth, tls: Option<&TlsServer>, stopper: &Stopper) -> (Vec<JoinHandle<()>>, Receiving) {
    let imapd = imapd::Imapd::new(house.store.clone(), auth.clone(), imap_settings(house, tls.is_some()));
    let pop3d = pop3d::Pop3d::new(house.store.clone(), auth.clone(), pop3_settings(house, tls.is_some()));
    let mut tasks = Vec::new();
    let mut receiving = Receiving { auth: auth.clone(), tls: tls.is_some(), services: Vec::new() };
    for door in doors {
        let service = door.service();
        let setup = |alpn, busy| Setup {
            tls: tls.map(|tls| tls.for_service(alpn)),
            implicit: matches!(service, "submissions" | "imaps" | "pop3s"),
            limits: Limits::default(),
            stop: stopper.stop(),
            caps: Caps::new(SESSIONS, per_address(house, service)),
            busy,
        };
        tasks.push(match service {
            "imap" | "imaps" => {
                let (make, serve) = (imapd.clone(), imapd.clone());
                let setup = setup(Some("imap"), "* BYE [UNAVAILABLE] Too many connections\r\n");
                tokio::spawn(net::serve(door, setup, move |peer| make.dialogue_for(peer), move |talk| serve.clone().serve(talk)))
            }
            "pop3" | "pop3s" => {
                let serve = pop3d.clone();
                let setup = setup(Some("pop3"), "-ERR [SYS/TEMP] Too many connections\r\n");
                tokio::spawn(net::serve(door, setup, |_| pop3::Session::new(pop3::Limits::default()), move |talk| serve.clone().serve(talk)))
            }
            _ => {
                let current = Arc::new(ArcSwap::from_pointee(smtp(house, service, &auth, tls.is_some())));
                receiving.services.push((service, current.clone()));
                let serving = current.clone();
                let setup = setup(None, "421 4.3.2 Too many connections\r\n");
                tokio::spawn(net::serve(door, setup, move |peer| current.load().dialogue(peer), move |talk| smtpd::Smtpd::clone(&serving.load()).serve(talk)))
            }
        });
    }
    (tasks, receiving)
}

/// The queue's runner and the store's upkeep, while this process is the one to do them.
pub fn start_housekeeping(house: &House, wanted: &dyn Fn(&str) -> bool, stopper: &Stopper) -> Result<Vec<JoinHandle<()>>, Failure> {
    let mut tasks = Vec::new();
    if wanted("queue") {
        let limits = smtpd::Settings::of(&house.config, smtpd::Role::Relay, false, false).plan;
        let runner = mda::Runner::new(house.store.clone(), router(house), limits);
        let work = move |stop: Stop| runner.clone().run(async move { stop.requested().await });
        tasks.push(tokio::spawn(Role::new(house, "queue")?.run(stopper.stop(), work)));
    }
    if wanted("upkeep") {
        let of = house.clone();
        let work = move |stop: Stop| {
            let (house, settling) = (of.clone(), stop.clone());
            let settle = store::settle::run(of.store.clone(), async move { settling.requested().await });
            async move {
                tokio::join!(settle, super::sweep::run(house, stop));
            }
        };
        tasks.push(tokio::spawn(Role::new(house, "upkeep")?.run(stopper.stop(), work)));
    }
    Ok(tasks)
}

/// Where addresses lead, by this configuration.
pub fn router(house: &House) -> route::Router {
    route::Router::new(house.store.clone(), route::Settings::of(&house.config))
}

/// Sending is limited as Postfix limits it (0: not at all).
fn per_address(house: &House, service: &str) -> usize {
    match (service, house.config.count("smtpd_client_connection_count_limit")) {
        ("smtp" | "submission" | "submissions", 0) => SESSIONS,
        ("smtp" | "submission" | "submissions", most) => most,
        _ => SESSIONS_PER_ADDRESS,
    }
}

fn plaintext_auth(house: &House) -> PlaintextAuth {
    match house.config.text("plaintext_auth") {
        "loopback" => PlaintextAuth::Loopback,
        _ => PlaintextAuth::No,
    }
}

fn imap_settings(house: &House, tls: bool) -> imapd::Settings {
    let plain = imapd::Settings::default();
    let append_limit = house.config.limit("message_size_limit").unwrap_or(plain.append_limit);
    imapd::Settings { starttls: tls, plaintext_auth: plaintext_auth(house), append_limit, ..plain }
}

fn pop3_settings(house: &House, tls: bool) -> pop3d::Settings {
    pop3d::Settings { stls: tls, plaintext_auth: plaintext_auth(house), ..pop3d::Settings::default() }
}
