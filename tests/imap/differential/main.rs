//! Debian's Dovecot and ours, asked the same of the same messages.

use std::path::Path;

use house_tests::skip;
use imap_tests::corpus;
use imap_tests::difference::{Difference, compare};
use imap_tests::ours::Ours;
use imap_tests::server::Dovecot;

mod known;

#[test]
fn dovecot_and_ours_answer_alike_or_it_is_known_why() {
    if !Dovecot::installed() {
        return skip("dovecot_and_ours_answer_alike_or_it_is_known_why", "Dovecot is not installed; apt-get install dovecot-imapd");
    }
    let ours = Ours::start(None);
    let theirs = Dovecot::new().expect("a Dovecot");
    let found = compare(&ours.listening(), &theirs, &corpus::named()).expect("both answer");
    known::judge(&Path::new(env!("CARGO_MANIFEST_DIR")).join("differential/known.txt"), &found);
    ours.stop();
}
