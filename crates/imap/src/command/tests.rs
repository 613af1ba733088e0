//! Lines of commands → values; lines that are none; round trips.

use super::fetch::{Item, Partial, Section, SectionText};
use super::print::print;
use super::search::{Day, Returns};
use super::sort::{By, Criterion};
use super::store::Change;
use super::thread::Algorithm;
use super::*;
use crate::FlagArguments;
use crate::set::Bound;
use crate::view::MatchData;
use mail::{Date, Flags, Keyword, ModSeq, SpecialUse};
use proptest::collection::vec;
use proptest::prelude::*;
use std::num::NonZeroU32;

/// Parses a whole line (`CRLF` of literals inside it) as said after login, or before if only that is legal.
fn parse_whole(line: &[u8]) -> Result<CommandBody, Bad> {
    let line = [b"a1 ", line].concat();
    let limits = Limits::default();
    match parse(&line, true, Stage::LoggedIn, &limits) {
        Err(Bad::Syntax(None, "Already logged in")) => parse(&line, true, Stage::BeforeLogin, &limits),
        other => other,
    }
    .map(|command| {
        assert_eq!(command.tag.as_str(), "a1");
        command.body
    })
}

fn body(line: &str) -> CommandBody {
    parse_whole(line.as_bytes()).unwrap_or_else(|bad| panic!("{line:?}: {bad:?}"))
}

fn name(name: &str) -> MailboxName {
    MailboxName::new(name).unwrap()
}

fn set(text: &str) -> SequenceSet {
    SequenceSet::parse(&mut Cursor::new(text.as_bytes(), true, &Limits::default())).unwrap()
}

fn select(mailbox: MailboxName) -> Select {
    Select { mailbox, condstore: false, qresync: None }
}

fn login(user: &[u8], password: &[u8]) -> CommandBody {
    CommandBody::Login(Login { user: user.to_vec(), password: password.to_vec() })
}

fn plain(pattern: &[u8]) -> CommandBody {
    let (selection, returns) = (list::Selection::default(), list::Returns::default());
    CommandBody::List(List { selection, patterns: vec![Pattern::new(b"", pattern, Names::Mutf7)], returns, extended: false })
}

#[test]
fn extended_list() {
    use StatusItem::{Deleted, Size, UidNext};
    let table: Vec<(&str, &str, &[&str], bool, Vec<StatusItem>)> = vec![
        // What clients say, word for word: Thunderbird, Roundcube, Apple and K-9, imapflow.
        ("list (subscribed) \"\" \"*\" return (special-use)", "s", &["*"], true, vec![]),
        ("LIST (SPECIAL-USE) \"\" \"*\" RETURN (SUBSCRIBED)", "u", &["*"], true, vec![]),
        ("LIST \"\" \"*\" RETURN (SPECIAL-USE)", "", &["*"], false, vec![]),
        ("LIST \"\" * RETURN (SPECIAL-USE CHILDREN SUBSCRIBED STATUS (UIDNEXT SIZE uidnext))", "", &["*"], true, vec![UidNext, Size]),
        // The rest of the grammar.
        ("LIST () \"\" %", "", &["%"], false, vec![]),
        ("LIST \"\" % RETURN ()", "", &["%"], false, vec![]),
        ("LIST \"\" (INBOX \"a b\" {3}\r\nx/%)", "", &["INBOX", "a b", "x/%"], false, vec![]),
        ("LIST a/ (% /b)", "", &["a/%", "b"], false, vec![]),
        ("LIST (REMOTE) \"\" *", "", &["*"], false, vec![]),
        ("LIST (RECURSIVEMATCH REMOTE SUBSCRIBED subscribed) \"\" *", "rs", &["*"], true, vec![]),
        ("LIST (SPECIAL-USE RECURSIVEMATCH) \"\" *", "ru", &["*"], false, vec![]),
        ("LIST \"\" * RETURN (STATUS (DELETED) SUBSCRIBED)", "", &["*"], true, vec![Deleted]),
        ("LIST () \"\" \"\"", "", &[""], false, vec![]),
    ];
    for (line, selection, patterns, subscribed, status) in table {
        let has = |letter| selection.contains(letter);
        let expected = List {
            selection: list::Selection { subscribed: has('s'), special_use: has('u'), recursive: has('r') },
            patterns: patterns.iter().map(|pattern| Pattern::new(b"", pattern.as_bytes(), Names::Mutf7)).collect(),
            returns: list::Returns { subscribed: subscribed || has('s'), status },
            extended: true,
        };
        assert!(!expected.asks_separator());
        assert_eq!(body(line), CommandBody::List(expected), "{line:?}");
    }
}

#[test]
fn commands_without_or_with_plain_arguments() {
    let inbox = MailboxName::inbox;
    let table: Vec<(&str, CommandBody)> = vec![
        ("CAPABILITY", CommandBody::Capability),
        ("nOoP", CommandBody::Noop),
        ("LOGOUT", CommandBody::Logout),
        ("STARTTLS", CommandBody::StartTls),
        ("ENABLE UTF8=ACCEPT", CommandBody::Enable(vec![])),
        ("enable x-unknown qresync CondStore QRESYNC imap4rev2", CommandBody::Enable(vec![Extension::Qresync, Extension::Condstore, Extension::Imap4Rev2])),
        ("NAMESPACE", CommandBody::Namespace),
        ("IDLE", CommandBody::Idle),
        ("compress Deflate", CommandBody::Compress),
        ("CHECK", CommandBody::Check),
        ("CLOSE", CommandBody::Close),
        ("UNSELECT", CommandBody::Unselect),
        ("EXPUNGE", CommandBody::Expunge(None)),
        ("UID EXPUNGE 3:*", CommandBody::Expunge(Some(set("3:*")))),
        ("SELECT inbox", CommandBody::Select(select(inbox()))),
        ("SELECT \"inBox\"", CommandBody::Select(select(inbox()))),
        ("EXAMINE {5}\r\nINBOX", CommandBody::Examine(select(inbox()))),
        ("CREATE Foo/", CommandBody::Create(Create { mailbox: name("Foo"), uses: vec![] })),
        ("CREATE Foo (USE ())", CommandBody::Create(Create { mailbox: name("Foo"), uses: vec![] })),
        ("CREATE Foo (use (\\sent \\Drafts \\Sent))", CommandBody::Create(Create { mailbox: name("Foo"), uses: vec![SpecialUse::Sent, SpecialUse::Drafts] })),
        ("DELETE Entw&APw-rfe", CommandBody::Delete(name("Entwürfe"))),
        ("SUBSCRIBE \"a b\"", CommandBody::Subscribe(name("a b"))),
        ("UNSUBSCRIBE a]b", CommandBody::Unsubscribe(name("a]b"))),
        ("RENAME a b/c", CommandBody::Rename(Rename { from: name("a"), to: name("b/c") })),
        ("COPY 1,3:5 Trash", CommandBody::Copy(Copy { uid: false, set: set("1,3:5"), to: name("Trash") })),
        ("UID COPY * Trash", CommandBody::Copy(Copy { uid: true, set: set("*"), to: name("Trash") })),
        ("LOGIN joe pass", login(b"joe", b"pass")),
        ("LOGIN joe pass  ", login(b"joe", b"pass")),
        ("LOGIN \"joe \\\\\" \"p\\\" w\"", login(b"joe \\", b"p\" w")),
        ("LOGIN {3}\r\njoe {4}\r\np\r\nq", login(b"joe", b"p\r\nq")),
        ("LOGIN joe pässwörd", login(b"joe", "pässwörd".as_bytes())),
        ("LOGIN joe \"pässwörd\"", login(b"joe", "pässwörd".as_bytes())),
        ("LOGIN joe \"\"", login(b"joe", b"")),
        ("ID NIL", CommandBody::Id(vec![])),
        ("ID ()", CommandBody::Id(vec![])),
        ("ID (\"name\" \"x y\" \"os\" NIL) ", CommandBody::Id(vec![("name".into(), Some("x y".into())), ("os".into(), None)])),
        ("LIST \"\" \"\"", plain(b"")),
        ("LIST a/ %", plain(b"a/%")),
        ("LIST a/ /%", plain(b"%")),
        ("LSUB \"\" *", CommandBody::Lsub(Pattern::new(b"", b"*", Names::Mutf7))),
        ("XLIST \"\" *", CommandBody::Xlist(Pattern::new(b"", b"*", Names::Mutf7))),
        ("GETQUOTA \"\"", CommandBody::GetQuota("".into())),
        ("getquota {10}\r\nUser quota", CommandBody::GetQuota("User quota".into())),
        ("GETQUOTAROOT inbox", CommandBody::GetQuotaRoot(inbox())),
        ("SETQUOTA \"User quota\" (STORAGE 512 message 9223372036854775807)", CommandBody::SetQuota("User quota".into())),
        ("SETQUOTA x ()", CommandBody::SetQuota("x".into())),
        ("STATUS INBOX (messages UNSEEN MESSAGES)", CommandBody::Status(Status { mailbox: inbox(), items: vec![StatusItem::Messages, StatusItem::Unseen] })),
    ];
    for (line, expected) in table {
        assert_eq!(body(line), expected, "{line:?}");
    }
}

#[test]
fn authenticate() {
    let table: &[(&str, &str, Option<&[u8]>)] = &[
        ("AUTHENTICATE plain", "PLAIN", None),
        ("AUTHENTICATE SCRAM-SHA-256 =", "SCRAM-SHA-256", Some(b"")),
        ("AUTHENTICATE PLAIN AGEAYg==", "PLAIN", Some(b"\0a\0b")),
    ];
    for (line, mechanism, initial) in table {
        let CommandBody::Authenticate(got) = body(line) else { panic!("{line}") };
        assert_eq!((got.mechanism.as_str(), got.initial.as_deref()), (*mechanism, *initial));
        assert!(!format!("{got:?}").contains("0, 97"), "a secret in a log");
    }
    assert!(!format!("{:?}", body("LOGIN joe geheim")).contains("geheim"));
}

#[test]
fn store() {
    let table: &[(&str, Change, bool, Flags, &[&str])] = &[
        ("STORE 1 FLAGS ()", Change::Replace, false, Flags::EMPTY, &[]),
        ("STORE 1 +FLAGS (\\Seen \\deleted)", Change::Add, false, Flags::SEEN | Flags::DELETED, &[]),
        ("STORE 1 -flags.silent \\Seen $Label1 \\Draft", Change::Remove, true, Flags::SEEN | Flags::DRAFT, &["$Label1"]),
        ("STORE 1 FLAGS.SILENT ($forwarded NonJunk nonjunk)", Change::Replace, true, Flags::FORWARDED, &["NonJunk"]),
    ];
    for (line, change, silent, flags, keywords) in table {
        let CommandBody::Store(got) = body(line) else { panic!("{line}") };
        assert_eq!((got.change, got.silent, got.flags.flags), (*change, *silent, *flags), "{line}");
        assert!(got.flags.keywords.iter().map(Keyword::as_str).eq(keywords.iter().copied()), "{line}");
        assert!(!got.uid);
    }
}

#[test]
fn fetch() {
    let section = |part: &[u32], text| Section { part: part.to_vec(), text };
    let item = |section, peek, partial: Option<(u64, u64)>| Item::Section {
        section,
        peek,
        partial: partial.map(|(origin, length)| Partial { origin, length }),
    };
    let fields = |fields: &[&str]| fields.iter().map(|field| field.to_string()).collect::<Vec<_>>();
    let table: Vec<(&str, Vec<Item>)> = vec![
        ("FAST", vec![Item::Flags, Item::InternalDate, Item::Size]),
        ("all", vec![Item::Flags, Item::InternalDate, Item::Size, Item::Envelope]),
        ("FULL", vec![Item::Flags, Item::InternalDate, Item::Size, Item::Envelope, Item::Body]),
        ("(UID FLAGS uid)", vec![Item::Uid, Item::Flags]),
        ("RFC822", vec![Item::Rfc822 { peek: false }]),
        ("(UID RFC822.SIZE rfc822.peek)", vec![Item::Uid, Item::Size, Item::Rfc822 { peek: true }]),
        ("(BINARY[1.2] BINARY.PEEK[]<5.10> BINARY.SIZE[3])", vec![
            Item::Binary { part: vec![1, 2], peek: false, partial: None },
            Item::Binary { part: vec![], peek: true, partial: Some(Partial { origin: 5, length: 10 }) },
            Item::BinarySize { part: vec![3] },
        ]),
        ("(RFC822.HEADER RFC822.TEXT RFC822.SIZE)", vec![Item::Rfc822Header, Item::Rfc822Text { peek: false }, Item::Size]),
        ("(BODY BODYSTRUCTURE)", vec![Item::Body, Item::BodyStructure]),
        ("BODY[]", vec![item(section(&[], SectionText::All), false, None)]),
        ("body.peek[]<0.65536>", vec![item(section(&[], SectionText::All), true, Some((0, 65536)))]),
        ("BODY[1.2.3]", vec![item(section(&[1, 2, 3], SectionText::All), false, None)]),
        ("BODY[4.HEADER]", vec![item(section(&[4], SectionText::Header), false, None)]),
        ("BODY.PEEK[1.mime]", vec![item(section(&[1], SectionText::Mime), true, None)]),
        ("BODY[TEXT]<5.4294967296>", vec![item(section(&[], SectionText::Text), false, Some((5, 1 << 32)))]),
        ("BODY[2.HEADER.FIELDS (\"Subject\" from {2}\r\nto)]", vec![item(section(&[2], SectionText::HeaderFields(fields(&["Subject", "from", "to"]))), false, None)]),
        ("BODY.PEEK[HEADER.FIELDS.NOT (DATE)]", vec![item(section(&[], SectionText::HeaderFieldsNot(fields(&["DATE"]))), true, None)]),
    ];
    for (line, expected) in table {
        let CommandBody::Fetch(got) = body(&format!("FETCH 1:* {line}")) else { panic!() };
        assert_eq!(got.items, expected, "{line}");
        let CommandBody::Fetch(got) = body(&format!("UID FETCH 7 {line}")) else { panic!() };
        assert!(got.wants_uid());
    }
    for (items, sets) in [("BODY[]", true), ("BODY.PEEK[]", false), ("RFC822", true), ("RFC822.TEXT", true), ("RFC822.HEADER", false), ("BODY", false), ("RFC822.PEEK", false),
        ("RFC822.TEXT.PEEK", false), ("BINARY[1]", true), ("BINARY.PEEK[1]", false), ("BINARY.SIZE[1]", false)] {
        let CommandBody::Fetch(got) = body(&format!("FETCH 1 {items}")) else { panic!() };
        assert_eq!(got.sets_seen(), sets, "{items}");
    }
}

#[test]
fn search() {
    let not = |key| Key::Not(Box::new(key));
    let header = |field: &str, value: &str| Key::Header { field: field.into(), value: value.into() };
    let day = Day { year: 2024, month: 2, day: 29 };
    let table: Vec<(&str, Key)> = vec![
        ("ALL", Key::All),
        ("1:5", Key::Set(set("1:5"))),
        ("*", Key::Set(set("*"))),
        ("UID 3,7", Key::Uid(set("3,7"))),
        ("ANSWERED", Key::Flag(Flags::ANSWERED)),
        ("unseen", not(Key::Flag(Flags::SEEN))),
        ("DELETED", Key::Flag(Flags::DELETED)),
        ("UNDELETED", not(Key::Flag(Flags::DELETED))),
        ("FLAGGED", Key::Flag(Flags::FLAGGED)),
        ("UNFLAGGED", not(Key::Flag(Flags::FLAGGED))),
        ("DRAFT", Key::Flag(Flags::DRAFT)),
        ("UNDRAFT", not(Key::Flag(Flags::DRAFT))),
        ("UNANSWERED", not(Key::Flag(Flags::ANSWERED))),
        ("SEEN", Key::Flag(Flags::SEEN)),
        ("RECENT", Key::Recent),
        ("OLD", not(Key::Recent)),
        ("NEW", Key::And(vec![Key::Recent, not(Key::Flag(Flags::SEEN))])),
        ("KEYWORD $Forwarded", Key::Flag(Flags::FORWARDED)),
        ("KEYWORD x", Key::Keyword(Keyword::new("x").unwrap())),
        ("UNKEYWORD x", not(Key::Keyword(Keyword::new("x").unwrap()))),
        ("FROM joe", header("From", "joe")),
        ("TO joe", header("To", "joe")),
        ("CC joe", header("Cc", "joe")),
        ("BCC joe", header("Bcc", "joe")),
        ("SUBJECT \"a b\"", header("Subject", "a b")),
        ("HEADER Message-ID <x@y>", header("Message-ID", "<x@y>")),
        ("HEADER X-Foo: \"\"", header("X-Foo", "")),
        ("BODY x", Key::Body("x".into())),
        ("TEXT x", Key::Text("x".into())),
        ("TEXT grün", Key::Text("grün".into())),
        ("CHARSET UTF-8 TEXT {5}\r\ngrün", Key::Text("grün".into())),
        ("CHARSET us-ascii TEXT a", Key::Text("a".into())),
        ("LARGER 5000000000", Key::Larger(5_000_000_000)),
        ("SMALLER 0", Key::Smaller(0)),
        ("MODSEQ 620162338", Key::ModSeq(ModSeq::new(620_162_338))),
        ("modseq \"/flags/\\\\draft\" all 0", Key::ModSeq(ModSeq::ZERO)),
        ("BEFORE 29-Feb-2024", Key::Before(day)),
        ("ON \"29-feb-2024\"", Key::On(day)),
        ("SINCE 1-Jan-1970", Key::Since(Day { year: 1970, month: 1, day: 1 })),
        ("SENTBEFORE 29-Feb-2024", Key::SentBefore(day)),
        ("SENTON 29-Feb-2024", Key::SentOn(day)),
        ("SENTSINCE 29-Feb-2024", Key::SentSince(day)),
        ("$", Key::Set(SequenceSet::Saved)),
        ("UID $", Key::Uid(SequenceSet::Saved)),
        ("OLDER 3600", Key::Older(NonZeroU32::new(3600).unwrap())),
        ("YOUNGER 4294967295", Key::Younger(NonZeroU32::MAX)),
        ("SEEN FLAGGED", Key::And(vec![Key::Flag(Flags::SEEN), Key::Flag(Flags::FLAGGED)])),
        ("(SEEN)", Key::Flag(Flags::SEEN)),
        ("OR SEEN NOT (1 2)", Key::Or(Box::new(Key::Flag(Flags::SEEN)), Box::new(not(Key::And(vec![Key::Set(set("1")), Key::Set(set("2"))]))))),
    ];
    for (line, expected) in table {
        assert_eq!(body(&format!("UID SEARCH {line}")), CommandBody::Search(Search { uid: true, returns: None, key: expected }), "{line:?}");
    }
    let returned: &[(&str, Returns)] = &[
        ("()", Returns::ALL),
        ("(all)", Returns::ALL),
        ("(ALL ALL)", Returns::ALL),
        ("(MIN Count)", Returns { min: true, count: true, ..Returns::default() }),
        ("(SAVE MAX)", Returns { max: true, save: true, ..Returns::default() }),
        ("(SAVE)", Returns { save: true, ..Returns::default() }),
    ];
    for (options, expected) in returned {
        let search = Search { uid: false, returns: Some(*expected), key: Key::All };
        assert_eq!(body(&format!("SEARCH RETURN {options} CHARSET UTF-8 ALL")), CommandBody::Search(search), "{options}");
    }
    for (line, saves) in [("SEARCH", false), ("SEARCH RETURN (ALL)", false), ("SEARCH RETURN (MIN SAVE)", true)] {
        assert_eq!(parse_whole(format!("{line} CHARSET X-NOBODY ALL").as_bytes()), Err(Bad::Charset { saves }), "{line}");
    }
    let latin = parse_whole(b"SEARCH CHARSET ISO-8859-1 TEXT \"gr\xfcn\"").unwrap();
    assert_eq!(latin, CommandBody::Search(Search { uid: false, returns: None, key: Key::Text("grün".into()) }));
}

#[test]
fn sort_and_thread() {
    let forwards = |by| Criterion { by, reverse: false };
    let table = [
        ("SORT (DATE) UTF-8 ALL", false, None, vec![forwards(By::Date)], Key::All),
        ("uid sort (subject Reverse displayfrom) us-ascii 1:*", true, None, vec![forwards(By::Subject), Criterion { by: By::DisplayFrom, reverse: true }], Key::Set(set("1:*"))),
        ("SORT RETURN () (ARRIVAL) \"ISO-8859-1\" ALL", false, Some(Returns::ALL), vec![forwards(By::Arrival)], Key::All),
    ];
    for (line, uid, returns, criteria, key) in table {
        assert_eq!(body(line), CommandBody::Sort(Sort { uid, returns, criteria, key }), "{line}");
    }
    let thread = Thread { uid: true, algorithm: Algorithm::References, key: Key::Text("grün".into()) };
    assert_eq!(body("UID THREAD references UTF-8 TEXT {5}\r\ngrün"), CommandBody::Thread(thread));
    for line in ["SORT (DATE) X-NOBODY ALL", "THREAD REFERENCES X-NOBODY ALL"] {
        assert_eq!(parse_whole(line.as_bytes()), Err(Bad::Charset { saves: false }), "{line}");
    }
}

#[test]
fn append() {
    let parse_open = |line: &str| parse(format!("a1 {line}\r\n").as_bytes(), false, Stage::LoggedIn, &Limits::default());
    let date = Date { unix: 1_706_745_600, offset_minutes: 60 };
    let table: Vec<(&str, Flags, Option<Date>, u64, bool)> = vec![
        ("APPEND INBOX {310}", Flags::EMPTY, None, 310, true),
        ("append \"INBOX\" {0+}", Flags::EMPTY, None, 0, false),
        ("APPEND INBOX (\\Seen $Junk) {1}", Flags::SEEN | Flags::JUNK, None, 1, true),
        ("APPEND INBOX () \" 1-Feb-2024 01:00:00 +0100\" {9223372036854775807}", Flags::EMPTY, Some(date), i64::MAX as u64, true),
        ("APPEND INBOX (\\Seen) ~{9}", Flags::SEEN, None, 9, true),
        ("APPEND {5}\r\nINBOX \"01-Feb-2024 01:00:00 +0100\" {1}", Flags::EMPTY, Some(date), 1, true),
    ];
    for (line, flags, date, size, waits) in table {
        let Ok(Command { body: CommandBody::Append(got), .. }) = parse_open(line) else { panic!("{line}") };
        assert_eq!((got.mailbox.is_inbox(), got.message.flags.flags, got.message.date, got.message.size), (true, flags, date, size), "{line}");
        assert_eq!((got.message.waits, got.message.binary), (waits, line.contains('~')), "{line}");
    }
    for line in ["APPEND {5}", "SELECT {0}", "LOGIN {3}\r\njoe {4}", "SEARCH OR TEXT {3}", "FETCH 1 BODY[HEADER.FIELDS (a {3}"] {
        let line = format!("a1 {line}\r\n");
        let stage = if line.contains("LOGIN") { Stage::BeforeLogin } else { Stage::LoggedIn };
        assert_eq!(parse(line.as_bytes(), false, stage, &Limits::default()), Err(Bad::NeedsLiteral), "{line}");
    }
    for line in ["NOOP {3}", "SELECT x {3}", "UID APPEND x {3}", "APPEND x", "APPEND x (\\Seen {3}", "APPEND x \"yesterday\" {3}", "APPEND x ~ {3}"] {
        assert!(matches!(parse_open(line), Err(Bad::Syntax(..))), "{line}");
    }
}

#[test]
fn what_a_client_knows_from_before() {
    let CommandBody::Select(select) = body("SELECT INBOX (CONDSTORE QRESYNC (67890007 90060115194045000 41,43:211 (1,7:9 41,50:52)))") else { panic!() };
    let matches = Some(MatchData { numbers: set("1,7:9"), uids: set("41,50:52") });
    let known = Known { uidvalidity: 67_890_007, modseq: ModSeq::new(90_060_115_194_045_000), uids: Some(set("41,43:211")), matches };
    assert_eq!(select, Select { mailbox: MailboxName::inbox(), condstore: true, qresync: Some(known) });
    let CommandBody::Examine(select) = body("EXAMINE x (qresync (1 0 (1 2)))") else { panic!() };
    assert!(!select.condstore && select.qresync.is_some_and(|known| known.uids.is_none() && known.matches.is_some() && known.modseq == ModSeq::ZERO));
}

/// RFC 7162 §3.1.
#[test]
fn who_names_modseqs_wants_them() {
    let table = [
        ("STATUS x (MESSAGES highestmodseq)", true), ("FETCH 1 (UID MODSEQ)", true),
        ("FETCH 1 FLAGS (CHANGEDSINCE 0)", true), ("STORE 1 (UNCHANGEDSINCE 0) FLAGS ()", true), ("SEARCH OR SEEN NOT (MODSEQ 4 SEEN)", true),
        ("SELECT x", false), ("STATUS x (MESSAGES)", false), ("FETCH 1 ALL", false), ("STORE 1 FLAGS ()", false), ("SEARCH NOT SEEN", false), ("NOOP", false),
    ];
    for (line, enables) in table {
        assert_eq!(body(line).enables_condstore(), enables, "{line}");
    }
}

#[test]
fn what_is_no_command() {
    let table: &[&str] = &[
        "", " ", "FOO", "NOOP x", "NOOP\0", "UID", "UID NOOP", "SELECT", "SELECT ", "SELECT a b", "SELECT (a)", "SELECT \"a",
        "SELECT \"a\\b\"", "SELECT \"a\nb\"", "SELECT a\"b", "LIST", "LIST \"\"", "LIST (FOO) \"\" *", "LIST (SUBSCRIBED \"\" *",
        "LIST (RECURSIVEMATCH) \"\" *", "LIST (REMOTE RECURSIVEMATCH) \"\" *", "LIST ( SUBSCRIBED) \"\" *", "LIST (SUBSCRIBED)(REMOTE) \"\" *",
        "LIST \"\" ()", "LIST \"\" (a", "LIST \"\" (a  b)", "LIST \"\" * RETURN", "LIST \"\" * RETURN (FOO)", "LIST \"\" * RETURN (STATUS)",
        "LIST \"\" * RETURN (STATUS ())", "LIST \"\" * RETURN (SUBSCRIBED) x", "LIST \"\" * FOO (SUBSCRIBED)", "LIST \"\" *  RETURN ()",
        "LSUB (SUBSCRIBED) \"\" *", "LSUB \"\" (a b)", "XLIST \"\" * RETURN ()",
        "CREATE x (", "CREATE x ()", "CREATE x (USE)", "CREATE x (USE (\\Sent)", "CREATE x (USE (Sent))", "CREATE x (FOO (\\Sent))", "CREATE x USE (\\Sent)",
        "STATUS x", "STATUS x ()", "STATUS x (FOO)", "STATUS x (UNSEEN", "STATUS x MESSAGES",
        "FETCH", "FETCH 1", "FETCH 0 FLAGS", "FETCH 01 FLAGS", "FETCH 1: FLAGS", "FETCH 1, FLAGS", "FETCH ,1 FLAGS", "FETCH 1;2 FLAGS",
        "FETCH -1 FLAGS", "FETCH 4294967296 FLAGS", "FETCH 99999999999999999999999 FLAGS", "FETCH 1 ()", "FETCH 1 (FLAGS", "FETCH 1 FLAGS)", "FETCH 1 (FAST)",
        "FETCH 1 (FLAGS  UID)", "FETCH 1 FOO", "FETCH 1 MODSEQS", "FETCH 1 FLAGS (", "FETCH 1 FLAGS ()", "FETCH 1 FLAGS (CHANGEDSINCE)", "FETCH 1 FLAGS (CHANGEDSINCE x)", "FETCH 1 FLAGS (CHANGEDSINCE 1) ", "FETCH 1 FLAGS (CHANGEDSINCE 1 CHANGEDSINCE 2)", "FETCH 1 FLAGS (FOO)",
        "FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)", "UID FETCH 1 FLAGS (VANISHED)", "UID FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED VANISHED)", "FETCH 1 FLAGS (CHANGEDSINCE 9223372036854775808)",
        "SELECT x ()", "SELECT x (", "SELECT x (FOO)", "SELECT x (CONDSTORE CONDSTORE)", "SELECT x (CONDSTORE) ", "SELECT x (QRESYNC)", "SELECT x (QRESYNC (1))", "SELECT x (QRESYNC (0 1))", "SELECT x (QRESYNC (1 2)",
        "SELECT x (QRESYNC (1 2 1:*))", "SELECT x (QRESYNC (1 2 (1)))", "SELECT x (QRESYNC (1 2 (1 *)))", "SELECT x (QRESYNC (1 2 (1 2) 1))", "SELECT x (QRESYNC (1 2 1 (1 2) 3))", "SELECT x (QRESYNC (4294967296 1))",
        "STORE 1 () FLAGS ()", "STORE 1 (UNCHANGEDSINCE) FLAGS ()", "STORE 1 (UNCHANGEDSINCE 1)FLAGS ()", "STORE 1 (CHANGEDSINCE 1) FLAGS ()", "STORE 1 FLAGS (UNCHANGEDSINCE 1) ()",
        "SEARCH MODSEQ", "SEARCH MODSEQ x", "SEARCH MODSEQ \"/flags/x\" 1", "SEARCH MODSEQ \"/flags/x\" some 1", "SEARCH MODSEQ \"/other/x\" all 1", "SEARCH MODSEQ -1", "FETCH 1 BODY[", "FETCH 1 BODY[]]", "FETCH 1 BODY[MIME]", "FETCH 1 BODY[0]",
        "FETCH 1 BINARY", "FETCH 1 BINARY[TEXT]", "FETCH 1 BINARY[1.MIME]", "FETCH 1 BINARY.SIZE[1]<0.5>", "FETCH 1 BINARY[1]<5>", "FETCH 1 RFC822.HEADER.PEEK",
        "FETCH 1 BODY[1.]", "FETCH 1 BODY[.1]", "FETCH 1 BODY[1.FOO]", "FETCH 1 BODY[HEADER.FIELDS]", "FETCH 1 BODY[HEADER.FIELDS ()]",
        "FETCH 1 BODY[HEADER.FIELDS (a:b)]", "FETCH 1 BODY[]<0.0>", "FETCH 1 BODY[]<0>", "FETCH 1 BODY[]<.5>", "FETCH 1 BODY<0.1>",
        "STORE 1 FLAGS", "STORE 1 FLAGS (\\Recent)", "STORE 1 FLAGS (\\Foo)", "STORE 1 FLAGS (\\*)", "STORE 1 *FLAGS ()", "STORE 1 FLAGS.LOUD ()", "STORE 1 FLAGS (a b", "STORE 1 FLAGS (a)b",
        "GETQUOTA", "GETQUOTA a b", "GETQUOTAROOT", "SETQUOTA x", "SETQUOTA x (STORAGE)", "SETQUOTA x (STORAGE -1)", "SETQUOTA x (STORAGE 1", "SETQUOTA x STORAGE 1",
        "COPY 1", "COPY x y", "SEARCH", "SEARCH ", "SEARCH ()", "SEARCH (ALL", "SEARCH ALL)", "SEARCH FOO", "SEARCH NOT", "SEARCH OR ALL", "SEARCH TEXT",
        "SEARCH ON 30-Feb-2024", "SEARCH ON 29-Feb-2023", "SEARCH ON 1-Foo-2024", "SEARCH ON 1-Jan-24", "SEARCH ON +1-Jan-2024", "SEARCH LARGER -1", "SEARCH LARGER x",
        "SEARCH CHARSET UTF-8", "SEARCH ALL  ALL", "SEARCH RETURN", "SEARCH RETURN ()", "SEARCH RETURN ALL ALL", "SEARCH RETURN (ALL)", "SEARCH RETURN (ALL)ALL", "SEARCH RETURN (ALL MIN",
        "SEARCH RETURN (ALLMIN) ALL", "SEARCH RETURN (FOO) ALL", "SEARCH RETURN ( ALL) ALL", "SEARCH RETURN (ALL ) ALL", "SEARCH CHARSET UTF-8 RETURN (ALL) ALL",
        "SEARCH $1", "SEARCH $,1", "SEARCH 1,$", "FETCH $:* FLAGS", "SEARCH OLDER 0", "SEARCH OLDER -1", "SEARCH YOUNGER", "SEARCH YOUNGER 4294967296", "SELECT x (QRESYNC (1 2 $))",
        "ID", "ID x", "ID (\"a\")", "ID (\"a\" \"b\"", "ID (a \"b\")",
        "ID (\"0123456789012345678901234567890\" \"x\")",
        "SORT", "SORT (DATE)", "SORT (DATE) UTF-8", "SORT () UTF-8 ALL", "SORT DATE UTF-8 ALL", "SORT (DATES) UTF-8 ALL", "SORT (REVERSE) UTF-8 ALL", "SORT (REVERSE REVERSE DATE) UTF-8 ALL",
        "SORT (DATE ) UTF-8 ALL", "SORT (DATE)UTF-8 ALL", "SORT (DATE RETURN) UTF-8 ALL", "SORT (DATE) UTF-8 (ALL",
        "THREAD", "THREAD REFERENCES", "THREAD REFERENCES UTF-8", "THREAD REFS UTF-8 ALL", "THREAD (REFERENCES) UTF-8 ALL", "THREAD RETURN (ALL) REFERENCES UTF-8 ALL",
        "LOGIN a", "LOGIN a b c", "LOGIN a {3}\r\nb", "AUTHENTICATE", "AUTHENTICATE PLAIN ", "AUTHENTICATE PLAIN a=b", "AUTHENTICATE AMECHANISMNAMETOOLONG1",
        "ENABLE", "ENABLE ", "ENABLE (CONDSTORE)", "ENABLE CONDSTORE ", "MOVE", "MOVE 1", "MOVE x y", "EXPUNGE 1", "UID EXPUNGE", "IDLE now",
    ];
    for line in table {
        let got = parse_whole(line.as_bytes());
        assert!(matches!(got, Err(Bad::Syntax(..))), "{line:?}: {got:?}");
    }
    assert!(matches!(parse_whole(b"SEARCH CHARSET UTF-8 TEXT \"\xff\""), Err(Bad::Syntax(..))));
    assert!(matches!(parse_whole(b"LOGIN a {2}\r\n\0b"), Err(Bad::Syntax(..))));
}

#[test]
fn names_that_cannot_be_are_refused_not_misunderstood() {
    for line in ["SELECT &", "CREATE \"\"", "CREATE ../x", "CREATE a//b", "CREATE /etc", "CREATE ~root", "CREATE \"a\tb\"", "SELECT &AGE-", "SUBSCRIBE {2}\r\na\x07", "CREATE \"gr\u{fc}n\""] {
        assert!(matches!(parse_whole(line.as_bytes()), Err(Bad::Refused(Code::Cannot, _))), "{line}");
    }
    for line in ["CREATE x (USE (\\Foo))", "CREATE x (USE (\\Sent \\Foo))"] {
        assert!(matches!(parse_whole(line.as_bytes()), Err(Bad::Refused(Code::UseAttr, _))), "{line}");
    }
    let long = format!("STORE 1 FLAGS (k{})", "x".repeat(64));
    assert!(matches!(parse_whole(long.as_bytes()), Err(Bad::Refused(Code::Limit, _))));
}

use crate::Code;

#[test]
fn n_02_names_are_in_utf_8_once_imap4rev2_is_on() {
    let select = |line: &[u8], stage| match parse(&[b"a SELECT ", line].concat(), true, stage, &Limits::default()) {
        Ok(Command { body: CommandBody::Select(select), .. }) => Some(select.mailbox.as_str().to_owned()),
        Err(Bad::Refused(Code::Cannot, _)) => None,
        other => panic!("{other:?}"),
    };
    let table: [(&[u8], Option<&str>, Option<&str>); 4] = [
        ("\"Entwürfe\"".as_bytes(), None, Some("Entwürfe")),
        ("{9}\r\nEntwürfe".as_bytes(), None, Some("Entwürfe")),
        (b"Entw&APw-rfe", Some("Entwürfe"), Some("Entw&APw-rfe")),
        (b"\"a\xff\"", None, None),
    ];
    for (line, rev1, rev2) in table {
        assert_eq!(select(line, Stage::LoggedIn).as_deref(), rev1, "{line:?}");
        assert_eq!(select(line, Stage::Rev2).as_deref(), rev2, "{line:?}");
    }
}

#[test]
fn every_list_is_bounded() {
    let limits = Limits::default();
    let many = |item: &str, count: usize| vec![item; count].join(" ");
    let table: Vec<(String, String)> = vec![
        (format!("SEARCH {}ALL{}", "(".repeat(limits.depth), ")".repeat(limits.depth)), format!("SEARCH {}ALL{}", "(".repeat(limits.depth + 1), ")".repeat(limits.depth + 1))),
        (format!("SEARCH {}ALL", "NOT ".repeat(limits.depth)), format!("SEARCH {}ALL", "NOT ".repeat(10_000))),
        (format!("SEARCH {} ALL", many("OR ALL", limits.depth)), format!("SEARCH {}", many("OR ALL", 10_000))),
        (format!("SEARCH {}", many("ALL", limits.search_keys)), format!("SEARCH {}", many("ALL", limits.search_keys + 1))),
        (format!("FETCH {} FLAGS", vec!["1"; limits.ranges].join(",")), format!("FETCH {} FLAGS", vec!["1"; limits.ranges + 1].join(","))),
        (format!("SORT ({}) UTF-8 ALL", many("REVERSE DATE", 18)), format!("SORT ({}) UTF-8 ALL", many("DATE", 19))),
        (format!("FETCH 1 ({})", many("FLAGS", limits.list)), format!("FETCH 1 ({})", many("FLAGS", limits.list + 1))),
        (format!("FETCH 1 BODY[HEADER.FIELDS ({})]", many("a", limits.list)), format!("FETCH 1 BODY[HEADER.FIELDS ({})]", many("a", limits.list + 1))),
        (format!("FETCH 1 BODY[{}]", vec!["1"; limits.part_depth].join(".")), format!("FETCH 1 BODY[{}]", vec!["1"; limits.part_depth + 1].join("."))),
        (format!("STORE 1 FLAGS ({})", many("a", limits.flags)), format!("STORE 1 FLAGS ({})", many("a", limits.flags + 1))),
        (format!("STORE 1 FLAGS {}", many("a", limits.flags)), format!("STORE 1 FLAGS {}", many("a", limits.flags + 1))),
        (format!("ENABLE {}", many("a", limits.list)), format!("ENABLE {}", many("a", limits.list + 1))),
        (format!("ID ({})", many("\"a\" \"b\"", limits.id_pairs)), format!("ID ({})", many("\"a\" \"b\"", limits.id_pairs + 1))),
        (format!("ID (\"a\" \"{}\")", "x".repeat(limits.id_value)), format!("ID (\"a\" \"{}\")", "x".repeat(limits.id_value + 1))),
        (format!("LIST \"\" {}", "x".repeat(limits.pattern)), format!("LIST a {}", "x".repeat(limits.pattern))),
        (format!("LIST \"\" ({})", many("a", limits.pattern)), format!("LIST \"\" ({})", many("a", limits.pattern + 1))),
    ];
    for (most, more) in table {
        assert!(parse_whole(most.as_bytes()).is_ok(), "{:.60}: {:?}", most, parse_whole(most.as_bytes()));
        let got = parse_whole(more.as_bytes());
        assert!(matches!(got, Err(Bad::Syntax(Some(Code::Limit), _))), "{more:.60}: {got:?}");
    }
}

#[test]
fn tags() {
    let table: &[(&[u8], Option<&str>)] = &[
        (b"a NOOP", Some("a")), (b"A.1]x NOOP", Some("A.1]x")), (b"a", Some("a")), (b"", None), (b" a", None), (b"a+ x", None),
        (b"a(b x", None), (b"\"a\" x", None), (b"\xff x", None), (b"* x", None), (b"a\tx", None),
    ];
    for (line, expected) in table {
        assert_eq!(Tag::of_line(line).as_ref().map(Tag::as_str), *expected, "{line:?}");
    }
    assert!(Tag::of_line(&[b'a'; 64]).is_some());
    assert!(Tag::of_line(&[b'a'; 65]).is_none(), "it would be echoed");
}

// Round trips.

fn number() -> impl Strategy<Value = NonZeroU32> {
    prop_oneof![1u32..20, Just(u32::MAX), 1..=u32::MAX].prop_map(|number| NonZeroU32::new(number).unwrap())
}

fn sets() -> impl Strategy<Value = SequenceSet> {
    let bound = || prop_oneof![4 => number().prop_map(Bound::Number), 1 => Just(Bound::Last)];
    let ranges = vec(prop_oneof![bound().prop_map(|bound| (bound, bound)), (bound(), bound())], 1..5);
    prop_oneof![9 => ranges.prop_map(SequenceSet::Ranges), 1 => Just(SequenceSet::Saved)]
}

fn names() -> impl Strategy<Value = MailboxName> {
    "[A-Za-z0-9&äß日 .\"\\\\%*(){}_-]{1,8}(/[a-zé]{1,5}){0,2}"
        .prop_filter_map("a name", |text| MailboxName::new(&text).ok())
}

fn flag_arguments() -> impl Strategy<Value = FlagArguments> {
    (0u64..1024, proptest::collection::btree_set("[a-z]{3,8}", 0..4)).prop_map(|(bits, keywords)| FlagArguments {
        flags: Flags::from_bits(bits),
        keywords: keywords.iter().map(|keyword| Keyword::new(keyword).unwrap()).collect(),
    })
}

fn items() -> impl Strategy<Value = Item> {
    let text = prop_oneof![
        Just(SectionText::All),
        Just(SectionText::Header),
        Just(SectionText::Text),
        Just(SectionText::Mime),
        vec("[A-Za-z\"(\\\\-]{1,8}", 1..4).prop_map(SectionText::HeaderFields),
        vec("[A-Za-z-]{1,8}", 1..4).prop_map(SectionText::HeaderFieldsNot),
    ];
    let partial = proptest::option::of((0..=i64::MAX as u64, 1..=i64::MAX as u64));
    let section = (vec(1u32..9, 0..4), text, any::<bool>(), partial).prop_filter_map("MIME of the whole", |(part, text, peek, partial)| {
        let partial = partial.map(|(origin, length)| Partial { origin, length });
        let legal = !(part.is_empty() && text == SectionText::Mime);
        legal.then_some(Item::Section { section: Section { part, text }, peek, partial })
    });
    prop_oneof![
        1 => proptest::sample::select(vec![Item::Envelope, Item::Flags, Item::InternalDate, Item::Size, Item::Body,
            Item::BodyStructure, Item::Uid, Item::ModSeq, Item::Rfc822 { peek: false }, Item::Rfc822 { peek: true }, Item::Rfc822Header,
            Item::Rfc822Text { peek: false }, Item::Rfc822Text { peek: true }]),
        1 => (vec(1u32..9, 0..4), any::<bool>(), proptest::option::of((0..=i64::MAX as u64, 1..=i64::MAX as u64))).prop_map(|(part, peek, partial)| {
            Item::Binary { part, peek, partial: partial.map(|(origin, length)| Partial { origin, length }) }
        }),
        1 => vec(1u32..9, 0..4).prop_map(|part| Item::BinarySize { part }),
        2 => section,
    ]
}

fn keys() -> impl Strategy<Value = Key> {
    let day = || (1000i32..9999, 1u8..=12, 1u8..=28).prop_map(|(year, month, day)| Day { year, month, day });
    let text = || "[^\0]{0,12}";
    let leaf = prop_oneof![
        Just(Key::All),
        Just(Key::Recent),
        sets().prop_map(Key::Set),
        sets().prop_map(Key::Uid),
        (0u32..10).prop_map(|bit| Key::Flag(Flags::from_bits(1 << bit))),
        "[a-z]{3,8}".prop_map(|name| Key::Keyword(Keyword::new(&name).unwrap())),
        day().prop_map(Key::Before),
        day().prop_map(Key::On),
        day().prop_map(Key::Since),
        day().prop_map(Key::SentBefore),
        day().prop_map(Key::SentOn),
        day().prop_map(Key::SentSince),
        number().prop_map(Key::Older),
        number().prop_map(Key::Younger),
        (0..=i64::MAX as u64).prop_map(Key::Larger),
        (0..=i64::MAX as u64).prop_map(Key::Smaller),
        ("[A-Za-z-]{1,8}", text()).prop_map(|(field, value)| Key::Header { field, value }),
        text().prop_map(Key::Body),
        text().prop_map(Key::Text),
        modseqs().prop_map(Key::ModSeq),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 2..4).prop_map(Key::And),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Key::Or(Box::new(a), Box::new(b))),
            inner.prop_map(|key| Key::Not(Box::new(key))),
        ]
    })
}

fn returns() -> impl Strategy<Value = Option<Returns>> {
    let some = any::<[bool; 5]>().prop_filter_map("something", |[min, max, count, all, save]| {
        let returns = Returns { min, max, count, all, save };
        (returns != Returns::default()).then_some(returns)
    });
    proptest::option::of(some)
}

fn criteria() -> impl Strategy<Value = Vec<Criterion>> {
    let criterion = (proptest::sample::select(By::NAMES.to_vec()), any::<bool>()).prop_map(|((_, by), reverse)| Criterion { by, reverse });
    vec(criterion, 1..5)
}

/// None without `*`.
fn plain_sets() -> impl Strategy<Value = SequenceSet> {
    vec((number(), number()), 1..4).prop_map(|ranges| set(&ranges.iter().map(|(a, b)| format!("{a}:{b}")).collect::<Vec<_>>().join(",")))
}

fn selects() -> impl Strategy<Value = Select> {
    let matches = (plain_sets(), plain_sets()).prop_map(|(numbers, uids)| MatchData { numbers, uids });
    let known = (number(), modseqs(), proptest::option::of(plain_sets()), proptest::option::of(matches));
    let known = known.prop_map(|(uidvalidity, modseq, uids, matches)| Known { uidvalidity: uidvalidity.get(), modseq, uids, matches });
    (names(), any::<bool>(), proptest::option::of(known)).prop_map(|(mailbox, condstore, qresync)| Select { mailbox, condstore, qresync })
}

fn modseqs() -> impl Strategy<Value = ModSeq> {
    prop_oneof![Just(ModSeq::ZERO), Just(ModSeq::MAX), (1u64..99).prop_map(ModSeq::new)]
}

fn bodies() -> impl Strategy<Value = CommandBody> {
    let octets = || vec(1u8..=255, 0..12);
    prop_oneof![
        (octets(), octets()).prop_map(|(user, password)| CommandBody::Login(Login { user, password })),
        selects().prop_map(CommandBody::Select),
        (names(), names()).prop_map(|(from, to)| CommandBody::Rename(Rename { from, to })),
        (any::<bool>(), sets(), names()).prop_map(|(uid, set, to)| CommandBody::Copy(Copy { uid, set, to })),
        (any::<bool>(), sets(), names()).prop_map(|(uid, set, to)| CommandBody::Move(Copy { uid, set, to })),
        proptest::sample::subsequence(Extension::ALL.to_vec(), 1..=3).prop_map(CommandBody::Enable),
        (any::<bool>(), sets(), proptest::option::of(modseqs()), 0..3, any::<bool>(), flag_arguments()).prop_map(|(uid, set, unchanged_since, change, silent, flags)| {
            let change = [Change::Replace, Change::Add, Change::Remove][change as usize];
            CommandBody::Store(Store { uid, set, unchanged_since, change, silent, flags })
        }),
        (any::<bool>(), sets(), vec(items(), 1..5), proptest::option::of(modseqs()), any::<bool>()).prop_map(|(uid, set, mut items, changed_since, vanished)| {
            items.extend(changed_since.map(|_| Item::ModSeq));
            let mut once: Vec<Item> = Vec::new();
            items.into_iter().for_each(|item| if !once.contains(&item) { once.push(item) });
            CommandBody::Fetch(Fetch { uid, set, items: once, changed_since, vanished: vanished && uid && changed_since.is_some() })
        }),
        (any::<bool>(), returns(), keys()).prop_map(|(uid, returns, key)| CommandBody::Search(Search { uid, returns, key })),
        (any::<bool>(), returns(), criteria(), keys()).prop_map(|(uid, returns, criteria, key)| CommandBody::Sort(Sort { uid, returns, criteria, key })),
        (any::<bool>(), any::<bool>(), keys()).prop_map(|(uid, subject, key)| {
            let algorithm = if subject { Algorithm::OrderedSubject } else { Algorithm::References };
            CommandBody::Thread(Thread { uid, algorithm, key })
        }),
        sets().prop_map(|set| CommandBody::Expunge(Some(set))),
    ]
}

proptest! {
    #[test]
    fn what_is_printed_is_parsed_alike(body in bodies()) {
        let line = print(&body);
        prop_assert_eq!(parse_whole(&line), Ok(body), "{}", String::from_utf8_lossy(&line));
    }

    #[test]
    fn no_line_panics(line in vec(any::<u8>(), 0..80), verb in proptest::sample::select(COMMANDS)) {
        let limits = Limits::default();
        let line = [b"a ", verb.0.as_bytes(), b" ", &line].concat();
        for stage in [Stage::BeforeLogin, Stage::LoggedIn, Stage::Rev2] {
            let _ = (parse(&line, true, stage, &limits), parse(&line, false, stage, &limits));
        }
    }

    #[test]
    fn a_cut_command_is_no_other_command(body in bodies(), at in any::<proptest::sample::Index>()) {
        let line = print(&body);
        let cut = at.index(line.len());
        if let Ok(shorter) = parse_whole(&line[..cut]) {
            prop_assert_ne!(shorter, body);
        }
    }
}
