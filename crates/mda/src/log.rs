//! Lines about deliveries, as the tools that read Postfix's log expect them (target = the name of Postfix's program).

use mail::{Address, Status};
use queue::QueueId;

/// Delivered, `age` milliseconds after it was accepted.
pub(crate) fn sent(id: QueueId, to: &Address, original: &Address, age: i64) {
    line(id, &to.to_string(), &original.to_string(), age, Status(2, 0, 0), "sent", "delivered to mailbox");
}

/// Not delivered this time (`deferred`) or ever (`bounced`).
pub(crate) fn unsent(id: QueueId, to: &str, original: &str, age: i64, status: Status, word: &str, text: &str) {
    line(id, to, original, age, status, word, text);
}

/// The queue is done with it.
pub(crate) fn removed(id: QueueId) {
    tracing::info!(target: "postfix/qmgr", "{id}: removed");
}

fn line(id: QueueId, to: &str, original: &str, age: i64, status: Status, word: &str, text: &str) {
    let (to, text, delay) = (Plain(to), Plain(text), delay(age));
    let original = if original.eq_ignore_ascii_case(to.0) { String::new() } else { format!(" orig_to=<{}>,", Plain(original)) };
    tracing::info!(target: "postfix/local", "{id}: to=<{to}>,{original} relay=local, delay={delay}, delays={delay}/0/0/0, dsn={status}, status={word} ({text})");
}

/// Two digits that count, rounded down; whole seconds from ten on.
pub fn delay(millis: i64) -> String {
    let millis = millis.max(0);
    match millis {
        10_000.. => (millis / 1000).to_string(),
        1_000.. => trimmed(millis / 100, 1),
        100.. => trimmed(millis / 10, 2),
        _ => trimmed(millis, 3),
    }
}

/// `value` with `places` decimals, without zeros at the end.
fn trimmed(value: i64, places: u32) -> String {
    let one = 10_i64.pow(places);
    let text = format!("{}.{:0width$}", value / one, value % one, width = places as usize);
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// A text that cannot begin a line of its own.
pub struct Plain<'a>(pub &'a str);

impl std::fmt::Display for Plain<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.chars().try_for_each(|letter| std::fmt::Write::write_char(out, if letter.is_control() { '?' } else { letter }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_have_two_digits() {
        for (millis, text) in [(0, "0"), (-5, "0"), (7, "0.007"), (11, "0.011"), (110, "0.11"), (999, "0.99"), (1_110, "1.1"), (2_000, "2"), (11_100, "11"), (100_900, "100")] {
            assert_eq!(delay(millis), text);
        }
    }

    #[test]
    fn nothing_begins_a_line() {
        assert_eq!(Plain("a\r\nb\u{85}c").to_string(), "a??b?c");
    }
}
