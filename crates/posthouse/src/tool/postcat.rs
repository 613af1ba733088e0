//! `postcat -q`: shows a queued message, laid out as Postfix lays out a queue file.

use std::path::Path;

use queue::{Message, QueueId};

use super::clock::local;
use super::queued::{Queue, may_be_id, now, printable, put};
use super::{Fatal, options};
use crate::failure::{Code, Failure, of_store};
use crate::house::{self, House};

const USAGE: &str = "usage: postcat [-b (body text)] [-c config_dir] [-d (decimal record type)] [-e (envelope records)] [-h (header text)] [-q (access queue)] [-v] [file(s)...]";

/// A longer header goes on as body; held in memory at once.
const HEADER_LIMIT: u64 = 1024 * 1024;

/// What is shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts {
    envelope: bool,
    header: bool,
    body: bool,
}

impl Parts {
    /// Everything.
    pub const ALL: Parts = Parts { envelope: true, header: true, body: true };
}

pub(super) fn run(arguments: &[String]) -> Result<(), Fatal> {
    let (given, ids) = options::read("postcat", arguments, "bc:dehoqv").map_err(|_| Fatal::new(1, USAGE))?;
    let (mut directory, mut parts, mut queued) = (super::directory(), Parts::default(), false);
    for (letter, value) in given {
        match letter {
            'b' => parts.body = true,
            'c' => directory = value,
            'e' => parts.envelope = true,
            'h' => parts.header = true,
            'q' => queued = true,
            // -d, -o and -v tell of records of a file; there is no such file.
            _ => {}
        }
    }
    if !(parts.envelope || parts.header || parts.body) {
        parts = Parts::ALL;
    }
    if !queued || ids.is_empty() {
        return Err(Fatal::new(1, format!("only what is in the queue can be shown: postcat -q queue_id; {USAGE}")));
    }
    if let Some(bad) = ids.iter().find(|id| !may_be_id(id)) {
        return Err(Fatal::new(1, format!("bad mail queue ID: {}", printable(bad))));
    }
    let directory = std::path::absolute(Path::new(&directory)).map_err(|error| Fatal::new(1, error))?;
    let missing = house::with(&directory, async |house| {
        for id in &ids {
            let found = match QueueId::parse(id) {
                Some(id) => queue::show(&house.db, id).await.map_err(|error| of_store(id, &error))?,
                None => None,
            };
            match found {
                Some(message) => show(house, &message, parts).await?,
                None => return Ok(Some(id.clone())),
            }
        }
        Ok(None)
    })?;
    match missing {
        Some(id) => Err(Fatal::new(1, format!("open queue file {id}: No such file or directory"))),
        None => Ok(()),
    }
}

/// Shows one message.
pub async fn show(house: &House, message: &Message, parts: Parts) -> Result<(), Failure> {
    let name = format!("{}/{}", Queue::of(message, now()).name(), message.id);
    if parts.envelope {
        put(envelope(message, &name).as_bytes())?;
    }
    if parts.header || parts.body {
        text(house, message, parts).await?;
    }
    if parts.envelope {
        put(extracted(message, &name).as_bytes())?;
    }
    Ok(())
}

fn envelope(message: &Message, name: &str) -> String {
    let (size, count) = (message.size, message.recipients.len());
    let time = local(message.created.div_euclid(1000)).asctime();
    let mut text = format!("*** ENVELOPE RECORDS {name} ***\nmessage_size: {size:>15} {:>15} {count:>15} {:>15} {size:>15}\n", 0, 0);
    text += &format!("message_arrival_time: {time}\ncreate_time: {time}\n");
    if let Some(envid) = &message.envid {
        text += &format!("dsn_envelope_id: {}\n", printable(envid));
    }
    text + &format!("sender: {}\n*** MESSAGE CONTENTS {name} ***\n", printable(&message.sender))
}

fn extracted(message: &Message, name: &str) -> String {
    let mut text = format!("*** HEADER EXTRACTED {name} ***\n");
    for recipient in &message.recipients {
        if let Some(orcpt) = &recipient.orcpt {
            text += &format!("dsn_original_recipient: {}\n", printable(orcpt));
        }
        text += &format!("original_recipient: {}\nrecipient: {}\n", printable(&recipient.original), printable(&recipient.address));
    }
    text + &format!("*** MESSAGE FILE END {name} ***\n")
}

/// The message with lines as they end here. The empty line goes with the header if that is shown, else with the body.
async fn text(house: &House, message: &Message, parts: Parts) -> Result<(), Failure> {
    let gone = |error: &dyn std::fmt::Display| Failure::new(Code::Unavailable, message.id, error);
    let mut reader = queue::reader(&house.db, house.store.bodies(), message).await.map_err(|error| gone(&error))?;
    let header = reader.header(HEADER_LIMIT).await.map_err(|error| gone(&error))?.len() as u64;
    let (from, to) = match (parts.header, parts.body) {
        (true, true) => (0, u64::MAX),
        (true, false) => (0, header),
        (false, _) => (header, u64::MAX),
    };
    reader.range(from, to - from);
    while let Some(chunk) = reader.chunk().await.map_err(|error| gone(&error))? {
        // A bare CR is refused at the door, so each one here ends a line.
        let plain: Vec<u8> = chunk.iter().copied().filter(|byte| *byte != b'\r').collect();
        put(&plain)?;
    }
    Ok(())
}
