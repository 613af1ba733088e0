//! `posthouse demo`: the README's first command (DESIGN §1.1).

use std::os::unix::fs::PermissionsExt;

use house_tests::demo::Demo;
use rustix::process::Signal;

#[test]
fn demo_json_is_the_contract() {
    let demo = Demo::start();
    let json = &demo.json;
    let keys = |value: &serde_json::Value| -> Vec<String> { value.as_object().expect("an object").keys().cloned().collect() };
    let sorted = |mut keys: Vec<String>| {
        keys.sort();
        keys
    };
    assert_eq!(sorted(keys(json)), ["accounts", "ca", "host", "ports"]);
    assert_eq!(sorted(keys(&json["ports"])), ["imap", "imaps", "pop3", "pop3s", "smtp", "submission", "submissions"]);
    assert_eq!((demo.account(0).0, demo.account(1).0), ("alice@example.test", "bob@example.test"));
    assert_ne!(demo.account(0).1, demo.account(1).1);
    let mode = std::fs::metadata(demo.file()).expect("demo.json").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it holds passwords");
    for (service, port) in json["ports"].as_object().expect("ports") {
        assert_eq!(u64::from(demo.server.address(service).port()), port.as_u64().expect("a port"), "{service}");
        assert!(demo.server.address(service).ip().is_loopback(), "{service} leaves loopback");
    }
    demo.server.stop();
}

#[test]
fn a_second_run_goes_on_with_what_is_there() {
    let demo = Demo::start();
    let (accounts, told) = (demo.json["accounts"].clone(), demo.to_paste("swaks"));
    demo.python("smtp.py", &[]);
    let before = demo.python("counts.py", &["INBOX"]);
    assert!(before.contains("Welcome") && before.contains("from outside"), "{before}");
    let demo = demo.again();
    assert_eq!(demo.json["accounts"], accounts, "other passwords");
    assert_eq!(demo.to_paste("swaks"), told);
    assert_eq!(demo.python("counts.py", &["INBOX"]), before, "the mail is not what it was");
    demo.server.stop();
}

#[test]
fn control_c_ends_it_like_term() {
    let mut demo = Demo::start();
    demo.server.signal(Signal::INT);
    assert_eq!(demo.server.ended().code(), Some(0), "{}", demo.server.log());
}
