//! `postqueue` and `mailq`: lists the queue in Postfix's formats (those of its long queue ids), and has it tried now.

use std::path::Path;

use queue::{Manage, Message, QueueId, Route, Wish};

use super::clock::local;
use super::queued::{QUEUES, Queue, each, may_be_id, now, printable, put};
use super::{Fatal, options};
use crate::failure::{Failure, of_store};
use crate::house::{self, House};

const USAGE: &str = "usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | postqueue -s site";
/// What every failure of Postfix's ends with: it takes each for a system that is down.
const EX_UNAVAILABLE: u8 = 69;

/// Reasons end in this column, as Postfix sets them.
const REASON_WIDTH: usize = 76;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Mode {
    /// `-p`
    List,
    /// `-j`
    Json,
    /// `-f`
    Flush,
    /// `-i`
    FlushOne(String),
    /// `-s`
    FlushSite(String),
}

/// `mailq`: lists.
pub(super) fn mailq(directory: &str) -> Result<(), Fatal> {
    act(directory, &Mode::List)
}

/// `postqueue`
pub(super) fn run(arguments: &[String]) -> Result<(), Fatal> {
    let (directory, mode) = read(arguments)?;
    act(&directory.unwrap_or_else(super::directory), &mode)
}

fn read(arguments: &[String]) -> Result<(Option<String>, Mode), Fatal> {
    let usage = || Fatal::new(EX_UNAVAILABLE, USAGE);
    let (given, words) = options::read("postqueue", arguments, "c:fi:jps:v").map_err(|_| usage())?;
    let (mut directory, mut mode) = (None, None);
    for (letter, value) in given {
        let asked = match letter {
            'p' => Mode::List,
            'j' => Mode::Json,
            'f' => Mode::Flush,
            'i' => Mode::FlushOne(value),
            's' => Mode::FlushSite(value),
            'c' => {
                directory = Some(value);
                continue;
            }
            _ => continue,
        };
        if mode.replace(asked).is_some() {
            return Err(usage());
        }
    }
    match (mode, words.is_empty()) {
        (Some(mode), true) => Ok((directory, mode)),
        _ => Err(usage()),
    }
}

fn act(directory: &str, mode: &Mode) -> Result<(), Fatal> {
    let directory = std::path::absolute(Path::new(directory)).map_err(|error| Fatal::new(EX_UNAVAILABLE, error))?;
    let one = match mode {
        Mode::FlushOne(id) if !may_be_id(id) => {
            return Err(Fatal::new(EX_UNAVAILABLE, format!("Cannot flush queue ID - invalid name: \"{}\"", printable(id))));
        }
        Mode::FlushSite(site) if site.is_empty() || site.contains(|c: char| c.is_whitespace() || c.is_control()) => {
            return Err(Fatal::new(EX_UNAVAILABLE, format!("Cannot flush mail queue - invalid destination: \"{}\"", printable(site))));
        }
        Mode::FlushOne(id) => QueueId::parse(id),
        _ => None,
    };
    house::with(&directory, async |house| match mode {
        Mode::List => list(house).await,
        Mode::Json => json(house).await,
        Mode::Flush => flush_all(house).await,
        // As Postfix: what is not there is no fault.
        Mode::FlushOne(_) => match one {
            Some(id) => flush(house, id).await,
            None => Ok(()),
        },
        Mode::FlushSite(site) => each(house, async |message| if goes_to(message, site) { flush(house, message.id).await } else { Ok(()) }).await,
    })
    .map_err(Fatal::from)
}

/// Everything in it that waits is tried now; what is gone meanwhile needs no flush.
async fn flush(house: &House, id: QueueId) -> Result<(), Failure> {
    match house.db.commit(Manage { id, wish: Wish::Flush, now: now() }).await {
        Ok(_) => Ok(()),
        Err(error) if queue::refused(&error).is_some() => Ok(()),
        Err(error) => Err(of_store(id, &error)),
    }
}

/// `-f`
pub async fn flush_all(house: &House) -> Result<(), Failure> {
    each(house, async |message| flush(house, message.id).await).await
}

/// True if a recipient is in that domain or goes by that next hop.
fn goes_to(message: &Message, site: &str) -> bool {
    message.recipients.iter().any(|recipient| {
        let domain = recipient.address.rsplit_once('@').map_or("", |(_, domain)| domain);
        let hop = match &recipient.route {
            Route::Local => "",
            Route::Remote(hop) => hop,
        };
        domain.eq_ignore_ascii_case(site) || hop.eq_ignore_ascii_case(site)
    })
}

/// `-p`
pub async fn list(house: &House) -> Result<(), Failure> {
    let (now, mut count, mut octets) = (now(), 0u64, 0u64);
    for queue in QUEUES {
        each(house, async |message| {
            if Queue::of(message, now) != queue {
                return Ok(());
            }
            let first = if count == 0 { heading() } else { "\n".to_owned() };
            (count, octets) = (count + 1, octets.saturating_add(message.size));
            put((first + &entry(message, queue)).as_bytes())
        })
        .await?;
    }
    let end = match count {
        0 => "Mail queue is empty\n".to_owned(),
        count => format!("\n-- {} Kbytes in {count} Request{}.\n", octets / 1024, if count == 1 { "" } else { "s" }),
    };
    put(end.as_bytes())
}

fn heading() -> String {
    line("----Queue ID-----", "--Size--", "---Arrival Time----", "--Sender/Recipient------")
}

fn line(id: &str, size: &str, time: &str, address: &str) -> String {
    format!("{id:<17} {size:>8} {time:>19.19} {address}\n")
}

/// One message: who sent it, and its recipients, each after the reason why it is still here unless that was said already.
fn entry(message: &Message, queue: Queue) -> String {
    let sign = match queue {
        Queue::Active => "*",
        Queue::Deferred => "",
        Queue::Hold => "!",
    };
    let sender = if message.sender.is_empty() { "MAILER-DAEMON" } else { &message.sender };
    let time = local(message.created.div_euclid(1000)).asctime();
    let mut text = line(&format!("{}{sign}", message.id), &message.size.to_string(), &time, &printable(sender));
    let mut said = None;
    for recipient in &message.recipients {
        let reason = recipient.reply.as_deref();
        if reason != said {
            let reason = printable(reason.unwrap_or("reason unavailable"));
            let width = REASON_WIDTH.saturating_sub(reason.len());
            text += &format!("{:width$}({reason})\n", "");
        }
        said = reason;
        text += &line("", "", "", &printable(&recipient.address));
    }
    text
}

/// `-j`
pub async fn json(house: &House) -> Result<(), Failure> {
    let now = now();
    for queue in QUEUES {
        each(house, async |message| if Queue::of(message, now) == queue { put(object(message, queue).as_bytes()) } else { Ok(()) }).await?;
    }
    Ok(())
}

/// An object a line, its keys and blanks as Postfix has them.
fn object(message: &Message, queue: Queue) -> String {
    let text = |value: &str| serde_json::Value::from(value).to_string();
    let recipient = |recipient: &queue::Entry| {
        let reason = recipient.reply.as_deref().map(|reason| format!(", \"delay_reason\": {}", text(reason)));
        format!("{{\"address\": {}{}}}", text(&recipient.address), reason.unwrap_or_default())
    };
    let recipients: Vec<String> = message.recipients.iter().map(recipient).collect();
    let (queue, id, time, size) = (queue.name(), message.id, message.created.div_euclid(1000), message.size);
    let sender = text(if message.sender.is_empty() { "MAILER-DAEMON" } else { &message.sender });
    let recipients = recipients.join(", ");
    format!(
        "{{\"queue_name\": \"{queue}\", \"queue_id\": \"{id}\", \"arrival_time\": {time}, \"message_size\": {size}, \
         \"forced_expire\": false, \"sender\": {sender}, \"recipients\": [{recipients}]}}\n"
    )
}

#[cfg(test)]
mod tests {
    use queue::{Entry, Notify, State};

    use super::*;

    fn message(recipients: &[(&str, State, i64, Option<&str>)]) -> Message {
        let entry = |(n, (address, state, due, reply)): (i64, &(&str, State, i64, Option<&str>))| Entry {
            n,
            address: (*address).into(),
            route: Route::Local,
            original: (*address).into(),
            orcpt: None,
            notify: Notify::default(),
            state: *state,
            due: *due,
            attempts: 0,
            status: None,
            reply: reply.map(str::to_owned),
        };
        Message {
            id: QueueId::from_i64(1 << 40).expect("an id"),
            sender: "alice@example.org".into(),
            place: None,
            size: 1247,
            disk_size: 1200,
            created: 1_795_486_873_000,
            expires: 0,
            flags: 0,
            envid: None,
            account: None,
            origin: None,
            recipients: (0..).zip(recipients).map(entry).collect(),
        }
    }

    #[test]
    fn a_listing_is_set_as_postfix_sets_it() {
        let (down, busy) = (Some("connect to mx.example.com[192.0.2.7]:25: Connection refused"), Some("busy"));
        let waits = State::Pending;
        let message = message(&[("a@x.test", waits, 9, down), ("b@x.test", waits, 9, down), ("c@x.test", waits, 9, busy), ("d@x.test", waits, 9, None)]);
        let id = message.id;
        let want = format!(
            "{id}         1247 {} alice@example.org\n\
             {:17}(connect to mx.example.com[192.0.2.7]:25: Connection refused)\n{:47}a@x.test\n{:47}b@x.test\n\
             {:72}(busy)\n{:47}c@x.test\n{:58}(reason unavailable)\n{:47}d@x.test\n",
            &local(1_795_486_873).asctime()[..19],
            "", "", "", "", "", "", ""
        );
        assert_eq!(entry(&message, Queue::Deferred), want);
        assert_eq!(heading(), "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------\n");
        assert!(entry(&message, Queue::Hold).starts_with(&format!("{id}! ")));
        let json = object(&message, Queue::Deferred);
        assert!(json.starts_with(&format!("{{\"queue_name\": \"deferred\", \"queue_id\": \"{id}\", \"arrival_time\": 1795486873, \"message_size\": 1247, \"forced_expire\": false, \"sender\": \"alice@example.org\", \"recipients\": [{{\"address\": \"a@x.test\", \"delay_reason\": \"connect")), "{json}");
        assert!(json.ends_with("{\"address\": \"d@x.test\"}]}\n"), "{json}");
    }

    #[test]
    fn a_message_is_in_the_queue_of_its_recipients() {
        let of = |recipients: &[(&str, State, i64, Option<&str>)]| Queue::of(&message(recipients), 10);
        assert_eq!(of(&[("a@x", State::Held, 0, None), ("b@x", State::Pending, 10, None)]), Queue::Active);
        assert_eq!(of(&[("a@x", State::Held, 0, None), ("b@x", State::Pending, 11, None)]), Queue::Deferred);
        assert_eq!(of(&[("a@x", State::Failed, 0, None)]), Queue::Deferred);
        assert_eq!(of(&[("a@x", State::Held, 0, None)]), Queue::Hold);
    }

    #[test]
    fn the_command_line_is_that_of_postfix() {
        let read = |line: &str| read(&line.split(' ').map(str::to_owned).collect::<Vec<_>>()).map(|(_, mode)| mode);
        assert_eq!(read("-p"), Ok(Mode::List));
        assert_eq!(read("-vc d -j"), Ok(Mode::Json));
        assert_eq!(read("-iABC"), Ok(Mode::FlushOne("ABC".into())));
        for wrong in ["", "-v", "-p -f", "-x", "-i", "-p more"] {
            assert_eq!(read(wrong), Err(Fatal::new(69, USAGE)), "{wrong}");
        }
    }
}
