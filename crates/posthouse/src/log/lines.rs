//! How lines look.

use std::fmt::{self, Debug, Write as _};

use config::Config;
use jiff::ZonedDateTime;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use super::Form;

/// The program that our own notes come from.
const OURS: &str = "posthouse";

/// Makes the lines of a server's log.
pub struct Lines {
    form: Form,
    host: String,
    /// `syslog_name`: what stands for "postfix".
    name: String,
    names_host: bool,
}

/// Whose line it is, and of which session: where Postfix has a process's number, that of a session stands, so that what belongs
/// together has one; what belongs to no session has that of the process.
struct Origin {
    program: String,
    session: Option<String>,
}

impl Lines {
    pub fn new(config: &Config, form: Form, names_host: bool) -> Lines {
        Lines { form, host: config.hostname().to_owned(), name: config.text("syslog_name").to_owned(), names_host }
    }

    fn origin<S, N>(&self, context: &FmtContext<'_, S, N>, event: &Event<'_>) -> Origin
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
        N: for<'a> FormatFields<'a> + 'static,
    {
        let span = context.lookup_current();
        let fields = span.as_ref().and_then(|span| span.extensions().get::<FormattedFields<N>>().map(|fields| fields.fields.clone()));
        let session: String = fields.unwrap_or_default().chars().skip_while(|letter| !letter.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
        let target = event.metadata().target();
        let program = match (target.strip_prefix("postfix/"), &span) {
            (Some(program), _) => format!("{}/{program}", self.name),
            _ if target == "dovecot" => target.to_owned(),
            (None, Some(span)) if !session.is_empty() => format!("{OURS}/{}", span.name()),
            (None, _) => OURS.to_owned(),
        };
        Origin { program, session: Some(session).filter(|session| !session.is_empty()) }
    }

    /// `Nov 24 02:01:13 HOST PROGRAM[NUMBER]: TEXT`, as RFC 3164 and Postfix have it, in local time: fail2ban compares it.
    fn text(&self, now: &ZonedDateTime, origin: &Origin, event: &Event<'_>) -> String {
        let mut line = now.strftime("%b %e %H:%M:%S ").to_string();
        if self.names_host {
            line.push_str(&self.host);
            line.push(' ');
        }
        line.push_str(&origin.program);
        match &origin.session {
            _ if origin.program == "dovecot" => {}
            Some(session) => line.extend(["[", session, "]"]),
            None => line.extend(["[", &std::process::id().to_string(), "]"]),
        }
        line.push_str(": ");
        // What Postfix says has its own "warning: ".
        if origin.program.starts_with(OURS) {
            line.push_str(word(event.metadata().level()));
        }
        let mut said = Said::default();
        event.record(&mut said);
        line.push_str(&said.text);
        for (name, value) in &said.fields {
            let _ = match value {
                Value::String(text) => write!(line, " {name}={text}"),
                other => write!(line, " {name}={other}"),
            };
        }
        // What a client sent must not begin a line of its own, nor speak to a terminal.
        line.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
    }

    fn json(&self, now: &ZonedDateTime, origin: Origin, event: &Event<'_>) -> String {
        let mut said = Said::default();
        event.record(&mut said);
        let mut object = Map::new();
        object.insert("time".into(), now.timestamp().to_string().into());
        object.insert("host".into(), self.host.clone().into());
        object.insert("program".into(), origin.program.into());
        object.insert("pid".into(), std::process::id().into());
        if let Some(session) = origin.session.and_then(|session| session.parse::<u64>().ok()) {
            object.insert("session".into(), session.into());
        }
        object.insert("level".into(), event.metadata().level().as_str().to_ascii_lowercase().into());
        object.insert("text".into(), said.text.into());
        for (name, value) in said.fields {
            object.entry(name).or_insert(value);
        }
        Value::Object(object).to_string()
    }
}

/// What comes before the text of our own notes.
fn word(level: &Level) -> &'static str {
    match *level {
        Level::ERROR => "error: ",
        Level::WARN => "warning: ",
        Level::INFO => "",
        _ => "debug: ",
    }
}

/// What an event says: its text, and named values.
#[derive(Default)]
struct Said {
    text: String,
    fields: Vec<(&'static str, Value)>,
}

impl Said {
    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.text = text,
            (name, value) => self.fields.push((name.trim_start_matches("r#"), value)),
        }
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, format!("{value:?}").into());
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        // As a value it may have blanks, and quotes.
        self.add(field, if field.name() == "message" { value.into() } else { format!("{value:?}").into() });
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let origin = self.origin(context, event);
        let now = ZonedDateTime::now();
        let line = match self.form {
            Form::Text => self.text(&now, &origin, event),
            Form::Json => self.json(&now, origin, event),
        };
        writeln!(writer, "{line}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What `say` logs.
    fn written(form: Form, say: impl FnOnce()) -> String {
        let written = Written::default();
        let lines = Lines { form, host: "mail.example.test".into(), name: "postfix".into(), names_host: true };
        let writer = written.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).event_format(lines).finish();
        tracing::subscriber::with_default(subscriber, say);
        String::from_utf8(written.0.lock().expect("no panic").clone()).expect("UTF-8")
    }

    #[test]
    fn lines_of_postfix_and_dovecot_look_as_theirs() {
        let text = written(Form::Text, || {
            tracing::info_span!("smtpd", session = 7).in_scope(|| {
                tracing::info!(target: "postfix/smtpd", "connect from localhost[127.0.0.1]");
                tracing::error!("no room");
            });
            tracing::warn!(target: "dovecot", "imap-login: Aborted login");
            tracing::warn!(user = "alice", count = 3, "slow");
        });
        let pid = std::process::id();
        // "Nov 24 02:01:13 ", where a day of one digit has a blank before it.
        let lines: Vec<&str> = text.lines().map(|line| line.get(16..).expect("a time")).collect();
        let expected = [
            "mail.example.test postfix/smtpd[7]: connect from localhost[127.0.0.1]".to_owned(),
            "mail.example.test posthouse/smtpd[7]: error: no room".to_owned(),
            "mail.example.test dovecot: imap-login: Aborted login".to_owned(),
            format!("mail.example.test posthouse[{pid}]: warning: slow user=\"alice\" count=3"),
        ];
        assert_eq!(lines, expected, "{text}");
    }

    #[test]
    fn nothing_that_a_client_sends_begins_a_line() {
        let text = written(Form::Text, || tracing::info!(target: "postfix/smtpd", "from=<a\r\nNov 24 x: forged\u{1b}[2J\u{85}>"));
        assert!(text.ends_with("from=<a??Nov 24 x: forged?[2J?>\n") && text.lines().count() == 1, "{text:?}");
    }

    #[test]
    fn an_object_a_line_has_the_same() {
        let text = written(Form::Json, || {
            tracing::info_span!("smtpd", session = 7).in_scope(|| tracing::warn!(target: "postfix/smtpd", octets = 5, "a \"line\"\n"));
        });
        let object: Value = serde_json::from_str(&text).expect("an object");
        let is = |name: &str, value: Value| assert_eq!(object[name], value, "{text}");
        is("program", "postfix/smtpd".into());
        is("session", 7.into());
        is("level", "warn".into());
        is("text", "a \"line\"\n".into());
        is("octets", 5.into());
        assert_eq!(text.lines().count(), 1);
    }
}
