//! Where the log goes, and how its lines look.
//!
//! What Postfix's or Dovecot's programs would say is said as theirs, so that what reads their logs (pflogsumm, fail2ban,
//! logwatch) reads ours; the rest is ours, in lines of the same shape. `maillog_file` is the log, else syslog, else stderr.

mod lines;
mod sink;

use std::sync::{Arc, OnceLock};

use clap::ValueEnum;
use config::Config;
use tracing_subscriber::EnvFilter;

use crate::failure::Failure;
use lines::Lines;
use sink::{Shared, Sink};

/// What is logged when `RUST_LOG` does not say: our own notes, and only warnings of libraries.
const DEFAULT: &str = "info,sqlx=warn,rustls=warn,hickory_resolver=warn,hickory_proto=warn,hickory_net=warn";

/// The log of this process, which is as global as its subscriber.
static LOG: OnceLock<Arc<Sink>> = OnceLock::new();

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// `Nov 24 02:01:13 HOST postfix/smtpd[SESSION]: …`
    #[default]
    Text,
    /// An object a line: time, host, program, session, level, text, and what else the line names
    Json,
}

/// Commands say what is wrong on stderr, and nothing else.
pub fn for_commands() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    // Only a second call fails, and it keeps the first.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).try_init();
}

/// The log of a server.
pub fn for_serving(config: &Config, form: Form) -> Result<(), Failure> {
    let sink = Arc::new(Sink::open(config)?);
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let lines = Lines::new(config, form, sink.names_host());
    // Here too: the demo begins as a command.
    if tracing_subscriber::fmt().with_env_filter(filter).with_writer(Shared(Arc::clone(&sink))).with_ansi(false).event_format(lines).try_init().is_ok() {
        let _ = LOG.set(sink);
    }
    Ok(())
}

/// Opens the file anew, since a program may have moved it away (logrotate); without a file there is nothing to do.
pub fn reopen() {
    if let Some(sink) = LOG.get() {
        sink.reopen();
    }
}
