//! Golden lines; `imap-proto`, which is not ours, reads them; and structures of hostile messages stay grammatical.

use super::code::{Announce, capabilities};
use super::*;
use crate::command::fetch::{Section, SectionText};
use crate::command::search::Returns;
use crate::flags::FlagNames;
use bytes::Bytes;
use imap_proto::{AttributeValue, Response as Read};
use mail::mime::Structure;
use mail::{Date, Flags, ModSeq, SpecialUse, Uid, UidValidity};
use proptest::prelude::*;
use std::sync::Arc;

fn written(response: &Response) -> Vec<u8> {
    let mut out = BytesMut::new();
    response.write(Some(&Tag::constant("a1")), &mut out);
    out.to_vec()
}

fn uid(number: u32) -> Uid {
    Uid::new(number).unwrap()
}

fn name(name: &str) -> MailboxName {
    MailboxName::new(name).unwrap()
}

fn names() -> Arc<FlagNames> {
    FlagNames::new(|bit| (bit == 16).then(|| "$Label1".to_owned()))
}

fn flags(flags: Flags) -> FlagList {
    FlagList::new(flags, &names())
}

fn fetch(items: Vec<FetchItem>) -> Response {
    Response::Fetch(FetchLine { seq: 12, items })
}

fn octets(part: &[u32], text: SectionText, origin: Option<u64>, octets: &'static str) -> FetchItem {
    let label = Label::Body { section: Section { part: part.to_vec(), text }, origin };
    FetchItem::Octets(label, Some(Bytes::from_static(octets.as_bytes())))
}

/// Messages of these numbers, and of which each is the child; a parent that is none of them is missing.
fn threads(numbers: &[u32], parents: &[Option<u32>]) -> Response {
    let ids: Vec<Option<u32>> = (0..numbers.len() as u32).map(Some).collect();
    let references: Vec<Vec<u32>> = parents.iter().map(|parent| parent.iter().copied().collect()).collect();
    let message = |index: usize| mail::thread::Message { id: ids[index], references: &references[index], ..Default::default() };
    let messages: Vec<_> = (0..numbers.len()).map(message).collect();
    let forest = mail::thread::references(&messages, mail::thread::Names { ids: 10, subjects: 0 });
    Response::Thread(forest, numbers.to_vec())
}

fn found(options: &str, uid: bool, found: &[u32]) -> Response {
    let is = |name| options.split(' ').any(|option| option == name);
    let returns = Returns { min: is("min"), max: is("max"), count: is("count"), all: is("all"), save: is("save") };
    Response::Esearch(Esearch::new(returns, uid, found.to_vec()))
}

fn binary(part: &[u32], origin: Option<u64>, has_nul: bool, octets: &'static str) -> FetchItem {
    FetchItem::Octets(Label::Binary { part: part.to_vec(), origin, has_nul }, Some(Bytes::from_static(octets.as_bytes())))
}

fn ok(code: Code) -> Response {
    Condition::ok(Some(code), "x").into()
}

/// Lines, and whether imap-proto knows their kind.
fn golden() -> Vec<(Response, &'static str, bool)> {
    let validity = UidValidity::new(7).unwrap();
    let list = |attributes: &[Attribute], mailbox: &str| ListLine::new(name(mailbox), attributes.to_vec());
    let copied = [(1, 10), (2, 11), (5, 12), (7, 20)].map(|(from, to)| (uid(from), uid(to))).to_vec();
    let label = flags(Flags::SEEN | Flags::FORWARDED | Flags::from_bits(1 << 16));
    let recent = FlagList { recent: true, ..flags(Flags::FLAGGED) };
    let fields = |fields: &[&str]| SectionText::HeaderFields(fields.iter().map(|field| field.to_string()).collect());
    vec![
        (Tagged::ok("done").into(), "a1 OK done\r\n", true),
        (Tagged::no("").into(), "a1 NO NO\r\n", true),
        (Tagged::bad("ümlaut\r\nx BYE").into(), "a1 BAD ?mlaut??x BYE\r\n", true),
        (Tagged::no("x").code(Code::TryCreate).into(), "a1 NO [TRYCREATE] x\r\n", true),
        (Tagged::ok("x").code(Code::AppendUid(validity, vec![uid(3)])).into(), "a1 OK [APPENDUID 7 3] x\r\n", true),
        (Tagged::ok("x").code(Code::AppendUid(validity, [3, 4, 5, 9].map(uid).to_vec())).into(), "a1 OK [APPENDUID 7 3:5,9] x\r\n", true),
        (Tagged::ok("x").code(Code::CopyUid(validity, copied)).into(), "a1 OK [COPYUID 7 1:2,5,7 10:12,20] x\r\n", true),
        (Tagged::no("x").code(Code::OverQuota).into(), "a1 NO [OVERQUOTA] x\r\n", true),
        (ok(Code::PermanentFlags(flags(Flags::SEEN), true)), "* OK [PERMANENTFLAGS (\\Seen \\*)] x\r\n", true),
        (ok(Code::PermanentFlags(flags(Flags::EMPTY), false)), "* OK [PERMANENTFLAGS ()] x\r\n", true),
        (ok(Code::UidNext(4_294_967_296)), "* OK [UIDNEXT 4294967296] x\r\n", true), // beyond 32 bits: it takes the code for text
        (ok(Code::UidNext(5)), "* OK [UIDNEXT 5] x\r\n", true),
        (ok(Code::UidValidity(validity)), "* OK [UIDVALIDITY 7] x\r\n", true),
        (ok(Code::Unseen(2)), "* OK [UNSEEN 2] x\r\n", true),
        (ok(Code::ReadOnly), "* OK [READ-ONLY] x\r\n", true),
        (ok(Code::Capability(vec!["IMAP4rev1".into(), "IDLE".into()])), "* OK [CAPABILITY IMAP4rev1 IDLE] x\r\n", true),
        (Condition::no(Some(Code::BadCharset(vec!["UTF-8".into()])), "x").into(), "* NO [BADCHARSET (UTF-8)] x\r\n", true),
        (Response::Bye(Some(Code::Unavailable), "x".into()), "* BYE [UNAVAILABLE] x\r\n", true),
        (Response::Enabled(vec![]), "* ENABLED\r\n", true),
        (Response::Enabled(vec!["CONDSTORE".into(), "QRESYNC".into()]), "* ENABLED CONDSTORE QRESYNC\r\n", true),
        (Response::Capability(vec!["IMAP4rev1".into(), "LITERAL-".into()]), "* CAPABILITY IMAP4rev1 LITERAL-\r\n", true),
        (Response::List(list(&[Attribute::HasChildren, Attribute::Special(SpecialUse::Drafts)], "Entwürfe")), "* LIST (\\HasChildren \\Drafts) \"/\" Entw&APw-rfe\r\n", true),
        (Response::Lsub(list(&[Attribute::NoSelect], "a b/c")), "* LSUB (\\Noselect) \"/\" \"a b/c\"\r\n", true),
        (Response::List(list(&[], "nil")), "* LIST () \"/\" \"nil\"\r\n", true),
        (Response::List(list(&[], "a\"\\*")), "* LIST () \"/\" \"a\\\"\\\\*\"\r\n", true),
        (Response::Xlist(list(&[], "a")), "* XLIST () \"/\" a\r\n", false), // Google's own
        (Response::List(ListLine { child_info: vec![Criterion::Subscribed, Criterion::SpecialUse], ..list(&[Attribute::NonExistent, Attribute::Subscribed], "a") }),
            "* LIST (\\NonExistent \\Subscribed) \"/\" a (\"CHILDINFO\" (\"SUBSCRIBED\" \"SPECIAL-USE\"))\r\n", false), // RFC 5258 is unknown to it
        (Response::List(ListLine::separator()), "* LIST (\\Noselect) \"/\" \"\"\r\n", true),
        (Response::Status { mailbox: name("INBOX"), items: vec![(StatusItem::Messages, 3), (StatusItem::UidNext, 9)] }, "* STATUS INBOX (MESSAGES 3 UIDNEXT 9)\r\n", true),
        (Response::Flags(label.clone()), "* FLAGS (\\Seen $Forwarded $Label1)\r\n", true),
        (Response::QuotaRoot { mailbox: name("INBOX"), roots: vec!["User quota".into()] }, "* QUOTAROOT INBOX \"User quota\"\r\n", true),
        (Response::QuotaRoot { mailbox: name("a b"), roots: vec![] }, "* QUOTAROOT \"a b\"\r\n", true),
        (Response::Quota { root: "User quota".into(), resources: vec![(Resource::Storage, 10, 512), (Resource::Message, 3, 1000)] },
            "* QUOTA \"User quota\" (STORAGE 10 512 MESSAGE 3 1000)\r\n", true),
        (Response::Exists(23), "* 23 EXISTS\r\n", true),
        (Response::Recent(0), "* 0 RECENT\r\n", true),
        (Response::Expunge(4294967295), "* 4294967295 EXPUNGE\r\n", true),
        (Response::Search(vec![], None), "* SEARCH\r\n", true),
        (Response::Search(vec![2, 84, 882], None), "* SEARCH 2 84 882\r\n", true),
        (Response::Search(vec![2, 5], Some(ModSeq::new(917_162_500))), "* SEARCH 2 5 (MODSEQ 917162500)\r\n", false),
        (Response::Vanished { earlier: false, uids: vec![405..=405, 407..=409] }, "* VANISHED 405,407:409\r\n", true),
        (Response::Vanished { earlier: true, uids: vec![1..=4_294_967_295] }, "* VANISHED (EARLIER) 1:4294967295\r\n", true),
        (ok(Code::HighestModSeq(ModSeq::new(715_194_045_007))), "* OK [HIGHESTMODSEQ 715194045007] x\r\n", true),
        (Response::Sort(vec![], None), "* SORT\r\n", true),
        (Response::Sort(vec![5, 3, 4], None), "* SORT 5 3 4\r\n", true),
        (Response::Sort(vec![5, 3, 4], Some(ModSeq::new(17))), "* SORT 5 3 4 (MODSEQ 17)\r\n", false),
        (threads(&[], &[]), "* THREAD\r\n", false),
        (threads(&[2], &[None]), "* THREAD (2)\r\n", false),
        (
            threads(&[2, 3, 6, 4, 23, 44, 7, 96, 5], &[None, None, Some(1), Some(2), Some(3), Some(2), Some(5), Some(6), None]),
            "* THREAD (2)(3 6 (4 23)(44 7 96))(5)\r\n",
            false,
        ),
        (threads(&[3, 5, 9], &[Some(7), Some(7), Some(0)]), "* THREAD ((3 9)(5))\r\n", false),
        (found("", true, &[]), "* ESEARCH (TAG \"a1\") UID\r\n", false),
        (found("all", false, &[2, 10, 11, 15]), "* ESEARCH (TAG \"a1\") ALL 2,10:11,15\r\n", false),
        (found("all", true, &[9, 8, 7, 8, 9, 10]), "* ESEARCH (TAG \"a1\") UID ALL 9,8,7:10\r\n", false),
        (found("min max count", false, &[7, 9, 3800]), "* ESEARCH (TAG \"a1\") MIN 7 MAX 3800 COUNT 3\r\n", false),
        (found("min max count all", false, &[]), "* ESEARCH (TAG \"a1\") COUNT 0\r\n", false),
        (found("min save", false, &[4]), "* ESEARCH (TAG \"a1\") MIN 4\r\n", false),
        (Response::Esearch(Esearch::new(Returns::ALL, false, vec![4, 5]).modseq(Some(ModSeq::new(7)))), "* ESEARCH (TAG \"a1\") ALL 4:5 MODSEQ 7\r\n", false),
        (Response::Namespace(Namespaces::personal_only()), "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n", false), // RFC 2342 is unknown to it
        (Response::Id(vec![]), "* ID NIL\r\n", true),
        (Response::Id(vec![("name".into(), Some("Posthouse".into())), ("os".into(), None)]), "* ID (\"name\" \"Posthouse\" \"os\" NIL)\r\n", true),
        (Response::Continue("idling".into()), "+ idling\r\n", true),
        (Response::Challenge(vec![]), "+ \r\n", true),
        (Response::Challenge(b"nonce".to_vec()), "+ bm9uY2U=\r\n", true),
        (fetch(vec![FetchItem::Uid(uid(5)), FetchItem::Flags(label)]), "* 12 FETCH (UID 5 FLAGS (\\Seen $Forwarded $Label1))\r\n", true),
        (fetch(vec![FetchItem::Flags(recent)]), "* 12 FETCH (FLAGS (\\Flagged \\Recent))\r\n", true),
        (fetch(vec![FetchItem::InternalDate(Date { unix: 0, offset_minutes: -90 }), FetchItem::Size(1 << 20)]), "* 12 FETCH (INTERNALDATE \"31-Dec-1969 22:30:00 -0130\" RFC822.SIZE 1048576)\r\n", true),
        (fetch(vec![octets(&[], SectionText::All, None, "a)\r\n")]), "* 12 FETCH (BODY[] {4}\r\na)\r\n)\r\n", true),
        (fetch(vec![octets(&[1, 2], SectionText::All, Some(0), "x")]), "* 12 FETCH (BODY[1.2]<0> {1}\r\nx)\r\n", true),
        (fetch(vec![octets(&[], SectionText::All, Some(10000), "")]), "* 12 FETCH (BODY[]<10000> {0}\r\n)\r\n", true),
        (fetch(vec![octets(&[], fields(&["subject", "From"]), None, "\r\n")]), "* 12 FETCH (BODY[HEADER.FIELDS (SUBJECT FROM)] {2}\r\n\r\n)\r\n", true),
        (fetch(vec![octets(&[2], SectionText::HeaderFieldsNot(vec!["a(b".into()]), None, "")]), "* 12 FETCH (BODY[2.HEADER.FIELDS.NOT (\"A(B\")] {0}\r\n)\r\n", true),
        (fetch(vec![octets(&[1], SectionText::Mime, None, ""), octets(&[3], SectionText::Header, None, "")]), "* 12 FETCH (BODY[1.MIME] {0}\r\n BODY[3.HEADER] {0}\r\n)\r\n", true),
        (fetch(vec![octets(&[], SectionText::Text, None, "")]), "* 12 FETCH (BODY[TEXT] {0}\r\n)\r\n", true),
        (fetch(vec![FetchItem::Octets(Label::Rfc822, Some(Bytes::from_static(b"x"))), FetchItem::Octets(Label::Rfc822Header, None)]), "* 12 FETCH (RFC822 {1}\r\nx RFC822.HEADER NIL)\r\n", true),
        (fetch(vec![FetchItem::BinarySize(vec![1, 2], 7), binary(&[1], None, false, "ab"), binary(&[], Some(3), true, "a\0")]),
            "* 12 FETCH (BINARY.SIZE[1.2] 7 BINARY[1] {2}\r\nab BINARY[]<3> ~{2}\r\na\0)\r\n", false), // RFC 3516 is unknown to it
        (fetch(vec![FetchItem::Octets(Label::Rfc822Text, None)]), "* 12 FETCH (RFC822.TEXT NIL)\r\n", true),
    ]
}

#[test]
fn golden_lines() {
    for (response, expected, readable) in golden() {
        let line = written(&response);
        assert_eq!(String::from_utf8_lossy(&line), expected);
        let read = imap_proto::Response::from_bytes_all(&line);
        assert_eq!(read.is_ok(), readable, "{expected:?}: {read:?}");
    }
}

trait ReadAll<'a>: Sized {
    fn from_bytes_all(line: &'a [u8]) -> Result<Self, String>;
}

impl<'a> ReadAll<'a> for Read<'a> {
    fn from_bytes_all(line: &'a [u8]) -> Result<Self, String> {
        match Read::parse(line) {
            Ok(([], response)) => Ok(response),
            Ok((rest, response)) => Err(format!("{response:?} leaves {rest:?}")),
            Err(error) => Err(format!("{error:?}")),
        }
    }
}

#[test]
fn the_independent_reader_understands_what_we_mean() {
    let line = written(&fetch(vec![FetchItem::Uid(uid(5)), FetchItem::Flags(flags(Flags::SEEN)), octets(&[1], SectionText::Mime, Some(3), "ab")]));
    let Ok(Read::Fetch(12, items)) = Read::from_bytes_all(&line) else { panic!() };
    let [AttributeValue::Uid(5), AttributeValue::Flags(flags), AttributeValue::BodySection { index: Some(3), data: Some(data), .. }] = items.as_slice() else { panic!("{items:?}") };
    assert_eq!((flags.as_slice(), &data[..]), (&["\\Seen".into()][..], &b"ab"[..]));
}

#[test]
fn codes_with_arguments_are_read_as_codes() {
    let validity = UidValidity::new(7).unwrap();
    let codes = [
        Code::AppendUid(validity, vec![uid(1)]),
        Code::CopyUid(validity, vec![(uid(1), uid(2)), (uid(2), uid(3))]),
        Code::BadCharset(vec!["US-ASCII".into(), "UTF-8".into()]),
        Code::Capability(vec!["IMAP4rev1".into()]),
        Code::PermanentFlags(flags(Flags::SYSTEM), true),
        Code::UidNext(9),
        Code::UidValidity(validity),
        Code::Unseen(1),
    ];
    for code in codes {
        let line = written(&ok(code.clone()));
        let Ok(Read::Data { outcome, .. }) = Read::from_bytes_all(&line) else { panic!("{code:?}") };
        assert!(outcome.code.is_some(), "{code:?}");
    }
}

#[test]
fn every_code_is_an_atom() {
    for code in [Code::Alert, Code::AlreadyExists, Code::AuthenticationFailed, Code::AuthorizationFailed, Code::Cannot, Code::ClientBug,
        Code::Closed, Code::ContactAdmin, Code::Corruption, Code::Expired, Code::ExpungeIssued, Code::HasChildren, Code::InUse,
        Code::Limit, Code::NonExistent, Code::NoPerm, Code::OverQuota, Code::Parse, Code::PrivacyRequired, Code::ReadOnly,
        Code::ReadWrite, Code::ServerBug, Code::TooBig, Code::TryCreate, Code::Unavailable, Code::UnknownCte] {
        let mut out = BytesMut::new();
        code.write(&mut out);
        assert!(!out.is_empty() && out.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'-'), "{code:?}");
    }
}

#[test]
fn the_capability_list() {
    let before = Announce { logged_in: false, starttls: true, mechanisms: &["PLAIN", "LOGIN"], login_disabled: false, compress: true, append_limit: 9 };
    assert_eq!(capabilities(&before).join(" "), "IMAP4rev1 IMAP4rev2 ID ENABLE LITERAL- SASL-IR STARTTLS AUTH=PLAIN AUTH=LOGIN");
    let clear = Announce { mechanisms: &[], login_disabled: true, ..before.clone() };
    assert_eq!(capabilities(&clear).join(" "), "IMAP4rev1 IMAP4rev2 ID ENABLE LITERAL- SASL-IR STARTTLS LOGINDISABLED");
    let after = Announce { logged_in: true, ..before };
    let expected = [
        "IMAP4rev1 IMAP4rev2 ID ENABLE LITERAL+ IDLE NAMESPACE CHILDREN UNSELECT UIDPLUS MOVE CONDSTORE QRESYNC",
        "LIST-EXTENDED LIST-STATUS SPECIAL-USE CREATE-SPECIAL-USE STATUS=SIZE",
        "MULTIAPPEND BINARY",
        "QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE",
        "ESEARCH SEARCHRES WITHIN",
        "SORT SORT=DISPLAY ESORT THREAD=ORDEREDSUBJECT THREAD=REFERENCES",
        "COMPRESS=DEFLATE APPENDLIMIT=9",
    ];
    assert_eq!(capabilities(&after).join(" "), expected.join(" "));
}

#[test]
fn quoted_or_literal() {
    let table: &[(&[u8], &[u8])] = &[
        (b"", b"\"\""), (b"a b", b"\"a b\""), (b"a\"\\", b"\"a\\\"\\\\\""), (b"a\r\nb", b"{4}\r\na\r\nb"), (b"\xfc", b"{1}\r\n\xfc"),
        (b"a\0", b"{2}\r\na\x80"), (b"\x7f", b"{1}\r\n\x7f"), (b"NIL", b"\"NIL\""),
    ];
    for (octets, expected) in table {
        let mut out = BytesMut::new();
        wire::string(&mut out, octets);
        assert_eq!(&out[..], *expected);
    }
    let mut out = BytesMut::new();
    wire::string(&mut out, &[b'x'; 513]);
    assert!(out.starts_with(b"{513}\r\n"));
}

fn structure_of(message: &str) -> Arc<Structure> {
    Arc::new(Structure::of_message(message.replace('\n', "\r\n").as_bytes()))
}

#[test]
fn structures() {
    let table: &[(&str, &str, &str)] = &[
        ("Subject: x\n\nhello\n",
         "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 7 1)",
         "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 7 1 NIL NIL NIL NIL)"),
        ("Content-Type: text/html; format=x\nContent-Transfer-Encoding: BASE64\nContent-ID: <i>\nContent-MD5: m\nContent-Language: de, en\nContent-Location: l\nContent-Disposition: inline; filename=\"a b\"\n\nx",
         "(\"text\" \"html\" (\"format\" \"x\" \"charset\" \"us-ascii\") \"<i>\" NIL \"base64\" 1 0)",
         "(\"text\" \"html\" (\"format\" \"x\" \"charset\" \"us-ascii\") \"<i>\" NIL \"base64\" 1 0 \"m\" (\"inline\" (\"filename\" \"a b\")) (\"de\" \"en\") \"l\")"),
        ("Content-Type: image/png\n\nx",
         "(\"image\" \"png\" NIL NIL NIL \"7bit\" 1)",
         "(\"image\" \"png\" NIL NIL NIL \"7bit\" 1 NIL NIL NIL NIL)"),
        ("Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\nContent-Type: message/rfc822\n\nSubject: in\n\ntwo\n--b--\n",
         "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 0)(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 18 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 0) 2) \"mixed\")",
         "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 0 NIL NIL NIL NIL)(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 18 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 0 NIL NIL NIL NIL) 2 NIL NIL NIL NIL) \"mixed\" (\"boundary\" \"b\") NIL NIL NIL)"),
    ];
    for (message, body, extended) in table {
        let structure = structure_of(message);
        let line = written(&fetch(vec![FetchItem::Body(structure.clone())]));
        assert_eq!(String::from_utf8_lossy(&line), format!("* 12 FETCH (BODY {body})\r\n"));
        let line = written(&fetch(vec![FetchItem::BodyStructure(structure)]));
        assert_eq!(String::from_utf8_lossy(&line), format!("* 12 FETCH (BODYSTRUCTURE {extended})\r\n"));
        let Ok(Read::Fetch(_, items)) = Read::from_bytes_all(&line) else { panic!("{extended}") };
        assert!(matches!(items.as_slice(), [AttributeValue::BodyStructure(_)]), "{items:?}");
    }
}

#[test]
fn envelopes() {
    let table: &[(&str, &str)] = &[
        ("", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"),
        ("Date: d\nSubject:\nFrom: Joe <j@x>\nTo: a@b, \"C, D\" <c@d>\nMessage-ID: <m>\n",
         "(\"d\" \"\" ((\"Joe\" NIL \"j\" \"x\")) ((\"Joe\" NIL \"j\" \"x\")) ((\"Joe\" NIL \"j\" \"x\")) ((NIL NIL \"a\" \"b\")(\"C, D\" NIL \"c\" \"d\")) NIL NIL NIL \"<m>\")"),
        ("To: undisclosed-recipients:;\n",
         "(NIL NIL NIL NIL NIL ((NIL NIL \"undisclosed-recipients\" NIL)(NIL NIL NIL NIL)) NIL NIL NIL NIL)"),
    ];
    for (header, expected) in table {
        let envelope = mail::Envelope::of_header(header.replace('\n', "\r\n").as_bytes());
        let line = written(&fetch(vec![FetchItem::Envelope(Box::new(envelope))]));
        assert_eq!(String::from_utf8_lossy(&line), format!("* 12 FETCH (ENVELOPE {expected})\r\n"));
        let Ok(Read::Fetch(_, items)) = Read::from_bytes_all(&line) else { panic!("{expected}") };
        assert!(matches!(items.as_slice(), [AttributeValue::Envelope(_)]));
    }
}

/// A reader of parentheses, strings and atoms, and nothing else. Depth is a counter, so no nesting is too deep for it.
fn is_grammatical(line: &[u8]) -> bool {
    let mut rest = line;
    let mut depth = 0;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'(' => depth += 1,
            b')' if depth == 0 => return false,
            b')' => depth -= 1,
            b'"' => loop {
                match rest {
                    [b'\\', b'"' | b'\\', after @ ..] => rest = after,
                    [b'"', after @ ..] => {
                        rest = after;
                        break;
                    }
                    [b'\r' | b'\n' | b'\\' | 0 | 0x80.., ..] | [] => return false,
                    [_, after @ ..] => rest = after,
                }
            },
            b'{' => {
                let Some(end) = rest.windows(3).position(|octets| octets == b"}\r\n") else { return false };
                let Ok(size) = String::from_utf8_lossy(&rest[..end]).parse::<usize>() else { return false };
                let Some(after) = rest.get(end + 3 + size..) else { return false };
                if rest[end + 3..end + 3 + size].contains(&0) {
                    return false;
                }
                rest = after;
            }
            b' ' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'.' => {}
            b'\r' => return rest == b"\n" && depth == 0,
            _ => return false,
        }
    }
    false
}

#[test]
fn deep_nesting_stays_grammatical() {
    let nested = "Content-Type: message/rfc822\n\n".repeat(2000);
    let multipart: String = (0..500).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n")).collect();
    for message in [nested, multipart] {
        let line = written(&fetch(vec![FetchItem::BodyStructure(structure_of(&message))]));
        assert!(is_grammatical(&line));
    }
    assert!(!is_grammatical(b"(()\r\n") && !is_grammatical(b"\"a\\b\"\r\n") && !is_grammatical(b"{9}\r\nab\r\n"));
}

proptest! {
    #[test]
    fn whatever_the_message_the_line_is_grammatical(pieces in prop::collection::vec(prop_oneof![
        Just(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n".to_vec()),
        Just(b"Content-Type: message/rfc822\r\n\r\n".to_vec()),
        Just(b"Content-Type: text/\"pl\\ain; x=\"\xff\"; charset\r\n".to_vec()),
        Just(b"Content-Type: multipart/x; boundary=\"\"\r\n".to_vec()),
        Just(b"Content-Disposition: a(b\"; filename*0=\"x\"; filename*1*=%00%ff\r\n".to_vec()),
        Just(b"Content-Language: , \",(\r\nContent-Description: \0 \r\n".to_vec()),
        Just(b"From: \"a\\\" <b@c>, (, <@d:e@f> \xfc;:\r\n".to_vec()),
        Just(b"Subject: a\r\n b\r\n".to_vec()),
        Just(b"\r\n--b--\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        prop::collection::vec(any::<u8>(), 0..20),
    ], 0..20)) {
        let structure = Arc::new(Structure::of_message(&pieces.concat()));
        let envelope = Box::new(structure.envelope.clone());
        for item in [FetchItem::Body(structure.clone()), FetchItem::BodyStructure(structure), FetchItem::Envelope(envelope)] {
            let line = written(&fetch(vec![item]));
            prop_assert!(is_grammatical(&line), "{}", String::from_utf8_lossy(&line));
        }
    }

    #[test]
    fn any_string_can_be_read_back(octets in prop::collection::vec(1u8..=255, 0..600)) {
        let mut out = BytesMut::from(&b"x "[..]);
        wire::string(&mut out, &octets);
        let limits = crate::Limits::default();
        let mut cursor = crate::cursor::Cursor::new(&out[2..], true, &limits);
        prop_assert_eq!(cursor.string().unwrap().into_owned(), octets);
        prop_assert!(cursor.at_end());
    }
}
