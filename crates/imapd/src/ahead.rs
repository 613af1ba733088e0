//! Work on several messages ahead of the one whose turn it is, so that disk and database work while the client is told.
//!
//! Each runs in a task of its own. A future merely polled now and then would keep its connection to the database while
//! another answer waits for the peer; a few slow readers could so stop everybody.

use std::collections::VecDeque;
use std::future::Future;

use tokio::task::JoinHandle;

/// Pieces of work at a time: two go on, one a core, while the one before is told. Each may hold half a megabyte of bodies.
const AHEAD: usize = 3;

/// Gives the results in the order of the work.
pub(crate) struct Ahead<I, T> {
    work: I,
    running: VecDeque<JoinHandle<T>>,
}

impl<I, F, T> Ahead<I, T>
where
    I: Iterator<Item = F>,
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    pub(crate) fn new(work: I) -> Ahead<I, T> {
        Ahead { work, running: VecDeque::with_capacity(AHEAD) }
    }

    /// There is more work than there was.
    pub(crate) fn more(&mut self, add: impl FnOnce(&mut I)) {
        add(&mut self.work);
        self.begin();
    }

    /// The next result; `None` after the last, or when the program ends.
    pub(crate) async fn next(&mut self) -> Option<T> {
        self.begin();
        match self.running.pop_front()?.await {
            Ok(result) => Some(result),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()), // ends this session only
            Err(_) => None,
        }
    }

    fn begin(&mut self) {
        while self.running.len() < AHEAD
            && let Some(work) = self.work.next()
        {
            self.running.push_back(tokio::spawn(work));
        }
    }
}

impl<I, T> Drop for Ahead<I, T> {
    fn drop(&mut self) {
        self.running.iter().for_each(JoinHandle::abort);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn results_come_in_order_and_little_runs_ahead() {
        let begun = Arc::new(AtomicUsize::new(0));
        let counter = begun.clone();
        let work = (0..20usize).map(move |n| {
            let begun = counter.clone();
            async move {
                begun.fetch_add(1, Ordering::Relaxed);
                for _ in 0..20 - n {
                    tokio::task::yield_now().await;
                }
                n
            }
        });
        let mut ahead = Ahead::new(work);
        for n in 0..20 {
            assert_eq!(ahead.next().await, Some(n));
            assert!(begun.load(Ordering::Relaxed) <= n + AHEAD);
        }
        assert_eq!(ahead.next().await, None);
    }
}
