//! Where records are verified: on blocking threads, so many at a time, so many waiting. Who is suspected of guessing takes
//! half of the workers at most, and a quarter of the places: the others never stand behind a queue of guesses. A suspect's
//! thread has the lowest priority besides, so that guesses take no processor from those who are known.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, oneshot};

/// nice(2): below all that has not asked for less.
const LEAST: i32 = 19;

/// A bounded pool for work that holds a processor.
pub(crate) struct Pool {
    workers: Arc<Semaphore>,
    places: Semaphore,
    suspects: Semaphore,
    suspects_places: Semaphore,
    patience: Duration,
}

/// Why work was not done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Too many wait already, or this one waited too long.
    Saturated,
    /// The work panicked, or the runtime is going down.
    Lost,
}

impl Pool {
    /// At least one worker: with none, nobody could log in.
    pub(crate) fn new(workers: usize, waiting: usize, patience: Duration) -> Pool {
        let (workers, places) = (workers.clamp(1, Semaphore::MAX_PERMITS / 2), waiting.min(Semaphore::MAX_PERMITS / 2));
        // A place is for those who work as well as those who wait.
        Pool {
            workers: Arc::new(Semaphore::new(workers)),
            places: Semaphore::new(places + workers),
            suspects: Semaphore::new((workers / 2).max(1)),
            suspects_places: Semaphore::new(places / 4 + (workers / 2).max(1)),
            patience,
        }
    }

    /// As [`Pool::run`], for somebody who may be guessing.
    pub(crate) async fn run_suspect<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refused> {
        let _place = self.suspects_places.try_acquire().map_err(|_| Refused::Saturated)?;
        let suspect = tokio::time::timeout(self.patience, self.suspects.acquire()).await;
        let _suspect = suspect.map_err(|_| Refused::Saturated)?.map_err(|_| Refused::Lost)?;
        let (_place, worker) = self.worker().await?;
        let (done, wait) = oneshot::channel();
        // A thread of its own, not the runtime's: who has made itself less important can't go back.
        let thread = std::thread::Builder::new().name("suspect".into()).spawn(move || {
            if let Err(error) = rustix::process::nice(LEAST) {
                tracing::debug!(%error, "a guess is verified at full priority");
            }
            let _ = done.send(work()); // nobody waits any more: the work was done all the same
            drop(worker);
        });
        thread.map_err(|_| Refused::Saturated)?;
        wait.await.map_err(|_| Refused::Lost)
    }

    /// Runs `work` on a thread of its own. A caller that goes away does not free the worker: the work goes on to its
    /// end, and until then it counts.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refused> {
        let (_place, worker) = self.worker().await?;
        let task = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(worker);
            done
        });
        task.await.map_err(|_| Refused::Lost)
    }

    /// A place, and when it is free a worker.
    async fn worker(&self) -> Result<(SemaphorePermit<'_>, OwnedSemaphorePermit), Refused> {
        let place = self.places.try_acquire().map_err(|_| Refused::Saturated)?;
        let worker = tokio::time::timeout(self.patience, self.workers.clone().acquire_owned());
        let worker = worker.await.map_err(|_| Refused::Saturated)?.map_err(|_| Refused::Lost)?;
        Ok((place, worker))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn work_is_done_elsewhere_and_a_panic_stays_there() {
        let pool = Pool::new(1, 0, LONG);
        let here = std::thread::current().id();
        assert_eq!(pool.run(move || std::thread::current().id() != here).await, Ok(true));
        assert_eq!(pool.run(|| panic!("of the test")).await, Err::<(), _>(Refused::Lost));
        assert_eq!(pool.run(|| 1).await, Ok(1), "the worker came back");
        assert_eq!(pool.run_suspect(|| panic!("of the test")).await, Err::<(), _>(Refused::Lost));
        let priority = || rustix::process::getpriority_process(None).expect("a priority");
        assert_eq!((pool.run_suspect(priority).await, pool.run(priority).await), (Ok(LEAST), Ok(priority())), "suspects stand back");
    }

    #[tokio::test]
    async fn suspects_leave_a_worker_free() {
        let pool = Arc::new(Pool::new(2, 8, LONG));
        let (started, wait) = mpsc::channel();
        let (finish, gate) = mpsc::channel::<()>();
        let busy = tokio::spawn({
            let pool = pool.clone();
            async move {
                pool.run_suspect(move || {
                    started.send(()).expect("the test listens");
                    gate.recv()
                })
                .await
            }
        });
        tokio::task::spawn_blocking(move || wait.recv()).await.expect("joined").expect("started");
        let queued: Vec<_> = (0..2).map(|n| tokio::spawn({ let pool = pool.clone(); async move { pool.run_suspect(move || n).await } })).collect();
        while pool.suspects_places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(pool.run_suspect(|| 1).await, Err(Refused::Saturated), "no more places for suspects");
        assert_eq!(pool.run(|| 1).await, Ok(1), "the others go past them");
        finish.send(()).expect("the work waits");
        assert_eq!(busy.await.expect("joined"), Ok(Ok(())));
        for (n, queued) in queued.into_iter().enumerate() {
            assert_eq!(queued.await.expect("joined"), Ok(n));
        }
    }

    #[tokio::test]
    async fn who_finds_no_place_is_turned_away_at_once_and_who_waits_too_long_in_time() {
        let pool = Arc::new(Pool::new(1, 1, Duration::ZERO));
        let (started, wait) = mpsc::channel();
        let (finish, gate) = mpsc::channel::<()>();
        let busy = tokio::spawn({
            let pool = pool.clone();
            async move {
                pool.run(move || {
                    started.send(()).expect("the test listens");
                    gate.recv()
                })
                .await
            }
        });
        tokio::task::spawn_blocking(move || wait.recv()).await.expect("joined").expect("started");
        assert_eq!(pool.run(|| 1).await, Err(Refused::Saturated), "waited longer than its patience");
        let place = pool.places.try_acquire().expect("one may wait");
        assert_eq!(pool.run(|| 1).await, Err(Refused::Saturated), "no place to wait");
        drop(place);
        finish.send(()).expect("the work waits");
        assert_eq!(busy.await.expect("joined"), Ok(Ok(())));
        assert_eq!(pool.run(|| 1).await, Ok(1));
    }
}
