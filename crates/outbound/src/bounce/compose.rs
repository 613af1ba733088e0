//! The text of a report: RFC 3462 (multipart/report), RFC 3464 (delivery-status), in the words and the order in which Postfix writes it, since
//! list managers read bounces by their look.

use std::fmt::Write as _;

use mail::{Address, Date, Status, trace};
use queue::{Arrived, Entry, Message, QueueId, State};
use smtp::dsn;

use super::{Kind, Settings, taken_apart};

/// Columns of the readable part.
const WIDTH: usize = 79;
/// How far the lines of one reason stand in, behind the first.
const INDENT: &str = "    ";
/// What to do about it.
const ADVICE: &str = "For further assistance, please send mail to postmaster.\n\n\
     If you do so, please include this problem report. You can\ndelete your own text from the attached returned message.\n\n";

/// All that a report is made of.
pub(super) struct Notice<'a> {
    pub settings: &'a Settings,
    pub kind: Kind,
    /// To postmaster, of a bounce that failed.
    pub double: bool,
    /// The report's own.
    pub id: QueueId,
    pub to: &'a Address,
    pub message: &'a Message,
    pub recipients: &'a [&'a Entry],
    /// The message, or its header.
    pub original: &'a [u8],
    pub headers_only: bool,
    /// Milliseconds since 1970.
    pub now: i64,
}

impl Notice<'_> {
    /// The report in CRLF form, and its Message-ID.
    pub fn compose(&self) -> (Vec<u8>, String) {
        let boundary = format!("{}.{}/{}", self.id, self.now.div_euclid(1000), self.settings.hostname);
        let message_id = format!("<{}.{}@{}>", self.now, self.id, self.settings.hostname);
        let encoding = if self.original.is_ascii() { "7bit" } else { "8bit" };
        let mut text = self.header(&boundary, &message_id, encoding);
        text.push_str("This is a MIME-encapsulated message.\n\n");
        part(&mut text, &boundary, "Notification", "text/plain; charset=us-ascii", None);
        text.push_str(&self.readable());
        part(&mut text, &boundary, "Delivery report", "message/delivery-status", None);
        text.push_str(&self.status());
        let (what, kind) = match (self.headers_only, self.kind) {
            (true, Kind::Late) => ("Delayed Message Headers", "text/rfc822-headers"),
            (true, Kind::Failed) => ("Undelivered Message Headers", "text/rfc822-headers"),
            (true, Kind::Arrived) => ("Message Headers", "text/rfc822-headers"),
            (false, _) => ("Undelivered Message", "message/rfc822"),
        };
        part(&mut text, &boundary, what, kind, Some(encoding));
        let mut whole = text.replace('\n', "\r\n").into_bytes();
        whole.extend_from_slice(trace::return_path(&self.message.reverse_path()).as_bytes());
        whole.extend_from_slice(self.original);
        if !whole.ends_with(b"\r\n") {
            whole.extend_from_slice(b"\r\n");
        }
        whole.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        (whole, message_id)
    }

    fn header(&self, boundary: &str, message_id: &str, encoding: &str) -> String {
        let Settings { hostname, origin, software, .. } = self.settings;
        let date = self.date(self.now);
        let id = self.id.to_string();
        let received = trace::Received { from: None, by: hostname, software, id: &id, recipient: None, date }.to_string().replace("\r\n", "\n");
        let subject = match (self.kind, self.double) {
            (Kind::Failed, false) => "Undelivered Mail Returned to Sender",
            (Kind::Failed, true) => "Postmaster Copy: Undelivered Mail",
            (Kind::Late, _) => "Delayed Mail (still being retried)",
            (Kind::Arrived, _) => "Successful Mail Delivery Report",
        };
        let auto = if self.double { "auto-generated" } else { "auto-replied" };
        format!(
            "{received}Date: {}\nFrom: Mail Delivery System <MAILER-DAEMON@{origin}>\nSubject: {subject}\nTo: {}\nAuto-Submitted: {auto}\n\
             MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status;\n\tboundary=\"{boundary}\"\n\
             Content-Transfer-Encoding: {encoding}\nMessage-ID: {message_id}\n\n",
            date.rfc5322(),
            self.to
        )
    }

    fn readable(&self) -> String {
        let mut text = format!("This is the mail system at host {}.\n\n", self.settings.hostname);
        text.push_str(&match self.kind {
            Kind::Failed => "I'm sorry to have to inform you that your message could not\nbe delivered to one or more recipients. It's attached below.\n\n".to_owned(),
            Kind::Late => self.warning(),
            Kind::Arrived => "Your message was successfully delivered to the destination(s)\nlisted below. If the message was delivered to mailbox you will\n\
                 receive no further notifications. Otherwise you may still receive\nnotifications of mail delivery errors from other systems.\n\n"
                .to_owned(),
        });
        if self.kind != Kind::Arrived {
            text.push_str(ADVICE);
        }
        text.push_str("                   The mail system\n");
        for entry in self.recipients {
            let expanded = if entry.original.eq_ignore_ascii_case(&entry.address) { String::new() } else { format!(" (expanded from <{}>)", plain(&entry.original)) };
            text.push('\n');
            fold(&mut text, &format!("<{}>{expanded}: {}", plain(&entry.address), self.reason(entry)));
        }
        text.push('\n');
        text
    }

    fn warning(&self) -> String {
        let hours = self.settings.late.as_secs() / 3600;
        let days = self.settings.lifetime.as_secs() / 86_400;
        let line = "#".repeat(68);
        format!(
            "{line}\n# THIS IS A WARNING ONLY.  YOU DO NOT NEED TO RESEND YOUR MESSAGE. #\n{line}\n\n\
             Your message could not be delivered for more than {hours} hour(s).\nIt will be retried until it is {days} day(s) old.\n\n"
        )
    }

    fn status(&self) -> String {
        let Settings { hostname, software, .. } = self.settings;
        let name = plain(software).replace(' ', "-");
        let mut text = format!("Reporting-MTA: dns; {hostname}\n");
        if let Some(envid) = &self.message.envid {
            let _ = writeln!(text, "Original-Envelope-Id: {}", plain(&dsn::decoded(envid))); // writing to a String does not fail
        }
        let _ = write!(
            text,
            "X-{name}-Queue-ID: {}\nX-{name}-Sender: rfc822; {}\nArrival-Date: {}\n",
            self.message.id,
            plain(&self.message.sender),
            self.date(self.message.created).trace()
        );
        self.recipients.iter().for_each(|entry| self.recipient_status(&mut text, entry));
        text.push('\n');
        text
    }

    fn recipient_status(&self, text: &mut String, entry: &Entry) {
        let original = entry.orcpt.as_deref().and_then(|orcpt| orcpt.split_once(';')).map(|(kind, address)| format!("{kind};{}", dsn::decoded(address)));
        let original = plain(&original.unwrap_or_else(|| format!("rfc822;{}", entry.original)));
        let (action, usual) = match (self.kind, entry.state) {
            (Kind::Failed, _) => ("failed", Status(5, 0, 0)),
            (Kind::Late, _) => ("delayed", Status(4, 0, 0)),
            (Kind::Arrived, State::Arrived(Arrived::Relayed)) => ("relayed", Status(2, 0, 0)),
            (Kind::Arrived, State::Arrived(Arrived::Expanded)) => ("expanded", Status(2, 0, 0)),
            (Kind::Arrived, _) => ("delivered", Status(2, 0, 0)),
        };
        let status = entry.status.unwrap_or(usual);
        let reason = self.reason(entry);
        let _ = write!(text, "\nFinal-Recipient: rfc822; {}\nOriginal-Recipient: {original}\nAction: {action}\nStatus: {status}\n", plain(&entry.address));
        match taken_apart(&reason) {
            Some((host, reply)) => {
                let _ = writeln!(text, "Remote-MTA: dns; {host}");
                fold(text, &format!("Diagnostic-Code: smtp; {reply}"));
            }
            None => fold(text, &format!("Diagnostic-Code: X-{}; {reason}", plain(&self.settings.software).replace(' ', "-"))),
        }
        if self.kind == Kind::Late {
            let _ = writeln!(text, "Will-Retry-Until: {}", self.date(self.message.expires).trace());
        }
    }

    fn reason(&self, entry: &Entry) -> String {
        plain(entry.reply.as_deref().unwrap_or("the reason is not known"))
    }

    fn date(&self, millis: i64) -> Date {
        Date::utc(millis.div_euclid(1000))
    }
}

fn part(text: &mut String, boundary: &str, what: &str, kind: &str, encoding: Option<&str>) {
    let encoding = encoding.map(|encoding| format!("Content-Transfer-Encoding: {encoding}\n")).unwrap_or_default();
    let _ = write!(text, "--{boundary}\nContent-Description: {what}\nContent-Type: {kind}\n{encoding}\n"); // writing to a String does not fail
}

/// One paragraph: broken at blanks, further lines indented; a word that is longer stands alone.
fn fold(text: &mut String, paragraph: &str) {
    let mut column = 0;
    for word in paragraph.split(' ').filter(|word| !word.is_empty()) {
        if column > 0 && column + 1 + word.len() > WIDTH {
            text.push('\n');
            text.push_str(INDENT);
            column = INDENT.len();
        } else if column > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += word.len();
    }
    text.push('\n');
}

/// What came from elsewhere, as text of a report: no line of its own, no other charset.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if matches!(letter, ' '..='~') { letter } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use queue::{Notify, Route};

    fn entry(address: &str, original: &str, status: Status, reply: &str) -> Entry {
        Entry {
            n: 0,
            address: address.into(),
            route: Route::Remote(String::new()),
            original: original.into(),
            orcpt: None,
            notify: Notify::default(),
            state: State::Failed,
            due: 0,
            attempts: 1,
            status: Some(status),
            reply: Some(reply.into()),
        }
    }

    const NOW: i64 = 1_795_486_185_000;

    fn id() -> QueueId {
        QueueId::from_i64(1).expect("an id")
    }

    fn message() -> Message {
        Message {
            id: id(),
            sender: "alice@example.test".into(),
            place: None,
            size: 30,
            disk_size: 28,
            created: NOW - 5_000,
            expires: NOW + 1_000_000,
            flags: 0,
            envid: None,
            account: None,
            origin: None,
            recipients: Vec::new(),
        }
    }

    fn composed(kind: Kind, headers_only: bool, recipients: &[&Entry], original: &[u8]) -> String {
        let settings = Settings { hostname: "mail.example.test".into(), origin: "example.test".into(), late: std::time::Duration::from_secs(4 * 3600), ..Settings::default() };
        let to = Address::parse("alice@example.test").expect("an address");
        let message = message();
        let notice = Notice { settings: &settings, kind, double: false, id: id(), to: &to, message: &message, recipients, original, headers_only, now: NOW };
        String::from_utf8(notice.compose().0).expect("ASCII")
    }

    #[test]
    fn a_bounce_looks_like_postfixs() {
        let reply = "host mx.far.test[192.0.2.7] said: 550 5.1.1 <bob@far.test>: Recipient address rejected: User unknown (in reply to RCPT TO command)";
        let bob = entry("bob@far.test", "bob@far.test", Status(5, 1, 1), reply);
        let carol = entry("carol@nowhere.test", "list@example.test", Status(5, 4, 4), "Host or domain name not found. Name service error for name=nowhere.test type=MX: Host not found");
        let expected = include_str!("../../tests/bounces/failed.txt").replace('\n', "\r\n");
        assert_eq!(composed(Kind::Failed, false, &[&bob, &carol], b"Subject: hello\r\n\r\nHow are you?\r\n"), expected);
    }

    #[test]
    fn so_does_a_warning() {
        let bob = entry("bob@far.test", "bob@far.test", Status(4, 4, 1), "connect to mx.far.test[192.0.2.7]:25: Connection refused");
        let expected = include_str!("../../tests/bounces/late.txt").replace('\n', "\r\n");
        assert_eq!(composed(Kind::Late, true, &[&bob], b"Subject: hello\r\n"), expected);
    }

    #[test]
    fn and_so_does_good_news() {
        let via = "delivery via mx.far.test[192.0.2.7]:25: 250 2.0.0 Ok: queued as 1";
        let relayed = Entry { state: State::Arrived(Arrived::Relayed), orcpt: Some("rfc822;Bob+2Bx@far.test".into()), ..entry("bob@far.test", "bob@far.test", Status(2, 0, 0), via) };
        let here = Entry { state: State::Arrived(Arrived::Delivered), ..entry("alice@example.test", "info@example.test", Status(2, 0, 0), "delivered to mailbox") };
        let list = Entry { state: State::Arrived(Arrived::Expanded), ..entry("all@example.test", "all@example.test", Status(2, 0, 0), "alias expanded") };
        let expected = include_str!("../../tests/bounces/arrived.txt").replace('\n', "\r\n");
        assert_eq!(composed(Kind::Arrived, true, &[&relayed, &here, &list], b"Subject: hello\r\n"), expected);
    }

    #[test]
    fn nothing_of_a_peer_begins_a_line_or_a_part() {
        let bad = entry("bob@far.test\r\n\r\n--x", "\u{e9}\r\n", Status(5, 0, 0), "host a[1] said: 550 a\r\nAction: delivered\r\n\r\n--b (in reply to x)");
        let text = composed(Kind::Failed, true, &[&bad], b"");
        assert!(text.contains("Action: failed\r\n") && !text.contains("\r\nAction: delivered"), "{text}");
        assert_eq!(text.matches("\r\n--").count(), 4, "{text}");
    }

    #[test]
    fn long_words_stand_alone() {
        let mut text = String::new();
        fold(&mut text, &format!("a {} b", "x".repeat(200)));
        assert_eq!(text, format!("a\n    {} \n", "x".repeat(200)).replace(" \n", "\n    b\n"));
    }

    #[test]
    fn reasons_are_taken_apart() {
        for (reason, parts) in [
            ("host a.test[192.0.2.1] said: 550 no (in reply to RCPT TO command)", Some(("a.test", "550 no"))),
            ("host a.test[192.0.2.1] said: 550 no (in reply to x) (in reply to DATA command)", Some(("a.test", "550 no (in reply to x)"))),
            ("connect to a.test[192.0.2.1]:25: Connection refused", None),
            ("host ", None),
            ("", None),
        ] {
            assert_eq!(taken_apart(reason), parts, "{reason}");
        }
    }
}
