//! `alias`: addresses that stand for others; `@domain` catches all that nobody has.

use clap::Subcommand;
use mail::Address;
use serde_json::json;

use crate::cli::Json;
use crate::failure::{Code, Failure, of_store};
use crate::house::House;
use crate::say::say;

/// What was asked.
#[derive(Subcommand, Debug)]
pub enum Asked {
    /// Let ADDRESS (or @domain) stand for the targets
    Add {
        address: String,
        #[arg(required = true)]
        targets: Vec<String>,
    },
    /// All aliases
    List(Json),
    /// Remove one
    Remove { address: String },
}

/// Does it.
pub async fn run(house: &House, asked: Asked) -> Result<(), Failure> {
    match asked {
        Asked::Add { address, targets } => {
            let parse = |text: &str| Address::parse(text).map_err(|error| Failure::new(Code::BadInput, text, error));
            if !address.starts_with('@') {
                parse(&address)?;
            }
            let targets: Vec<Address> = targets.iter().map(|target| parse(target)).collect::<Result<_, _>>()?;
            house.store.set_alias(&address, &targets).await.map_err(|error| of_store(&address, &error))
        }
        Asked::Remove { address } => house.store.remove_alias(&address).await.map_err(|error| of_store(&address, &error)),
        Asked::List(Json { json }) => {
            for alias in house.store.aliases().await.map_err(|error| of_store("alias", &error))? {
                let targets: Vec<String> = alias.targets.iter().map(Address::to_string).collect();
                match json {
                    true => say(format_args!("{}", json!({"address": alias.address, "targets": targets}))),
                    false => say(format_args!("{}\t{}", alias.address, targets.join(", "))),
                }
            }
            Ok(())
        }
    }
}
