//! The writers: what queued up during the last commit runs as one group.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::Mutex;

use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};

use crate::step::{Answer, AnyStep};
use crate::unit::private::{Answered, Erased};
use crate::{Bells, BoxFuture, Error, Failed, Key, Tx, wave};

/// Units of one group at most: beyond it, a commit's cost is the statements, not the flush.
pub const GROUP_UNITS: usize = 128;
/// Bytes of one group at most, so that one group does not hold up the next for long.
pub const GROUP_BYTES: usize = 8 << 20;
/// Writers of PostgreSQL. SQLite has one.
pub const WRITERS: usize = 4;
/// Units that may wait for a writer; beyond it `commit` waits for room.
const WAITING: usize = 4 * GROUP_UNITS;
/// How often a group runs again without those who were refused, before its units run alone.
const ROUNDS: usize = 3;

/// A unit in the queue.
pub(crate) struct Request {
    steps: Vec<Box<dyn AnyStep>>,
    keys: Vec<Key>,
    /// Those of its keys that listeners hear of.
    rings: Vec<Key>,
    weight: usize,
}

impl Request {
    /// Whether both change the same thing. Keys are sorted.
    fn shares_a_key(&self, other: &Request) -> bool {
        self.keys.iter().any(|key| other.keys.binary_search(key).is_ok())
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.keys.iter().copied()
    }
}

/// What became of a group, or of one unit.
pub(crate) enum Outcome {
    /// The answers of each unit, in order.
    Done(Vec<Vec<Answer>>),
    /// These units are to blame; nothing was changed.
    Culprits(Vec<(usize, Error)>),
    /// Nobody in particular; nothing was changed. It may be the fault of one.
    Failed(Error),
    /// The engine could not begin or end a transaction: every unit is told, and none is run again. Nothing was changed,
    /// unless the error is [`Error::Closed`].
    Unavailable(Error),
}

/// Runs one group in one transaction, and commits it when it is done.
pub(crate) trait Engine: Send {
    fn run<'t>(&'t mut self, group: &'t [&'t Request]) -> BoxFuture<'t, Outcome>;
    fn close(self: Box<Self>) -> BoxFuture<'static, ()>;
}

type Reply = oneshot::Sender<Result<Vec<Answered>, Error>>;

pub(crate) struct Writers {
    queues: Mutex<Vec<mpsc::Sender<(Request, Reply)>>>,
    tasks: Mutex<Vec<tokio::task::JoinHandle<()>>>,
}

impl Writers {
    pub(crate) fn start(engines: Vec<Box<dyn Engine>>, bells: Arc<Bells>) -> Writers {
        let (mut queues, mut tasks) = (Vec::new(), Vec::new());
        for engine in engines {
            let (sender, receiver) = mpsc::channel(WAITING);
            queues.push(sender);
            tasks.push(tokio::spawn(write(engine, receiver, bells.clone())));
        }
        Writers { queues: Mutex::new(queues), tasks: Mutex::new(tasks) }
    }

    pub(crate) async fn submit(&self, steps: Vec<Erased>) -> Result<Vec<Answered>, Error> {
        let steps: Vec<Box<dyn AnyStep>> = steps.into_iter().map(|step| step.0).collect();
        let mut keys: Vec<Key> = steps.iter().flat_map(|step| step.keys()).collect();
        keys.sort_unstable();
        keys.dedup();
        let rings = steps.iter().filter(|step| step.rings()).flat_map(|step| step.keys()).collect();
        let weight = steps.iter().map(|step| step.weight()).sum();
        let queue = self.queue_of(&keys).ok_or(Error::Closed)?;
        let (reply, answered) = oneshot::channel();
        queue.send((Request { steps, keys, rings, weight }, reply)).await.map_err(|_| Error::Closed)?;
        answered.await.map_err(|_| Error::Closed)?
    }

    /// The writer a unit belongs to: that of its first key.
    fn queue_of(&self, keys: &[Key]) -> Option<mpsc::Sender<(Request, Reply)>> {
        let queues = self.queues.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut hasher = DefaultHasher::new();
        keys.first().hash(&mut hasher);
        let index = hasher.finish() as usize % queues.len().max(1);
        queues.get(index).cloned()
    }

    pub(crate) async fn close(&self) {
        self.queues.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clear();
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!("a database writer: {error}");
            }
        }
    }
}

async fn write(mut engine: Box<dyn Engine>, mut queue: mpsc::Receiver<(Request, Reply)>, bells: Arc<Bells>) {
    while let Some(first) = queue.recv().await {
        let mut weight = first.0.weight;
        let mut group = vec![first];
        while group.len() < GROUP_UNITS && weight < GROUP_BYTES {
            let Ok(next) = queue.try_recv() else { break };
            weight += next.0.weight;
            group.push(next);
        }
        run_group(&mut *engine, group, &bells).await;
    }
    engine.close().await;
}

/// Runs a group; answers those who are refused and runs the others again; at last each alone.
///
/// A refusal counts at once only if no unit before it in the group shares a key with it: else what it was refused for may
/// be the doing of a unit that is refused itself. Such a unit runs alone after the others, and is answered by that.
async fn run_group(engine: &mut dyn Engine, mut group: Vec<(Request, Reply)>, bells: &Bells) {
    let mut suspects = Vec::new();
    for _ in 0..ROUNDS {
        if group.is_empty() {
            break;
        }
        match run_caught(engine, &group).await {
            Outcome::Done(answers) => {
                tell(std::mem::take(&mut group), answers, bells);
                break;
            }
            Outcome::Culprits(mut culprits) => {
                // From the back, so that the indices before stay true.
                culprits.sort_by_key(|culprit| std::cmp::Reverse(culprit.0));
                culprits.dedup_by_key(|culprit| culprit.0);
                for (index, error) in culprits {
                    if index >= group.len() {
                        continue;
                    }
                    let alone = !group[..index].iter().any(|(before, _)| before.shares_a_key(&group[index].0));
                    let (request, reply) = group.remove(index);
                    match alone {
                        true => answer(reply, Err(error)),
                        false => suspects.push((request, reply)),
                    }
                }
            }
            Outcome::Failed(error) if group.len() == 1 => group.drain(..).for_each(|(_, reply)| answer(reply, Err(error.clone()))),
            Outcome::Failed(error) => {
                tracing::debug!("a group of {} failed: {error}; its units run alone", group.len());
                break;
            }
            Outcome::Unavailable(error) => return group.into_iter().chain(suspects).for_each(|(_, reply)| answer(reply, Err(error.clone()))),
        }
    }
    // In order of arrival again: they were taken out from the back.
    group.extend(suspects.into_iter().rev());
    run_alone(engine, group, bells).await;
}

/// Runs each unit in a transaction of its own.
async fn run_alone(engine: &mut dyn Engine, group: Vec<(Request, Reply)>, bells: &Bells) {
    let mut rest = group.into_iter();
    while let Some(unit) = rest.next() {
        let unit = [unit];
        let outcome = run_caught(engine, &unit).await;
        let [(request, reply)] = unit;
        match outcome {
            Outcome::Done(answers) => tell(vec![(request, reply)], answers, bells),
            Outcome::Culprits(culprits) => {
                let error = culprits.into_iter().next().map(|culprit| culprit.1);
                answer(reply, Err(error.unwrap_or(Error::Broken("refused without a reason".into()))));
            }
            Outcome::Failed(error) => answer(reply, Err(error)),
            Outcome::Unavailable(error) => {
                answer(reply, Err(error.clone()));
                return rest.for_each(|(_, reply)| answer(reply, Err(error.clone())));
            }
        }
    }
}

/// A panic of the engine or of a driver is an error like others: the writer goes on.
async fn run_caught(engine: &mut dyn Engine, group: &[(Request, Reply)]) -> Outcome {
    let requests: Vec<&Request> = group.iter().map(|(request, _)| request).collect();
    let ran = AssertUnwindSafe(engine.run(&requests)).catch_unwind().await;
    // It may have panicked on either side of its COMMIT.
    ran.unwrap_or(Outcome::Unavailable(Error::Closed))
}

fn tell(group: Vec<(Request, Reply)>, answers: Vec<Vec<Answer>>, bells: &Bells) {
    let mut keys: Vec<Key> = group.iter().flat_map(|(request, _)| request.rings.iter().copied()).collect();
    keys.sort_unstable();
    keys.dedup();
    if !keys.is_empty() && std::panic::catch_unwind(AssertUnwindSafe(|| bells.ring(&keys))).is_err() {
        tracing::error!("whoever listens to commits panicked; the commit stands");
    }
    for ((_, reply), answers) in group.into_iter().zip(answers) {
        answer(reply, Ok(answers.into_iter().map(Answered).collect()));
    }
}

fn answer(reply: Reply, result: Result<Vec<Answered>, Error>) {
    // The caller may be gone; what it asked for is done all the same.
    let _ = reply.send(result);
}

/// Runs the steps of a group, wave by wave and kind by kind, in the open transaction `tx`.
pub(crate) async fn run_waves(tx: &mut Tx, group: &[&Request]) -> Outcome {
    let steps: Vec<(usize, &dyn AnyStep)> =
        group.iter().enumerate().flat_map(|(unit, request)| request.steps.iter().map(move |step| (unit, &**step))).collect();
    let asked: Vec<wave::Asked> = steps
        .iter()
        .map(|(_, step)| wave::Asked { kind: step.kind(), combines: step.combines(), keys: step.keys() })
        .collect();
    let mut answers: Vec<Option<Answer>> = steps.iter().map(|_| None).collect();
    for (n, batch) in wave::plan(&asked).into_iter().flatten().enumerate() {
        // What goes in one call is of one batch, with BEGIN before or COMMIT after it: few sequences of statements are prepared.
        if n > 0
            && let Err(error) = tx.flush().await
        {
            return Outcome::Failed(error);
        }
        let members: Vec<&dyn AnyStep> = batch.iter().map(|&index| steps[index].1).collect();
        let ran = AssertUnwindSafe(members[0].run_batch(members.clone(), tx)).catch_unwind().await;
        match ran {
            Ok(Ok(done)) => batch.iter().zip(done).for_each(|(&index, answer)| answers[index] = Some(answer)),
            Ok(Err(Failed::Steps(culprits))) => {
                let unit_of = |index: usize| batch.get(index).map(|&step| steps[step].0);
                return Outcome::Culprits(culprits.into_iter().filter_map(|(index, error)| Some((unit_of(index)?, error))).collect());
            }
            Ok(Err(Failed::Batch(error))) => return Outcome::Failed(error),
            Err(_) => return Outcome::Failed(Error::Broken("a step panicked; see the log".into())),
        }
    }
    if let Some(error) = tx.failed() {
        return Outcome::Failed(Error::Broken(format!("a step went on after an error: {error}")));
    }
    let mut done: Vec<Vec<Answer>> = group.iter().map(|_| Vec::new()).collect();
    for ((unit, _), answer) in steps.iter().zip(answers) {
        match answer {
            Some(answer) => done[*unit].push(answer),
            None => return Outcome::Failed(Error::Broken("a step was never run".into())),
        }
    }
    Outcome::Done(done)
}

/// Milliseconds since 1970.
pub(crate) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
