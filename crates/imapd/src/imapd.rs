//! The service: what all its sessions share.

use std::sync::Arc;
use std::time::Instant;

use auth::Auth;
use net::{Conversation, Peer};
use store::Store;

use crate::Settings;
use crate::seats::Seats;

/// The IMAP service. Cheap to clone; clones are one service.
#[derive(Clone)]
pub struct Imapd(Arc<Inner>);

struct Inner {
    store: Store,
    auth: Auth,
    settings: Settings,
    seats: Seats,
}

impl Imapd {
    /// Serves the mail of `store` to those that `auth` lets in.
    pub fn new(store: Store, auth: Auth, settings: Settings) -> Imapd {
        let seats = Seats::new(settings.sessions_per_user);
        Imapd(Arc::new(Inner { store, auth, settings, seats }))
    }

    /// The same service (its sessions are counted on) with other settings, for connections to come.
    pub fn with(&self, settings: Settings) -> Imapd {
        let Inner { store, auth, seats, .. } = &*self.0;
        let seats = seats.with(settings.sessions_per_user);
        Imapd(Arc::new(Inner { store: store.clone(), auth: auth.clone(), settings, seats }))
    }

    /// The dialogue of a new connection; `secured`: TLS stands already (imaps).
    pub fn dialogue(&self, secured: bool) -> imap::Session {
        imap::Session::new(self.0.settings.language.clone(), secured, Instant::now())
    }

    /// The dialogue for `net::serve`, by the name of the service.
    pub fn dialogue_for(&self, peer: &Peer) -> imap::Session {
        self.dialogue(peer.service == "imaps")
    }

    /// Serves one connection to its end: the handler for `net::serve`.
    pub async fn serve(self, conversation: Conversation<imap::Session>) {
        crate::session::serve(self, conversation).await;
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn auth(&self) -> &Auth {
        &self.0.auth
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn seats(&self) -> &Seats {
        &self.0.seats
    }
}
