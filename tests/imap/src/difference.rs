//! One script to two servers, and where their answers differ.
//!
//! Every message of a corpus is appended to both; then both are asked the same. Answers are compared as trees: quoted or literal,
//! upper or lower case where it means nothing, one line or several for a message are the same. A malformed answer is a
//! difference too, even if both give it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Result};

use crate::corpus::Message;
use crate::response::{Condition, Response};
use crate::server::Server;
use crate::structure;
use crate::value::Value;
use crate::wire::Connection;

/// Something that two servers answer differently.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// Of which message; `*` if it is of the whole mailbox.
    pub message: String,
    /// What was asked.
    pub question: String,
    /// What the first server answered, where it differs.
    pub ours: String,
    /// What the second did.
    pub theirs: String,
}

/// What is fetched of every message and leaves nothing to opinion, whatever the message: its octets, its header, its size. None of them sets `\Seen`.
pub const ONE_ANSWER: &[&str] = &[
    "RFC822.SIZE",
    "INTERNALDATE",
    "FLAGS",
    "BODY.PEEK[]",
    "BODY.PEEK[]<0.10>",
    "BODY.PEEK[]<5.200>",
    "BODY.PEEK[]<10000000.10>",
    "BODY.PEEK[HEADER]",
    "BODY.PEEK[HEADER]<3.40>",
    "BODY.PEEK[TEXT]",
    "BODY.PEEK[TEXT]<3.7>",
    "BODY.PEEK[HEADER.FIELDS (SUBJECT from X-None)]",
    "BODY.PEEK[HEADER.FIELDS (X-None)]",
];

/// What is fetched of every message, and depends on how its faults are read. None of them sets `\Seen`, except the last two.
const ARGUABLE: &[&str] = &[
    "ENVELOPE",
    "BODY",
    "BODYSTRUCTURE",
    "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE TO CC)]<2.30>",
    "BODY.PEEK[HEADER.FIELDS.NOT (SUBJECT X-LONG X-MANY)]",
    "BODY.PEEK[1]",
    "BODY.PEEK[1]<2.6>",
    "BODY.PEEK[1.MIME]",
    "BODY.PEEK[1.HEADER]",
    "BODY.PEEK[1.TEXT]",
    "BODY.PEEK[1.1]",
    "BODY.PEEK[1.1.MIME]",
    "BODY.PEEK[1.2]",
    "BODY.PEEK[1.1.1]",
    "BODY.PEEK[2]",
    "BODY.PEEK[2.MIME]",
    "BODY.PEEK[2.HEADER]",
    "BODY.PEEK[2.HEADER.FIELDS (SUBJECT)]",
    "BODY.PEEK[2.HEADER.FIELDS.NOT (SUBJECT)]",
    "BODY.PEEK[2.TEXT]",
    "BODY.PEEK[2.1]",
    "BODY.PEEK[2.1.MIME]",
    "BODY.PEEK[2.2]",
    "BODY.PEEK[3]",
    "BODY.PEEK[3.MIME]",
    "BODY.PEEK[7]",
    "BODY.PEEK[1000]",
    "RFC822.HEADER",
    "RFC822.TEXT",
    "RFC822",
];

/// What is fetched where both announce BINARY (RFC 3516), of one message at a time: a part that can't be decoded may end the command.
const BINARY: &[&str] = &["BINARY.PEEK[1]", "BINARY.SIZE[1]", "BINARY.PEEK[2]", "BINARY.PEEK[1]<2.6>"];

/// What is searched for; each is sent as `UID SEARCH`.
pub const SEARCHES: &[&str] = &[
    "ALL",
    "SUBJECT plain",
    "SUBJECT \"\"",
    "SUBJECT \"a subject that goes on and on\"",
    "SUBJECT \"Re: [list]\"",
    "SUBJECT =?utf-8",
    "CHARSET UTF-8 SUBJECT \"\u{fc}\u{df}e\"",
    "CHARSET UTF-8 SUBJECT \"\u{4e2d}\u{6587}\"",
    "CHARSET UTF-8 FROM \"Andr\u{e9}\"",
    "CHARSET UTF-8 TEXT \"\u{4e2d}\u{6587}\"",
    "CHARSET UTF-8 BODY \"\u{4e2d}\u{6587}\"",
    "CHARSET UTF-8 BODY \"\u{e4}pfel\"",
    "CHARSET UTF-8 BODY \"Gr\u{fc}\u{df}e\"",
    "FROM alice",
    "FROM \"Quoted, Name\"",
    "FROM a@example.test",
    "TO b@x",
    "TO undisclosed",
    "CC Empty",
    "BCC empty@",
    "BODY hello",
    "BODY body",
    "BODY needle",
    "BODY preamble",
    "BODY epilogue",
    "BODY inner",
    "BODY \"inner body\"",
    "BODY Content-Type",
    "BODY keyword",
    "BODY 0123456789abcdef0123",
    "TEXT alice",
    "TEXT plain",
    "TEXT x-many",
    "TEXT \"one\"",
    "TEXT \"X-Long: word word\"",
    "HEADER X-FOLDED \"\"",
    "HEADER X-FOLDED one",
    "HEADER Message-ID <1@example.test>",
    "HEADER Message-ID 1@x",
    "HEADER Content-Type multipart",
    "HEADER Content-Disposition attachment",
    "HEADER Cc \"\"",
    "SENTON 7-Feb-1994",
    "SENTBEFORE 8-Feb-1994",
    "SENTSINCE 8-Feb-1994",
    "SENTON 1-Jan-1970",
    "ON 1-Feb-2024",
    "LARGER 400",
    "SMALLER 40",
    "OR SMALLER 40 LARGER 10000",
    "NOT SUBJECT plain",
    "1:10 NOT 3:5",
    "UID 4:*",
    "UNKEYWORD nothing",
    "KEYWORD nothing",
    "NEW",
    "SEEN",
    "OR (FROM alice SUBJECT plain) NOT (OR TO bob TO c)",
];

/// What is sorted and threaded by, where both announce it (RFC 5256).
const SORTS: &[&str] = &["SUBJECT", "DATE", "ARRIVAL", "FROM", "TO", "CC", "SIZE", "REVERSE SIZE", "SUBJECT REVERSE DATE", "REVERSE FROM SUBJECT"];
const THREADS: &[&str] = &["REFERENCES", "ORDEREDSUBJECT"];

/// Asks both; gives where they differ, in the order of the questions.
pub fn compare(ours: &dyn Server, theirs: &dyn Server, corpus: &[Message]) -> Result<Vec<Difference>> {
    let (mut ours, mut theirs) = (Asked::new(ours)?, Asked::new(theirs)?);
    let mut found = Vec::new();
    let mut names = BTreeMap::new();
    for message in corpus {
        let (a, b) = (ours.append(message)?, theirs.append(message)?);
        match (a.code("APPENDUID"), b.code("APPENDUID")) {
            (Some([_, uid]), Some([_, other])) if uid == other => drop(names.insert(uid.number().unwrap_or_default(), message.name.clone())),
            _ => {
                found.push(Difference { message: message.name.clone(), question: "APPEND".into(), ours: format!("{a:?}"), theirs: format!("{b:?}") });
                // Both go on alike, with a message in its place.
                for (asked, condition) in [(&mut ours, &a), (&mut theirs, &b)] {
                    if !condition.is_ok() {
                        asked.append(&Message { name: String::new(), octets: b"Subject: refused\r\n\r\n".to_vec() })?;
                    }
                }
            }
        }
    }
    let both = |capability: &str, ours: &Asked, theirs: &Asked| ours.has(capability) && theirs.has(capability);
    let select = [ours.ask("SELECT INBOX")?, theirs.ask("SELECT INBOX")?].map(|(_, condition)| condition.word);
    assert_eq!(select, ["OK", "OK"]);
    let binary = if both("BINARY", &ours, &theirs) { BINARY } else { &[] };
    for item in ONE_ANSWER.iter().chain(ARGUABLE).chain(binary) {
        let alone = if binary.contains(item) { Some(names.keys()) } else { None };
        let (a, b) = (ours.fetch(item, alone.clone())?, theirs.fetch(item, alone)?);
        for (uid, name) in &names {
            if a.get(uid) != b.get(uid) || [&a, &b].iter().any(|all| all.get(uid).is_some_and(|items| items.contains_key(MALFORMED))) {
                let (ours, theirs) = contrast(&shown(a.get(uid)), &shown(b.get(uid)));
                found.push(Difference { message: name.clone(), question: (*item).to_owned(), ours, theirs });
            }
        }
    }
    for keys in SEARCHES {
        let question = format!("SEARCH {keys}");
        let ((a, a_said), (b, b_said)) = (ours.search(&question)?, theirs.search(&question)?);
        if a_said.word != b_said.word {
            found.push(Difference { message: "*".into(), question: question.clone(), ours: format!("{a_said:?}"), theirs: format!("{b_said:?}") });
        }
        for uid in a.symmetric_difference(&b) {
            let [ours, theirs] = [&a, &b].map(|all| if all.contains(uid) { "found" } else { "not found" }.to_owned());
            if let Some(name) = names.get(uid) {
                found.push(Difference { message: name.clone(), question: question.clone(), ours, theirs });
            }
        }
    }
    // An order is compared where its keys are the same.
    let differ = |name: &String| found.iter().any(|difference| difference.message == *name && !difference.question.contains("BODY"));
    let alike: Vec<String> = names.iter().filter(|(_, name)| !differ(name)).map(|(uid, _)| uid.to_string()).collect();
    let alike = alike.join(",");
    let sorts = SORTS.iter().map(|keys| ("SORT", format!("SORT ({keys})")));
    let threads = THREADS.iter().map(|by| ("THREAD", format!("THREAD {by}")));
    for (word, question) in sorts.chain(threads) {
        let capability = question.split(' ').nth(1).filter(|_| word == "THREAD").map_or(word.to_owned(), |by| format!("THREAD={by}"));
        if both(&capability, &ours, &theirs) {
            let (a, b) = (ours.listed(word, &question, &alike, &names)?, theirs.listed(word, &question, &alike, &names)?);
            if a != b {
                let (ours, theirs) = contrast(&a, &b);
                found.push(Difference { message: "*".into(), question, ours, theirs });
            }
        }
    }
    Ok(found)
}

/// A server being asked.
struct Asked {
    connection: Connection,
    capabilities: BTreeSet<String>,
}

/// The name under which a malformed answer stands among a message's items.
const MALFORMED: &str = "malformed";
/// What one message was answered with, by item.
type Items = BTreeMap<String, Value>;

impl Asked {
    fn new(server: &dyn Server) -> Result<Asked> {
        let mut asked = Asked { connection: server.connect()?, capabilities: BTreeSet::new() };
        for response in asked.ask("CAPABILITY")?.0 {
            if let Ok(Response::Data(word, values)) = response
                && word == "CAPABILITY"
            {
                asked.capabilities = values.iter().filter_map(|value| Some(value.atom()?.to_ascii_uppercase())).collect();
            }
        }
        Ok(asked)
    }

    fn has(&self, capability: &str) -> bool {
        self.capabilities.contains(capability)
    }

    fn append(&mut self, message: &Message) -> Result<Condition> {
        let command = b"APPEND INBOX (\\Flagged) \" 1-Feb-2024 22:10:00 +0000\"";
        Ok(self.connection.ask_with(command, Some(&message.octets))?.tagged)
    }

    /// Runs a command; what can't be read stands among the responses.
    fn ask(&mut self, command: &str) -> Result<(Vec<std::result::Result<Response, String>>, Condition)> {
        let tag = self.connection.tag();
        self.connection.send(format!("{tag} {command}\r\n").as_bytes())?;
        let mut all = Vec::new();
        loop {
            match self.connection.response() {
                Ok(Response::Tagged(own, condition)) if own == tag => return Ok((all, condition)),
                Ok(response) => all.push(Ok(response)),
                Err(error) if error.kind() == ErrorKind::InvalidData => {
                    let line = self.connection.transcript.last().cloned().unwrap_or_default();
                    all.push(Err(format!("{error} in {line}")));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// An item by UID, of all messages at once or of each alone.
    fn fetch<'u>(&mut self, item: &str, alone: Option<impl Iterator<Item = &'u u64>>) -> Result<BTreeMap<u64, Items>> {
        let Some(alone) = alone else { return self.fetch_set(item, "1:*", 1) };
        let mut all = BTreeMap::new();
        for uid in alone {
            all.append(&mut self.fetch_set(item, &uid.to_string(), *uid)?);
        }
        Ok(all)
    }

    /// A refusal stands among the items of `first`.
    fn fetch_set(&mut self, item: &str, set: &str, first: u64) -> Result<BTreeMap<u64, Items>> {
        let (responses, condition) = self.ask(&format!("UID FETCH {set} ({item})"))?;
        let mut all: BTreeMap<u64, Items> = BTreeMap::new();
        let mut last = first - 1;
        for response in responses {
            match response {
                Ok(Response::Numbered(_, what, values)) if what == "FETCH" => match paired(&values) {
                    Ok(mut items) => {
                        last = items.remove("UID").and_then(|uid| uid.number()).unwrap_or_default();
                        if item != "FLAGS" {
                            items.remove("FLAGS"); // \Seen by another item, told here or there
                        }
                        all.entry(last).or_default().append(&mut items);
                    }
                    Err(why) => drop(all.entry(last + 1).or_default().insert(MALFORMED.into(), Value::Atom(why))),
                },
                Ok(_) => {}
                // Its UID could not be read; both servers answer in this order.
                Err(why) => {
                    last += 1;
                    all.entry(last).or_default().insert(MALFORMED.into(), Value::Atom(why));
                }
            }
        }
        if !condition.is_ok() {
            all.entry(first).or_default().insert("condition".into(), Value::Atom(format!("{} {:?}", condition.word, condition.code)));
        }
        Ok(all)
    }

    fn search(&mut self, question: &str) -> Result<(BTreeSet<u64>, Condition)> {
        let (responses, condition) = self.ask(&format!("UID {question}"))?;
        let mut found = BTreeSet::new();
        for response in responses {
            if let Ok(Response::Data(word, values)) = response
                && word == "SEARCH"
            {
                found.extend(values.iter().filter_map(Value::number));
            }
        }
        Ok((found, condition))
    }

    /// The answer to SORT or THREAD of some UIDs, with names for them.
    fn listed(&mut self, word: &str, question: &str, uids: &str, names: &BTreeMap<u64, String>) -> Result<String> {
        let (responses, condition) = self.ask(&format!("UID {question} UTF-8 UID {uids}"))?;
        let mut shown = if condition.is_ok() { String::new() } else { format!("{condition:?}") };
        for response in responses {
            if let Ok(Response::Data(data, values)) = response
                && data == word
            {
                values.iter().for_each(|value| named(value, names, &mut shown));
            }
        }
        Ok(shown)
    }
}

fn named(value: &Value, names: &BTreeMap<u64, String>, out: &mut String) {
    match value {
        Value::List(values) => {
            out.push('(');
            values.iter().for_each(|value| named(value, names, out));
            out.push(')');
        }
        value => match value.number().and_then(|uid| names.get(&uid)) {
            Some(name) => out.push_str(&format!(" {name}")),
            None => out.push_str(&format!(" {value:?}")),
        },
    }
}

/// The items of a FETCH line; structures are held to their grammar.
fn paired(values: &[Value]) -> std::result::Result<Items, String> {
    let [Value::List(values)] = values else { return Err("FETCH without its list".into()) };
    let mut items = Items::new();
    for pair in values.chunks(2) {
        let [name, value] = pair else { return Err("an item without a value".into()) };
        let name = name.atom().ok_or("an item without a name")?.to_ascii_uppercase().replace('"', "");
        let value = match name.as_str() {
            "ENVELOPE" => structure::envelope(value)?,
            "BODY" => structure::body(value, false)?,
            "BODYSTRUCTURE" => structure::body(value, true)?,
            "FLAGS" => {
                let mut flags = value.list().ok_or("flags that are no list")?.to_vec();
                flags.sort();
                Value::List(flags)
            }
            // A day of one digit has a blank or a zero before it (RFC 3501 §9, date-day-fixed).
            "INTERNALDATE" => match value {
                Value::Text(date) if date.first() == Some(&b' ') => Value::Text([b"0", &date[1..]].concat()),
                value => value.clone(),
            },
            _ => value.clone(),
        };
        items.insert(name, value);
    }
    Ok(items)
}

fn shown(items: Option<&Items>) -> String {
    let Some(items) = items else { return "nothing".into() };
    let mut out = String::new();
    for (name, value) in items {
        out.push_str(&format!("{name} "));
        whole(value, &mut out);
        out.push(' ');
    }
    out
}

/// A value, all of it.
fn whole(value: &Value, out: &mut String) {
    match value {
        Value::Text(text) => out.push_str(&format!("\"{}\"", text.escape_ascii())),
        Value::List(values) => {
            out.push('(');
            for (n, value) in values.iter().enumerate() {
                if n > 0 {
                    out.push(' ');
                }
                whole(value, out);
            }
            out.push(')');
        }
        other => out.push_str(&format!("{other:?}")),
    }
}

/// What a person needs to see of two texts that differ: some of what is the same before, and what follows.
fn contrast(a: &str, b: &str) -> (String, String) {
    const BEFORE: usize = 60;
    const AFTER: usize = 160;
    let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let cut = |text: &str| {
        let from = text.floor_char_boundary(same.saturating_sub(BEFORE));
        let to = text.floor_char_boundary(text.len().min(same + AFTER));
        format!("{}{}{}", if from > 0 { "…" } else { "" }, &text[from..to], if to < text.len() { "…" } else { "" })
    };
    (cut(a), cut(b))
}
