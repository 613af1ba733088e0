//! What stands behind each door.

use auth::{Auth, PlaintextAuth};
use net::{Caps, Limits, Listener, Setup, Stopper, TlsServer};
use tokio::task::JoinHandle;

use crate::house::House;

/// Sessions of one service: as many as descriptors are likely to allow.
const SESSIONS: usize = 10_000;
/// Of one address: an office behind one address, each with some mail programs.
const SESSIONS_PER_ADDRESS: usize = 500;

/// Serves every door.
pub fn start(house: &House, doors: Vec<Listener>, auth: Auth, tls: Option<&TlsServer>, stopper: &Stopper) -> Vec<JoinHandle<()>> {
    let imapd = imapd::Imapd::new(house.store.clone(), auth.clone(), imap_settings(house, tls.is_some()));
    let pop3d = pop3d::Pop3d::new(house.store.clone(), auth.clone(), pop3_settings(house, tls.is_some()));
    let mut tasks = Vec::new();
    for door in doors {
        let service = door.service();
        let setup = |alpn, busy| Setup {
            tls: tls.map(|tls| tls.for_service(alpn)),
            implicit: matches!(service, "submissions" | "imaps" | "pop3s"),
            limits: Limits::default(),
            stop: stopper.stop(),
            caps: Caps::new(SESSIONS, SESSIONS_PER_ADDRESS),
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
                let role = match service {
                    "smtp" => smtpd::Role::Relay,
                    "lmtp" => smtpd::Role::Lmtp,
                    _ => smtpd::Role::Submission,
                };
                let settings = smtpd::Settings::of(&house.config, role, service == "submissions", tls.is_some());
                let smtpd = smtpd::Smtpd::new(house.store.clone(), Some(auth.clone()), router(house), settings);
                let (make, serve) = (smtpd.clone(), smtpd);
                let setup = setup(None, "421 4.3.2 Too many connections\r\n");
                tokio::spawn(net::serve(door, setup, move |peer| make.dialogue(peer), move |talk| serve.clone().serve(talk)))
            }
        });
    }
    tasks
}

/// The queue's runner and the store's upkeep, where this process holds them.
pub fn start_housekeeping(house: &House, wanted: &dyn Fn(&str) -> bool, stopper: &Stopper) -> Vec<JoinHandle<()>> {
    let mut tasks = Vec::new();
    if wanted("queue") {
        let stop = stopper.stop();
        let limits = smtpd::Settings::of(&house.config, smtpd::Role::Relay, false, false).plan;
        let runner = mda::Runner::new(house.store.clone(), router(house), limits);
        tasks.push(tokio::spawn(runner.run(async move { stop.requested().await })));
    }
    if wanted("upkeep") {
        let stop = stopper.stop();
        tasks.push(tokio::spawn(store::settle::run(house.store.clone(), async move { stop.requested().await })));
    }
    tasks
}

/// Where addresses lead, by this configuration.
pub fn router(house: &House) -> route::Router {
    route::Router::new(house.store.clone(), route::Settings::of(&house.config))
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
