//! Where the log goes.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;

use config::Config;
use tracing_subscriber::EnvFilter;

use crate::failure::{Code, Failure};

/// What is logged when `RUST_LOG` does not say: our own notes, and only warnings of libraries.
const DEFAULT: &str = "info,sqlx=warn,rustls=warn";

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
        let _ = tracing_subscriber::fmt().with_env_filter(filter()).with_writer(std::io::stderr).with_ansi(false).with_target(false).try_init();
        return Ok(());
    }
    let opened = OpenOptions::new().append(true).create(true).mode(0o640).open(Path::new(file));
    let opened = opened.map_err(|error| Failure::new(Code::Unavailable, "maillog_file", format!("{file}: {error}; make its directory, or set another")))?;
    let _ = tracing_subscriber::fmt().with_env_filter(filter()).with_writer(Mutex::new(opened)).with_ansi(false).with_target(false).try_init();
    Ok(())
}
