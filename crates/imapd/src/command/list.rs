//! LIST — RFC 3501 §6.3.8, RFC 5258; with STATUS (RFC 5819), \HasChildren (RFC 3348) and the special-use attributes (RFC 6154 §2),
//! which stand in every answer, asked for or not. XLIST, which is not announced: LIST for those who ask by its old name.
//!
//! Everything is told from the rows of the mailboxes, read at once; none is opened.

use std::collections::{BTreeMap, BTreeSet};

use imap::Tagged;
use imap::command::list::{List, Pattern, Returns, Selection};
use imap::response::{Attribute, Criterion, ListLine, Response};
use mail::{MailboxName, SpecialUse};
use store::{AccountId, Mailbox, Store};

use super::status::Sums;
use crate::halt::Outcome;
use crate::session::Reader;

pub(super) async fn list(reader: &mut Reader, list: &List) -> Outcome {
    let mut answer = vec![Response::List(ListLine::separator())];
    if !list.asks_separator() {
        let (store, account) = (reader.store(), reader.account());
        let mailboxes = store.mailboxes(account).await?;
        let subscribed = if list.returns.subscribed { store.subscriptions(account).await? } else { Vec::new() };
        let sums = Sums::of(reader, &list.returns.status, None).await?;
        let rows: BTreeMap<&MailboxName, &Mailbox> = mailboxes.iter().map(|mailbox| (&mailbox.name, mailbox)).collect();
        answer.clear();
        for line in lines_of(list, &uses(&mailboxes), &subscribed.into_iter().collect()) {
            // Of what is there and meets the criteria itself (RFC 5819 §2, §3).
            let status = rows.get(&line.name).filter(|_| line.meets && !list.returns.status.is_empty());
            let status = status.map(|mailbox| sums.line(mailbox, &list.returns.status));
            answer.push(Response::List(line.into()));
            answer.extend(status);
        }
    }
    reader.talk.say_all(answer).await?;
    Ok(Tagged::ok("LIST completed"))
}

/// The line of a mailbox that is there, for SELECT (RFC 9051 §6.3.2).
pub(super) async fn of_one(store: &Store, account: AccountId, mailbox: &Mailbox) -> Result<Response, db::Error> {
    let has_children = store.mailboxes(account).await?.iter().any(|other| other.name.is_under(&mailbox.name));
    let mut attributes = vec![if has_children { Attribute::HasChildren } else { Attribute::HasNoChildren }];
    attributes.extend(mailbox.special.map(Attribute::Special));
    Ok(Response::List(ListLine { attributes, mailbox: Some(mailbox.name.clone()), child_info: Vec::new() }))
}

pub(super) async fn xlist(reader: &mut Reader, pattern: Pattern) -> Outcome {
    let mut answer = vec![Response::Xlist(ListLine::separator())];
    if !pattern.asks_separator() {
        let list = List { selection: Selection::default(), patterns: vec![pattern], returns: Returns::default(), extended: false };
        let mailboxes = reader.store().mailboxes(reader.account()).await?;
        let lines = lines_of(&list, &uses(&mailboxes), &BTreeSet::new());
        answer = lines.into_iter().map(|line| Response::Xlist(line.into())).collect();
    }
    reader.talk.say_all(answer).await?;
    Ok(Tagged::ok("XLIST completed"))
}

type Uses = BTreeMap<MailboxName, Option<SpecialUse>>;

fn uses(mailboxes: &[Mailbox]) -> Uses {
    mailboxes.iter().map(|mailbox| (mailbox.name.clone(), mailbox.special)).collect()
}

/// A name that is told.
#[derive(Debug, PartialEq)]
struct Line {
    name: MailboxName,
    attributes: Vec<Attribute>,
    /// It meets the criteria itself, and is not only above others that do.
    meets: bool,
    child_info: Vec<Criterion>,
}

impl From<Line> for ListLine {
    fn from(line: Line) -> ListLine {
        ListLine { attributes: line.attributes, mailbox: Some(line.name), child_info: line.child_info }
    }
}

/// The names to tell: those that match and meet the criteria, and some above them, though they do not (RFC 5258 §3.3):
///
/// * with RECURSIVEMATCH, where what is below and meets them does not match;
/// * without criteria, those that are no mailboxes: else `%` would show nothing of what is below. Plain LIST shows these
///   even where what is below matches too (N-05).
fn lines_of(list: &List, mailboxes: &Uses, subscribed: &BTreeSet<MailboxName>) -> Vec<Line> {
    let selection = list.selection;
    let meets = |name: &&MailboxName| {
        let (there, special) = (mailboxes.contains_key(*name), mailboxes.get(*name).copied().flatten());
        let selected = if selection.subscribed { subscribed.contains(*name) } else { there };
        selected && (!selection.special_use || special.is_some())
    };
    let meeting: BTreeSet<&MailboxName> = mailboxes.keys().chain(subscribed).filter(meets).collect();
    let parents = above(mailboxes.keys());
    let above_meeting = if selection.recursive { above(meeting.iter().copied()) } else { BTreeSet::new() };
    let has_criteria = selection.subscribed || selection.special_use;
    let also = match list.extended {
        false => parents.clone(),
        true if has_criteria && !selection.recursive => BTreeSet::new(),
        true => above(meeting.iter().copied().filter(|name| !list.matches(name))),
    };
    let names: BTreeSet<&MailboxName> = meeting.iter().copied().chain(&also).collect();
    let line = |name: &MailboxName| {
        let there = mailboxes.get(name);
        let mut attributes = Vec::new();
        if there.is_none() {
            attributes.push(if list.extended { Attribute::NonExistent } else { Attribute::NoSelect });
        }
        attributes.push(if parents.contains(name) { Attribute::HasChildren } else { Attribute::HasNoChildren });
        if list.returns.subscribed && subscribed.contains(name) {
            attributes.push(Attribute::Subscribed);
        }
        attributes.extend(there.copied().flatten().map(Attribute::Special));
        let child_info = if above_meeting.contains(name) { criteria(selection) } else { Vec::new() };
        Line { name: name.clone(), attributes, meets: meeting.contains(name), child_info }
    };
    names.into_iter().filter(|name| list.matches(name)).map(line).collect()
}

fn criteria(selection: Selection) -> Vec<Criterion> {
    let given = [(selection.subscribed, Criterion::Subscribed), (selection.special_use, Criterion::SpecialUse)];
    given.into_iter().filter(|(given, _)| *given).map(|(_, criterion)| criterion).collect()
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

    fn there(names: &[&str]) -> Uses {
        names.iter().map(|mailbox| (name(mailbox), None)).collect()
    }

    fn list(criteria: &str, patterns: &[&str], extended: bool) -> List {
        let has = |criterion| criteria.split(' ').any(|given| given == criterion);
        let selection = Selection { subscribed: has("SUBSCRIBED"), special_use: has("SPECIAL-USE"), recursive: has("RECURSIVEMATCH") };
        let patterns = patterns.iter().map(|pattern| Pattern::new(b"", pattern.as_bytes(), imap::Names::Mutf7)).collect();
        List { selection, patterns, returns: Returns { subscribed: selection.subscribed, status: Vec::new() }, extended }
    }

    /// A name a line; behind it `?` not there, `s` subscribed, `^` only above others that meet the criteria, `…` CHILDINFO.
    fn told(list: &List, mailboxes: &Uses, subscribed: &[&str]) -> String {
        let subscribed = subscribed.iter().map(|mailbox| name(mailbox)).collect();
        let told = lines_of(list, mailboxes, &subscribed).into_iter().map(|line| {
            let marks = [
                (line.attributes.contains(&Attribute::NonExistent) || line.attributes.contains(&Attribute::NoSelect), "?"),
                (line.attributes.contains(&Attribute::Subscribed), "s"),
                (!line.meets, "^"),
                (!line.child_info.is_empty(), "…"),
            ];
            let marks: String = marks.into_iter().filter(|(is, _)| *is).map(|(_, mark)| mark).collect();
            format!("{}{}{marks}", line.name, if marks.is_empty() { "" } else { ":" })
        });
        told.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn n_05_a_name_above_others_that_is_no_mailbox_can_not_be_selected() {
        let mut mailboxes = there(&["INBOX", "a/b/c"]);
        mailboxes.insert(name("Sent"), Some(SpecialUse::Sent));
        use Attribute::{HasChildren, HasNoChildren, NoSelect, Special};
        let lines = lines_of(&list("", &["*"], false), &mailboxes, &BTreeSet::new());
        let lines: Vec<_> = lines.into_iter().map(|line| (line.name.as_str().to_owned(), line.attributes)).collect();
        assert_eq!(
            lines,
            [
                ("INBOX".to_owned(), vec![HasNoChildren]),
                ("Sent".to_owned(), vec![HasNoChildren, Special(SpecialUse::Sent)]),
                ("a".to_owned(), vec![NoSelect, HasChildren]),
                ("a/b".to_owned(), vec![NoSelect, HasChildren]),
                ("a/b/c".to_owned(), vec![HasNoChildren]),
            ]
        );
    }

    /// The examples of RFC 5258 §5, by number.
    #[test]
    fn as_rfc_5258_shows_it() {
        let two = there(&["INBOX", "Fruit", "Fruit/Apple", "Fruit/Banana", "Tofu", "Vegetable", "Vegetable/Broccoli", "Vegetable/Corn"]);
        let eight = there(&["INBOX", "Foo", "Foo/Bar", "Foo/Baz", "Moo"]);
        let eight_a2 = there(&["INBOX", "Foo/Bar", "Foo/Baz", "Moo"]);
        let nine = there(&["INBOX", "foo2", "foo2/bar1", "foo2/bar2", "baz2", "baz2/bar2", "baz2/bar22", "baz2/bar222", "eps2", "eps2/mamba", "qux2/bar2"]);
        let subscribed_nine = ["foo2/bar1", "foo2/bar2", "baz2/bar2", "baz2/bar22", "baz2/bar222", "eps2", "eps2/mamba", "qux2/bar2"];
        let (ten, eleven) = (there(&["foo"]), there(&["music/rock"]));
        let recursive = "SUBSCRIBED RECURSIVEMATCH";
        type Example<'a> = (&'a str, &'a Uses, &'a [&'a str], &'a str, &'a [&'a str], &'a str);
        let table: &[Example] = &[
            ("2", &two, &["INBOX", "Fruit/Banana", "Fruit/Peach", "Vegetable", "Vegetable/Broccoli"], "SUBSCRIBED", &["*"],
                "Fruit/Banana:s Fruit/Peach:?s INBOX:s Vegetable:s Vegetable/Broccoli:s"),
            ("7", &two, &[], "", &["INBOX", "Fruit", "Vegetable/%"], "Fruit INBOX Vegetable/Broccoli Vegetable/Corn"),
            ("8 A", &eight, &["Foo/Baz"], "SUBSCRIBED", &["*"], "Foo/Baz:s"),
            ("8 A, %", &eight, &["Foo/Baz"], "SUBSCRIBED", &["%"], ""),
            ("8 A, recursive", &eight, &["Foo/Baz"], recursive, &["%"], "Foo:^…"),
            ("8 A1", &eight, &["Foo", "Foo/Baz"], recursive, &["%"], "Foo:s…"),
            ("8 A2", &eight_a2, &["Foo/Baz"], recursive, &["%"], "Foo:?^…"),
            ("8 B", &eight, &[], recursive, &["%"], ""),
            ("8 C", &eight, &["Foo", "Moo"], recursive, &["%"], "Foo:s Moo:s"),
            ("9", &nine, &subscribed_nine, recursive, &["*2"],
                "baz2/bar2:s baz2/bar22:s baz2/bar222:s eps2:s… foo2:^… foo2/bar2:s qux2/bar2:s"),
            ("10 a1", &ten, &["foo/bar"], "", &["foo", "foo/*"], "foo"),
            ("10 a2", &ten, &["foo/bar"], "SUBSCRIBED", &["foo/*"], "foo/bar:?s"),
            ("10 a3", &ten, &["foo/bar"], recursive, &["foo"], "foo:^…"),
            ("11 a2", &eleven, &[], "", &["%"], "music:?^"),
            ("11 a3.1", &eleven, &[], "", &["%", "music/rock"], "music/rock"),
            ("the empty pattern is no question", &two, &[], "", &["", "Tofu"], "Tofu"),
        ];
        for (example, mailboxes, subscribed, criteria, patterns, expected) in table {
            assert_eq!(told(&list(criteria, patterns, true), mailboxes, subscribed), *expected, "{example}");
        }
    }

    #[test]
    fn criteria_are_joined() {
        let mut mailboxes = there(&["INBOX", "Sent", "a"]);
        mailboxes.insert(name("Sent"), Some(SpecialUse::Sent));
        mailboxes.insert(name("a/Trash"), Some(SpecialUse::Trash));
        let shown = |criteria, pattern, subscribed| told(&list(criteria, &[pattern], true), &mailboxes, subscribed);
        assert_eq!(shown("SPECIAL-USE", "*", &["INBOX", "Sent"]), "Sent a/Trash");
        assert_eq!(shown("SPECIAL-USE SUBSCRIBED", "*", &["INBOX", "Sent", "gone"]), "Sent:s");
        assert_eq!(shown("SPECIAL-USE RECURSIVEMATCH", "%", &[]), "Sent a:^…");
        assert_eq!(shown("SPECIAL-USE SUBSCRIBED RECURSIVEMATCH", "%", &["a/Trash"]), "a:^…");
    }
}
