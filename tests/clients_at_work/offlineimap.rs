//! OfflineIMAP.

use std::fs;

use house_tests::client::{self, installed};
use house_tests::demo::Demo;

use crate::two_way::{self, Near, Pair};

/// Runs that another client may disturb.
const TRIES: usize = 4;

/// Runs it, and gives the commands by which it changed the server.
pub fn offlineimap(demo: &Demo, near: &Near) -> Vec<String> {
    let (bob, password) = demo.account(1);
    let (port, ca, configuration, mail) = (demo.port("imaps"), demo.ca(), near.beside("offlineimaprc"), near.mail());
    let mail = mail.display();
    let text = format!(
        "[general]\naccounts = house\nmetadata = {}\nui = basic\n\n\
         [Account house]\nlocalrepository = near\nremoterepository = far\n\n\
         [Repository near]\ntype = Maildir\nlocalfolders = {mail}\nsep = /\n\n\
         [Repository far]\ntype = IMAP\nremotehost = localhost\nremoteport = {port}\nssl = yes\nsslcacertfile = {ca}\nremoteuser = {bob}\nremotepass = {password}\n",
        near.beside("metadata").display()
    );
    fs::write(&configuration, text).expect("a file");
    let run = || client::run("offlineimap", &["-c", configuration.to_str().expect("UTF-8"), "-o", "-1", "-d", "imap"]);
    // It gives a mailbox up when another client removes a message between its SELECT and its FETCH, as it does with any server; the
    // next run, a minute later with its user, goes on.
    let said = std::iter::repeat_with(run).take(TRIES).find(|said| !said.out.contains("[EXPUNGEISSUED]")).expect("a run that nobody disturbs");
    let (protocol, told): (Vec<&str>, Vec<&str>) = said.out.lines().partition(|line| line.contains("[imap]"));
    assert_eq!(said.code, Some(0), "{told:#?}");
    assert!(!said.out.contains(" BAD "), "{protocol:#?}");
    changes(&said.out)
}

/// `writer > b'BBLN50 UID STORE …'`: what `-d imap` prints of the connection.
fn changes(told: &str) -> Vec<String> {
    let sent = told.lines().filter_map(|line| line.split_once(" writer > "));
    sent.map(|(_, line)| line).filter(|line| two_way::CHANGES.iter().any(|command| line.contains(command))).map(str::to_owned).collect()
}

#[test]
fn offlineimap_keeps_a_maildir_and_an_account_the_same() {
    if installed("offlineimap_keeps_a_maildir_and_an_account_the_same", &["offlineimap"]) {
        Pair::fresh().go_through(offlineimap).demo.server.stop();
    }
}
