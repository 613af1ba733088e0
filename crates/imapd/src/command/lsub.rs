//! LSUB — RFC 3501 §6.3.9: the subscribed names, whether or not there are such mailboxes.

use std::collections::BTreeSet;

use imap::Tagged;
use imap::command::Pattern;
use imap::response::{Attribute, ListLine, Response};
use mail::MailboxName;

use super::list::above;
use crate::halt::Outcome;
use crate::session::Reader;

pub(super) async fn lsub(reader: &mut Reader, pattern: &Pattern) -> Outcome {
    let mut lines = vec![Response::Lsub(ListLine::separator())];
    if !pattern.asks_separator() {
        let subscribed = reader.store().subscriptions(reader.account()).await?.into_iter().collect();
        let line = |(name, attributes)| Response::Lsub(ListLine::new(name, attributes));
        lines = lines_of(&subscribed, pattern).into_iter().map(line).collect();
    }
    reader.talk.say_all(lines).await?;
    Ok(Tagged::ok("LSUB completed"))
}

/// What matches; and where `%` stops above a subscribed name, the name it stopped at (N-08).
fn lines_of(subscribed: &BTreeSet<MailboxName>, pattern: &Pattern) -> Vec<(MailboxName, Vec<Attribute>)> {
    let (matching, hidden): (Vec<&MailboxName>, Vec<&MailboxName>) = subscribed.iter().partition(|name| pattern.matches(name));
    let stops = above(hidden.into_iter()).into_iter().filter(|name| pattern.matches(name) && !subscribed.contains(name));
    let mut lines: Vec<_> = matching.into_iter().map(|name| (name.clone(), Vec::new())).collect();
    lines.extend(stops.map(|name| (name, vec![Attribute::NoSelect])));
    lines.sort_by(|a, b| a.0.cmp(&b.0));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n_08_a_percent_shows_where_it_stopped() {
        let name = |name: &str| MailboxName::new(name).unwrap();
        let subscribed = ["INBOX", "foo/bar", "foo/baz", "top", "top/below"].into_iter().map(name).collect();
        let shown = |pattern: &[u8]| -> Vec<(String, bool)> {
            let lines = lines_of(&subscribed, &Pattern::new(b"", pattern, imap::Names::Mutf7));
            lines.into_iter().map(|(name, attributes)| (name.as_str().to_owned(), attributes.contains(&Attribute::NoSelect))).collect()
        };
        assert_eq!(shown(b"%"), [("INBOX".into(), false), ("foo".into(), true), ("top".into(), false)]);
        assert_eq!(shown(b"foo/%"), [("foo/bar".into(), false), ("foo/baz".into(), false)]);
        assert_eq!(shown(b"*").len(), 5);
    }
}
