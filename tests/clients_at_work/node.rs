//! Node's clients: imapflow and nodemailer.

use std::path::Path;
use std::process::Command;

use house_tests::client::{self, installed};
use house_tests::demo::Demo;
use house_tests::skip;

/// Runs `tests/clients/node/NAME.js` against a demo of its own.
fn script(test: &str, name: &str) {
    if !installed(test, &["node"]) {
        return;
    }
    let modules = std::env::var("POSTHOUSE_TEST_NODE").map(|directory| Path::new(&directory).join("node_modules")).unwrap_or_default();
    if !modules.join(name).is_dir() {
        return skip(test, &format!("Node's package {name} is not installed: npm ci, and POSTHOUSE_TEST_NODE"));
    }
    let demo = Demo::start();
    let script = format!("{}/clients/node/{name}.js", env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new("node");
    client::run_command(command.arg(script).arg(demo.file()).env("NODE_PATH", modules)).ok();
    demo.server.stop();
}

#[test]
fn imapflow_does_a_day_s_work() {
    script("imapflow_does_a_day_s_work", "imapflow");
}

#[test]
fn nodemailer_sends_by_both_submissions() {
    script("nodemailer_sends_by_both_submissions", "nodemailer");
}
