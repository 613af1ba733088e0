//! `postsuper`: deletes, holds, releases and requeues. What it did is told on stderr, as Postfix tells it.

use std::io::BufRead;
use std::path::Path;

use queue::{Manage, Message, QueueId, Wish};

use super::queued::{Queue, discard, each, may_be_id, now, printable};
use super::{Fatal, options};
use crate::failure::{Failure, of_store};
use crate::house::{self, House};

const USAGE: &str = "usage: postsuper [-c config_dir] [-d queue_id (delete)] [-e queue_id (expire)] [-f queue_id (expire and/or un-hold)] [-h queue_id (hold)] \
    [-H queue_id (un-hold)] [-p (purge temporary files)] [-r queue_id (requeue)] [-s (structure fix)] [-S (redundant structure fix)][-v (verbose)] [queue...]";

/// Names of queues that may end the command line. Of some nothing is ever found here.
const QUEUES: [&str; 7] = ["maildrop", "incoming", "active", "deferred", "hold", "defer", "bounce"];

/// An option of the command, what it wishes, and how it is told.
struct Action {
    letter: char,
    wish: Wish,
    /// Of one message.
    done: &'static str,
    /// Of all together.
    total: &'static str,
    /// The queues it looks into if none is named.
    queues: &'static [&'static str],
}

/// In the order in which totals are told.
static ACTIONS: [Action; 4] = [
    Action { letter: 'r', wish: Wish::Requeue, done: "requeued", total: "Requeued", queues: &["hold", "incoming", "active", "deferred"] },
    Action { letter: 'd', wish: Wish::Delete, done: "removed", total: "Deleted", queues: &["hold", "incoming", "active", "deferred"] },
    Action { letter: 'h', wish: Wish::Hold, done: "placed on hold", total: "Placed on hold", queues: &["incoming", "active", "deferred"] },
    Action { letter: 'H', wish: Wish::Release, done: "released from hold", total: "Released from hold", queues: &["hold"] },
];

/// Which messages.
enum Which {
    One(QueueId),
    All,
}

pub(super) fn run(arguments: &[String]) -> Result<(), Fatal> {
    let usage = || Fatal::new(1, USAGE);
    let (given, queues) = options::read("postsuper", arguments, "c:d:e:f:h:H:pr:sSv").map_err(|_| usage())?;
    if let Some(queue) = queues.iter().find(|queue| !QUEUES.contains(&queue.as_str())) {
        return Err(Fatal::new(1, format!("invalid directory name: {}", printable(queue))));
    }
    let mut directory = super::directory();
    let mut work: Vec<(&Action, Which)> = Vec::new();
    let mut asked = Vec::new();
    for (letter, value) in given {
        match letter {
            'c' => directory = value,
            'e' | 'f' => return Err(Fatal::new(1, format!("-{letter} is not built yet; -d deletes, and nobody is told"))),
            _ => {
                // -p, -s and -S mend directories; there are none to mend.
                let Some(action) = ACTIONS.iter().find(|action| action.letter == letter) else { continue };
                asked.push(letter);
                work.extend(which(&value)?.into_iter().map(|which| (action, which)));
            }
        }
    }
    if !Path::new(&directory).is_absolute() {
        return Err(Fatal::new(1, "-c requires absolute pathname"));
    }
    let directory = std::path::PathBuf::from(directory);
    house::with(&directory, async |house| {
        let mut counts = [0usize; ACTIONS.len()];
        for (action, which) in &work {
            let from: Vec<&str> = if queues.is_empty() { action.queues.to_vec() } else { queues.iter().map(String::as_str).collect() };
            let count = apply(house, action, which, &from).await?;
            if let Some(at) = ACTIONS.iter().position(|known| known.letter == action.letter) {
                counts[at] += count;
            }
        }
        for (action, count) in ACTIONS.iter().zip(counts).filter(|(action, _)| asked.contains(&action.letter)) {
            eprintln!("postsuper: {}: {count} message{}", action.total, if count == 1 { "" } else { "s" });
        }
        Ok(())
    })
    .map_err(Fatal::from)
}

/// `ALL`, an id, or `-`: one id a line of standard input. Names that can't be ids are warned of and left out.
fn which(value: &str) -> Result<Vec<Which>, Fatal> {
    let one = |text: &str| {
        if !may_be_id(text) {
            eprintln!("postsuper: warning: invalid mail queue id: {}", printable(text));
        }
        QueueId::parse(text).map(Which::One)
    };
    match value {
        "ALL" => Ok(vec![Which::All]),
        "-" => {
            let lines: Result<Vec<String>, _> = std::io::stdin().lock().lines().collect();
            let lines = lines.map_err(|error| Fatal::new(1, format!("read stdin: {error}")))?;
            Ok(lines.iter().map(|line| line.trim_ascii()).filter(|line| !line.is_empty()).filter_map(one).collect())
        }
        text => Ok(one(text).into_iter().collect()),
    }
}

/// How many messages are otherwise now. One that is not in the queues looked into is none, and no fault.
async fn apply(house: &House, action: &Action, which: &Which, from: &[&str]) -> Result<usize, Failure> {
    let now = now();
    let within = |message: &Message| from.contains(&Queue::of(message, now).name());
    match which {
        Which::One(id) => {
            let message = queue::show(&house.db, *id).await.map_err(|error| of_store(id, &error))?;
            let changed = message.as_ref().is_some_and(within) && wish(house, *id, action.wish).await?;
            if changed {
                eprintln!("postsuper: {id}: {}", action.done);
            }
            Ok(usize::from(changed))
        }
        Which::All => {
            let mut count = 0;
            each(house, async |message| {
                if within(message) && wish(house, message.id, action.wish).await? {
                    count += 1;
                }
                Ok(())
            })
            .await?;
            Ok(count)
        }
    }
}

/// True if it changed anything.
async fn wish(house: &House, id: QueueId, wish: Wish) -> Result<bool, Failure> {
    match house.db.commit(Manage { id, wish, now: now() }).await {
        Ok(managed) => {
            discard(house, id, managed.discard).await;
            Ok(managed.recipients > 0)
        }
        Err(error) if queue::refused(&error).is_some() => Ok(false),
        Err(error) => Err(of_store(id, &error)),
    }
}
