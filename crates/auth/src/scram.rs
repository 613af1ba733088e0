//! Logins by SCRAM: which keys a name has, and what a proof opens.

use std::sync::atomic::Ordering;

use sasl::Mechanism;
use sasl::scram::Keys;
use store::{Account, Credential};

use crate::check::{unavailable, verdict};
use crate::{Auth, Client, Denied, Identity, Scram};

/// Whose keys a challenge was made of; `None`: nobody's.
pub(crate) type Challenged = Option<(Account, Vec<Credential>)>;

impl Auth {
    /// The mechanisms that are offered where a password may be sent; with `bound`, on a connection that can be bound to.
    pub fn mechanisms(&self, bound: bool) -> Vec<Mechanism> {
        let scram = match self.inner.settings.scram {
            Scram::On => true,
            Scram::Off => false,
            Scram::Auto => self.inner.all_have_keys.load(Ordering::Relaxed),
        };
        let offered = |mechanism: &Mechanism| match mechanism {
            Mechanism::ScramPlus => scram && bound && self.inner.settings.scram_plus,
            Mechanism::Scram => scram,
            Mechanism::Plain | Mechanism::Login => true,
        };
        Mechanism::ALL.into_iter().filter(offered).collect()
    }

    /// Looks whether every account has keys; at the start, and once in a while at a login.
    pub async fn look_for_keys(&self) {
        if self.inner.settings.scram != Scram::Auto {
            return;
        }
        match self.inner.store.all_have_scram().await {
            Ok(all) => self.inner.all_have_keys.store(all, Ordering::Relaxed),
            Err(error) => tracing::warn!(%error, "whether SCRAM can be offered is not known; what was offered stays"),
        }
    }

    /// The keys of `name` for one challenge.
    pub(crate) async fn challenged(&self, client: Client, name: &str) -> Result<(Challenged, Vec<Keys>), Denied> {
        self.receive(client, name).await;
        let store = &self.inner.store;
        let account = match self.address_of(name) {
            Some(address) => store.account_by_login(&address).await.map_err(unavailable)?,
            None => None,
        };
        let credentials = match &account {
            Some(account) => store.credentials(account.id).await.map_err(unavailable)?,
            None => Vec::new(),
        };
        let mut keyed: Vec<(Credential, Keys)> = Vec::new();
        for credential in credentials.into_iter().filter(|credential| client.service.is_in(credential.scopes)) {
            let keys = credential.secret.scram.as_deref().and_then(|keys| keys.parse::<Keys>().ok());
            if let Some(keys) = keys.filter(|keys| keyed.first().is_none_or(|(_, first)| first.same_challenge(keys))) {
                keyed.push((credential, keys));
            }
        }
        match account {
            Some(account) if !keyed.is_empty() => {
                let (credentials, keys) = keyed.into_iter().unzip();
                Ok((Some((account, credentials)), keys))
            }
            _ => {
                let secret = self.inner.nobody.get_or_try_init(|| store.house_key("scram")).await.map_err(unavailable)?;
                let name = self.address_of(name).map_or_else(|| name.to_owned(), |address| address.to_string());
                Ok((None, vec![Keys::nobody(secret, &name)]))
            }
        }
    }

    /// The client knows the password of `name`, `which` of those whose keys it was challenged with.
    pub(crate) async fn proven(&self, client: Client, name: &str, authzid: Option<&str>, challenged: Option<Challenged>, which: usize) -> Result<Identity, Denied> {
        let judged = match challenged.flatten() {
            Some((account, credentials)) => {
                let identity = verdict(Some(account), true).and_then(|identity| self.acting_as(identity, authzid));
                if let (Ok(identity), Some(credential)) = (&identity, credentials.get(which)) {
                    self.used(identity.account, credential).await;
                }
                identity
            }
            None => Err(Denied::BadCredentials),
        };
        self.settle(name, None, client, judged).await
    }

    /// The client does not; says so when it has waited.
    pub(crate) async fn unproven(&self, client: Client, name: &str, why: &'static str) -> Denied {
        tracing::debug!(login = ?name, rip = %client.address, why, "SCRAM was refused");
        match self.settle(name, None, client, Err(Denied::BadCredentials)).await {
            Err(denied) => denied,
            Ok(_) => Denied::BadCredentials,
        }
    }
}
