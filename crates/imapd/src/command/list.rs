//! LIST — RFC 3501 §6.3.8, with \HasChildren (RFC 3348) and the special-use attributes (RFC 6154 §2).

use std::collections::{BTreeMap, BTreeSet};

use imap::command::List;
use imap::response::{Attribute, ListLine, Response};
use imap::Tagged;
use mail::{MailboxName, SpecialUse};

use crate::halt::Outcome;
use crate::session::Reader;

pub(super) async fn list(reader: &mut Reader, list: &List) -> Outcome {
    let mut lines = vec![Response::List(ListLine::separator())];
    if !list.pattern.asks_separator() {
        let mailboxes = reader.store().mailboxes(reader.account()).await?;
        let mailboxes = mailboxes.into_iter().map(|mailbox| (mailbox.name, mailbox.special)).collect();
        let matching = lines_of(&mailboxes).into_iter().filter(|(name, _)| list.pattern.matches(name));
        lines = matching.map(|(name, attributes)| Response::List(ListLine { attributes, mailbox: Some(name) })).collect();
    }
    reader.talk.say_all(lines).await?;
    Ok(Tagged::ok("LIST completed"))
}

/// Every name there is, with its attributes; also names that are only above others: they can't be selected (N-05).
fn lines_of(mailboxes: &BTreeMap<MailboxName, Option<SpecialUse>>) -> Vec<(MailboxName, Vec<Attribute>)> {
    let parents = above(mailboxes.keys());
    let names: BTreeSet<&MailboxName> = mailboxes.keys().chain(&parents).collect();
    let line = |name: &MailboxName| {
        let mut attributes = Vec::new();
        let there = mailboxes.get(name);
        if there.is_none() {
            attributes.push(Attribute::NoSelect);
        }
        attributes.push(if parents.contains(name) { Attribute::HasChildren } else { Attribute::HasNoChildren });
        attributes.extend(there.copied().flatten().map(Attribute::Special));
        (name.clone(), attributes)
    };
    names.into_iter().map(line).collect()
}

/// All names above these.
pub(super) fn above<'n>(names: impl Iterator<Item = &'n MailboxName>) -> BTreeSet<MailboxName> {
    let mut all = BTreeSet::new();
    for name in names {
        let mut next = name.parent();
        while let Some(parent) = next {
            next = parent.parent();
            if !all.insert(parent) {
                break; // and so those above it are there
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> MailboxName {
        MailboxName::new(name).unwrap()
    }

    #[test]
    fn n_05_a_name_above_others_that_is_no_mailbox_can_not_be_selected() {
        let mailboxes = [("INBOX", None), ("Sent", Some(SpecialUse::Sent)), ("a/b/c", None)];
        let mailboxes = mailboxes.into_iter().map(|(mailbox, special)| (name(mailbox), special)).collect();
        use Attribute::{HasChildren, HasNoChildren, NoSelect, Special};
        assert_eq!(
            lines_of(&mailboxes),
            [
                (name("INBOX"), vec![HasNoChildren]),
                (name("Sent"), vec![HasNoChildren, Special(SpecialUse::Sent)]),
                (name("a"), vec![NoSelect, HasChildren]),
                (name("a/b"), vec![NoSelect, HasChildren]),
                (name("a/b/c"), vec![HasNoChildren]),
            ]
        );
    }
}
