//! The judgement: [`Auth::check`].

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use mail::Address;
use sasl::{BadRecord, Credentials, MAX_PASSWORD, Record};
use store::{Account, AccountId, State, Store};

use crate::cache::Cache;
use crate::pool::{Pool, Refused};
use crate::{AuthSettings, login_name};

/// Records of one account that are tried, oldest first: each costs a wrong password another hash, so an account with a
/// drawer full of app passwords would be a lever against the pool.
pub const MAX_RECORDS: usize = 16;

/// Judges logins. Cheap to clone; all clones share the pool and the memory.
#[derive(Clone)]
pub struct Auth {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    settings: AuthSettings,
    pool: Pool,
    cache: Mutex<Cache>,
    /// Verified in place of a record that is not there; of a password nobody knows.
    decoy: Record,
}

/// Who a client turned out to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Whose mail it may read.
    pub account: AccountId,
    /// The account's own address, however the login was spelled.
    pub login: Address,
}

/// Why a client is not let in. The text is for the operator; the peer gets a code.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Denied {
    /// Login or password are wrong; which of them is not told.
    #[error("wrong login or password")]
    BadCredentials,
    /// The password is right, but the account is switched off. Told only to who knows the password.
    #[error("the account is disabled")]
    Disabled,
    /// Nobody can log in now, so nothing is said about the password: it may be right. Temporary for the peer.
    #[error("logins can't be checked now: {0}")]
    Unavailable(String),
}

impl Auth {
    /// Over the accounts of `store`. Computes one hash, some 20 ms; fails only for want of memory.
    pub fn new(store: Store, settings: AuthSettings) -> Result<Auth, BadRecord> {
        let decoy = Record::of_password(&rand::random::<[u8; 16]>().map(|byte| byte | 1))?; // no NUL
        let pool = Pool::new(settings.workers, settings.waiting, settings.patience);
        let cache = Mutex::new(Cache::new(settings.remembered, settings.memory));
        Ok(Auth { inner: Arc::new(Inner { store, settings, pool, cache, decoy }) })
    }

    /// Whose login and password these are. Waits out the failure delay before it says no.
    pub async fn check(&self, login: &str, password: &[u8], from: IpAddr) -> Result<Identity, Denied> {
        let judged = self.judge(login, password).await;
        self.settle(login, from, judged).await
    }

    /// As [`Auth::check`]; an `authzid` must mean the same account.
    pub async fn check_credentials(&self, credentials: &Credentials, from: IpAddr) -> Result<Identity, Denied> {
        let login = &credentials.authcid;
        let judged = self.judge(login, &credentials.password).await.and_then(|identity| match &credentials.authzid {
            Some(other) if !self.address_of(other).is_some_and(|other| other.is_same(&identity.login)) => Err(Denied::BadCredentials),
            _ => Ok(identity),
        });
        self.settle(login, from, judged).await
    }

    async fn judge(&self, login: &str, password: &[u8]) -> Result<Identity, Denied> {
        let store = &self.inner.store;
        let account = match self.address_of(login) {
            Some(address) => store.account_by_login(&address).await.map_err(unavailable)?,
            None => None,
        };
        let records = match &account {
            Some(account) => self.records(account.id).await?,
            None => Vec::new(),
        };
        let proven = self.prove(account.as_ref().map(|account| account.id), records, password).await?;
        verdict(account, proven)
    }

    fn address_of(&self, login: &str) -> Option<Address> {
        login_name::address_of(login, self.inner.settings.default_domain.as_deref())
    }

    /// The account's records that can be verified; one that cannot is the operator's to mend.
    async fn records(&self, account: AccountId) -> Result<Vec<Record>, Denied> {
        let credentials = self.inner.store.credentials(account).await.map_err(unavailable)?;
        let mut records = Vec::new();
        // A scope names services; until a check is told which one it is for, what is limited to some opens none.
        for credential in credentials.iter().filter(|credential| credential.scopes == 0).take(MAX_RECORDS) {
            match Record::parse(&credential.secret) {
                Ok(record) => records.push(record),
                Err(error) => tracing::warn!(%account, label = %credential.label, %error, "a password record is of no use; set the password anew"),
            }
        }
        Ok(records)
    }

    /// Whether one of the records is of this password. Costs a hash even without records, unless it was proven lately.
    async fn prove(&self, account: Option<AccountId>, mut records: Vec<Record>, password: &[u8]) -> Result<bool, Denied> {
        let possible = !password.is_empty() && password.len() <= MAX_PASSWORD;
        let (account, possible) = (account.map_or(0, AccountId::get), possible && !records.is_empty());
        if possible && self.remembers(account, &records, password) {
            return Ok(true);
        }
        if !possible {
            records = vec![self.inner.decoy.clone()];
        }
        let tried = if possible { password.to_vec() } else { vec![b'x'] };
        let found = self.inner.pool.run(move || first_of(&records, &tried)).await;
        let found = found.map_err(|refused| Denied::Unavailable(refused.to_string()))?;
        let found = found.map_err(|error| Denied::Unavailable(error.to_string()))?;
        let Some(record) = found.filter(|_| possible) else { return Ok(false) };
        let mut cache = self.inner.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(proof) = cache.proof(account, &record.to_string(), password) {
            cache.remember(proof, Instant::now());
        }
        Ok(true)
    }

    fn remembers(&self, account: i64, records: &[Record], password: &[u8]) -> bool {
        let mut cache = self.inner.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        records.iter().any(|record| {
            cache.proof(account, &record.to_string(), password).is_some_and(|proof| cache.knows(&proof, now))
        })
    }

    /// Logs a login that failed, in a line fail2ban can read, and lets its sender wait.
    async fn settle(&self, login: &str, from: IpAddr, judged: Result<Identity, Denied>) -> Result<Identity, Denied> {
        match &judged {
            Ok(identity) => tracing::debug!(login = %identity.login, rip = %from, "logged in"),
            Err(Denied::Unavailable(reason)) => tracing::error!(login = ?login, rip = %from, reason, "logins can't be checked now"),
            Err(denied) => {
                // `?login` escapes what could forge a line; where the failure came from is what a ban needs.
                tracing::warn!(login = ?login, rip = %from, reason = %denied, "authentication failed");
                tokio::time::sleep(self.inner.settings.failure_delay).await;
            }
        }
        judged
    }
}

/// What a login gets whose password was, or was not, proven.
fn verdict(account: Option<Account>, proven: bool) -> Result<Identity, Denied> {
    match account {
        Some(account) if proven => match account.state {
            State::Active => Ok(Identity { account: account.id, login: account.login }),
            State::Disabled => Err(Denied::Disabled),
            State::Removed => Err(Denied::BadCredentials), // it is nobody's any more
        },
        _ => Err(Denied::BadCredentials),
    }
}

/// The first record this password is of.
fn first_of(records: &[Record], password: &[u8]) -> Result<Option<Record>, BadRecord> {
    for record in records {
        if record.verify(password)? {
            return Ok(Some(record.clone()));
        }
    }
    Ok(None)
}

fn unavailable(error: db::Error) -> Denied {
    Denied::Unavailable(error.to_string())
}

impl std::fmt::Display for Refused {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Refused::Saturated => "too many logins at a time",
            Refused::Lost => "the check was cut off",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_active_account_is_let_in_and_only_its_owner_learns_why_not() {
        let account = |state| {
            let login = Address::parse("alice@example.test").expect("an address");
            Some(Account { id: AccountId::new(1), login, state, quota_bytes: None, quota_messages: None, used_bytes: 0, used_messages: 0 })
        };
        assert!(verdict(account(State::Active), true).is_ok());
        assert_eq!(verdict(account(State::Disabled), true), Err(Denied::Disabled));
        assert_eq!(verdict(account(State::Removed), true), Err(Denied::BadCredentials));
        for state in [State::Active, State::Disabled, State::Removed] {
            assert_eq!(verdict(account(state), false), Err(Denied::BadCredentials), "{state:?}");
        }
        assert_eq!(verdict(None, true), Err(Denied::BadCredentials));
    }

    #[test]
    fn a_denial_never_tells_the_password() {
        let printed = format!("{:?} {}", Denied::BadCredentials, Denied::Unavailable(Refused::Saturated.to_string()));
        assert_eq!(printed, "BadCredentials logins can't be checked now: too many logins at a time");
    }
}
