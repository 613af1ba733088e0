//! Debian's Dovecot and ours, asked the same of the same messages.

use std::path::Path;

use house_tests::{long, skip};
use imap_tests::corpus;
use imap_tests::dice::Dice;
use imap_tests::difference::{Difference, ONE_ANSWER, compare};
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

/// Messages that grow from a seed have whatever faults they have, many at once, so they can stand in no table. Of them is asked what has one answer,
/// and that every structure has its grammar.
#[test]
fn grown_messages_are_answered_alike_and_in_the_grammar() {
    let name = "grown_messages_are_answered_alike_and_in_the_grammar";
    if !Dovecot::installed() {
        return skip(name, "Dovecot is not installed; apt-get install dovecot-imapd");
    }
    let ours = Ours::start(None);
    for seed in 0..if long() { 30 } else { 1 } {
        let mut dice = Dice::new(seed);
        let corpus: Vec<_> = (0..100).map(|n| corpus::grown(format!("seed {seed}, {n}"), &mut dice)).collect();
        let account = ours.another_account();
        let found = compare(&account, &Dovecot::new().expect("a Dovecot"), &corpus).expect("both answer");
        let has_one_answer = |question: &str| question == "APPEND" || ONE_ANSWER.contains(&question);
        let wrong = |difference: &&Difference| has_one_answer(&difference.question) || difference.ours.contains("malformed");
        let wrong: Vec<_> = found.iter().filter(wrong).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
    ours.stop();
}
