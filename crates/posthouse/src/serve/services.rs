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

/// What a running server takes from a changed `main.cf`: everything that a connection asks when it comes, and the queue when it is due.
/// Where it listens and where things lie wait for the next start.
pub struct Changeable {
    auth: Auth,
    tls: bool,
    smtp: Vec<(&'static str, Arc<ArcSwap<smtpd::Smtpd>>, smtpd::Anvil)>,
    imap: Arc<ArcSwap<imapd::Imapd>>,
    pop3: Arc<ArcSwap<pop3d::Pop3d>>,
    caps: Vec<(&'static str, Caps)>,
    queue: Option<Queue>,
}

impl Changeable {
    /// From the next connection on, as the configuration of `house` says.
    pub fn change(&self, house: &House) {
        for (service, current, anvil) in &self.smtp {
            current.store(Arc::new(smtp(house, service, &self.auth, self.tls, anvil)));
        }
        self.imap.store(Arc::new(self.imap.load().with(imap_settings(house, self.tls))));
        self.pop3.store(Arc::new(self.pop3.load().with(pop3_settings(house, self.tls))));
        for (service, caps) in &self.caps {
            caps.change_per_address(per_address(house, service));
        }
        if let Some(Queue { runner, outbound, routing }) = &self.queue {
            routing.0.store(Arc::new(router(house)));
            runner.change(plan_limits(house));
            outbound.change(outbound::Settings::of(&house.config));
        }
    }
}

/// Who tries what is queued: mailboxes here, hosts elsewhere.
struct Queue {
    runner: Arc<mda::Runner<Arc<Routing>>>,
    outbound: Arc<outbound::Outbound<Arc<Routing>>>,
    routing: Arc<Routing>,
}

/// Where addresses lead, by the configuration of this moment.
pub struct Routing(ArcSwap<route::Router>);

impl mda::Routes for Routing {
    async fn route(&self, address: &mail::Address) -> Result<route::Route, db::Error> {
        self.0.load_full().route(address).await
    }

    async fn route_again(&self, address: &mail::Address) -> Result<route::Route, db::Error> {
        self.0.load_full().route_again(address).await
    }
}

fn smtp(house: &House, service: &str, auth: &Auth, tls: bool, anvil: &smtpd::Anvil) -> smtpd::Smtpd {
    let role = match service {
        // what users of this machine hand in is no dialogue, and has no role of its own
        "smtp" | "submit" => smtpd::Role::Relay,
        "lmtp" => smtpd::Role::Lmtp,
        _ => smtpd::Role::Submission,
    };
    let settings = smtpd::Settings::of(&house.config, role, service == "submissions", tls);
    smtpd::Smtpd::new(house.store.clone(), Some(auth.clone()), router(house), settings).asking(resolver(house), anvil.clone())
}

/// Who asks for the names of clients and domains; without it they are unknown for now.
fn resolver(house: &House) -> Option<net::dns::Resolver> {
    let protocols = house.config.list("inet_protocols");
    let speaks = |family: &str| protocols.iter().any(|protocol| protocol == family || protocol == "all");
    let servers = house.config.list("dns_servers").iter().filter_map(|text| net::dns::server(text)).collect();
    let settings = net::dns::Settings { servers, ipv4: speaks("ipv4"), ipv6: speaks("ipv6") };
    net::dns::Resolver::new(&settings).inspect_err(|error| tracing::warn!("names of clients are not looked up: {error}")).ok()
}

/// Serves every door.
pub fn start(house: &House, doors: Vec<Listener>, auth: Auth, tls: Option<&TlsServer>, stopper: &Stopper) -> (Vec<JoinHandle<()>>, Changeable) {
    let imapd = imapd::Imapd::new(house.store.clone(), auth.clone(), imap_settings(house, tls.is_some()));
    let pop3d = pop3d::Pop3d::new(house.store.clone(), auth.clone(), pop3_settings(house, tls.is_some()));
    let mut tasks = Vec::new();
    let mut changeable = Changeable {
        auth: auth.clone(),
        tls: tls.is_some(),
        smtp: Vec::new(),
        imap: Arc::new(ArcSwap::from_pointee(imapd)),
        pop3: Arc::new(ArcSwap::from_pointee(pop3d)),
        caps: Vec::new(),
        queue: None,
    };
    for door in doors {
        let service = door.service();
        let caps = Caps::new(SESSIONS, per_address(house, service));
        changeable.caps.push((service, caps.clone()));
        let setup = |alpn, busy| Setup {
            tls: tls.map(|tls| tls.for_service(alpn)),
            implicit: matches!(service, "submissions" | "imaps" | "pop3s"),
            limits: Limits::default(),
            stop: stopper.stop(),
            caps,
            busy,
        };
        tasks.push(match service {
            "imap" | "imaps" => {
                let (make, serve) = (changeable.imap.clone(), changeable.imap.clone());
                let setup = setup(Some("imap"), "* BYE [UNAVAILABLE] Too many connections\r\n");
                tokio::spawn(net::serve(door, setup, move |peer| make.load().dialogue_for(peer), move |talk| imapd::Imapd::clone(&serve.load()).serve(talk)))
            }
            "pop3" | "pop3s" => {
                let serve = changeable.pop3.clone();
                let setup = setup(Some("pop3"), "-ERR [SYS/TEMP] Too many connections\r\n");
                tokio::spawn(net::serve(door, setup, |_| pop3::Session::new(pop3::Limits::default()), move |talk| pop3d::Pop3d::clone(&serve.load()).serve(talk)))
            }
            _ => {
                let anvil = smtpd::Anvil::default();
                let current = Arc::new(ArcSwap::from_pointee(smtp(house, service, &auth, tls.is_some(), &anvil)));
                changeable.smtp.push((service, current.clone(), anvil));
                let serving = current.clone();
                let setup = setup(None, "421 4.3.2 Too many connections\r\n");
                tokio::spawn(net::serve(door, setup, move |peer| current.load().dialogue(peer), move |talk| smtpd::Smtpd::clone(&serving.load()).serve(talk)))
            }
        });
    }
    (tasks, changeable)
}

/// The queue's runner and the store's upkeep, while this process is the one to do them.
pub fn start_housekeeping(house: &House, wanted: &dyn Fn(&str) -> bool, stopper: &Stopper, changeable: &mut Changeable) -> Result<Vec<JoinHandle<()>>, Failure> {
    let mut tasks = Vec::new();
    if wanted("queue") {
        let routing = Arc::new(Routing(ArcSwap::from_pointee(router(house))));
        let runner = mda::Runner::new(house.store.clone(), routing.clone(), plan_limits(house));
        let outbound = outbound::Outbound::new(house.store.clone(), routing.clone(), outbound::Settings::of(&house.config));
        changeable.queue = Some(Queue { runner: runner.clone(), outbound: outbound.clone(), routing });
        let anvil = smtpd::Anvil::default();
        let submit = Arc::new(ArcSwap::from_pointee(smtp(house, "submit", &changeable.auth, changeable.tls, &anvil)));
        changeable.smtp.push(("submit", submit.clone(), anvil));
        let store = house.config.store_directory();
        let work = move |stop: Stop| {
            let stops = [stop.clone(), stop.clone()];
            let [here, elsewhere] = stops.map(|stop| async move { stop.requested().await });
            let (here, elsewhere) = (runner.clone().run(here), outbound.clone().run(elsewhere));
            let handed_in = super::pickup::run(store.clone(), submit.clone(), stop);
            async move {
                tokio::join!(here, elsewhere, handed_in);
            }
        };
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

fn plan_limits(house: &House) -> mda::Limits {
    smtpd::Settings::of(&house.config, smtpd::Role::Relay, false, false).plan
}

/// Connections beyond `smtpd_client_connection_count_limit` that still hear Postfix's refusal; what comes on top of them is not worth a session.
const REFUSED_AT_A_TIME: usize = 20;

/// Sending is limited as Postfix limits it (0: not at all), by `smtpd`, which says so in its words.
fn per_address(house: &House, service: &str) -> usize {
    match (service, house.config.count("smtpd_client_connection_count_limit")) {
        ("smtp" | "submission" | "submissions", 0) => SESSIONS,
        ("smtp" | "submission" | "submissions", most) => most.saturating_add(REFUSED_AT_A_TIME),
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
