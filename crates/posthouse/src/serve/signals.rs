//! Signals.

use std::sync::Arc;

use config::Config;
use net::{Stopper, TlsServer};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::SERVICES;
use super::services::Changeable;
use crate::failure::{Code, Failure};
use crate::house::House;

/// What we listen to; from the moment this exists, no signal ends the process by itself.
pub struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
}

impl Signals {
    /// Before anybody is told that we are ready.
    pub fn listen() -> Result<Signals, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::new(Code::Unavailable, "signals", error));
        Ok(Signals { term: listen(SignalKind::terminate())?, int: listen(SignalKind::interrupt())?, hup: listen(SignalKind::hangup())? })
    }
}

/// Waits for TERM or INT, with HUP in between; then requests the stop. A second TERM ends at once.
pub async fn until_told(signals: Signals, house: &House, tls: Option<&TlsServer>, changeable: &Changeable, stopper: &Stopper) {
    let Signals { mut term, mut int, mut hup } = signals;
    let mut house = house.clone();
    loop {
        tokio::select! {
            _ = term.recv() => break,
            _ = int.recv() => break,
            _ = hup.recv() => if let Some(config) = reload(&house, tls).await {
                house.config = config;
                changeable.change(&house);
                tracing::info!("reloaded: certificates and configuration, for connections from now on");
            },
        }
    }
    let grace = house.config.time("stop_timeout");
    tracing::info!("stopping: no new connections, {grace:?} for what is under way");
    stopper.request(grace);
    let stopper = Arc::new(stopper.clone());
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        tracing::warn!("told twice: ending at once");
        stopper.cut();
    });
}

/// What a running server cannot change: where it listens, where things lie, and which mechanisms it offers.
const AT_START: [&str; 11] = [
    "database_url",
    "inet_interfaces",
    "mail_location",
    "maillog_file",
    "port_offset",
    "scram",
    "scram_plus",
    "services",
    "store_directory",
    "tls_cert_file",
    "tls_key_file",
];

/// All or nothing: the new configuration if it is sound and the certificates were read; else everything stays as it was.
async fn reload(house: &House, tls: Option<&TlsServer>) -> Option<Arc<Config>> {
    let config = match Config::load(house.config.directory()) {
        Ok(config) => Arc::new(config),
        Err(problems) => {
            for problem in problems.iter().filter(|problem| problem.is_error()) {
                tracing::error!("reload: {problem}; the old configuration stays");
            }
            return None;
        }
    };
    let then = House { config: config.clone(), ..house.clone() };
    match crate::command::check::two_classes(&then).await {
        Ok(problems) if problems.is_empty() => {}
        Ok(problems) => {
            for problem in problems {
                tracing::error!("reload: {}: {}; {}; the old configuration stays", problem.subject, problem.text, problem.fix);
            }
            return None;
        }
        Err(error) => {
            tracing::error!("reload: {error}; the old configuration stays");
            return None;
        }
    }
    if let Some(Err(error)) = tls.map(TlsServer::reload) {
        tracing::error!("reload: {error}; the old certificates and configuration stay");
        return None;
    }
    let listens = SERVICES.into_iter().filter(|service| config.listens(service) != house.config.listens(service)).map(|service| format!("{service}_listen"));
    let others = AT_START.into_iter().filter(|name| config.text(name) != house.config.text(name)).map(str::to_owned);
    let waiting: Vec<String> = listens.chain(others).collect();
    if !waiting.is_empty() {
        tracing::warn!("reload: changed, but taken at the next start only: {}", waiting.join(", "));
    }
    crate::log::reopen();
    Some(config)
}
