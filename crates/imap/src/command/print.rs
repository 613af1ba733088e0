//! The client's pen, for tests: what is parsed can be printed, and parsed again alike.

use super::fetch::{Item, SectionText};
use super::search::{Day, Returns};
use super::sort::By;
use super::store::Change;
use super::thread::Algorithm;
use super::{CommandBody, Key, Select};
use crate::FlagArguments;
use crate::response::Label;
use mail::MailboxName;

pub fn print(body: &CommandBody) -> Vec<u8> {
    let mut out = Vec::new();
    let uid = |uid: bool| if uid { "UID " } else { "" };
    let mut text = |text: String| out.extend_from_slice(text.as_bytes());
    match body {
        CommandBody::Login(login) => {
            text("LOGIN ".into());
            string(&mut out, &login.user);
            out.push(b' ');
            string(&mut out, &login.password);
        }
        CommandBody::Select(select) => {
            text("SELECT ".into());
            mailbox(&mut out, &select.mailbox);
            out.extend_from_slice(select_parameters(select).as_bytes());
        }
        CommandBody::Rename(rename) => {
            text("RENAME ".into());
            mailbox(&mut out, &rename.from);
            out.push(b' ');
            mailbox(&mut out, &rename.to);
        }
        CommandBody::Copy(copy) => {
            text(format!("{}COPY {} ", uid(copy.uid), copy.set));
            mailbox(&mut out, &copy.to);
        }
        CommandBody::Move(copy) => {
            text(format!("{}MOVE {} ", uid(copy.uid), copy.set));
            mailbox(&mut out, &copy.to);
        }
        CommandBody::Enable(extensions) => {
            text("ENABLE".into());
            extensions.iter().for_each(|extension| text(format!(" {}", extension.name())));
        }
        CommandBody::Store(store) => {
            let sign = match store.change {
                Change::Replace => "",
                Change::Add => "+",
                Change::Remove => "-",
            };
            let silent = if store.silent { ".SILENT" } else { "" };
            let flags = flags(&store.flags);
            let unless = store.unchanged_since.map_or(String::new(), |since| format!(" (UNCHANGEDSINCE {since})"));
            text(format!("{}STORE {}{unless} {sign}FLAGS{silent} {flags}", uid(store.uid), store.set));
        }
        CommandBody::Fetch(fetch) => {
            text(format!("{}FETCH {} (", uid(fetch.uid), fetch.set));
            for (index, item) in fetch.items.iter().enumerate() {
                out.extend_from_slice(if index > 0 { b" " } else { b"" });
                out.extend_from_slice(&fetch_item(item));
            }
            out.push(b')');
            if let Some(since) = fetch.changed_since {
                let vanished = if fetch.vanished { " VANISHED" } else { "" };
                out.extend_from_slice(format!(" (CHANGEDSINCE {since}{vanished})").as_bytes());
            }
        }
        CommandBody::Search(search) => {
            text(format!("{}SEARCH {}CHARSET utf-8 ", uid(search.uid), returns(search.returns)));
            key(&mut out, &search.key);
        }
        CommandBody::Sort(sort) => {
            let name = |by| By::NAMES.iter().find(|(_, known)| *known == by).unwrap().0;
            let criteria = sort.criteria.iter().map(|criterion| [if criterion.reverse { "REVERSE " } else { "" }, name(criterion.by)].concat());
            let criteria = criteria.collect::<Vec<_>>().join(" ");
            text(format!("{}SORT {}({criteria}) utf-8 ", uid(sort.uid), returns(sort.returns)));
            key(&mut out, &sort.key);
        }
        CommandBody::Thread(thread) => {
            let algorithm = match thread.algorithm {
                Algorithm::OrderedSubject => "OrderedSubject",
                Algorithm::References => "References",
            };
            text(format!("{}THREAD {algorithm} UTF-8 ", uid(thread.uid)));
            key(&mut out, &thread.key);
        }
        CommandBody::Expunge(Some(set)) => text(format!("UID EXPUNGE {set}")),
        other => panic!("no pen for {other:?}"),
    }
    out
}

fn returns(returns: Option<Returns>) -> String {
    let Some(returns) = returns else { return String::new() };
    let options =
        [("SAVE", returns.save), ("MAX", returns.max), ("MIN", returns.min), ("ALL", returns.all), ("COUNT", returns.count)];
    let named: Vec<_> = options.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect();
    format!("RETURN ({}) ", named.join(" "))
}

/// Quoted if it can be, else a literal.
fn string(out: &mut Vec<u8>, octets: &[u8]) {
    if octets.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
        out.extend_from_slice(format!("{{{}}}\r\n", octets.len()).as_bytes());
        return out.extend_from_slice(octets);
    }
    out.push(b'"');
    for &byte in octets {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

fn mailbox(out: &mut Vec<u8>, name: &MailboxName) {
    string(out, name.to_mutf7().as_bytes());
}

fn select_parameters(select: &Select) -> String {
    let mut parameters = Vec::new();
    if let Some(known) = &select.qresync {
        let mut text = format!("QRESYNC ({} {}", known.uidvalidity, known.modseq);
        known.uids.iter().for_each(|uids| text.push_str(&format!(" {uids}")));
        known.matches.iter().for_each(|known| text.push_str(&format!(" ({} {})", known.numbers, known.uids)));
        parameters.push(text + ")");
    }
    if select.condstore {
        parameters.push("CONDSTORE".into());
    }
    if parameters.is_empty() { String::new() } else { format!(" ({})", parameters.join(" ")) }
}

fn flags(arguments: &FlagArguments) -> String {
    let names = arguments.flags.names().map(str::to_owned);
    let keywords = arguments.keywords.iter().map(|keyword| keyword.as_str().to_owned());
    format!("({})", names.chain(keywords).collect::<Vec<_>>().join(" "))
}

fn fetch_item(item: &Item) -> Vec<u8> {
    let name = match item {
        Item::Envelope => "ENVELOPE",
        Item::Flags => "FLAGS",
        Item::InternalDate => "INTERNALDATE",
        Item::Size => "RFC822.SIZE",
        Item::Body => "BODY",
        Item::BodyStructure => "BODYSTRUCTURE",
        Item::Uid => "UID",
        Item::ModSeq => "MODSEQ",
        Item::Rfc822 { peek: false } => "RFC822",
        Item::Rfc822 { peek: true } => "RFC822.PEEK",
        Item::Rfc822Header => "RFC822.HEADER",
        Item::Rfc822Text { peek: false } => "RFC822.TEXT",
        Item::Rfc822Text { peek: true } => "RFC822.TEXT.PEEK",
        Item::Binary { peek: true, .. } => "BINARY.PEEK",
        Item::Binary { peek: false, .. } => "BINARY",
        Item::BinarySize { .. } => "BINARY.SIZE",
        Item::Section { peek: true, .. } => "BODY.PEEK",
        Item::Section { peek: false, .. } => "BODY",
    };
    let mut out = name.as_bytes().to_vec();
    if matches!(item.label(), Some(Label::Rfc822 | Label::Rfc822Header | Label::Rfc822Text)) {
        return out;
    }
    let Some((section, partial)) = item.octets() else { return out };
    let mut words: Vec<String> = section.part.iter().map(u32::to_string).collect();
    let fields = match &section.text {
        SectionText::All => None,
        SectionText::Header => Some(("HEADER", None)),
        SectionText::HeaderFields(fields) => Some(("HEADER.FIELDS", Some(fields))),
        SectionText::HeaderFieldsNot(fields) => Some(("HEADER.FIELDS.NOT", Some(fields))),
        SectionText::Text => Some(("TEXT", None)),
        SectionText::Mime => Some(("MIME", None)),
    };
    words.extend(fields.map(|(name, _)| name.to_owned()));
    out.extend_from_slice(format!("[{}", words.join(".")).as_bytes());
    if let Some((_, Some(fields))) = fields {
        for (index, field) in fields.iter().enumerate() {
            out.extend_from_slice(if index > 0 { b" " } else { b" (" });
            string(&mut out, field.as_bytes());
        }
        out.push(b')');
    }
    out.push(b']');
    if let Some(partial) = partial {
        out.extend_from_slice(format!("<{}.{}>", partial.origin, partial.length).as_bytes());
    }
    out
}

fn key(out: &mut Vec<u8>, key_: &Key) {
    let mut text = |text: String| out.extend_from_slice(text.as_bytes());
    match key_ {
        Key::All => text("ALL".into()),
        Key::Recent => text("RECENT".into()),
        Key::And(keys) => {
            text("(".into());
            for (index, inner) in keys.iter().enumerate() {
                out.extend_from_slice(if index > 0 { b" " } else { b"" });
                key(out, inner);
            }
            out.push(b')');
        }
        Key::Or(a, b) => {
            text("OR ".into());
            key(out, a);
            out.push(b' ');
            key(out, b);
        }
        Key::Not(inner) => {
            text("NOT ".into());
            key(out, inner);
        }
        Key::Set(set) => text(set.to_string()),
        Key::Uid(set) => text(format!("UID {set}")),
        Key::Flag(flag) => {
            let name = flag.names().next().unwrap();
            text(name.strip_prefix('\\').map_or(format!("KEYWORD {name}"), str::to_owned));
        }
        Key::Keyword(keyword) => text(format!("KEYWORD {}", keyword.as_str())),
        Key::Before(of) => text(format!("BEFORE {}", day(of))),
        Key::On(of) => text(format!("ON {}", day(of))),
        Key::Since(of) => text(format!("SINCE {}", day(of))),
        Key::SentBefore(of) => text(format!("SENTBEFORE \"{}\"", day(of))),
        Key::SentOn(of) => text(format!("SENTON {}", day(of))),
        Key::SentSince(of) => text(format!("SENTSINCE {}", day(of))),
        Key::Older(seconds) => text(format!("OLDER {seconds}")),
        Key::Younger(seconds) => text(format!("YOUNGER {seconds}")),
        Key::Larger(size) => text(format!("LARGER {size}")),
        Key::Smaller(size) => text(format!("SMALLER {size}")),
        Key::Header { field, value } => {
            text("HEADER ".into());
            string(out, field.as_bytes());
            out.push(b' ');
            string(out, value.as_bytes());
        }
        Key::Body(value) => {
            text("BODY ".into());
            string(out, value.as_bytes());
        }
        Key::ModSeq(modseq) => text(format!("MODSEQ {modseq}")),
        Key::Text(value) => {
            text("TEXT ".into());
            string(out, value.as_bytes());
        }
    }
}

fn day(day: &Day) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    format!("{}-{}-{:04}", day.day, MONTHS[day.month as usize - 1], day.year)
}
