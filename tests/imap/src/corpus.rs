//! Ugly messages. The named ones are what mail programs, gateways and spam really send, each with one fault (or none); the others
//! are grown from a seed, by putting MIME together and then damaging it.

use crate::dice::Dice;

/// A message with its name.
#[derive(Clone, Debug)]
pub struct Message {
    /// What is the matter with it.
    pub name: String,
    /// As it is appended.
    pub octets: Vec<u8>,
}

/// A header that is as it should be, before what a case is about.
const HEAD: &str = "From: Alice <alice@example.test>\nTo: bob@example.test\nSubject: plain\nDate: Mon, 7 Feb 1994 21:52:25 -0800\nMessage-ID: <1@example.test>\n";

/// The messages that have names.
pub fn named() -> Vec<Message> {
    let mut all = Vec::new();
    for (name, text) in TEXTS {
        all.push(message(name, text.replace("HEAD\n", HEAD).replace('\n', "\r\n")));
    }
    for (name, octets) in raw() {
        all.push(message(name, octets));
    }
    all
}

fn message(name: &str, octets: impl Into<Vec<u8>>) -> Message {
    Message { name: name.to_owned(), octets: octets.into() }
}

/// `HEAD` stands for the good header, a line's end for CRLF.
#[rustfmt::skip]
const TEXTS: &[(&str, &str)] = &[
    ("plain", "HEAD\n\nHello\nWorld\n"),
    ("no-end-of-line", "HEAD\n\nHello"),
    ("header-only", "HEAD\n"),
    ("header-only-blank", "HEAD\n\n"),
    ("header-only-no-eol", "Subject: only"),
    ("no-header", "\nThis has no header.\n\nAnd two parts.\n"),
    ("no-header-no-blank", "This has no header and no blank line\nat all\n"),
    ("one-blank-line", "\n"),
    ("two-blank-lines", "\n\n"),
    ("one-letter", "a"),
    ("colon-only", ":\n\nbody\n"),
    ("header-without-colon", "From: a@example.test\nThis is no field\nSubject: after it\n\nbody\n"),
    ("space-before-colon", "From : a@example.test\nSubject : spaced\nTo\t: b@example.test\n\nbody\n"),
    ("mbox-from", "From alice Mon Feb  7 21:52:25 1994\nFrom: a@example.test\nSubject: from a spool\n\nbody\n"),
    ("folded", "From: Alice\n <alice@example.test>\nSubject: a subject\n that goes on\n\tand on\nTo: b@example.test,\n c@example.test\nX-Folded: one\n\n body begins with a blank\n"),
    ("folded-blank-only", "From: a@example.test\nSubject: one\n \n two\n\nbody\n"),
    ("folded-at-begin", " folded: at once\nSubject: x\n\nbody\n"),
    ("empty-fields", "From:\nTo:\nSubject:\nDate:\nMessage-ID:\nCc: \nIn-Reply-To: \n\nbody\n"),
    ("twice", "From: a@example.test\nFrom: b@example.test\nTo: c@example.test\nTo: d@example.test\nSubject: one\nSubject: two\nDate: Mon, 7 Feb 1994 21:52:25 -0800\nDate: Tue, 8 Feb 1994 21:52:25 -0800\nMessage-ID: <1@x>\nMessage-ID: <2@x>\n\nbody\n"),
    ("addresses", "From: \"Quoted, Name\" <a@example.test>, b@example.test (Comment)\nSender: s@example.test\nReply-To: <r@example.test>\nTo: Group: a@x, b@x;, undisclosed-recipients:;\nCc: \"a b\"@example.test, <@route,@r2:a@example.test>\nBcc: plainword, \"\" <empty@example.test>\nSubject: addresses\n\n"),
    ("addresses-broken", "From: <a@example.test\nSender: a b c@example.test\nReply-To: <>\nTo: ,,a@example.test,,\nCc: @example.test\nBcc: a@\nSubject: broken addresses\n\n"),
    ("addresses-quotes", "From: \"unfinished <a@example.test>\nTo: \"with \\\"quotes\\\" and \\\\\" <b@example.test>\nCc: (only a comment)\nSubject: quotes\n\n"),
    ("addresses-comments", "From: a (c (nested) d) <a@example.test> (after)\nTo: a.b.c@example.test, a . b @ example . test\nCc: a@[127.0.0.1]\nSubject: comments\n\n"),
    ("addresses-literal-words", "From: NIL <nil@example.test>\nTo: \"NIL\" <NIL>\nSubject: NIL\nMessage-ID: NIL\nIn-Reply-To: NIL\n\n"),
    ("group-unfinished", "From: a@example.test\nTo: Friends: a@x, b@x\nCc: Empty:;\nSubject: groups\n\n"),
    ("rfc2047", "From: =?iso-8859-1?q?Andr=E9?= <a@example.test>\nSubject: =?utf-8?b?R3LDvMOfZQ==?= =?utf-8?q?_aus_K=C3=B6ln?=\n\nbody\n"),
    ("rfc2047-broken", "From: =?iso-8859-1?q?Andr=E9 <a@example.test>\nSubject: =?utf-8?b?R3LDvM?= =?x-unknown?q?abc?= =?utf-8?z?x?= =?utf-8?q?=ZZ?=\nX-Other: =?utf-8?q??= =?utf-8?b?====?=\n\nbody\n"),
    ("rfc2047-split", "From: a@example.test\nSubject: =?utf-8?b?5Lit5pa?=\n =?utf-8?b?H?= =?gb2312?b?1tDOxA==?= =?big5?b?pKSk5Q==?= =?iso-2022-jp?b?GyRCRnxLXBsoQg==?=\n\nbody\n"),
    ("dates", "From: a@example.test\nSubject: d\nDate: 1 Jan 71 00:00 GMT\n\n"),
    ("date-bad", "From: a@example.test\nSubject: d\nDate: yesterday at noon\n\n"),
    ("date-comment", "From: a@example.test\nSubject: d\nDate: Fri, 30 Feb 2024 25:61:61 +9999 (odd)\n\n"),
    ("references", "From: a@example.test\nSubject: Re: [list] Fwd: plain (fwd)\nIn-Reply-To: <1@example.test> (Alice's message of today)\nReferences: <0@x> <1@example.test>\nMessage-ID: <2@example.test>\n\n"),
    ("multipart", "HEAD\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"b\"\n\npreamble\n--b\n\nplain part\n--b\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\nContent-Disposition: attachment; filename=\"a b.html\"; size=3\nContent-ID: <cid@x>\nContent-Description: a page\nContent-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\nContent-Language: en, de\nContent-Location: http://x/\n y\n\n<p>=C3=A4</p>\n--b--\nepilogue\n"),
    ("multipart-no-end", "HEAD\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo\n"),
    ("multipart-no-end-no-eol", "HEAD\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo"),
    ("multipart-end-no-eol", "HEAD\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--"),
    ("multipart-no-boundary", "HEAD\nContent-Type: multipart/mixed\n\n--b\n\none\n--b--\n"),
    ("multipart-empty-boundary", "HEAD\nContent-Type: multipart/mixed; boundary=\"\"\n\n--\n\none\n----\n"),
    ("multipart-boundary-never-comes", "HEAD\nContent-Type: multipart/alternative; boundary=b\n\nonly text\nand more\n"),
    ("multipart-nothing", "HEAD\nContent-Type: multipart/mixed; boundary=b\n"),
    ("multipart-nothing-blank", "HEAD\nContent-Type: multipart/mixed; boundary=b\n\n"),
    ("multipart-only-end", "HEAD\nContent-Type: multipart/mixed; boundary=b\n\n--b--\n"),
    ("multipart-end-first", "HEAD\nContent-Type: multipart/mixed; boundary=b\n\n--b--\n\n--b\n\nafter the end\n--b--\n"),
    ("multipart-empty-parts", "HEAD\nContent-Type: multipart/mixed; boundary=b\n\n--b\n--b\n\n--b\n\n\n--b--\n"),
    ("multipart-part-header-only", "HEAD\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: image/png\n--b\nContent-Type: text/plain\n\n--b--\n"),
    ("multipart-blank-after-boundary", "HEAD\nContent-Type: multipart/mixed; boundary=b\n\n--b   \n\none\n--b \t \n\ntwo\n--b-- \n"),
    ("multipart-text-after-boundary", "HEAD\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--bx\nstill one\n--b--x\nwhat is it\n--b--\n"),
    ("multipart-boundary-spaces", "HEAD\nContent-Type: multipart/mixed; boundary=\"a b\"\n\n--a b\n\none\n--a b--\n"),
    ("multipart-boundary-prefix", "HEAD\nContent-Type: multipart/mixed; boundary=ab\n\n--ab\nContent-Type: multipart/mixed; boundary=abc\n\n--abc\n\ninner\n--abc--\n\n--ab\n\nouter\n--ab--\n"),
    ("multipart-boundary-prefix-turned", "HEAD\nContent-Type: multipart/mixed; boundary=abc\n\n--abc\nContent-Type: multipart/mixed; boundary=ab\n\n--ab\n\ninner\n--ab--\n\n--abc\n\nouter\n--abc--\n"),
    ("multipart-same-boundary", "HEAD\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\ninner\n--b--\n\n--b\n\nouter\n--b--\n"),
    ("multipart-inner-no-end", "HEAD\nContent-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/alternative; boundary=i\n\n--i\n\none\n--i\n\ntwo\n--o\n\nthree\n--o--\n"),
    ("multipart-nested", "HEAD\nContent-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/alternative; boundary=i\n\n--i\nContent-Type: text/plain\n\none\n--i\nContent-Type: text/html\n\ntwo\n--i--\n--o\nContent-Type: application/pdf; name=\"x.pdf\"\nContent-Transfer-Encoding: base64\n\nAAAA\n--o--\n"),
    ("multipart-dashes", "HEAD\nContent-Type: multipart/mixed; boundary=\"--\"\n\n----\n\none\n------\n"),
    ("multipart-base64", "HEAD\nContent-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n--b\n\none\n--b--\n"),
    ("multipart-preamble-boundary", "HEAD\nContent-Type: multipart/mixed; boundary=b\n\n--b\none: header\n\nbody\n--b\nno blank line here\n--b--\n"),
    ("multipart-two-types", "HEAD\nContent-Type: text/plain\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n"),
    ("digest", "HEAD\nContent-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: in one\nFrom: a@x\n\nbody one\n--b\nContent-Type: text/plain\n\nnot a message\n--b\n\n\nno header\n--b--\n"),
    ("message", "HEAD\nContent-Type: message/rfc822\n\nFrom: in@example.test\nSubject: inner\n\ninner body\n"),
    ("message-in-multipart", "HEAD\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\ntext\n--b\nContent-Type: message/rfc822\nContent-Disposition: inline\n\nFrom: in@example.test\nSubject: inner\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\ninner one\n--c\nContent-Type: text/html\n\ninner two\n--c--\n\n--b--\n"),
    ("message-in-message", "HEAD\nContent-Type: message/rfc822\n\nSubject: second\nContent-Type: message/rfc822\n\nSubject: third\n\ndeep\n"),
    ("message-empty", "HEAD\nContent-Type: message/rfc822\n\n"),
    ("message-no-blank", "HEAD\nContent-Type: message/rfc822\n"),
    ("message-header-only", "HEAD\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nSubject: only a header\n--b--\n"),
    ("message-base64", "HEAD\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeAo=\n"),
    ("message-partial", "HEAD\nContent-Type: message/partial; id=\"a@x\"; number=1; total=2\n\nSubject: half\n\nof it\n"),
    ("message-external", "HEAD\nContent-Type: message/external-body; access-type=local-file; name=\"/x\"\n\nContent-Type: image/gif\n\n"),
    ("delivery-status", "HEAD\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nIt failed.\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\nFinal-Recipient: rfc822; y\n--b\nContent-Type: text/rfc822-headers\n\nSubject: lost\n--b--\n"),
    ("type-garbage", "HEAD\nContent-Type: garbage\n\nbody\n"),
    ("type-empty", "HEAD\nContent-Type:\n\nbody\n"),
    ("type-no-subtype", "HEAD\nContent-Type: text\n\nbody\n"),
    ("type-slash-only", "HEAD\nContent-Type: /\n\nbody\n"),
    ("type-half", "HEAD\nContent-Type: text/\n\nbody\n"),
    ("type-three", "HEAD\nContent-Type: a/b/c; x=y\n\nbody\n"),
    ("type-comment", "HEAD\nContent-Type: text/plain (a comment); charset=utf-8 (another)\n\nbody\n"),
    ("type-case", "HEAD\nContent-Type: TEXT/HTML; CHARSET=UTF-8; Format=Flowed\n\nbody\n"),
    ("type-spaces", "HEAD\nContent-Type: text / html ; charset = \"utf-8\" ; x = y\n\nbody\n"),
    ("type-no-semicolon", "HEAD\nContent-Type: text/plain charset=utf-8\n\nbody\n"),
    ("type-semicolons", "HEAD\nContent-Type: text/plain;; charset=utf-8;\n\nbody\n"),
    ("type-param-without-value", "HEAD\nContent-Type: text/plain; charset; format=; x\n\nbody\n"),
    ("type-param-twice", "HEAD\nContent-Type: text/plain; charset=utf-8; charset=us-ascii\n\nbody\n"),
    ("type-quote-unfinished", "HEAD\nContent-Type: text/plain; name=\"unfinished\n\nbody\n"),
    ("type-quoted-pairs", "HEAD\nContent-Type: text/plain; name=\"a\\\"b\\\\c\"; charset=\"utf-8\"\n\nbody\n"),
    ("type-specials", "HEAD\nContent-Type: application/x-a+b.c; name=a/b=c.txt\n\nbody\n"),
    ("type-folded", "HEAD\nContent-Type: multipart/mixed;\n boundary=\n  \"b\"\n\n--b\n\none\n--b--\n"),
    ("rfc2231", "HEAD\nContent-Type: application/x-stuff; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A\n\nbody\n"),
    ("rfc2231-continued", "HEAD\nContent-Type: message/external-body; access-type=URL; URL*0=\"ftp://\"; URL*1=\"cs.example.test/pub/moose.tar\"\n\nbody\n"),
    ("rfc2231-both", "HEAD\nContent-Type: application/x-stuff; title*0*=us-ascii'en'This%20is%20even%20more%20; title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2=\"isn't it!\"\n\nbody\n"),
    ("rfc2231-out-of-order", "HEAD\nContent-Disposition: attachment; filename*1=b; filename*0=a; filename*3=d\nContent-Type: text/plain; name*=broken; x*0*=; y*=utf-8''%ZZ\n\nbody\n"),
    ("filename-encoded-word", "HEAD\nContent-Disposition: attachment; filename=\"=?utf-8?q?Gr=C3=BC=C3=9Fe.pdf?=\"\nContent-Type: application/pdf; name==?utf-8?q?x?=\n\nbody\n"),
    ("disposition-garbage", "HEAD\nContent-Disposition: ; filename=x\n\nbody\n"),
    ("disposition-empty", "HEAD\nContent-Disposition:\nContent-Language:\nContent-Location:\nContent-ID:\nContent-Description:\nContent-MD5:\n\nbody\n"),
    ("disposition-quoted", "HEAD\nContent-Disposition: \"attachment\"; filename=x\n\nbody\n"),
    ("languages", "HEAD\nContent-Language: en (English), de;q=1 ,, fr\n\nbody\n"),
    ("encoding-unknown", "HEAD\nContent-Transfer-Encoding: x-uuencode\n\nbegin 644 x\n`\nend\n"),
    ("encoding-garbage", "HEAD\nContent-Transfer-Encoding: base64; really\n\nAAAA\n"),
    ("encoding-empty", "HEAD\nContent-Transfer-Encoding:\n\nbody\n"),
    ("encoding-case", "HEAD\nContent-Transfer-Encoding: Quoted-Printable (yes)\n\n=41\n"),
    ("base64-broken", "HEAD\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\naGVs*bG8=gd29\n!!!ybGQ\n"),
    ("qp-broken", "HEAD\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\na=ZZb=\nc=4\n=C3=A4pfel \n"),
    ("text-charset-unknown", "HEAD\nContent-Type: text/plain; charset=x-nowhere\n\nkeyword body\n"),
    ("html", "HEAD\nContent-Type: text/html\n\n<p>need<b>le</b></p>\n"),
    ("no-mime-version", "HEAD\nContent-Type: image/png; name=x.png\nContent-Transfer-Encoding: base64\n\niVBORw0KGgo=\n"),
    ("dots", "HEAD\n\n.\n..\n.x\n"),
    ("field-name-case", "FROM: a@example.test\nsUbJeCt: mixed case\nmessage-id: <low@x>\ncontent-type: TEXT/plain\n\nbody\n"),
    ("field-name-odd", "X-@!#$%&'*+-/=?^_`{|}~: odd\nSubject: odd names\n: no name\nSub ject: blank in it\n\nbody\n"),
    ("in-reply-to-text", "From: a@example.test\nIn-Reply-To: Your message of \"Mon\"\nSubject: x\nMessage-ID: no angle brackets\n\nbody\n"),
    ("subject-quotes", "From: a@example.test\nSubject: \"quoted\" and \\back\\ {3} (paren) %*\n\nbody\n"),
];

/// Those that are more than text, or made by counting.
fn raw() -> Vec<(&'static str, Vec<u8>)> {
    let head = HEAD.replace('\n', "\r\n");
    let with = |more: &[u8]| [head.as_bytes(), more].concat();
    let mut all: Vec<(&str, Vec<u8>)> = vec![
        ("lf-only", b"From: a@example.test\nSubject: bare\n\nline one\nline two\n".to_vec()),
        ("lf-mixed", b"From: a@example.test\r\nSubject: mixed\n\r\nline one\nline two\r\n".to_vec()),
        ("lf-multipart", b"From: a@example.test\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo\n--b--\n".to_vec()),
        ("cr-lone", b"From: a@example.test\r\nSubject: lone\rCR\r\n\r\nin the\rbody\r\n".to_vec()),
        ("cr-only", b"From: a@example.test\rSubject: only CR\r\rbody\r".to_vec()),
        ("cr-cr-lf", b"From: a@example.test\r\r\nSubject: double\r\r\n\r\r\nbody\r\r\n".to_vec()),
        ("cr-at-end", with(b"\r\nbody\r")),
        ("gb2312-raw", [&b"From: \xd6\xd0\xce\xc4 <a@example.test>\r\nSubject: \xd6\xd0\xce\xc4\xb1\xea\xcc\xe2\r\nContent-Type: text/plain; charset=gb2312\r\n\r\n"[..], b"\xd6\xd0\xce\xc4\r\n"].concat()),
        ("gb18030-raw", b"From: \x81\x30\x81\x30 <a@example.test>\r\nSubject: \x95\x32\x82\x36\xd6\xd0\r\nContent-Type: text/plain; charset=gb18030\r\n\r\n\x95\x32\x82\x36\r\n".to_vec()),
        ("big5-raw", b"From: \xa4\xa4\xa4\xe5 <a@example.test>\r\nSubject: \xa4\xa4\xa4\xe5 \xb3\\\xa5\\\xbb\\\r\nContent-Type: text/plain; charset=big5; name=\"\xa4\xa4.txt\"\r\n\r\n\xa4\xa4\xa4\xe5\r\n".to_vec()),
        ("utf8-raw", "From: Jürgen <a@example.test>\r\nTo: \"Größe, Ä\" <b@example.test>\r\nSubject: Grüße aus Köln 中文\r\nContent-Type: text/plain; charset=utf-8; name=Ä.txt\r\nContent-Disposition: attachment; filename=\"Übung.pdf\"\r\n\r\nGrüße\r\n".as_bytes().to_vec()),
        ("latin1-raw", b"From: J\xfcrgen <a@example.test>\r\nSubject: Gr\xfc\xdfe\r\n\r\nGr\xfc\xdfe\r\n".to_vec()),
        ("nul-body", with(b"\r\nNUL \0 in the body\r\n")),
        ("nul-header", b"From: a@example.test\r\nSubject: NUL \0 here\r\n\r\nbody\r\n".to_vec()),
        ("control", b"From: a@example.test\r\nSubject: bell \x07 and \x1b[31m esc \x7f\r\n\r\n\x01\x02\x03\r\n".to_vec()),
        ("utf16", with(b"Content-Type: text/plain; charset=utf-16\r\nContent-Transfer-Encoding: base64\r\n\r\n/v8AaABlAGwAbABv\r\n")),
        ("iso-2022-jp", with(b"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$BF|K\\\x1b(B\r\n")),
        ("bom", b"\xef\xbb\xbfFrom: a@example.test\r\nSubject: after a mark\r\n\r\nbody\r\n".to_vec()),
    ];
    let long = |what: &str, times: usize| what.repeat(times);
    all.push(("long-line", with(format!("X-Long: {}\r\n\r\n{}\r\n", long("x", 100_000), long("y", 100_000)).as_bytes())));
    all.push(("long-header-folded", with(format!("X-Long: {}\r\n\r\nbody\r\n", long("word\r\n ", 20_000)).as_bytes())));
    all.push(("many-fields", with(format!("{}\r\nbody\r\n", long("X-Many: one of them\r\n", 5_000)).as_bytes())));
    all.push(("many-addresses", format!("From: a@example.test\r\nTo: {}last@example.test\r\n\r\nbody\r\n", long("user@example.test,\r\n ", 2_000)).into_bytes()));
    all.push(("thousand-parts", with(format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}--b--\r\n", long("--b\r\nContent-Type: text/plain\r\n\r\nx\r\n", 1_000)).as_bytes())));
    all.push(("deep-30", with(nested(30).as_bytes())));
    all.push(("deep-60", with(nested(60).as_bytes())));
    all.push(("messages-30", with(format!("{}Subject: last\r\n\r\nend\r\n", long("Content-Type: message/rfc822\r\n\r\n", 30)).as_bytes())));
    all.push(("megabyte", with(format!("\r\n{}", long("0123456789abcdef0123456789abcdef0123456789abcdef\r\n", 20_000)).as_bytes())));
    all.push(("boundary-70", with(format!("Content-Type: multipart/mixed; boundary={0}\r\n\r\n--{0}\r\n\r\none\r\n--{0}--\r\n", long("b", 70)).as_bytes())));
    all.push(("boundary-200", with(format!("Content-Type: multipart/mixed; boundary={0}\r\n\r\n--{0}\r\n\r\none\r\n--{0}--\r\n", long("b", 200)).as_bytes())));
    all
}

/// A multipart in a multipart, so often; without the end boundaries of half of them.
fn nested(depth: usize) -> String {
    let open: String = (0..depth).map(|n| format!("Content-Type: multipart/mixed; boundary=n{n}x\r\n\r\n--n{n}x\r\n")).collect();
    let close: String = (0..depth).rev().filter(|n| n % 2 == 0).map(|n| format!("\r\n--n{n}x--\r\n")).collect();
    format!("{open}Content-Type: text/plain\r\n\r\nthe innermost{close}")
}

/// A message that `dice` puts together and damages.
pub fn grown(name: String, dice: &mut Dice) -> Message {
    let mut text = String::new();
    for field in FIELDS {
        if !dice.once_in(4) {
            text.push_str(dice.pick(field));
            text.push_str("\r\n");
        }
    }
    entity(dice, &mut text, 0);
    let mut octets = text.into_bytes();
    for _ in 0..dice.roll(4) {
        damage(dice, &mut octets);
    }
    // Dovecot loses it (see cr-at-end).
    if octets.ends_with(b"\r") {
        octets.pop();
    }
    Message { name, octets }
}

/// Fields of a message, each in some spellings.
const FIELDS: [&[&str]; 6] = [
    &["From: a@example.test", "From: \"A, B\" <a@example.test>", "From: =?utf-8?q?J=C3=B6rg?=\r\n <j@example.test>", "From: Group: a@x, b@x;"],
    &["To: b@example.test", "To: b@example.test, Carol <c@example.test>", "To: undisclosed-recipients:;"],
    &["Subject: grown", "Subject: folded\r\n subject", "Subject: =?iso-8859-1?q?=E4?= =?utf-8?b?w6Q=?=", "Subject:"],
    &["Date: Mon, 7 Feb 1994 21:52:25 -0800", "Date: 1 Mar 2020 10:00:00 GMT"],
    &["Message-ID: <grown@example.test>", "Message-ID: <a@b> (c)"],
    &["MIME-Version: 1.0", "X-Other: one\r\n\ttwo"],
];

/// The rest of a header, and the body.
fn entity(dice: &mut Dice, out: &mut String, depth: usize) {
    match dice.roll(if depth < 5 { 6 } else { 3 }) {
        0 => out.push_str("\r\nA body\r\nof two lines\r\n"),
        1 => out.push_str("Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>=C3=A4=\r\n</p>\r\n"),
        2 => out.push_str("Content-Type: application/pdf; name=\"x y.pdf\"\r\nContent-Disposition: attachment; filename*=utf-8''x%20y.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nAAECAwQF\r\n"),
        3 => {
            out.push_str("Content-Type: message/rfc822\r\n\r\nFrom: inner@example.test\r\nSubject: inner\r\n");
            entity(dice, out, depth + 1);
        }
        _ => {
            let boundary = format!("b{}", dice.roll(3));
            let subtype = dice.pick(&["mixed", "alternative", "digest"]);
            out.push_str(&format!("Content-Type: multipart/{subtype}; boundary={boundary}\r\n\r\n"));
            for _ in 0..1 + dice.roll(3) {
                out.push_str(&format!("--{boundary}\r\n"));
                entity(dice, out, depth + 1);
            }
            out.push_str(&format!("--{boundary}--\r\n"));
        }
    }
}

/// What transport, programs and people do to mail: something cut out, doubled, or put in.
fn damage(dice: &mut Dice, octets: &mut Vec<u8>) {
    let at = dice.roll(octets.len());
    match dice.roll(4) {
        0 => drop(octets.drain(at..octets.len().min(at + 1 + dice.roll(20)))),
        1 => octets.truncate(at),
        2 => {
            let piece: &[u8] = dice.pick::<&[u8]>(&[b"\r\n", b"\r\n\r\n", b" ", b"\t", b";", b"\"", b"--", b"(", b"=", b":", b"\xe4", b"--b0\r\n", b"\r\n--b1--\r\n"]);
            octets.splice(at..at, piece.iter().copied());
        }
        _ => {
            let piece = octets[at..octets.len().min(at + 1 + dice.roll(60))].to_vec();
            octets.splice(at..at, piece);
        }
    }
}
