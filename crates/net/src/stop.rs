//! Stopping in good order: first everybody is asked, later everybody is cut off.

use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Held by the program: the first TERM is [`Stopper::request`], the second [`Stopper::cut`].
#[derive(Debug, Clone)]
pub struct Stopper(watch::Sender<State>);

/// Held by everything that runs: tells whether to stop.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<State>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    /// Until this instant.
    Stopping(Instant),
}

impl Default for Stopper {
    fn default() -> Stopper {
        Stopper::new()
    }
}

impl Stopper {
    /// Running.
    pub fn new() -> Stopper {
        Stopper(watch::Sender::new(State::Running))
    }

    /// A signal that follows this stopper. Once every stopper is dropped it never comes.
    pub fn stop(&self) -> Stop {
        Stop(self.0.subscribe())
    }

    /// Asks everybody to end within `grace`; asked again, the earlier end holds.
    pub fn request(&self, grace: Duration) {
        let end = Instant::now() + grace;
        self.0.send_modify(|state| {
            *state = State::Stopping(match *state {
                State::Stopping(earlier) => earlier.min(end),
                State::Running => end,
            });
        });
    }

    /// Ends everything now.
    pub fn cut(&self) {
        self.request(Duration::ZERO);
    }
}

impl Stop {
    /// A signal that never comes.
    pub fn never() -> Stop {
        Stopper::new().stop()
    }

    /// Whether to stop.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow() != State::Running
    }

    /// When the grace ends, once a stop was requested.
    pub fn deadline(&self) -> Option<std::time::Instant> {
        match *self.0.borrow() {
            State::Stopping(end) => Some(end.into_std()),
            State::Running => None,
        }
    }

    /// Waits for the request to stop.
    pub async fn requested(&self) {
        let mut state = self.0.clone();
        if state.wait_for(|state| *state != State::Running).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until the grace is over.
    pub async fn overdue(&self) {
        self.requested().await;
        let mut state = self.0.clone();
        loop {
            let State::Stopping(end) = *state.borrow_and_update() else {
                return;
            };
            tokio::select! {
                () = tokio::time::sleep_until(end) => return,
                Ok(()) = state.changed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_second_request_shortens_the_grace() {
        let stopper = Stopper::new();
        let stop = stopper.stop();
        assert!(!stop.is_requested());
        stopper.request(Duration::from_secs(30));
        stop.requested().await;
        let begun = Instant::now();
        stop.overdue().await;
        assert_eq!(begun.elapsed().as_secs(), 30);
        let stopper = Stopper::new();
        let stop = stopper.stop();
        stopper.request(Duration::from_secs(30));
        let begun = Instant::now();
        tokio::join!(stop.overdue(), async { stopper.cut() });
        assert_eq!(begun.elapsed().as_secs(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_forgotten_stopper_stops_nothing() {
        let waited = tokio::time::timeout(Duration::from_secs(1), async { Stop::never().overdue().await }).await;
        assert!(waited.is_err());
    }
}
