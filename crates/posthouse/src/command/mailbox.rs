//! `mailbox`: the mailboxes of an account.

use clap::Subcommand;
use mail::MailboxName;
use serde_json::json;
use store::{Account, Mailbox};

use super::user;
use crate::cli::Json;
use crate::failure::{Code, Failure, of_store};
use crate::house::House;
use crate::say::say;

/// What was asked.
#[derive(Subcommand, Debug)]
pub enum Asked {
    /// All mailboxes of an account
    List {
        account: String,
        #[command(flatten)]
        json: Json,
    },
    /// One mailbox
    Status {
        account: String,
        name: String,
        #[command(flatten)]
        json: Json,
    },
    /// Make one
    Create { account: String, name: String },
    /// Rename one, and those below it
    Rename { account: String, from: String, to: String },
    /// Delete one with the messages in it
    Delete { account: String, name: String },
}

/// Does it.
pub async fn run(house: &House, asked: Asked) -> Result<(), Failure> {
    match asked {
        Asked::List { account, json } => {
            let account = user::find(house, &account).await?;
            for mailbox in house.store.mailboxes(account.id).await.map_err(|error| of_store(&account.login, &error))? {
                print(house, &account, &mailbox, json).await?;
            }
            Ok(())
        }
        Asked::Status { account, name, json } => {
            let account = user::find(house, &account).await?;
            let mailbox = house.store.mailbox(account.id, &parse(&name)?).await.map_err(|error| of_store(&name, &error))?;
            let mailbox = mailbox.ok_or_else(|| Failure::new(Code::NotFound, &name, "no such mailbox; posthouse mailbox list shows them"))?;
            print(house, &account, &mailbox, json).await
        }
        Asked::Create { account, name } => {
            let account = user::find(house, &account).await?;
            house.store.create_mailbox(account.id, &parse(&name)?, None).await.map_err(|error| of_store(&name, &error))?;
            Ok(())
        }
        Asked::Rename { account, from, to } => {
            let account = user::find(house, &account).await?;
            house.store.rename_mailbox(account.id, &parse(&from)?, &parse(&to)?).await.map_err(|error| of_store(&from, &error))
        }
        Asked::Delete { account, name } => {
            let account = user::find(house, &account).await?;
            house.store.delete_mailbox(account.id, &parse(&name)?).await.map_err(|error| of_store(&name, &error))
        }
    }
}

fn parse(name: &str) -> Result<MailboxName, Failure> {
    MailboxName::new(name).map_err(|error| Failure::new(Code::BadInput, name, error))
}

async fn print(house: &House, account: &Account, mailbox: &Mailbox, Json { json }: Json) -> Result<(), Failure> {
    if !json {
        say(format_args!("{}\t{} messages, {} unseen\t{} bytes", mailbox.name.as_str(), mailbox.total, mailbox.unseen, mailbox.bytes));
        return Ok(());
    }
    let home = house.store.home(account.id).await.map_err(|error| of_store(&account.login, &error))?;
    let folder = house.store.bodies().folder(&home, &mailbox.name.maildir_dir());
    let folder = folder.map_err(|error| Failure::new(Code::Unavailable, mailbox.name.as_str(), error))?;
    let line = json!({
        "name": mailbox.name.as_str(),
        "special_use": mailbox.special.map(mail::SpecialUse::flag),
        "uidvalidity": mailbox.uidvalidity.get(),
        "uidnext": mailbox.uidnext,
        "messages": mailbox.total,
        "unseen": mailbox.unseen,
        "highestmodseq": mailbox.highest.get(),
        "bytes": mailbox.bytes,
        "path": folder.display().to_string(),
    });
    say(line);
    Ok(())
}
