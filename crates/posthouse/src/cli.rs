//! What can be typed.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::failure::{Code, Failure};
use crate::{command, demo, house, serve, setup};

/// A mail server: SMTP, IMAP and POP3 over one store.
#[derive(Parser, Debug)]
#[command(name = "posthouse", version, max_term_width = 100)]
pub struct Asked {
    /// Configuration directory
    #[arg(short = 'c', long = "config", value_name = "DIR", env = "MAIL_CONFIG", default_value = "/etc/posthouse", global = true)]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Try it: a working mail server on loopback with two accounts
    Demo(demo::Options),
    /// Make configuration, directories and certificate
    Setup(setup::Options),
    /// Run the server in the foreground
    Serve(serve::Options),
    /// Explain what is wrong with configuration and store; exit 0 only when sound
    Check(Json),
    /// How a message to ADDR is rewritten, classed, routed and delivered, and why
    Explain {
        address: String,
        #[command(flatten)]
        json: Json,
    },
    /// Hosted domains
    #[command(subcommand)]
    Domain(command::domain::Asked),
    /// Accounts
    #[command(subcommand)]
    User(command::user::Asked),
    /// Addresses that stand for others
    #[command(subcommand)]
    Alias(command::alias::Asked),
    /// Mail that waits
    #[command(subcommand)]
    Queue(command::queue::Asked),
    /// Mailboxes of an account
    #[command(subcommand)]
    Mailbox(command::mailbox::Asked),
}

/// How a listing is printed.
#[derive(Args, Clone, Copy, Debug)]
pub struct Json {
    /// An object a line
    #[arg(long)]
    pub json: bool,
}

/// What was asked for; or what was said instead (help, version, a wrong command line), with its exit code.
pub fn parse(arguments: Vec<OsString>) -> Result<Asked, ExitCode> {
    Asked::try_parse_from(arguments).map_err(|said| {
        // Nothing better can be done when stdout or stderr is closed.
        let _ = said.print();
        if said.use_stderr() { ExitCode::from(Code::Usage as u8) } else { ExitCode::SUCCESS }
    })
}

/// Does it.
pub fn run(asked: Asked) -> Result<(), Failure> {
    // What the configuration names relative to itself must not depend on where we stand.
    let config = std::path::absolute(&asked.config).map_err(|error| Failure::new(Code::Usage, asked.config.display(), error))?;
    if !matches!(asked.command, Command::Demo(_) | Command::Serve(_)) {
        crate::log::for_commands();
    }
    match asked.command {
        Command::Demo(options) => demo::run(&options),
        Command::Setup(options) => setup::run(&config, &options).map(|_| ()),
        Command::Serve(options) => serve::run(&config, &options),
        Command::Check(json) => command::check::run(&config, json),
        Command::Explain { address, json } => house::with(&config, async |house| command::explain::run(house, &address, json).await),
        Command::Domain(asked) => house::with(&config, async |house| command::domain::run(house, asked).await),
        Command::User(asked) => house::with(&config, async |house| command::user::run(house, asked).await),
        Command::Alias(asked) => house::with(&config, async |house| command::alias::run(house, asked).await),
        Command::Queue(asked) => house::with(&config, async |house| command::queue::run(house, asked).await),
        Command::Mailbox(asked) => house::with(&config, async |house| command::mailbox::run(house, asked).await),
    }
}
