//! Where the log goes, and how its lines look.
//!
//! What Postfix's or Dovecot's programs would say is said as theirs (`TIME HOST postfix/smtpd[SESSION]: …`), so that what reads
//! their logs (pflogsumm, fail2ban) reads ours; the rest is ours.

use std::fmt;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;

use config::Config;
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use crate::failure::{Code, Failure};

/// What is logged when `RUST_LOG` does not say: our own notes, and only warnings of libraries.
const DEFAULT: &str = "info,sqlx=warn,rustls=warn,hickory_resolver=warn,hickory_proto=warn,hickory_net=warn";

fn filter() -> EnvFilter {
    EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT))
}

/// Commands say what is wrong on stderr, and nothing else.
pub fn for_commands() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    // Only a second call fails, and it keeps the first.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).try_init();
}

/// The server logs to `maillog_file`, else to stderr.
pub fn for_serving(config: &Config) -> Result<(), Failure> {
    let file = config.text("maillog_file");
    if file.is_empty() {
        let _ = tracing_subscriber::fmt().with_env_filter(filter()).with_writer(std::io::stderr).with_ansi(false).event_format(Lines::of(config)).try_init();
        return Ok(());
    }
    let opened = OpenOptions::new().append(true).create(true).mode(0o640).open(Path::new(file));
    let opened = opened.map_err(|error| Failure::new(Code::Unavailable, "maillog_file", format!("{file}: {error}; make its directory, or set another")))?;
    let _ = tracing_subscriber::fmt().with_env_filter(filter()).with_writer(Mutex::new(opened)).with_ansi(false).event_format(Lines::of(config)).try_init();
    Ok(())
}

/// Lines of the server's log.
struct Lines {
    host: String,
    ours: Format<Full, SystemTime>,
}

impl Lines {
    fn of(config: &Config) -> Lines {
        Lines { host: config.hostname().to_owned(), ours: tracing_subscriber::fmt::format().with_ansi(false).with_target(false) }
    }
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let program = event.metadata().target();
        if program != "dovecot" && !program.starts_with("postfix/") {
            return self.ours.format_event(context, writer, event);
        }
        // Where Postfix has the process's number, the session's stands: lines of one session belong together.
        let span = context.lookup_current();
        let fields = span.as_ref().and_then(|span| span.extensions().get::<FormattedFields<N>>().map(|fields| fields.fields.clone()));
        let session: String = fields.unwrap_or_default().chars().skip_while(|letter| !letter.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
        SystemTime.format_time(&mut writer)?;
        write!(writer, " {} {program}", self.host)?;
        if !session.is_empty() {
            write!(writer, "[{session}]")?;
        }
        writer.write_str(": ")?;
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{self, Write};
    use std::sync::Arc;

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

    #[test]
    fn lines_of_postfix_and_dovecot_look_as_theirs() {
        let written = Written::default();
        let lines = Lines { host: "mail.example.test".into(), ours: tracing_subscriber::fmt::format().with_ansi(false).with_target(false) };
        let writer = written.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).event_format(lines).finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info_span!("smtpd", session = 7).in_scope(|| tracing::info!(target: "postfix/smtpd", "connect from localhost[127.0.0.1]"));
            tracing::warn!(target: "dovecot", "imap-login: Aborted login");
            tracing::info!(user = "alice", "login");
        });
        let text = String::from_utf8(written.0.lock().expect("no panic").clone()).expect("UTF-8");
        let lines: Vec<&str> = text.lines().map(|line| line.split_once(' ').expect("a time").1).collect();
        let expected = ["mail.example.test postfix/smtpd[7]: connect from localhost[127.0.0.1]", "mail.example.test dovecot: imap-login: Aborted login", " INFO login user=\"alice\""];
        assert_eq!(lines, expected, "{text}");
    }
}
