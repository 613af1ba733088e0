//! Logins against a real directory, on every engine.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use auth::{Auth, AuthSettings, Client, Denied, Identity, Login, Progress, Scram, Service};
use bodies::{Bodies, MailLocation};
use mail::Address;
use sasl::Record;
use store::{AccountId, Store};

const HERE: Client = Client { address: IpAddr::V4(Ipv4Addr::LOCALHOST), service: Service::Imap };

/// A store with alice, whose password is "secret".
struct House {
    store: Store,
    alice: AccountId,
}

impl House {
    fn auth(&self, settings: AuthSettings) -> Auth {
        Auth::new(self.store.clone(), settings).expect("memory")
    }

    fn alice(&self) -> Identity {
        Identity { account: self.alice, login: address("alice@example.test") }
    }
}

/// Without the delay, so that the tests do not wait for it.
fn at_once() -> AuthSettings {
    AuthSettings { failure_delay: Duration::ZERO, default_domain: Some("example.test".into()), ..AuthSettings::default() }
}

fn address(text: &str) -> Address {
    Address::parse(text).expect("an address")
}

fn record(password: &str) -> String {
    Record::of_password(password.as_bytes()).expect("hashed").to_string()
}

async fn on_every_engine<F, T>(test: F)
where
    F: Fn(House) -> T,
    T: Future<Output = ()>,
{
    let directory = tempfile::tempdir().expect("a directory");
    let migrations = [db::MIGRATIONS, store::MIGRATIONS].concat();
    for fresh in db::testing::engines(directory.path(), &migrations).await.expect("databases") {
        let location = MailLocation::parse(&format!("maildir:{}/mail/%d/%n", fresh.directory.display())).expect("a location");
        let bodies = Bodies::open(bodies::Settings { spool: fresh.directory.join("spool"), location }).expect("bodies");
        let store = Store::new(fresh.db.clone(), bodies);
        store.add_domain("example.test").await.expect("a domain");
        let alice = store.add_account(&address("alice@example.test"), &record("secret"), None).await.expect("an account");
        test(House { store, alice }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_password_lets_in_under_every_spelling_of_the_login() {
    on_every_engine(|house| async move {
        let auth = house.auth(at_once());
        for login in ["alice@example.test", "Alice@EXAMPLE.test", " alice ", "ALICE"] {
            assert_eq!(auth.check(login, b"secret", HERE).await, Ok(house.alice()), "{login:?}");
        }
        let strict = house.auth(AuthSettings { default_domain: None, ..at_once() });
        assert_eq!(strict.check("alice", b"secret", HERE).await, Err(Denied::BadCredentials));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_unknown_and_impossible_logins_get_one_answer() {
    on_every_engine(|house| async move {
        let auth = house.auth(at_once());
        let long = vec![b'x'; 5000];
        let table: [(&str, &[u8]); 8] = [
            ("alice@example.test", b"Secret"),
            ("alice@example.test", b""),
            ("alice@example.test", b"x"),
            ("alice@example.test", &long),
            ("bob@example.test", b"secret"),
            ("alice@elsewhere.test", b"secret"),
            ("", b"secret"),
            ("alice@example.test\r\nforged", b"secret"),
        ];
        for (login, password) in table {
            assert_eq!(auth.check(login, password, HERE).await, Err(Denied::BadCredentials), "{login:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_counts_at_once_though_the_old_one_was_remembered() {
    on_every_engine(|house| async move {
        let auth = house.auth(at_once());
        assert!(auth.check("alice", b"secret", HERE).await.is_ok());
        assert!(auth.check("alice", b"secret", HERE).await.is_ok());
        house.store.set_password(house.alice, &record("another")).await.expect("set");
        assert_eq!(auth.check("alice", b"secret", HERE).await, Err(Denied::BadCredentials));
        assert!(auth.check("alice", b"another", HERE).await.is_ok());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_account_is_nobody() {
    on_every_engine(|house| async move {
        let auth = house.auth(at_once());
        assert!(auth.check("alice", b"secret", HERE).await.is_ok());
        house.store.remove_account(house.alice).await.expect("removed");
        assert_eq!(auth.check("alice", b"secret", HERE).await, Err(Denied::BadCredentials));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_no_use_opens_nothing_and_breaks_nothing() {
    on_every_engine(|house| async move {
        let auth = house.auth(at_once());
        for secret in ["{SHA512-CRYPT}$6$x$y", "{PLAIN}secret", "{OTP}secret", "secret", ""] {
            house.store.set_password(house.alice, secret).await.expect("set");
            assert_eq!(auth.check("alice", b"secret", HERE).await, Err(Denied::BadCredentials), "{secret:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_another_system_is_written_anew_once_its_password_is_heard() {
    on_every_engine(|house| async move {
        let auth = house.auth(at_once());
        let kept = async || house.store.credentials(house.alice).await.expect("credentials")[0].secret.clone();
        for old in ["{SSHA}44OpV7jyUnqqBa721xT/NioZnr18yyqA", "$6$rounds=1000$saltsalt$ImaNSMNN1dFM87FwHerRLKSs2L/wvkhAm0/7JzDu8wsu6wVa98vIfESAi6PB9hGu0CIFTGD91vHhxzmzjZAdc0"] {
            house.store.set_password(house.alice, old).await.expect("set");
            assert_eq!(auth.check("alice", b"secret", HERE).await, Err(Denied::BadCredentials));
            assert_eq!(kept().await, old.into(), "a wrong password changes nothing");
            assert!(auth.check("alice", "sécret".as_bytes(), HERE).await.is_ok());
            let new = kept().await;
            assert!(new.record.starts_with("{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$"), "{}", new.record);
            assert!(new.scram.is_some_and(|keys| keys.starts_with("32768,")));
            assert!(auth.check("alice", "sécret".as_bytes(), HERE).await.is_ok());
            assert_eq!(auth.check("alice", b"secret", HERE).await, Err(Denied::BadCredentials));
        }
        let without = house.auth(AuthSettings { scram: auth::Scram::Off, ..at_once() });
        house.store.set_password(house.alice, &record("secret")).await.expect("set");
        assert!(without.check("alice", b"secret", HERE).await.is_ok());
        assert_eq!(kept().await.scram, None, "no keys are made where SCRAM is off");
        assert!(auth.check("alice", b"secret", HERE).await.is_ok());
        assert!(kept().await.scram.is_some(), "a record of ours gets keys");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_login_costs_what_a_wrong_password_costs_and_a_remembered_one_much_less() {
    on_every_engine(|house| async move {
        let auth = house.auth(at_once());
        house.store.add_account(&address("old@example.test"), "{SSHA}44OpV7jyUnqqBa721xT/NioZnr18yyqA", None).await.expect("old");
        assert!(auth.check("alice", b"secret", HERE).await.is_ok());
        // The least of several: whatever else the machine does only adds.
        let [mut wrong, mut unknown, mut known, mut old] = [Duration::MAX; 4];
        for _ in 0..7 {
            for (login, password, least) in
                [("alice", b"wrong!", &mut wrong), ("bob", b"secret", &mut unknown), ("alice", b"secret", &mut known), ("old", b"wrong!", &mut old)]
            {
                let begun = Instant::now();
                let _ = auth.check(login, password, HERE).await;
                *least = begun.elapsed().min(*least);
            }
        }
        assert!(unknown * 3 > wrong && wrong * 3 > unknown, "unknown {unknown:?}, wrong {wrong:?}");
        assert!(old * 3 > wrong && wrong * 3 > old, "old {old:?}, wrong {wrong:?}");
        assert!(known * 3 < wrong, "remembered {known:?}, wrong {wrong:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_turned_away_and_says_nothing_about_the_password() {
    on_every_engine(|house| async move {
        let auth = house.auth(AuthSettings { workers: 1, waiting: 2, ..at_once() });
        let logins = (0..40).map(|_| {
            let auth = auth.clone();
            tokio::spawn(async move { auth.check("alice", b"wrong", HERE).await })
        });
        let (mut wrong, mut away) = (0, 0);
        for login in logins.collect::<Vec<_>>() {
            match login.await.expect("joined") {
                Err(Denied::BadCredentials) => wrong += 1,
                Err(Denied::Unavailable(_)) => away += 1,
                other => panic!("{other:?}"),
            }
        }
        assert!(wrong >= 1 && away >= 1, "{wrong} judged, {away} turned away");
        assert!(auth.check("alice", b"secret", HERE).await.is_ok(), "afterwards it works as before");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_closed_is_not_a_wrong_password() {
    on_every_engine(|house| async move {
        let auth = house.auth(at_once());
        house.store.db().close().await;
        assert!(matches!(auth.check("alice", b"secret", HERE).await, Err(Denied::Unavailable(_))));
    })
    .await;
}

#[tokio::test]
async fn a_wrong_password_waits() {
    let delay = Duration::from_millis(50);
    on_every_engine(|house| async move {
        let auth = house.auth(AuthSettings { failure_delay: delay, ..at_once() });
        let begun = Instant::now();
        assert_eq!(auth.check("nobody", b"secret", HERE).await, Err(Denied::BadCredentials));
        assert!(begun.elapsed() >= delay);
    })
    .await;
}

/// Runs a login over the lines of a client; gives the challenges and the end.
async fn exchange(auth: &Auth, mechanism: &str, initial: Option<&str>, lines: &[&str]) -> (Vec<String>, Progress) {
    let mut challenges = Vec::new();
    let mut progress = Login::start(auth, HERE, mechanism.as_bytes(), None, initial.map(str::as_bytes)).await;
    for line in lines {
        let Progress::Challenge { text, next } = progress else { panic!("ended before {line:?}") };
        challenges.push(String::from_utf8(text).expect("text"));
        progress = next.line(line.as_bytes()).await;
    }
    (challenges, progress)
}

#[tokio::test(flavor = "multi_thread")]
async fn sasl_leads_to_the_same_judgement() {
    on_every_engine(|house| async move {
        let auth = house.auth(at_once());
        let plain = |text: &str| sasl::base64::encode(text.replace('|', "\0").as_bytes());
        let (_, end) = exchange(&auth, "plain", Some(&plain("|alice|secret")), &[]).await;
        assert!(matches!(end, Progress::LoggedIn(identity) if identity == house.alice()));
        let (prompts, end) = exchange(&auth, "LOGIN", None, &["YWxpY2U=", "c2VjcmV0"]).await;
        assert_eq!(prompts, ["Username:", "Password:"]);
        assert!(matches!(end, Progress::LoggedIn(_)));
        let (_, end) = exchange(&auth, "PLAIN", Some(&plain("Alice@example.test|alice|secret")), &[]).await;
        assert!(matches!(end, Progress::LoggedIn(_)), "acting as oneself");
        let (_, end) = exchange(&auth, "PLAIN", Some(&plain("bob|alice|secret")), &[]).await;
        assert!(matches!(end, Progress::Denied(Denied::BadCredentials)), "acting as another");
        let (_, end) = exchange(&auth, "PLAIN", None, &[&plain("|alice|wrong")]).await;
        assert!(matches!(end, Progress::Denied(Denied::BadCredentials)));
        assert!(matches!(exchange(&auth, "PLAIN", None, &["*"]).await.1, Progress::Cancelled));
        assert!(matches!(exchange(&auth, "PLAIN", None, &["!"]).await.1, Progress::Malformed));
        assert!(matches!(exchange(&auth, "CRAM-MD5", None, &[]).await.1, Progress::UnknownMechanism));
    })
    .await;
}

/// A client that knows SCRAM: what it says after `challenge`.
fn proof(password: &str, challenge: &str) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::{Digest, Sha256};
    let mac = |key: &[u8], text: &[u8]| -> [u8; 32] { Hmac::<Sha256>::new_from_slice(key).expect("a key").chain_update(text).finalize().into_bytes().into() };
    let attribute = |name: &str| challenge.split(',').find_map(|part| part.strip_prefix(name)).expect("an attribute");
    let salt = sasl::base64::decode(attribute("s=").as_bytes()).expect("base64");
    let mut round = mac(password.as_bytes(), &[&salt[..], &[0, 0, 0, 1]].concat());
    let mut salted = round;
    for _ in 1..attribute("i=").parse::<u32>().expect("a number") {
        round = mac(password.as_bytes(), &round);
        salted.iter_mut().zip(round).for_each(|(byte, other)| *byte ^= other);
    }
    let mut key = mac(&salted, b"Client Key");
    let unproven = format!("c=biws,r={}", attribute("r="));
    let signature = mac(&Sha256::digest(key), format!("n=alice,r=fyko,{challenge},{unproven}").as_bytes());
    key.iter_mut().zip(signature).for_each(|(byte, other)| *byte ^= other);
    format!("{unproven},p={}", sasl::base64::encode(&key))
}

/// Logs in by SCRAM as `alice`, gives the challenge and the end.
async fn scram(auth: &Auth, client: Client, password: &str) -> (String, Progress) {
    let begun = Login::start_decoded(auth, client, b"SCRAM-SHA-256", None, Some(b"n,,n=alice,r=fyko")).await;
    let Progress::Challenge { text, next } = begun else { panic!("no challenge") };
    let challenge = String::from_utf8(text).expect("text");
    match next.response(proof(password, &challenge).as_bytes()).await {
        Progress::Challenge { text, next } => {
            assert!(text.starts_with(b"v="));
            (challenge, next.response(b"").await)
        }
        ended => (challenge, ended),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scram_opens_with_the_password_and_its_keys_alone() {
    on_every_engine(|house| async move {
        let auth = house.auth(at_once());
        auth.look_for_keys().await;
        assert_eq!(auth.mechanisms(true).len(), 2, "alice has no keys yet, so nobody is led to SCRAM");
        assert!(matches!(exchange(&auth, "SCRAM-SHA-256", None, &[]).await.1, Progress::UnknownMechanism));
        assert!(auth.check("alice", b"secret", HERE).await.is_ok());
        auth.look_for_keys().await;
        let names = |bound| auth.mechanisms(bound).into_iter().map(sasl::Mechanism::name).collect::<Vec<_>>();
        assert_eq!((names(true), names(false)), (vec!["SCRAM-SHA-256", "PLAIN", "LOGIN"], vec!["SCRAM-SHA-256", "PLAIN", "LOGIN"]));
        let plus = house.auth(AuthSettings { scram: Scram::On, scram_plus: true, ..at_once() });
        assert_eq!(plus.mechanisms(true)[0].name(), "SCRAM-SHA-256-PLUS");
        assert_eq!(plus.mechanisms(false).len(), 3, "nothing to bind to");
        for (auth, denied) in [(&auth, false), (&plus, true)] {
            let downgraded = Login::start_decoded(auth, HERE, b"SCRAM-SHA-256", Some([7; 32]), Some(b"y,,n=alice,r=fyko")).await;
            assert_eq!(matches!(downgraded, Progress::Denied(Denied::BadCredentials)), denied, "-PLUS was offered, and the client did not see it");
        }
        assert!(matches!(scram(&auth, HERE, "secret").await.1, Progress::LoggedIn(identity) if identity == house.alice()));
        assert!(matches!(scram(&auth, HERE, "wrong").await.1, Progress::Denied(Denied::BadCredentials)));
        let off = house.auth(AuthSettings { scram: Scram::Off, ..at_once() });
        off.look_for_keys().await;
        assert_eq!(off.mechanisms(true).len(), 2);
        house.store.remove_account(house.alice).await.expect("removed");
        assert!(matches!(scram(&auth, HERE, "secret").await.1, Progress::Denied(Denied::BadCredentials)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scram_tells_nobody_who_exists() {
    on_every_engine(|house| async move {
        let settings = || AuthSettings { scram: Scram::On, ..at_once() };
        let (auth, restarted) = (house.auth(settings()), house.auth(settings()));
        assert!(auth.check("alice", b"secret", HERE).await.is_ok(), "she has keys now");
        let challenge = async |auth: &Auth, first: &str| match Login::start_decoded(auth, HERE, b"SCRAM-SHA-256", None, Some(first.as_bytes())).await {
            Progress::Challenge { text, next } => {
                let text = String::from_utf8(text).expect("text");
                let last = next.response(proof("secret", &text).as_bytes()).await;
                assert!(matches!(last, Progress::Denied(Denied::BadCredentials)) || first.contains("alice"));
                text.split_once(",s=").expect("a salt").1.to_owned()
            }
            _ => panic!("no challenge for {first}"),
        };
        let nobody = challenge(&auth, "n,,n=nobody,r=fyko").await;
        assert_eq!(nobody, challenge(&restarted, "n,,n=Nobody@example.test,r=fyko").await, "always the same, however it is spelled, after a restart too");
        assert_ne!(nobody, challenge(&auth, "n,,n=nobody2,r=fyko").await);
        let alice = challenge(&auth, "n,,n=alice,r=fyko").await;
        assert_eq!((alice.len(), alice.split_once(",i=").expect("rounds").1), (nobody.len(), nobody.split_once(",i=").expect("rounds").1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_password_opens_what_it_was_made_for() {
    on_every_engine(|house| async move {
        let auth = house.auth(AuthSettings { scram: Scram::On, ..at_once() });
        let at = |service| Client { service, ..HERE };
        let add = async |name: &str, scopes| {
            let others = house.store.credentials(house.alice).await.expect("credentials");
            let (password, secret) = auth::app_password(Scram::On, &others).expect("made");
            assert_eq!(password.len(), 34, "28 letters of 5 bits, in groups of four");
            house.store.add_app_password(house.alice, name, secret, scopes).await.expect("added");
            password
        };
        let (printer, phone) = (add("printer", Service::Submission.scope()).await, add("phone", 0).await);
        assert!(auth.check("alice", b"secret", HERE).await.is_ok(), "the password has keys now, too");
        for (service, opens) in [(Service::Imap, false), (Service::Pop3, false), (Service::Submission, true)] {
            assert_eq!(auth.check("alice", printer.as_bytes(), at(service)).await.is_ok(), opens, "{service:?}");
            assert_eq!(matches!(scram(&auth, at(service), &printer).await.1, Progress::LoggedIn(_)), opens, "{service:?}");
            assert!(auth.check("alice", phone.as_bytes(), at(service)).await.is_ok(), "{service:?}");
            assert!(matches!(scram(&auth, at(service), "secret").await.1, Progress::LoggedIn(_)), "{service:?}: the password, by the same challenge");
        }
        let used = house.store.credentials(house.alice).await.expect("credentials");
        assert!(used[1].last_used.is_some() && used[2].last_used.is_some() && used[0].last_used.is_none());
        assert!(auth.check("alice", phone.as_bytes(), HERE).await.is_ok());
        assert_eq!(house.store.credentials(house.alice).await.expect("credentials"), used, "no write a login");
        house.store.remove_app_password(house.alice, "phone").await.expect("removed");
        assert_eq!(auth.check("alice", phone.as_bytes(), HERE).await, Err(Denied::BadCredentials));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remembered_login_goes_past_a_pool_that_is_full_of_guesses() {
    on_every_engine(|house| async move {
        let auth = house.auth(AuthSettings { workers: 1, waiting: 8, failure_delay: Duration::ZERO, ..at_once() });
        assert!(auth.check("alice", b"secret", HERE).await.is_ok());
        let elsewhere = Client { address: IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)), ..HERE };
        let guesses: Vec<_> = (0..60_u32)
            .map(|guess| {
                let auth = auth.clone();
                tokio::spawn(async move { auth.check("alice", format!("guess {guess}").as_bytes(), elsewhere).await })
            })
            .collect();
        let mut while_guessed = 0;
        while guesses.iter().any(|guess| !guess.is_finished()) {
            assert!(auth.check("alice", b"secret", HERE).await.is_ok());
            while_guessed += 1;
            tokio::task::yield_now().await;
        }
        assert!(while_guessed > 0);
        for guess in guesses {
            assert!(guess.await.expect("joined").is_err());
        }
    })
    .await;
}
