//! Bodies become files: written, made durable with one sync a group, and only then forgotten by the database.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::Ordering;

use bodies::{FileName, Home, Job, Name, Place, Placement, Source};
use db::{BoxFuture, Error, Failed, Locks, Step, Tx, Value};
use mail::MailboxName;

use super::todo;
use crate::{AccountId, Store, copy};

/// Messages placed for one sync.
const BATCH: i64 = 512;
/// Octets of bodies from the database held for one batch, about: they are in memory twice for a moment.
const OCTETS: i64 = 8 << 20;
/// Workers that write files of one batch at once.
const HANDS: usize = 2;

type Message = (AccountId, i64);
/// Where a message was placed: mailbox and UID.
type Spot = (i64, i64);

/// What one batch is about.
#[derive(Default)]
struct Work {
    jobs: Vec<Job>,
    homes: Vec<Home>,
    placed: BTreeMap<Message, HashSet<Spot>>,
    spooled: HashMap<Message, Name>,
    files: Vec<(Message, bodies::File)>,
}

/// What a batch found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Batch {
    /// No body was due.
    Nothing,
    /// They are files now.
    Placed,
    /// Some of them are files, and due still: their messages got a further place meanwhile.
    Stayed,
}

/// Places some of the bodies that are due. Accounts whose files can't be written are added to
/// `failing`, and left alone by the next batch: one full disk does not hold up the others.
pub(super) async fn batch(store: &Store, failing: &mut BTreeSet<i64>) -> Result<Batch, Error> {
    let _alone = store.one_at_a_time().await?;
    // A folder that is still to be moved would not find its place taken, nor one to be removed take new mail with it.
    failing.extend(todo::moving(store).await?);
    let mut work = due(store, failing).await?;
    if work.placed.is_empty() {
        return Ok(Batch::Nothing);
    }
    let engine = |error: bodies::Error| Error::Engine(error.to_string());
    let share = work.jobs.len().div_ceil(HANDS).max(1);
    let hands: Vec<_> = work.jobs.chunks(share).map(|jobs| store.bodies().work(jobs.to_vec())).collect();
    let mut results = Vec::new();
    for hand in futures_util::future::join_all(hands).await {
        results.extend(hand.map_err(engine)?);
    }
    work.leave_out(results, failing);
    store.bodies().sync(&work.homes).await.map_err(engine)?;
    let mut steps: BTreeMap<AccountId, Settled> = BTreeMap::new();
    for (&(account, id), spots) in &work.placed {
        steps.entry(account).or_insert_with(|| Settled { account, placed: BTreeMap::new() }).placed.insert(id, spots.clone());
    }
    let accounts: Vec<AccountId> = steps.keys().copied().collect();
    let done = store.db().commit(steps.into_values().collect::<Vec<Settled>>()).await?;
    let results: HashMap<Message, Fate> =
        accounts.into_iter().zip(done).flat_map(|(account, fates)| fates.into_iter().map(move |(id, fate)| ((account, id), fate))).collect();
    let stayed = results.values().any(|fate| *fate == Fate::Stays);
    tidy(store, work, &results).await.map_err(engine)?;
    Ok(if stayed { Batch::Stayed } else { Batch::Placed })
}

/// What is due: the bodies, and for each the places where its message lies.
async fn due(store: &Store, failing: &mut BTreeSet<i64>) -> Result<Work, Error> {
    let mut work = Work::default();
    let count = fitting(store, failing).await?;
    if count == 0 {
        return Ok(work);
    }
    let sql = due_sql(failing);
    let mut homes: HashMap<AccountId, Home> = HashMap::new();
    for row in store.db().query(&sql, &[count.into()]).await? {
        let account = AccountId::new(row.int(0));
        let home = match homes.get(&account) {
            Some(home) => Ok(home.clone()),
            None => store.home(account).await.inspect(|home| drop(homes.insert(account, home.clone()))),
        };
        // One row that is damaged holds up its account, not the others.
        if let Err(error) = home.and_then(|home| work.add(store, account, &home, &row)) {
            tracing::error!("placing mail of account {account}: {error}");
            failing.insert(account.get());
        }
    }
    work.homes = homes.into_values().collect();
    Ok(work)
}

/// How many of the bodies that are due make one batch: at most [`BATCH`], and not many more octets than [`OCTETS`].
async fn fitting(store: &Store, failing: &BTreeSet<i64>) -> Result<i64, Error> {
    let sql = fitting_sql(failing);
    let (mut count, mut octets) = (0, 0i64);
    for row in store.db().query(&sql, &[BATCH.into()]).await? {
        count += 1;
        octets = octets.saturating_add(row.int(0));
        if octets >= OCTETS {
            break;
        }
    }
    Ok(count)
}

/// CROSS JOIN keeps SQLite to this order: with JOIN it reads all mail there is, to meet the few bodies. The places are looked up in the index alone, and
/// each then by its key: asked for both at once, SQLite goes through all mail of the account for each body.
fn due_sql(failing: &BTreeSet<i64>) -> String {
    format!(
        "SELECT b.account_id, b.id, b.data, m.place, m.internaldate, p.mailbox_id, p.uid, p.file, p.file_flags, x.name \
         FROM (SELECT account_id, id, data FROM body {} ORDER BY account_id, id LIMIT ?1) b CROSS JOIN message m CROSS JOIN mailbox_message k \
         CROSS JOIN mailbox_message p CROSS JOIN mailbox x WHERE m.account_id = b.account_id AND m.id = b.id AND k.account_id = b.account_id AND k.message_id = b.id \
         AND p.account_id = k.account_id AND p.mailbox_id = k.mailbox_id AND p.uid = k.uid AND x.account_id = p.account_id AND x.id = p.mailbox_id",
        without(failing)
    )
}

fn fitting_sql(failing: &BTreeSet<i64>) -> String {
    format!(
        "SELECT CASE WHEN m.place = 'i' THEN m.size ELSE 0 END FROM (SELECT account_id, id FROM body {} ORDER BY account_id, id LIMIT ?1) b \
         CROSS JOIN message m WHERE m.account_id = b.account_id AND m.id = b.id ORDER BY b.account_id, b.id",
        without(failing)
    )
}

/// A list of values behind IN keeps SQLite from using an index of two columns; a SELECT from it doesn't.
const SPOTS: &str = "WITH v(a, i) AS (VALUES {rows}) SELECT account_id, message_id, mailbox_id, uid FROM mailbox_message \
                     WHERE (account_id, message_id) IN (SELECT a, i FROM v)";
const PLACED: &str = "WITH v(a, i) AS (VALUES {rows}) UPDATE message SET place = NULL WHERE (account_id, id) IN (SELECT a, i FROM v)";
const DONE: &str = "WITH v(a, i) AS (VALUES {rows}) DELETE FROM body WHERE (account_id, id) IN (SELECT a, i FROM v)";

/// The condition that leaves these accounts alone.
fn without(failing: &BTreeSet<i64>) -> String {
    match failing.is_empty() {
        true => String::new(),
        false => format!("WHERE account_id NOT IN ({})", failing.iter().map(i64::to_string).collect::<Vec<_>>().join(",")),
    }
}

impl Work {
    /// Messages whose file could not be written stay as they are.
    fn leave_out(&mut self, results: Vec<Result<(), bodies::Error>>, failing: &mut BTreeSet<i64>) {
        for (result, (message, _)) in results.into_iter().zip(&self.files) {
            if let Err(error) = result {
                tracing::warn!("account {}: {error}; the message is safe in the database, and its file is tried again", message.0);
                failing.insert(message.0.get());
                self.placed.remove(message);
            }
        }
        let placed = &self.placed;
        self.spooled.retain(|message, _| placed.contains_key(message));
    }

    fn add(&mut self, store: &Store, account: AccountId, home: &Home, row: &db::Row) -> Result<(), Error> {
        let message = (account, row.int(1));
        let broken = |what: &str| Error::Broken(format!("message {} of account {account}: {what} in the database", message.1));
        let source = match Place::parse(row.text(3)) {
            Some(Place::Inline) => Source::Inline(row.blob(2).ok_or_else(|| broken("no body"))?),
            Some(Place::Spooled { name, prefix }) => {
                self.spooled.insert(message, name);
                Source::Spooled { name, prefix }
            }
            None => return Err(broken("a bad place")),
        };
        let name = FileName::parse(row.text(7)).ok_or_else(|| broken("a bad file name"))?;
        let mailbox = MailboxName::new(row.text(9)).map_err(|_| broken("a bad mailbox name"))?;
        let folder = store.bodies().folder(home, &mailbox.maildir_dir()).map_err(|error| Error::Engine(error.to_string()))?;
        let letters = copy::letters(row.int(8));
        self.files.push((message, folder.file(row.text(7), &letters)));
        let internaldate = row.int(4).div_euclid(1000);
        let again = !store.inner.unplaced.load(Ordering::Relaxed);
        self.jobs.push(Job::Place(Placement { folder, source, name, letters, internaldate, again }));
        self.placed.entry(message).or_default().insert((row.int(5), row.int(6)));
        Ok(())
    }
}

/// Removes spool files that are done with, and files of messages that were expunged while we placed them.
async fn tidy(store: &Store, work: Work, fates: &HashMap<Message, Fate>) -> Result<(), bodies::Error> {
    let is = |message: &Message, fate: Fate| fates.get(message) == Some(&fate);
    let removed = work.files.into_iter().filter(|(message, _)| is(message, Fate::Gone)).map(|(_, file)| Job::Remove(file)).collect::<Vec<_>>();
    if !removed.is_empty() {
        store.bodies().work(removed).await?.into_iter().collect::<Result<Vec<()>, _>>()?;
    }
    let names = work.spooled.into_iter().filter(|(message, _)| !is(message, Fate::Stays)).map(|(_, name)| name).collect::<Vec<_>>();
    if names.is_empty() { Ok(()) } else { store.bodies().discard(names).await }
}

/// What became of a message that was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is files now.
    Settled,
    /// It got a further place meanwhile: the next batch places it again.
    Stays,
    /// It was expunged meanwhile.
    Gone,
}

/// These messages are files now, in these spots.
pub(crate) struct Settled {
    account: AccountId,
    placed: BTreeMap<i64, HashSet<Spot>>,
}

impl Step for Settled {
    type Done = Vec<(i64, Fate)>;
    const COMBINES: bool = true;
    const RINGS: bool = false;
    fn locks(&self, locks: &mut Locks) {
        locks.take(self.account.key());
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<Vec<(i64, Fate)>>, Failed>> {
        Box::pin(async move {
            let all = batch.iter().flat_map(|step| step.placed.keys().map(|&id| [step.account.into(), id.into()]));
            let rows: Vec<[Value; 2]> = all.collect();
            let mut spots: HashMap<Message, HashSet<Spot>> = HashMap::new();
            for row in tx.rows(SPOTS, &rows).await? {
                spots.entry((AccountId::new(row.int(0)), row.int(1))).or_default().insert((row.int(2), row.int(3)));
            }
            let fate = |account, id, placed: &HashSet<Spot>| match spots.get(&(account, id)) {
                None => Fate::Gone,
                Some(now) if now.is_subset(placed) => Fate::Settled,
                Some(_) => Fate::Stays,
            };
            let fates: Vec<Vec<(i64, Fate)>> =
                batch.iter().map(|step| step.placed.iter().map(|(&id, placed)| (id, fate(step.account, id, placed))).collect()).collect();
            let settled = batch.iter().zip(&fates).flat_map(|(step, fates)| {
                fates.iter().filter(|(_, fate)| *fate == Fate::Settled).map(|&(id, _)| [step.account.into(), id.into()])
            });
            let settled: Vec<[Value; 2]> = settled.collect();
            tx.execute_rows(PLACED, &settled).await?;
            tx.execute_rows(DONE, &settled).await?;
            Ok(fates)
        })
    }
}

/// That these messages were placed, each in so many of the spots where it lies (the first, both, none).
#[cfg(test)]
pub(crate) async fn settled(world: &crate::testing::World, account: AccountId, placed: impl Iterator<Item = (i64, usize)>) -> Settled {
    let mut step = Settled { account, placed: BTreeMap::new() };
    for (id, count) in placed {
        let sql = "SELECT mailbox_id, uid FROM mailbox_message WHERE account_id = ?1 AND message_id = ?2 ORDER BY mailbox_id";
        let rows = world.store.db().query(sql, &[account.into(), id.into()]).await.unwrap();
        step.placed.insert(id, rows.iter().take(count).map(|row| (row.int(0), row.int(1))).collect());
    }
    step
}

#[cfg(test)]
pub(crate) async fn commit_settled(world: &crate::testing::World, units: Vec<Vec<Settled>>) -> Vec<Vec<(i64, String)>> {
    let done = world.store.db().commit(units).await.unwrap();
    let told = |fates: Vec<(i64, Fate)>| fates.into_iter().map(|(id, fate)| (id, format!("{fate:?}"))).collect();
    done.into_iter().flatten().map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::on_every_engine;

    /// The cost of a batch must not grow with the mail there is: SQLite reads only what the batch names, by whole keys. (PostgreSQL knows its tables' sizes.)
    #[tokio::test(flavor = "multi_thread")]
    async fn a_batch_reads_nothing_but_its_own_rows() {
        on_every_engine(|world| async move {
            if world.engine != "sqlite" {
                return;
            }
            // With few rows SQLite is careful; the plan of a whole batch is what counts.
            let batch: Vec<String> = (0..BATCH).map(|id| format!("(1, {id})")).collect();
            let rows = |sql: &str| sql.replace("{rows}", &batch.join(", "));
            for sql in [due_sql(&BTreeSet::new()), fitting_sql(&BTreeSet::new()), rows(SPOTS), rows(PLACED), rows(DONE)] {
                let sql = format!("EXPLAIN QUERY PLAN {}", sql.replace("?1", "512"));
                for step in world.store.db().query(&sql, &[]).await.unwrap() {
                    let step = step.text(3).to_owned();
                    let whole = ["(account_id=? AND id=?)", "(account_id=? AND message_id=?)", "(account_id=? AND mailbox_id=? AND uid=?)"];
                    let reads_little = !step.starts_with("SEARCH") || whole.iter().any(|key| step.contains(key));
                    // The bodies that are due are read from the first on.
                    let scans = step.starts_with("SCAN") && !["SCAN b", "SCAN v", "SCAN 512 CONSTANT", "SCAN body"].iter().any(|few| step.starts_with(few));
                    assert!(reads_little && !scans, "{step}\n{sql}");
                }
            }
        })
        .await;
    }
}
