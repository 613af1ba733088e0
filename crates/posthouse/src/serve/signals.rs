//! Signals.

use std::sync::Arc;

use net::{Stopper, TlsServer};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::services::Receiving;
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
pub async fn until_told(signals: Signals, house: &House, tls: Option<&TlsServer>, receiving: &Receiving, stopper: &Stopper) {
    let Signals { mut term, mut int, mut hup } = signals;
    loop {
        tokio::select! {
            _ = term.recv() => break,
            _ = int.recv() => break,
            _ = hup.recv() => reload(house, tls, receiving),
        }
    }
    tracing::info!("stopping: no new connections, {:?} for what is under way", house.config.time("stop_timeout"));
    stopper.request(house.config.time("stop_timeout"));
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

/// All or nothing: a bad file keeps what was.
fn reload(house: &House, tls: Option<&TlsServer>, receiving: &Receiving) {
    let config = match config::Config::load(house.config.directory()) {
        Ok(config) => config,
        Err(problems) => {
            for problem in problems.iter().filter(|problem| problem.is_error()) {
                tracing::error!("reload: {problem}; the old configuration stays");
            }
            return;
        }
    };
    if let Some(Err(error)) = tls.map(TlsServer::reload) {
        return tracing::error!("reload: {error}; the old certificates and configuration stay");
    }
    receiving.change(&House { config: Arc::new(config), ..house.clone() });
    tracing::info!("reloaded: certificates, and how SMTP receives; addresses, ports and the rest wait for the next start");
}
