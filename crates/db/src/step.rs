use std::any::{Any, TypeId};
use std::future::Future;
use std::pin::Pin;

use crate::{Error, Failed, Tx};

/// A future that may be sent to the writer.
pub type BoxFuture<'t, T> = Pin<Box<dyn Future<Output = T> + Send + 't>>;

/// What a step changes, and so what must not be changed by two at once. The order of keys is the order of locking.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Key {
    /// Domains, addresses, credentials: one key, they change rarely.
    Directory,
    /// An account's mail, by account id.
    Account(i64),
    /// A queued message, by queue id.
    Queued(i64),
}

impl Key {
    /// A number for engines that lock numbers. Two keys may share one: they then merely wait for each other.
    pub(crate) fn number(self) -> i64 {
        match self {
            Key::Directory => 0,
            Key::Account(id) => id.rotate_left(2) ^ 1,
            Key::Queued(id) => id.rotate_left(2) ^ 2,
        }
    }
}

/// Collects the keys of a step.
#[derive(Default, Debug)]
pub struct Locks(Vec<Key>);

impl Locks {
    /// The step changes what `key` names.
    pub fn take(&mut self, key: Key) {
        self.0.push(key);
    }
    pub(crate) fn into_keys(self) -> Vec<Key> {
        self.0
    }
}

/// One change of one kind. Runs together with others of its kind, and may run again after a roll-back: `run`
/// changes nothing but the transaction.
pub trait Step: Send + Sync + 'static {
    /// What the caller is told.
    type Done: Send + 'static;

    /// Whether several steps of this kind may change one key in one batch, in the order of the batch.
    const COMBINES: bool = false;

    /// Whether listeners hear of it: false for housekeeping that nobody is told about.
    const RINGS: bool = true;

    /// The keys it changes. A step that takes no key runs in parallel with anything.
    fn locks(&self, locks: &mut Locks);

    /// Roughly how many bytes it writes; bounds the size of a group.
    fn weight(&self) -> usize {
        0
    }

    /// Runs the batch: the same as running its steps one by one in order. One answer a step, in order.
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<Self::Done>, Failed>>;
}

/// An answer whose type the asker knows.
pub(crate) type Answer = Box<dyn Any + Send>;

/// A step with its kind erased, so that steps of all kinds travel in one queue.
pub(crate) trait AnyStep: Send + Sync {
    fn kind(&self) -> TypeId;
    fn combines(&self) -> bool;
    fn rings(&self) -> bool;
    fn keys(&self) -> Vec<Key>;
    fn weight(&self) -> usize;
    fn as_any(&self) -> &dyn Any;
    /// Runs a batch whose steps are all of this step's kind.
    fn run_batch<'t>(&self, batch: Vec<&'t dyn AnyStep>, tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<Answer>, Failed>>;
}

impl<S: Step> AnyStep for S {
    fn kind(&self) -> TypeId {
        TypeId::of::<S>()
    }
    fn combines(&self) -> bool {
        S::COMBINES
    }
    fn rings(&self) -> bool {
        S::RINGS
    }
    fn keys(&self) -> Vec<Key> {
        let mut locks = Locks::default();
        self.locks(&mut locks);
        locks.into_keys()
    }
    fn weight(&self) -> usize {
        Step::weight(self)
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn run_batch<'t>(&self, batch: Vec<&'t dyn AnyStep>, tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<Answer>, Failed>> {
        Box::pin(async move {
            let steps: Vec<&S> = batch.iter().filter_map(|step| step.as_any().downcast_ref()).collect();
            if steps.len() != batch.len() {
                return Err(Failed::Batch(Error::Broken("a batch of mixed kinds".into())));
            }
            let answers = S::run(&steps, tx).await?;
            if answers.len() != steps.len() {
                let name = std::any::type_name::<S>();
                return Err(Failed::Batch(Error::Broken(format!("{name}: {} answers to {} steps", answers.len(), steps.len()))));
            }
            Ok(answers.into_iter().map(|answer| Box::new(answer) as Answer).collect())
        })
    }
}
