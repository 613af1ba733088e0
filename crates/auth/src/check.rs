//! The judgement: [`Auth::check`].

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mail::Address;
use sasl::{BadRecord, Credentials, MAX_PASSWORD, Record};
use store::{Account, AccountId, Credential, MAX_APP_PASSWORDS, Secret, State, Store};
use tokio::sync::OnceCell;

use crate::cache::Cache;
use crate::failures::Failures;
use crate::pool::{Pool, Refused};
use crate::{AuthSettings, Client, Scram, Service, login_name, secret_of};

/// Records of one account that are tried: its password and what it may have of app passwords.
pub const MAX_RECORDS: usize = 1 + MAX_APP_PASSWORDS;

/// How old the knowledge may be whether all have keys for SCRAM.
const LOOK: Duration = Duration::from_secs(60);
/// How exactly the last use of a credential is kept: a write a login would make each login wait for the disk.
const USED: i64 = 3600 * 1000;

/// Judges logins. Cheap to clone; all clones share the pool and the memory.
#[derive(Clone)]
pub struct Auth {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) settings: AuthSettings,
    pool: Pool,
    cache: Mutex<Cache>,
    failures: Mutex<Failures>,
    /// Every account has keys for SCRAM, as far as is known.
    pub(crate) all_have_keys: AtomicBool,
    looked: Mutex<Option<Instant>>,
    /// What challenges for unknown names are made of.
    pub(crate) nobody: OnceCell<[u8; 32]>,
    /// Verified in place of a record that is not there; of a password nobody knows.
    decoy: Record,
}

/// A credential whose record can be verified.
struct Known {
    credential: Credential,
    record: Record,
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
        let failures = Mutex::new(Failures::new(settings.failure_delay));
        let (all_have_keys, looked, nobody) = (AtomicBool::new(false), Mutex::default(), OnceCell::new());
        Ok(Auth { inner: Arc::new(Inner { store, settings, pool, cache, failures, all_have_keys, looked, nobody, decoy }) })
    }

    /// Whose login and password these are. Waits out the delay before it says no.
    pub async fn check(&self, login: &str, password: &[u8], client: Client) -> Result<Identity, Denied> {
        let judged = self.judge(login, password, client).await;
        self.settle(login, Some(password), client, judged).await
    }

    /// As [`Auth::check`]; an `authzid` must mean the same account.
    pub(crate) async fn check_credentials(&self, credentials: &Credentials, client: Client) -> Result<Identity, Denied> {
        let Credentials { authzid, authcid, password } = credentials;
        let judged = self.judge(authcid, password, client).await.and_then(|identity| self.acting_as(identity, authzid.as_deref()));
        self.settle(authcid, Some(password), client, judged).await
    }

    /// Only as oneself, so far.
    pub(crate) fn acting_as(&self, identity: Identity, authzid: Option<&str>) -> Result<Identity, Denied> {
        match authzid {
            Some(other) if !self.address_of(other).is_some_and(|other| other.is_same(&identity.login)) => Err(Denied::BadCredentials),
            _ => Ok(identity),
        }
    }

    async fn judge(&self, login: &str, password: &[u8], client: Client) -> Result<Identity, Denied> {
        let store = &self.inner.store;
        let account = match self.address_of(login) {
            Some(address) => store.account_by_login(&address).await.map_err(unavailable)?,
            None => None,
        };
        let records = match &account {
            Some(account) => self.records(account.id, client).await?,
            None => Vec::new(),
        };
        let id = account.as_ref().map(|account| account.id);
        let possible = !password.is_empty() && password.len() <= MAX_PASSWORD;
        let proven = match id.filter(|_| possible && !records.is_empty()) {
            Some(id) => match self.quickly(id, &records, password) {
                Some(known) => {
                    self.used(id, &known.credential).await;
                    true
                }
                None => self.prove(id, records, login, password, client).await?,
            },
            None => {
                let suspect = self.receive(client, login).await;
                let decoy = self.inner.decoy.clone();
                self.hash(suspect, move || decoy.verify(b"x")).await?;
                false
            }
        };
        verdict(account, proven)
    }

    pub(crate) fn address_of(&self, login: &str) -> Option<Address> {
        login_name::address_of(login, self.inner.settings.default_domain.as_deref())
    }

    /// The account's credentials that open this service and can be verified; one that cannot is the operator's to mend.
    async fn records(&self, account: AccountId, client: Client) -> Result<Vec<Known>, Denied> {
        let credentials = self.inner.store.credentials(account).await.map_err(unavailable)?;
        let mut records = Vec::new();
        for credential in credentials.into_iter().filter(|credential| client.service.is_in(credential.scopes)).take(MAX_RECORDS) {
            match Record::parse(&credential.secret.record) {
                Ok(record) => records.push(Known { credential, record }),
                Err(error) => tracing::warn!(%account, label = %credential.label, %error, "a password record is of no use; set the password anew"),
            }
        }
        Ok(records)
    }

    /// Whose password it is, if that can be told without work: it was proven lately, or it is an app password, of which a digest
    /// is enough, since nobody guesses 128 bits.
    fn quickly<'k>(&self, account: AccountId, records: &'k [Known], password: &[u8]) -> Option<&'k Known> {
        records.iter().find(|known| match known.credential.is_app {
            true => known.record.verify(password).unwrap_or(false),
            false => self.remembers(account, &known.credential.secret.record, password),
        })
    }

    /// Whether it is the account's password. Costs a hash, and a wait where somebody is guessing.
    async fn prove(&self, account: AccountId, records: Vec<Known>, login: &str, password: &[u8], client: Client) -> Result<bool, Denied> {
        let suspect = self.receive(client, login).await;
        let Some(known) = records.into_iter().find(|known| !known.credential.is_app) else {
            let decoy = self.inner.decoy.clone();
            return self.hash(suspect, move || decoy.verify(b"x")).await.map(|_| false);
        };
        let (record, tried, decoy) = (known.record.clone(), password.to_vec(), self.inner.decoy.clone());
        let right = self.hash(suspect, move || {
            let right = record.verify(&tried)?;
            // An old digest is verified in no time; a wrong password shall not be, or it would tell whose records are old.
            if !right && record.is_outdated() {
                decoy.verify(&tried)?;
            }
            Ok(right)
        });
        if !right.await? {
            return Ok(false);
        }
        let record = self.renewed(account, known, password).await;
        self.remember(account, &record, password);
        Ok(true)
    }

    /// Lets a login wait that is to wait; says whether it is suspected of guessing.
    pub(crate) async fn receive(&self, client: Client, login: &str) -> bool {
        let reception = self.failures().reception(Instant::now(), client.address, &self.spelled(login));
        if !reception.wait.is_zero() {
            tokio::time::sleep(reception.wait).await;
        }
        reception.suspect
    }

    /// A login in the spelling under which its failures are counted.
    fn spelled(&self, login: &str) -> String {
        self.address_of(login).map_or_else(|| login.trim().to_lowercase(), |address| address.to_string())
    }

    fn failures(&self) -> std::sync::MutexGuard<'_, Failures> {
        self.inner.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs expensive work in the pool.
    async fn hash<T: Send + 'static>(&self, suspect: bool, work: impl FnOnce() -> Result<T, BadRecord> + Send + 'static) -> Result<T, Denied> {
        let done = if suspect { self.inner.pool.run_suspect(work).await } else { self.inner.pool.run(work).await };
        let done = done.map_err(|refused| Denied::Unavailable(refused.to_string()))?;
        done.map_err(|error| Denied::Unavailable(error.to_string()))
    }

    /// Notes that an app password was used, once an hour: its owner shall see which are not. That this fails is nothing to a login.
    pub(crate) async fn used(&self, account: AccountId, credential: &Credential) {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
        if credential.is_app
            && credential.last_used.is_none_or(|then| now.saturating_sub(then) >= USED)
            && let Err(error) = self.inner.store.note_use(account, credential.id).await
        {
            tracing::warn!(%account, label = %credential.label, %error, "the use of an app password could not be noted");
        }
    }

    /// Keeps the password, now that it was heard, in the best way we know; gives the record that is kept then. Whether that works
    /// is nothing to the client.
    async fn renewed(&self, account: AccountId, known: Known, password: &[u8]) -> String {
        let old = known.credential.secret.clone();
        let scram = self.inner.settings.scram;
        let lacks_keys = old.scram.is_none() && scram != Scram::Off;
        if !known.record.is_outdated() && !lacks_keys {
            return old.record;
        }
        match self.renew(account, &old, password).await {
            Ok(Some(record)) => {
                tracing::info!(%account, "the password record was written anew, as argon2id");
                record
            }
            Ok(None) => old.record, // it was changed meanwhile
            Err(error) => {
                tracing::warn!(%account, %error, "the password record could not be written anew; it is tried again at the next login");
                old.record
            }
        }
    }

    /// The record that is kept from now on; `None`: the password was changed meanwhile.
    async fn renew(&self, account: AccountId, old: &Secret, password: &[u8]) -> Result<Option<String>, Denied> {
        let (store, scram, heard) = (&self.inner.store, self.inner.settings.scram, password.to_vec());
        let others = store.credentials(account).await.map_err(unavailable)?;
        let secret = self.hash(false, move || secret_of(&heard, scram, &others)).await?;
        let record = secret.record.clone();
        Ok(store.renew_password(account, old, secret).await.map_err(unavailable)?.then_some(record))
    }

    fn remembers(&self, account: AccountId, record: &str, password: &[u8]) -> bool {
        let mut cache = self.inner.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let proof = cache.proof(account.get(), record, password);
        proof.is_some_and(|proof| cache.knows(&proof, Instant::now()))
    }

    fn remember(&self, account: AccountId, record: &str, password: &[u8]) {
        let mut cache = self.inner.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(proof) = cache.proof(account.get(), record, password) {
            cache.remember(proof, Instant::now());
        }
    }

    /// Logs a login that failed and lets its sender wait.
    pub(crate) async fn settle(&self, login: &str, password: Option<&[u8]>, client: Client, judged: Result<Identity, Denied>) -> Result<Identity, Denied> {
        let (rip, service) = (client.address, client.service.name());
        match &judged {
            Ok(identity) => {
                tracing::debug!(login = %identity.login, %rip, service, "logged in");
                self.failures().succeeded(rip, &identity.login.to_string());
                self.look_if_due().await;
            }
            Err(Denied::Unavailable(reason)) => tracing::error!(login = ?login, %rip, service, reason, "logins can't be checked now"),
            Err(Denied::BadCredentials) => {
                let cost = self.failures().failed(Instant::now(), rip, &self.spelled(login), password);
                match client.service {
                    // Dovecot's line, which fail2ban's filter reads; the same wrong password again is not told again, or a typo would ban.
                    Service::Imap | Service::Pop3 if cost.counted => {
                        let user: String = login.chars().map(|letter| if matches!(letter, '!'..='~') && letter != '>' { letter } else { '?' }).collect();
                        tracing::warn!(target: "dovecot", "{service}-login: Aborted login (auth failed, 1 attempts in {} secs): user=<{user}>, rip={rip}", cost.wait.as_secs());
                    }
                    // `smtpd` tells it in Postfix's words.
                    _ => tracing::info!(login = ?login, %rip, service, "authentication failed"),
                }
                tokio::time::sleep(cost.wait).await;
            }
            Err(denied) => {
                // `?login` escapes what could forge a line.
                tracing::warn!(login = ?login, %rip, service, reason = %denied, "authentication failed");
                tokio::time::sleep(self.inner.settings.failure_delay).await;
            }
        }
        judged
    }

    async fn look_if_due(&self) {
        let now = Instant::now();
        let due = {
            let mut looked = self.inner.looked.lock().unwrap_or_else(PoisonError::into_inner);
            let due = looked.is_none_or(|then| now.saturating_duration_since(then) >= LOOK);
            if due {
                *looked = Some(now);
            }
            due
        };
        if due {
            self.look_for_keys().await;
        }
    }
}

/// What a login gets whose password was, or was not, proven.
pub(crate) fn verdict(account: Option<Account>, proven: bool) -> Result<Identity, Denied> {
    match account {
        Some(account) if proven => match account.state {
            State::Active => Ok(Identity { account: account.id, login: account.login }),
            State::Disabled => Err(Denied::Disabled),
            State::Removed => Err(Denied::BadCredentials), // it is nobody's any more
        },
        _ => Err(Denied::BadCredentials),
    }
}

pub(crate) fn unavailable(error: db::Error) -> Denied {
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
