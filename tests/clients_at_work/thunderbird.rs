//! Thunderbird under Xvfb, driven by Marionette through `tests/clients/thunderbird.py`: its whole work, each step looked at in
//! Thunderbird and on the server.

use std::process::Command;
use std::time::Duration;

use house_tests::client::{self, installed};
use house_tests::demo::Demo;

/// Thunderbird is large, and some of its waits are its own: it begins IDLE two seconds after it has nothing to do.
const LIMIT: Duration = Duration::from_secs(480);

/// Runs a part of the script against a demo of its own, with a profile of its own.
fn thunderbird(test: &str, work: &str) {
    if !installed(test, &["thunderbird", "Xvfb", "python3"]) {
        return;
    }
    let demo = Demo::start();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/thunderbird.py");
    let said = client::run_command_within(LIMIT, Command::new("python3").arg(script).arg(demo.file()).arg(work), "");
    eprintln!("{}", said.out);
    assert_eq!(said.code, Some(0), "Thunderbird ({work}):\n{}", said.err);
    demo.server.stop();
}

#[test]
fn thunderbird_does_a_day_s_work_over_imap() {
    thunderbird("thunderbird_does_a_day_s_work_over_imap", "imap");
}

#[test]
fn thunderbird_plays_back_what_was_done_offline() {
    thunderbird("thunderbird_plays_back_what_was_done_offline", "offline");
}

#[test]
fn thunderbird_asks_for_what_has_changed() {
    thunderbird("thunderbird_asks_for_what_has_changed", "condstore");
}

#[test]
fn thunderbird_gets_and_deletes_over_pop3() {
    thunderbird("thunderbird_gets_and_deletes_over_pop3", "pop3");
}
