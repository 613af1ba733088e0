//! The least script of one that fails: parts are left out as long as what is left still breaks the same rule.

use std::time::{Duration, Instant};

use super::Failure;
use super::action::Step;

/// How long is worth spending on a shorter script: a person who reads a long one spends more.
const LIMIT: Duration = Duration::from_secs(30);

/// Gives the shortest script found that `play` fails with for the same rule, and how it fails.
pub fn shrink(script: &[Step], failure: Failure, mut play: impl FnMut(&[Step]) -> Result<(), Failure>) -> (Vec<Step>, Failure) {
    let (mut least, mut failure, begun) = (script.to_vec(), failure, Instant::now());
    let mut size = least.len().div_ceil(2);
    while size > 0 && begun.elapsed() < LIMIT {
        let (mut from, mut shorter) = (0, false);
        while from < least.len() && begun.elapsed() < LIMIT {
            let to = (from + size).min(least.len());
            let without: Vec<Step> = least[..from].iter().chain(&least[to..]).cloned().collect();
            match play(&without) {
                Err(other) if rule(&other) == rule(&failure) => (least, failure, shorter) = (without, other, true),
                _ => from = to,
            }
        }
        size = if size == 1 && !shorter { 0 } else { size.div_ceil(2).min(size.max(2) - 1).max(1) };
    }
    (least, failure)
}

/// The rule that was broken, without what broke it.
fn rule(failure: &Failure) -> &str {
    failure.why.split([':', ' ']).next().unwrap_or_default()
}

#[test]
fn what_does_not_matter_is_left_out() {
    let script = Step::script(5, 3, 300);
    // It fails when an EXPUNGE comes anywhere after a SELECT of this mailbox.
    let matters = |step: &Step| matches!(step.action, super::action::Action::Expunge);
    let play = |script: &[Step]| match script.iter().filter(|step| matters(step)).count() {
        0..3 => Ok(()),
        count => Err(Failure { why: format!("E-01: {count}"), transcript: Vec::new() }),
    };
    let failure = play(&script).unwrap_err();
    let (least, failure) = shrink(&script, failure, play);
    assert!(least.len() == 3 && least.iter().all(matters), "{least:?}");
    assert_eq!(failure.why, "E-01: 3");
}
