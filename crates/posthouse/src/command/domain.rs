//! `domain`: which domains this server hosts.

use clap::Subcommand;
use mail::address::canonical_domain;
use serde_json::json;

use crate::cli::Json;
use crate::failure::{Code, Failure, of_store};
use crate::house::House;
use crate::say::say;

/// What was asked.
#[derive(Subcommand, Debug)]
pub enum Asked {
    /// Host a domain
    Add { domain: String },
    /// The hosted domains
    List(Json),
    /// No longer host a domain without accounts and aliases
    Remove { domain: String },
}

/// Does it.
pub async fn run(house: &House, asked: Asked) -> Result<(), Failure> {
    match asked {
        Asked::Add { domain } => {
            let name = canonical_domain(&domain).map_err(|error| Failure::new(Code::BadInput, &domain, error))?;
            if house.config.mydestination().contains(&name) {
                let text = "is in mydestination already; a domain is of one class: take it out there, or don't add it here";
                return Err(Failure::new(Code::BadInput, name, text));
            }
            house.store.add_domain(&name).await.map_err(|error| of_store(&domain, &error))
        }
        Asked::Remove { domain } => house.store.remove_domain(&domain).await.map_err(|error| of_store(&domain, &error)),
        Asked::List(Json { json }) => {
            for domain in house.store.domains().await.map_err(|error| of_store("domain", &error))? {
                match json {
                    true => say(format_args!("{}", json!({"domain": domain.name, "class": "hosted"}))),
                    false => say(format_args!("{}", domain.name)),
                }
            }
            Ok(())
        }
    }
}
