//! Configuration, database, bodies, store: opened in that order, for the server and for every command.

use std::path::Path;
use std::sync::Arc;

use bodies::{Bodies, MailLocation};
use config::Config;
use db::Db;
use store::Store;

use crate::failure::{Code, Failure, of_store};

/// The house with its doors still closed: everything durable, no listener.
#[derive(Clone)]
pub struct House {
    /// What `main.cf` says.
    pub config: Arc<Config>,
    /// The one database.
    pub db: Db,
    /// Users and their mail.
    pub store: Store,
}

/// Every table of the house.
pub fn migrations() -> Vec<db::Migration> {
    [db::MIGRATIONS, store::MIGRATIONS, queue::MIGRATIONS].concat()
}

/// The configuration in `directory`; what is wrong with it is said with file and line.
pub fn configuration(directory: &Path) -> Result<Config, Failure> {
    Config::load(directory).map_err(|problems| {
        let said: Vec<String> = problems.iter().filter(|problem| problem.is_error()).map(ToString::to_string).collect();
        Failure::new(Code::Unsound, "configuration", said.join("\nposthouse: configuration: "))
    })
}

/// Opens the store that the configuration names. Needs a runtime.
pub async fn open(config: Config) -> Result<House, Failure> {
    let directory = config.store_directory();
    let unsound = |subject: &str, error: &dyn std::fmt::Display| Failure::new(Code::Unsound, subject, error);
    make_private(&directory)?;
    let url = config.text("database_url").parse().map_err(|error: db::Error| unsound("database_url", &error))?;
    let location = MailLocation::parse(config.text("mail_location")).map_err(|error| unsound("mail_location", &error))?;
    let bodies = Bodies::open(bodies::Settings { spool: directory.join("spool"), location })
        .map_err(|error| Failure::new(Code::Unavailable, "spool", error))?;
    let db = Db::open(&url, &migrations()).await.map_err(|error| of_store("store", &error))?;
    let store = Store::new(db.clone(), bodies);
    Ok(House { config: Arc::new(config), db, store })
}

/// Makes the store's directory for its owner alone: password records and mail lie in it. And whatever this process makes
/// from now on is for its owner alone, unless it says otherwise.
fn make_private(directory: &Path) -> Result<(), Failure> {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    std::fs::create_dir_all(directory)
        .map_err(|error| Failure::new(Code::Unavailable, directory.display(), format!("{error}; make it, or set store_directory")))
}

impl House {
    /// Ends the writers and closes the database.
    pub async fn close(self) {
        self.db.close().await;
    }
}

/// Runs one command of the command line over the open house. Works with the server up or down: they meet in the store.
pub fn with<T>(directory: &Path, command: impl AsyncFnOnce(&House) -> Result<T, Failure>) -> Result<T, Failure> {
    let config = configuration(directory)?;
    runtime()?.block_on(async {
        let house = open(config).await?;
        let done = command(&house).await;
        house.close().await;
        done
    })
}

/// The runtime of the whole program.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let built = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("posthouse").build();
    built.map_err(|error| Failure::new(Code::Unavailable, "runtime", error))
}
