//! `queue`: what waits, and what the operator does to it.

use clap::Subcommand;
use queue::{Manage, QueueId, Wish};

use crate::cli::Json;
use crate::failure::{Code, Failure, of_store};
use crate::house::House;
use crate::tool::queued::{discard, now};
use crate::tool::{postcat, postqueue};

/// What was asked.
#[derive(Subcommand, Debug)]
pub enum Asked {
    /// Everything in it, as mailq; --json as postqueue -j
    List {
        #[command(flatten)]
        json: Json,
    },
    /// One message: its envelope, header and body
    Show { id: String },
    /// Try it now; without an id, everything that waits
    Flush { id: Option<String> },
    /// No attempts until it is released
    Hold { id: String },
    /// Try what was held
    Release { id: String },
    /// Begin anew with all its recipients, held and failed ones too
    Requeue { id: String },
    /// Throw it away; nobody is told
    Delete { id: String },
}

/// Does it.
pub async fn run(house: &House, asked: Asked) -> Result<(), Failure> {
    match asked {
        Asked::List { json: Json { json: true } } => postqueue::json(house).await,
        Asked::List { .. } => postqueue::list(house).await,
        Asked::Flush { id: None } => postqueue::flush_all(house).await,
        Asked::Show { id } => {
            let parsed = parse(&id)?;
            let message = queue::show(&house.db, parsed).await.map_err(|error| of_store(&id, &error))?;
            postcat::show(house, &message.ok_or_else(|| none(&id))?, postcat::Parts::ALL).await
        }
        Asked::Flush { id: Some(id) } => wish(house, &id, Wish::Flush).await,
        Asked::Hold { id } => wish(house, &id, Wish::Hold).await,
        Asked::Release { id } => wish(house, &id, Wish::Release).await,
        Asked::Requeue { id } => wish(house, &id, Wish::Requeue).await,
        Asked::Delete { id } => wish(house, &id, Wish::Delete).await,
    }
}

fn parse(id: &str) -> Result<QueueId, Failure> {
    QueueId::parse(id).ok_or_else(|| none(id))
}

fn none(id: &str) -> Failure {
    Failure::new(Code::NotFound, id, "no such message in the queue; see: posthouse queue list")
}

async fn wish(house: &House, id: &str, wish: Wish) -> Result<(), Failure> {
    let parsed = parse(id)?;
    match house.db.commit(Manage { id: parsed, wish, now: now() }).await {
        Ok(managed) => {
            discard(house, parsed, managed.discard).await;
            Ok(())
        }
        Err(error) if queue::refused(&error).is_some() => Err(none(id)),
        Err(error) => Err(of_store(id, &error)),
    }
}
