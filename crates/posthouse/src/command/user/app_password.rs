//! `user app-password`: passwords for one program or device each, beside the account's own. Lost with the device, one is removed and
//! nothing else changes.

use auth::Service;
use clap::Subcommand;
use serde_json::json;
use store::Credential;

use super::{find, scram};
use crate::cli::Json;
use crate::failure::{Code, Failure, of_store};
use crate::house::House;
use crate::say::say;

/// Longest name, in octets: it stands in listings.
const NAME: usize = 64;

/// What was asked.
#[derive(Subcommand, Debug)]
pub enum Asked {
    /// Make one and show it, this once
    Add {
        address: String,
        /// What its owner calls it: phone, printer
        #[arg(long)]
        name: String,
        /// What it opens; without, everything
        #[arg(long = "for", value_name = "SERVICE,…", value_delimiter = ',', value_parser = ["imap", "pop3", "submission"])]
        services: Vec<String>,
    },
    /// All of an account
    List {
        address: String,
        #[command(flatten)]
        json: Json,
    },
    /// Remove one
    Remove {
        address: String,
        #[arg(long)]
        name: String,
    },
}

/// Does it.
pub(super) async fn run(house: &House, asked: Asked) -> Result<(), Failure> {
    let failed = |address: &str, error: db::Error| of_store(address, &error);
    match asked {
        Asked::Add { address, name, services } => {
            if name.is_empty() || name.len() > NAME || name.chars().any(char::is_control) {
                return Err(Failure::new(Code::BadInput, &address, format!("a name has 1 to {NAME} octets and no control characters")));
            }
            let account = find(house, &address).await?;
            let others = house.store.credentials(account.id).await.map_err(|error| failed(&address, error))?;
            let made = auth::app_password(scram(house), &others);
            let (password, secret) = made.map_err(|error| Failure::new(Code::Unavailable, &address, error))?;
            let scopes = services.iter().filter_map(|service| Service::of_name(service)).fold(0, |scopes, service| scopes | service.scope());
            house.store.add_app_password(account.id, &name, secret, scopes).await.map_err(|error| failed(&address, error))?;
            say(password);
            Ok(())
        }
        Asked::List { address, json } => {
            let account = find(house, &address).await?;
            let credentials = house.store.credentials(account.id).await.map_err(|error| failed(&address, error))?;
            credentials.iter().filter(|credential| credential.is_app).for_each(|credential| print(&account.login.to_string(), credential, json));
            Ok(())
        }
        Asked::Remove { address, name } => {
            let account = find(house, &address).await?;
            match house.store.remove_app_password(account.id, &name).await.map_err(|error| failed(&address, error))? {
                true => Ok(()),
                false => Err(Failure::new(Code::NotFound, &address, format!("no app password {name:?}; posthouse user app-password list {address} shows them"))),
            }
        }
    }
}

fn print(address: &str, credential: &Credential, Json { json }: Json) {
    let services: Vec<&str> = Service::ALL.into_iter().filter(|service| service.is_in(credential.scopes)).map(Service::name).collect();
    let date = |millis: i64| mail::Date::utc(millis / 1000).rfc5322();
    if json {
        let line = json!({
            "address": address,
            "name": credential.label,
            "for": services,
            "created": credential.created / 1000,
            "last_used": credential.last_used.map(|millis| millis / 1000),
        });
        say(line);
    } else {
        let used = credential.last_used.map_or("never used".to_owned(), |millis| format!("used {}", date(millis)));
        say(format_args!("{}\t{}\tmade {}\t{used}", credential.label, services.join(","), date(credential.created)));
    }
}
