//! `setup`: configuration, directories, certificate and the first domain. Idempotent: what is there stays, what was asked for
//! is set.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use config::edit::{self, Edit};
use mail::address::canonical_domain;

use crate::certificates;
use crate::failure::{Code, Failure, of_store};
use crate::house;

/// What `setup` is told.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// This server's own name, as its certificate and the MX record say it
    #[arg(long, value_name = "NAME")]
    pub hostname: String,
    /// The domain it hosts
    #[arg(long, value_name = "DOMAIN")]
    pub domain: String,
    /// Database, mail and spool [default: /var/lib/posthouse]
    #[arg(long, value_name = "DIR")]
    pub store_dir: Option<PathBuf>,
    /// Added to the standard ports: several instances on one host, tests without root
    #[arg(long, value_name = "N")]
    pub port_offset: Option<u16>,
    /// sqlite:FILE or postgres://… [default: SQLite in the store directory]
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// Make a private CA and a certificate by it
    #[arg(long)]
    pub self_signed: bool,
    /// Who gets mail for postmaster and abuse [default: the first account]
    #[arg(long, value_name = "ADDR")]
    pub postmaster: Option<String>,
    /// Ask nothing
    #[arg(long)]
    pub yes: bool,
    /// Where the log goes; for the demo
    #[arg(skip)]
    pub log: Option<PathBuf>,
    /// Nothing is sent to other hosts; for the demo
    #[arg(skip)]
    pub alone: bool,
}

/// The file before anything is set: what an operator reads first.
const MAIN_CF: &str = "\
# Posthouse. The syntax, the names and the defaults are Postfix's, wherever Postfix has them.
# posthouse check explains what is wrong; postconf -n shows what is set, postconf -d the defaults.
compatibility_level = 3.7

# Others can reach this server once inet_interfaces is `all`.
inet_interfaces = loopback-only
";

/// Does it, and gives the configuration as it is now.
pub fn run(directory: &Path, options: &Options) -> Result<(), Failure> {
    let domain = canonical_domain(&options.domain).map_err(|error| Failure::new(Code::BadInput, "--domain", error))?;
    canonical_domain(&options.hostname).map_err(|error| Failure::new(Code::BadInput, "--hostname", error))?;
    let unavailable = |path: &Path, error: &dyn std::fmt::Display| Failure::new(Code::Unavailable, path.display(), error);
    fs::create_dir_all(directory).map_err(|error| unavailable(directory, &error))?;
    let file = directory.join("main.cf");
    if !file.exists() {
        certificates::write(&file, MAIN_CF, 0o644)?;
    }
    let values = values(options)?;
    config::file::edit(&file, |text| (edit::apply(text, &Edit::Set(values)).text, ())).map_err(|error| Failure::new(Code::Unavailable, "main.cf", error))?;
    if options.self_signed {
        certificates::make(directory, &options.hostname)?;
    }
    house::with(directory, async |house| {
        crate::serve::open_rooms(&house.config.store_directory())?;
        match house.store.add_domain(&domain).await {
            Err(error) if matches!(store::refused(&error), Some(store::Refused::DomainExists(_))) => Ok(()),
            other => other.map_err(|error| of_store(&domain, &error)),
        }
    })
}

/// The parameters that the options set.
fn values(options: &Options) -> Result<Vec<(String, String)>, Failure> {
    let mut values = vec![("myhostname".to_owned(), options.hostname.clone())];
    if let Some(directory) = &options.store_dir {
        let absolute = std::path::absolute(directory).map_err(|error| Failure::new(Code::BadInput, "--store-dir", error))?;
        values.push(("store_directory".into(), absolute.display().to_string()));
    }
    if let Some(offset) = options.port_offset {
        values.push(("port_offset".into(), offset.to_string()));
    }
    if let Some(postmaster) = &options.postmaster {
        mail::Address::parse(postmaster).map_err(|error| Failure::new(Code::BadInput, "--postmaster", error))?;
        values.push(("postmaster".into(), postmaster.clone()));
    }
    if let Some(log) = &options.log {
        values.push(("maillog_file".into(), log.display().to_string()));
    }
    if options.alone {
        values.push(("default_transport".into(), "error:5.3.2 the demo sends nothing to other hosts".into()));
    }
    if let Some(url) = &options.database_url {
        values.push(("database_url".into(), url.clone()));
    }
    Ok(values)
}
