//! Where addresses lead, over a real directory on every engine.

use std::future::Future;
use std::path::Path;

use bodies::{Bodies, MailLocation};
use config::{Config, Outside};
use mail::Address;
use route::{Class, Limits, Route, Router, Settings, To};
use store::Store;

const MAIN_CF: &str = "compatibility_level = 3.7\nmyhostname = mail.example.test\nmyorigin = $mydomain\nrecipient_delimiter = +\n\
    mydestination = $myhostname, localhost\nrelay_domains = branch.test\n";

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn router(store: &Store, more: &str) -> Router {
    router_reading(store, more, &|_| Err("no such file".to_owned()))
}

fn router_reading(store: &Store, more: &str, read: &dyn Fn(&Path) -> Result<String, String>) -> Router {
    let config = Config::new(Path::new("/c"), &format!("{MAIN_CF}{more}"), &Outside { read, ..Outside::nothing("vm") });
    Router::new(store.clone(), Settings::of(&config.unwrap_or_else(|problems| panic!("{problems:?}"))))
}

/// An empty directory on each engine.
async fn on_every_engine<F, T>(test: F)
where
    F: Fn(Store) -> T,
    T: Future<Output = ()>,
{
    let directory = tempfile::tempdir().unwrap();
    let migrations = [db::MIGRATIONS, store::MIGRATIONS].concat();
    for fresh in db::testing::engines(directory.path(), &migrations).await.unwrap() {
        let location = MailLocation::parse(&format!("maildir:{}/mail/%d/%n", fresh.directory.display())).unwrap();
        let bodies = Bodies::open(bodies::Settings { spool: fresh.directory.join("spool"), location }).unwrap();
        test(Store::new(fresh.db.clone(), bodies)).await;
    }
}

/// `example.test` with alice and bob and some aliases; `second.test` with carol, bob and a catch-all.
async fn furnish(store: &Store) {
    for domain in ["example.test", "second.test"] {
        store.add_domain(domain).await.unwrap();
    }
    for login in ["alice@example.test", "bob@example.test", "carol@second.test", "bob@second.test", "dave@second.test"] {
        store.add_account(&address(login), "{PLAIN}x", None).await.unwrap();
    }
    for (name, targets) in [
        ("info@example.test", "alice@example.test bob@example.test"),
        ("all@example.test", "info@example.test carol@second.test alice@example.test"),
        ("alice+special@example.test", "bob@example.test"),
        ("away@example.test", "alice@elsewhere.test"),
        ("mixed@example.test", "nobody@example.test away@example.test bob+x@example.test"),
        ("self@example.test", "self@example.test alice@example.test"),
        ("round@example.test", "about@example.test"),
        ("about@example.test", "round@example.test"),
        ("@second.test", "carol@second.test"),
    ] {
        let targets: Vec<_> = targets.split(' ').map(address).collect();
        store.set_alias(name, &targets).await.unwrap();
    }
}

fn told(route: &Route) -> String {
    match route {
        Route::Ends(ends) => {
            let one = |end: &route::End| match &end.to {
                To::Mailbox { address, detail: Some(detail), .. } => format!("{address} ({detail})"),
                To::Mailbox { address, .. } => address.to_string(),
                To::Remote { hop, class } => format!("{}>{}{hop}", if *class == Class::Relay { "relay" } else { "" }, end.address),
                To::Lost => format!("?{}", end.address),
            };
            let owner = |end: &route::End| end.owner.as_ref().map(|owner| format!("<{owner}")).unwrap_or_default();
            ends.iter().map(|end| one(end) + &owner(end)).collect::<Vec<_>>().join(" ")
        }
        Route::Unknown(table) => format!("no such user: {table}"),
        Route::Later(why) => format!("later: {why}"),
        Route::Refused(status, text) => format!("{status} {text}"),
        Route::Endless => "endless".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_lead_where_the_classes_say() {
    on_every_engine(|store| async move {
        furnish(&store).await;
        let router = router(&store, "");
        for (from, to) in [
            // hosted: as it is, without detail, roles, catch-all
            ("alice@example.test", "alice@example.test"),
            ("ALICE@Example.Test", "alice@example.test"),
            ("alice+shop@example.test", "alice@example.test (shop)"),
            ("alice+special@example.test", "bob@example.test"),
            ("alice+a+b@example.test", "alice@example.test (a+b)"),
            ("info@example.test", "alice@example.test bob@example.test"),
            ("info+x@example.test", "alice@example.test (x) bob@example.test (x)"),
            ("all@example.test", "carol@second.test alice@example.test bob@example.test"),
            ("away@example.test", ">alice@elsewhere.test"),
            ("away+x@example.test", ">alice+x@elsewhere.test"),
            ("mixed@example.test", "?nobody@example.test bob@example.test (x) >alice@elsewhere.test"),
            ("self@example.test", "alice@example.test"),
            ("round@example.test", "endless"),
            ("nobody@example.test", "no such user: virtual mailbox table"),
            ("nobody+x@example.test", "no such user: virtual mailbox table"),
            ("postmaster@example.test", "alice@example.test"),
            ("Abuse@example.test", "alice@example.test"),
            ("abuse+x@example.test", "alice@example.test"),
            ("postmaster@second.test", "alice@example.test"),
            ("anything@second.test", "carol@second.test"),
            // local: of that name in myorigin, else in the only hosted domain that has it
            ("alice@mail.example.test", "alice@example.test"),
            ("alice+x@localhost", "alice@example.test (x)"),
            ("info@localhost", "alice@example.test bob@example.test"),
            ("info+x@localhost", "alice@example.test bob@example.test"),
            ("bob@localhost", "bob@example.test"),
            ("dave@localhost", "dave@second.test"),
            ("postmaster@localhost", "alice@example.test"),
            ("nobody@localhost", "no such user: local recipient table"),
            // the others
            ("x@branch.test", "relay>x@branch.test"),
            ("x@www.branch.test", "relay>x@www.branch.test"),
            ("x@elsewhere.test", ">x@elsewhere.test"),
            ("alice@example.test.org", ">alice@example.test.org"),
            ("postmaster@elsewhere.test", ">postmaster@elsewhere.test"),
        ] {
            assert_eq!(told(&router.route(&address(from)).await.unwrap()), to, "{from}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postmaster_exists_before_there_is_anybody() {
    on_every_engine(|store| async move {
        store.add_domain("example.test").await.unwrap();
        let quiet = router(&store, "mydestination =\n");
        for name in ["postmaster@example.test", "abuse@example.test", "postmaster@mail.example.test"] {
            let told = told(&quiet.route(&address(name)).await.unwrap());
            assert_eq!(told, "later: there is no account yet that could be postmaster", "{name}");
        }
        assert_eq!(told(&quiet.route(&address("alice@mail.example.test")).await.unwrap()), ">alice@mail.example.test");
        store.add_account(&address("alice@example.test"), "{PLAIN}x", None).await.unwrap();
        store.add_account(&address("bob@example.test"), "{PLAIN}x", None).await.unwrap();
        for (setting, to) in [
            ("", "alice@example.test"),
            ("postmaster = bob\n", "bob@example.test"),
            ("postmaster = admin@elsewhere.test\n", ">admin@elsewhere.test"),
            // A circle is no postmaster.
            ("postmaster = postmaster@example.test\n", "alice@example.test"),
        ] {
            let router = router(&store, setting);
            assert_eq!(told(&router.route(&address("postmaster@example.test")).await.unwrap()), to, "{setting}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_hop_is_the_relayhost() {
    on_every_engine(|store| async move {
        let router = router(&store, "relayhost = [smtp.provider.test]:587\n");
        assert_eq!(told(&router.route(&address("x@elsewhere.test")).await.unwrap()), ">x@elsewhere.test[smtp.provider.test]:587");
        assert_eq!(told(&router.route(&address("x@branch.test")).await.unwrap()), "relay>x@branch.test[smtp.provider.test]:587");
        assert_eq!(router.class(&address("x@branch.test")).await.unwrap(), Class::Relay);
        assert!(!router.class(&address("x@elsewhere.test")).await.unwrap().is_ours());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_may_be_long_but_not_endless() {
    on_every_engine(|store| async move {
        store.add_domain("example.test").await.unwrap();
        let many = |n: usize| (0..n).map(|n| address(&format!("u{n}@elsewhere.test"))).collect::<Vec<_>>();
        store.set_alias("fits@example.test", &many(Limits::default().expansion - 1)).await.unwrap();
        store.set_alias("over@example.test", &many(Limits::default().expansion + 5)).await.unwrap();
        // A detail is passed on and on: each round is a new address.
        store.set_alias("grows@example.test", &[address("grows+x@example.test")]).await.unwrap();
        let router = router(&store, "");
        assert_eq!(told(&router.route(&address("fits@example.test")).await.unwrap()).split(' ').count(), Limits::default().expansion - 1);
        assert_eq!(router.route(&address("over@example.test")).await.unwrap(), Route::Endless);
        assert_eq!(router.route(&address("grows@example.test")).await.unwrap(), Route::Endless);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_goes_the_same_way_and_tells_it() {
    on_every_engine(|store| async move {
        furnish(&store).await;
        let router = router(&store, "");
        let (route, steps) = router.explain(&address("info+x@example.test")).await.unwrap();
        assert_eq!(route, router.route(&address("info+x@example.test")).await.unwrap());
        let lines: Vec<_> = steps.iter().map(|s| format!("{}: {} -> {} ({})", s.step, s.input, s.output, s.because)).collect();
        let want = [
            "class: info+x@example.test -> hosted (example.test: a hosted domain of the directory)",
            "detail: info+x@example.test -> info@example.test (recipient_delimiter = +)",
            "alias: info@example.test -> alice+x@example.test, bob+x@example.test (an alias of the directory, with its detail (propagate_unmatched_extensions))",
            "class: alice+x@example.test -> hosted (example.test: a hosted domain of the directory)",
            "detail: alice+x@example.test -> alice@example.test (recipient_delimiter = +)",
            "account: alice@example.test -> alice@example.test, detail x (account",
            "deliver: alice+x@example.test -> the mailbox of alice@example.test (it has a mailbox here)",
        ];
        assert_eq!(lines.len(), 11, "{lines:#?}");
        for (line, want) in lines.iter().zip(want) {
            assert!(line.starts_with(want), "{line}\nwanted {want}");
        }
        for (from, step) in [("x@elsewhere.test", "remote"), ("nobody@example.test", "unknown"), ("round@example.test", "endless"), ("any@second.test", "catch-all")] {
            let (_, steps) = router.explain(&address(from)).await.unwrap();
            assert!(steps.iter().any(|s| s.step == step), "{from}: {steps:#?}");
        }
    })
    .await;
}

/// What ADDRESS_REWRITING_README of Postfix draws: canonical, masquerade, virtual aliases; then aliases(5) of the local class.
#[tokio::test(flavor = "multi_thread")]
async fn tables_rewrite_and_alias() {
    let include = tempfile::tempdir().unwrap();
    let (list, again) = (include.path().join("list"), include.path().join("again"));
    std::fs::write(&list, format!("# members\n bob, \n\ncarol@second.test\n:include:{}\n", again.display())).unwrap();
    std::fs::write(&again, "dave@elsewhere.test\n").unwrap();
    let paths = std::sync::Arc::new((list.display().to_string(), include.path().join("none").display().to_string()));
    on_every_engine(move |store| {
        let paths = paths.clone();
        async move {
            furnish(&store).await;
            let aliases = format!(
                "postmaster: root\nroot: alice\nme: \\me, alice\nbob: bob, alice\nteam: alice, far@elsewhere.test\nowner-team: bob\nmembers: :include:{}\n\
                 gone: :include:{}\nprog: alice, \"|/bin/cat\"\nfile: /var/mail/x\nonly: nobody-here\n",
                paths.0, paths.1
            );
            let virtual_ = "alice@example.test alice@example.test, bob@second.test\nsales@v.test info, @second.test\nv.test x\n@v2.test @example.test\nv2.test x\n\
                x@elsewhere.test bob\nbad@v.test not@an@address\nup@v.test up2@v.test\nup2@v.test up@v.test\n";
            let read = |path: &Path| match path.to_str() {
                Some("/a") => Ok(aliases.clone()),
                Some("/v") => Ok(virtual_.to_owned()),
                Some("/r") => Ok("/^known@/ x\n".to_owned()),
                _ => Err("no such file".to_owned()),
            };
            let router = router_reading(
                &store,
                "alias_maps = hash:/a\nvirtual_alias_maps = hash:/v\nrelay_recipient_maps = regexp:/r\nrecipient_canonical_maps = inline:{old@example.test=bob@example.test}\n\
                 masquerade_domains = second.test\nmasquerade_classes = envelope_recipient\n",
                &read,
            );
            for (from, to) in [
                ("alice@example.test", "alice@example.test bob@second.test"),
                ("alice+x@example.test", "alice@example.test (x) bob@second.test (x)"),
                ("old@example.test", "bob@example.test"),
                ("old+x@example.test", "bob@example.test (x)"),
                ("carol@host.second.test", "carol@second.test"),
                ("sales@v.test", "bob@example.test carol@second.test alice@example.test bob@second.test"),
                ("bob@v2.test", "bob@example.test"),
                ("nobody@v2.test", "?nobody@example.test"),
                ("nobody@v.test", "no such user: virtual alias table"),
                ("bad@v.test", "4.6.0 Alias expansion error"),
                ("up@v.test", "endless"),
                ("x@elsewhere.test", "bob@example.test"),
                // aliases(5)
                ("root@localhost", "alice@example.test bob@second.test"),
                ("postmaster@localhost", "alice@example.test"),
                ("me@localhost", "?me@example.test alice@example.test bob@second.test"),
                ("team@localhost", "far@elsewhere.test"),
                ("gone@localhost", "4.3.0"),
                ("prog@localhost", "5.3.3 mail to programs is not delivered yet: |/bin/cat"),
                ("file@localhost", "5.3.3 mail to files is not delivered yet: /var/mail/x"),
                ("nobody@localhost", "no such user: local recipient table"),
                ("alice@[127.0.0.1]", "alice@example.test"),
                // relay
                ("known@branch.test", "relay>known@branch.test"),
                ("other@branch.test", "no such user: relay recipient table"),
            ] {
                let told = told(&router.route(&address(from)).await.unwrap());
                match from {
                    "team@localhost" => assert_eq!(told, ">far@elsewhere.test<owner-team@example.test alice@example.test<owner-team@example.test bob@second.test<owner-team@example.test"),
                    "gone@localhost" => assert!(told.starts_with(to), "{told}"),
                    _ => assert_eq!(told, to, "{from}"),
                }
            }
            let members = told(&router.route(&address("members@localhost")).await.unwrap());
            assert_eq!(members, "bob@example.test carol@second.test >dave@elsewhere.test");
            // the queue asks again, and nothing is expanded twice
            assert_eq!(told(&router.route_again(&address("alice@example.test")).await.unwrap()), "alice@example.test");
            assert_eq!(told(&router.route_again(&address("bob@localhost")).await.unwrap()), "bob@example.test");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_exists_in_the_local_class_may_be_listed() {
    on_every_engine(|store| async move {
        furnish(&store).await;
        for (setting, listed, unlisted) in [
            ("", "no such user: local recipient table", "alice@example.test"),
            ("local_recipient_maps =\n", "?ghost@localhost", "alice@example.test"),
            ("local_recipient_maps = inline:{ghost=x}\n", "?ghost@localhost", "no such user: local recipient table"),
            ("local_recipient_maps = proxy:unix:passwd.byname inline:{ghost=x}\n", "?ghost@localhost", "alice@example.test"),
        ] {
            let router = router(&store, setting);
            assert_eq!(told(&router.route(&address("ghost@localhost")).await.unwrap()), listed, "{setting}");
            assert_eq!(told(&router.route(&address("alice@localhost")).await.unwrap()), unlisted, "{setting}");
            assert_eq!(told(&router.route_again(&address("ghost@localhost")).await.unwrap()), "no such user: local recipient table", "{setting}");
        }
    })
    .await;
}
