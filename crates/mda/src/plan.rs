//! What becomes of an accepted message: deposits here, an entry in the queue, in one commit.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::SystemTime;

use bodies::Sealed;
use bytes::Bytes;
use db::Db;
use mail::mime::Structure;
use mail::{Address, Date, MailboxName, ReversePath, Status, header};
use queue::{Backoff, Enqueue, QueueId, Report, Route, Settle, Settled};
use store::{AccountId, Deposit, Deposited, Refused};

use crate::status::{Verdict, of_refusal};
use crate::{Delivery, Destination, Error, Recipient, arrival, log, prefix};

/// How often a mailbox that is not there becomes INBOX: a refusal names one, and each costs a commit that is rolled back.
/// After that the local recipients go to the queue, where each has its own commit.
const ROUNDS: usize = 4;

/// What bounds a plan.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `direct_recipient_limit`: more local recipients go through the queue, so that one message cannot make a commit,
    /// and everybody who waits for it, slow.
    pub direct_recipients: usize,
    /// When the queue tries again and gives up.
    pub backoff: Backoff,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { direct_recipients: 50, backoff: Backoff::default() }
    }
}

/// A message that is to be accepted.
#[derive(Clone, Debug)]
pub struct Message {
    /// Stands in the `Received` field, the log and the 250, whether or not it is queued.
    pub id: QueueId,
    pub sender: ReversePath,
    /// With our `Received` field, without those of final delivery. Must have a name that no row has.
    pub body: Sealed,
    /// Its header, as far as it was kept: finds loops.
    pub header: Bytes,
    /// Scanned while it arrived, if it was.
    pub structure: Option<Arc<Structure>>,
    /// Milliseconds since 1970: when it was accepted first.
    pub arrived: i64,
    /// `queue::message::FLAG_…`
    pub flags: i64,
    /// ENVID of RFC 3461.
    pub envid: Option<String>,
    /// Who submitted it.
    pub account: Option<AccountId>,
    /// Where it came from, for the log.
    pub origin: Option<String>,
}

/// A transaction that accepts one message. The only place that joins steps of the store and of the queue.
pub struct Plan {
    deposits: Vec<Deposit>,
    /// One for each sender: the message's own, and the owners of lists.
    queued: Vec<Enqueue>,
    /// The queue's recipient that this plan is a further attempt on.
    settle: Option<Settle>,
    /// What this message tells its recipient of.
    report: Option<Report>,
    /// The bodies that the steps name, to be told what became of the commit.
    bodies: Vec<Sealed>,
    again: Again,
}

/// What is needed to plan again after a refusal.
#[derive(Clone)]
struct Again {
    message: Message,
    /// In the order of the deposits, then of the queue's recipients.
    to: Vec<Delivery>,
    limits: Limits,
    now: i64,
    settle: Option<Settle>,
    report: Option<Report>,
    fallback: Fallback,
    /// Recipients that stand for several of `to`, whose senders want to hear so.
    expanded: Vec<Recipient>,
    /// Why the local recipients are queued.
    reply: Option<(Status, String)>,
}

/// What follows when the store refuses a deposit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fallback {
    /// The local recipients go to the queue, which tries them one by one.
    Queue,
    /// The caller is told.
    Tell,
}

impl Plan {
    /// Plans `message` for where its recipients lead, at `now` (milliseconds). The same mailbox gets it once. Refused
    /// ([`Error::Loop`]) if it was delivered to all of them before.
    pub async fn for_message(message: Message, to: Vec<Delivery>, now: i64, limits: Limits) -> Result<Plan, Error> {
        let (mut to, mut seen) = (to, HashSet::new());
        let expanded = if message.sender.is_null() { Vec::new() } else { arrival::expanded(&mut to) };
        let mut once: Vec<Delivery> = to.into_iter().filter(|delivery| seen.insert(same(&delivery.to))).collect();
        let mut circle = None;
        let mut straight = false;
        let before = delivered_before(&message.header);
        for delivery in &mut once {
            match &delivery.to {
                Destination::Mailbox { address, via, .. } if before.contains(&address.folded()) => {
                    circle = Some(address.clone());
                    delivery.to = Destination::Later { address: via.clone() }; // the runner finds the loop again, and fails it alone
                }
                _ => straight = true,
            }
        }
        match circle {
            Some(address) if !straight => return Err(Error::Loop(address)),
            _ if once.is_empty() => return Err(Error::NobodyLeft),
            _ => {}
        }
        if once.iter().filter(|delivery| is_mailbox(delivery)).count() > limits.direct_recipients {
            once.iter_mut().for_each(postpone);
        }
        Again { message, to: once, limits, now, settle: None, report: None, fallback: Fallback::Queue, expanded, reply: None }.plan().await
    }

    /// A refused deposit is told to the caller, not queued: for LMTP and `deliver`, one recipient a plan.
    #[must_use]
    pub fn or_tell(mut self) -> Plan {
        self.again.fallback = Fallback::Tell;
        self
    }

    /// This plan is a further attempt on a queued recipient, settled in the same commit.
    #[must_use]
    pub(crate) fn settling(mut self, settle: Settle) -> Plan {
        self.again.settle = Some(settle.clone());
        self.settle = Some(settle);
        self.again.fallback = if self.again.to.len() == 1 { Fallback::Tell } else { Fallback::Queue };
        self
    }

    /// This message is a report: what it tells of is done with in the same commit, or not at all.
    #[must_use]
    pub fn reporting(mut self, report: Report) -> Plan {
        self.again.report = Some(report.clone());
        self.report = Some(report);
        self
    }

    /// Deposits and queued recipients, for the log and for tests.
    pub fn counts(&self) -> (usize, usize) {
        (self.deposits.len(), self.queued.iter().map(|queued| queued.recipients.len()).sum())
    }

    /// Commits it. When this returns `Ok` the message is durable and may be acknowledged. Runs to its end even if the
    /// caller is dropped.
    pub async fn commit(self, db: &Db) -> Result<Receipt, Error> {
        let mut plan = self;
        let mut round = 1;
        loop {
            let Plan { deposits, queued, settle, report, bodies, again } = plan;
            bodies.iter().for_each(Sealed::submitted);
            let error = match db.commit((deposits, queued, (settle, report))).await {
                Ok((deposited, _, (settled, reported))) => {
                    let receipt = again.receipt(deposited, settled.or(reported).unwrap_or_default());
                    receipt.log(&again);
                    return Ok(receipt);
                }
                Err(error) => error,
            };
            if !matches!(error, db::Error::Closed) {
                bodies.iter().for_each(Sealed::refused); // else nobody knows: the sweeper will
            }
            drop(bodies);
            plan = match store::refused(&error) {
                Some(refused) => again.after(refused, error.clone(), round)?.plan().await?,
                None => return Err(error.into()),
            };
            round += 1;
        }
    }
}

impl Again {
    /// Makes the steps. Each that names the body gets a name of its own for it.
    async fn plan(self) -> Result<Plan, Error> {
        let (here, elsewhere): (Vec<Delivery>, Vec<Delivery>) = self.to.iter().cloned().partition(is_mailbox);
        let told = if self.message.sender.is_null() { Vec::new() } else { arrival::to_tell(&self.expanded, &here, self.now) };
        let mut by_sender = by_sender(elsewhere);
        if !told.is_empty() && by_sender.iter().all(|group| is_of_owner(group)) {
            by_sender.push(Vec::new());
        }
        let mut bodies = vec![self.message.body.clone()];
        bodies.extend(self.message.body.others((here.len() + by_sender.len()).saturating_sub(1)).await?);
        let deposits = here.iter().zip(&bodies).filter_map(|(delivery, body)| self.deposit(delivery, body)).collect::<Result<Vec<_>, _>>()?;
        let told_with = |group: &Vec<Delivery>| if is_of_owner(group) { Vec::new() } else { told.clone() };
        let queued = by_sender.iter().zip(bodies.iter().skip(here.len())).map(|(group, body)| self.enqueue(group, told_with(group), body)).collect();
        let to = std::iter::once(here).chain(by_sender).flatten().collect();
        Ok(Plan { deposits, queued, settle: self.settle.clone(), report: self.report.clone(), bodies, again: Again { to, ..self } })
    }

    /// `None` for a delivery that is no deposit.
    fn deposit(&self, delivery: &Delivery, body: &Sealed) -> Option<Result<Deposit, Error>> {
        let Destination::Mailbox { account, address, mailbox, .. } = &delivery.to else { return None };
        let lines = prefix::lines(&self.sender(delivery), &delivery.recipient.address, address);
        let body = match body.with_prefix(&lines) {
            Ok(body) => body,
            Err(error) => return Some(Err(error.into())),
        };
        let deposit = Deposit::new(*account, mailbox.clone(), body, Date::utc(self.message.arrived.div_euclid(1000)));
        Some(Ok(match &self.message.structure {
            Some(structure) => deposit.with_structure(&prefix::shifted(structure, lines.len() as u64)),
            None => deposit,
        }))
    }

    fn enqueue(&self, elsewhere: &[Delivery], told: Vec<queue::Recipient>, body: &Sealed) -> Enqueue {
        let recipient = |delivery: &Delivery| {
            let (address, route) = match &delivery.to {
                Destination::Remote { address, hop } => (address, Route::Remote(hop.clone())),
                Destination::Later { address } | Destination::Mailbox { via: address, .. } => (address, Route::Local),
            };
            let reply = self.reply.clone().filter(|_| route == Route::Local);
            queue::Recipient {
                address: address.clone(),
                route,
                original: delivery.recipient.address.clone(),
                orcpt: delivery.recipient.orcpt.clone(),
                notify: delivery.recipient.notify,
                due: self.now,
                reply,
                arrived: None,
            }
        };
        let Message { id, arrived, flags, envid, account, origin, .. } = &self.message;
        let recipients = elsewhere.iter().map(recipient).chain(told).collect();
        let sender = elsewhere.first().map_or_else(|| self.message.sender.clone(), |delivery| self.sender(delivery));
        // what goes to a list's members is a message of its own (RFC 5321 §3.9.2)
        let own = is_of_owner(elsewhere);
        let id = if own { QueueId::generate(SystemTime::now()) } else { *id };
        let envid = envid.as_ref().filter(|_| !own);
        let enqueue = Enqueue::new(id, sender, body.clone(), recipients, *arrived, &self.limits.backoff);
        Enqueue { flags: *flags, envid: envid.cloned(), account: account.map(AccountId::get), origin: origin.clone(), ..enqueue }
    }

    /// Who sends what goes there. A message that must not be answered stays one.
    fn sender(&self, delivery: &Delivery) -> ReversePath {
        match (&delivery.owner, &self.message.sender) {
            (Some(owner), ReversePath::Address(_)) => ReversePath::Address(owner.clone()),
            (_, sender) => sender.clone(),
        }
    }

    /// What to do instead of what the store refused. Ends: a plan without deposits is not refused by the store.
    fn after(mut self, refused: &Refused, error: db::Error, round: usize) -> Result<Again, Error> {
        if let Refused::NoSuchMailbox(name) = refused
            && round < ROUNDS
        {
            let mut changed = false;
            for delivery in &mut self.to {
                if let Destination::Mailbox { mailbox, .. } = &mut delivery.to
                    && !mailbox.is_inbox()
                    && mailbox.as_str() == name
                {
                    *mailbox = MailboxName::inbox();
                    changed = true;
                }
            }
            if changed {
                let mut seen = HashSet::new();
                self.to.retain(|delivery| seen.insert(same(&delivery.to)));
                return Ok(self);
            }
        }
        if self.fallback == Fallback::Tell {
            return Err(error.into());
        }
        // who is to blame is not told, so with several the queue finds out one by one
        if self.to.iter().filter(|delivery| is_mailbox(delivery)).count() == 1 {
            let (Verdict::Deferred(status, text) | Verdict::Failed(status, text)) = of_refusal(refused);
            self.reply = Some((status, text));
        }
        self.to.iter_mut().for_each(postpone);
        Ok(self)
    }

    fn receipt(&self, deposited: Vec<Deposited>, settled: Settled) -> Receipt {
        let mut deposited = deposited.into_iter();
        let taken = self.to.iter().map(|delivery| Taken {
            recipient: delivery.recipient.address.clone(),
            to: delivery.to.address().clone(),
            how: match is_mailbox(delivery) {
                true => deposited.next().map_or(How::Queued, How::Deposited),
                false => How::Queued,
            },
        });
        Receipt { id: self.message.id, taken: taken.collect(), settled }
    }
}

/// What was accepted, and how.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// Shown in the 250.
    pub id: QueueId,
    /// One for each place it went to.
    pub taken: Vec<Taken>,
    /// What is left to do for the queued message that this settled or told of.
    pub settled: Settled,
}

/// One place a message went to.
#[derive(Clone, Debug)]
pub struct Taken {
    /// As the sender named it.
    pub recipient: Address,
    /// The final address.
    pub to: Address,
    pub how: How,
}

/// How a message was taken for one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It lies in the mailbox.
    Deposited(Deposited),
    /// The queue has it.
    Queued,
}

impl Receipt {
    fn log(&self, again: &Again) {
        for taken in self.taken.iter().filter(|taken| matches!(taken.how, How::Deposited(_))) {
            let age = again.now.saturating_sub(again.message.arrived);
            let id = again.settle.as_ref().map_or(self.id, |settle| settle.id);
            log::sent(id, &taken.to, &taken.recipient, age);
        }
    }
}

/// Who the message was delivered to already: read once, since header and recipients may both be many.
fn delivered_before(bytes: &[u8]) -> HashSet<Address> {
    let address = |value| Address::parse(String::from_utf8_lossy(&header::unfold(value)).trim_matches(['<', '>'])).ok();
    header::find_all(bytes, "Delivered-To").filter_map(address).map(|address| address.folded()).collect()
}

fn is_mailbox(delivery: &Delivery) -> bool {
    matches!(delivery.to, Destination::Mailbox { .. })
}

/// What goes to the queue: a group for each owner of a list, and one for all others.
fn by_sender(elsewhere: Vec<Delivery>) -> Vec<Vec<Delivery>> {
    let mut groups: Vec<Vec<Delivery>> = Vec::new();
    for delivery in elsewhere {
        match groups.iter_mut().find(|group| group.first().is_some_and(|first| first.owner == delivery.owner)) {
            Some(group) => group.push(delivery),
            None => groups.push(vec![delivery]),
        }
    }
    groups
}

/// What goes to a list's members, in the name of its owner.
fn is_of_owner(group: &[Delivery]) -> bool {
    group.first().is_some_and(|delivery| delivery.owner.is_some())
}

/// A deposit becomes an entry of the queue.
fn postpone(delivery: &mut Delivery) {
    if let Destination::Mailbox { via, .. } = &delivery.to {
        delivery.to = Destination::Later { address: via.clone() };
    }
}

/// Two destinations of which one copy is enough.
fn same(to: &Destination) -> (Option<(AccountId, MailboxName)>, Option<Address>) {
    match to {
        Destination::Mailbox { account, mailbox, .. } => (Some((*account, mailbox.clone())), None),
        Destination::Later { address } | Destination::Remote { address, .. } => (None, Some(address.folded())),
    }
}
