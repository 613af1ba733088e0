//! Logins against a real directory, on every engine.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use auth::{Auth, AuthSettings, Denied, Identity, Login, Progress};
use bodies::{Bodies, MailLocation};
use mail::Address;
use sasl::Record;
use store::{AccountId, Store};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

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
        for secret in ["{SHA512-CRYPT}$6$x$y", "{PLAIN}secret", "secret", ""] {
            house.store.set_password(house.alice, secret).await.expect("set");
            assert_eq!(auth.check("alice", b"secret", HERE).await, Err(Denied::BadCredentials), "{secret:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_login_costs_what_a_wrong_password_costs_and_a_remembered_one_much_less() {
    on_every_engine(|house| async move {
        let auth = house.auth(at_once());
        assert!(auth.check("alice", b"secret", HERE).await.is_ok());
        // The least of several: whatever else the machine does only adds.
        let (mut wrong, mut unknown, mut known) = (Duration::MAX, Duration::MAX, Duration::MAX);
        for _ in 0..7 {
            for (login, password, least) in
                [("alice", b"wrong!", &mut wrong), ("bob", b"secret", &mut unknown), ("alice", b"secret", &mut known)]
            {
                let begun = Instant::now();
                let _ = auth.check(login, password, HERE).await;
                *least = begun.elapsed().min(*least);
            }
        }
        assert!(unknown * 3 > wrong && wrong * 3 > unknown, "unknown {unknown:?}, wrong {wrong:?}");
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
    let mut progress = Login::start(auth, HERE, mechanism.as_bytes(), initial.map(str::as_bytes)).await;
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
