//! Where loop and handler meet: one event and one answer at a time.
//!
//! Both live in one task, so the lock is never waited for; it is there because a handler may lend its conversation to a
//! future of its own. Neither side wakes the other while the loop is running, since the loop looks anyway: a
//! session's command costs one poll, not three.

use crate::peer::{Peer, TlsInfo};
use crate::stop::Stop;
use dialogue::{Answer, Dialogue, Ended, Event};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A handler's end of a session.
pub struct Conversation<D: Dialogue> {
    exchange: Arc<Exchange<D::Command, D::Answer>>,
    peer: Arc<Peer>,
    stop: Stop,
}

/// The session is over: no answer can reach the peer any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the peer is gone")]
pub struct Gone;

/// Why a connection broke off, for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The peer closed between two commands or within one. The usual way to leave without QUIT.
    #[error("the peer closed the connection")]
    Closed,
    /// Reading or writing failed.
    #[error("the connection broke: {0}")]
    Io(String),
    /// The peer took its output more slowly than `Limits::write_rate`.
    #[error("the peer reads too slowly")]
    TooSlow,
    /// The handshake failed or took too long.
    #[error("TLS handshake failed: {0}")]
    Handshake(String),
    /// An upgrade was promised where no certificate is configured: a mistake of ours.
    #[error("TLS was asked for, but no certificate is configured")]
    NoTls,
    /// What the peer compressed cannot be read.
    #[error("what the peer sent cannot be decompressed: {0}")]
    Garbled(String),
    /// The dialogue left more input than `Limits::input`: a mistake of ours.
    #[error("the protocol left too much input unread")]
    Flooded,
}

/// How much was said, in octets of the protocol: before compression and TLS. For the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Octets {
    /// By the peer.
    pub read: u64,
    /// By us; also what the peer may not have taken any more.
    pub written: u64,
}

impl<D: Dialogue> Conversation<D> {
    pub(crate) fn new(exchange: Arc<Exchange<D::Command, D::Answer>>, peer: Arc<Peer>, stop: Stop) -> Conversation<D> {
        Conversation { exchange, peer, stop }
    }

    /// The next event; `None` after `Event::Ended` (or at once where the dialogue saw no need to tell). May be dropped
    /// and called again: no event is lost.
    pub async fn next(&mut self) -> Option<Event<D::Command>> {
        poll_fn(|cx| self.exchange.poll_event(cx)).await
    }

    /// Hands an answer to the loop; waits while the one before was not yet taken, because output is full or the
    /// dialogue wants none now. That it returns says nothing about when the peer gets it.
    ///
    /// # Errors
    /// [`Gone`]: the session is over; a handler finishes what it must and ends.
    pub async fn answer(&mut self, answer: Answer<D::Answer>) -> Result<(), Gone> {
        let mut answer = Some(answer);
        poll_fn(|cx| self.exchange.poll_answer(cx, &mut answer)).await
    }

    /// Reads a body to its end without keeping it: what a handler does that cannot take it, before it says so.
    ///
    /// # Errors
    /// The session ended first; no answer is due.
    pub async fn skip_body(&mut self) -> Result<(), Ended> {
        loop {
            match self.next().await {
                Some(Event::Body(_)) => {}
                Some(Event::Ended(why)) => return Err(why),
                Some(_) => return Ok(()),
                None => return Err(Ended::Peer),
            }
        }
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// What the handshake agreed on; `None` in clear.
    pub fn tls(&self) -> Option<Arc<TlsInfo>> {
        self.exchange.lock().tls.clone()
    }

    /// Whether the session is under TLS now.
    pub fn secured(&self) -> bool {
        self.exchange.lock().tls.is_some()
    }

    /// What a login can be bound to on this connection.
    pub fn binding(&self) -> Option<[u8; 32]> {
        self.exchange.lock().tls.as_ref()?.binding.map(|binding| binding.0)
    }

    /// Whether both ends compress what they say now.
    pub fn compressed(&self) -> bool {
        self.exchange.lock().compressed
    }

    /// What was said until now.
    pub fn octets(&self) -> Octets {
        self.exchange.lock().octets
    }

    /// Why the connection broke, if it did; set before `Event::Ended(Ended::Peer)` comes.
    pub fn failure(&self) -> Option<Failure> {
        self.exchange.lock().failure.clone()
    }

    /// The server's stop signal: `conversation.stopping().requested().await`, for work that takes long.
    pub fn stopping(&self) -> &Stop {
        &self.stop
    }
}

impl<D: Dialogue> Drop for Conversation<D> {
    fn drop(&mut self) {
        let mut inner = self.exchange.lock();
        inner.left = true;
        inner.event = None;
        inner.touch();
    }
}

pub(crate) struct Exchange<C, A>(Mutex<Inner<C, A>>);

pub(crate) struct Inner<C, A> {
    event: Option<Event<C>>,
    /// The very last event, should `event` still lie there when the end comes.
    last: Option<Event<C>>,
    answer: Option<Answer<A>>,
    /// No event follows.
    over: bool,
    /// No answer is taken any more.
    gone: bool,
    /// The handler dropped its conversation.
    left: bool,
    pub(crate) tls: Option<Arc<TlsInfo>>,
    pub(crate) compressed: bool,
    pub(crate) octets: Octets,
    pub(crate) failure: Option<Failure>,
    /// Waiting for an event.
    reader: Option<Waker>,
    /// Waiting for room for an answer.
    writer: Option<Waker>,
    /// The loop, while it sleeps.
    pump: Option<Waker>,
    /// The handler did something while the loop was awake.
    touched: bool,
}

impl<C, A> Inner<C, A> {
    fn touch(&mut self) {
        self.touched = true;
        if let Some(waker) = self.pump.take() {
            waker.wake();
        }
    }
}

impl<C, A> Exchange<C, A> {
    pub(crate) fn new(tls: Option<TlsInfo>) -> Exchange<C, A> {
        Exchange(Mutex::new(Inner {
            event: None,
            last: None,
            answer: None,
            over: false,
            gone: false,
            left: false,
            tls: tls.map(Arc::new),
            compressed: false,
            octets: Octets::default(),
            failure: None,
            reader: None,
            writer: None,
            pump: None,
            touched: false,
        }))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner<C, A>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll_event(&self, cx: &mut Context<'_>) -> Poll<Option<Event<C>>> {
        let mut inner = self.lock();
        let next = inner.event.take();
        if let Some(event) = next.or_else(|| inner.last.take()) {
            inner.touch();
            return Poll::Ready(Some(event));
        }
        if inner.over {
            return Poll::Ready(None);
        }
        store(&mut inner.reader, cx);
        Poll::Pending
    }

    fn poll_answer(&self, cx: &mut Context<'_>, answer: &mut Option<Answer<A>>) -> Poll<Result<(), Gone>> {
        let mut inner = self.lock();
        if inner.gone {
            return Poll::Ready(Err(Gone));
        }
        if inner.answer.is_some() {
            store(&mut inner.writer, cx);
            return Poll::Pending;
        }
        inner.answer = answer.take();
        inner.touch();
        Poll::Ready(Ok(()))
    }

    // ── the loop's side ──────────────────────────────────────────────────────────────────────────

    /// Whether an event can be put.
    pub(crate) fn has_room(&self) -> bool {
        let inner = self.lock();
        inner.event.is_none() && !inner.left
    }

    /// Whether the handler left, and its last answer was taken.
    pub(crate) fn left(&self) -> bool {
        let inner = self.lock();
        inner.left && inner.answer.is_none()
    }

    pub(crate) fn put(&self, event: Event<C>, cx: &Context<'_>) {
        let mut inner = self.lock();
        inner.event = Some(event);
        rouse(&mut inner.reader, cx);
    }

    pub(crate) fn take(&self, cx: &Context<'_>) -> Option<Answer<A>> {
        let mut inner = self.lock();
        let answer = inner.answer.take()?;
        rouse(&mut inner.writer, cx);
        Some(answer)
    }

    /// No event follows `last`; with `gone`, no answer is taken any more.
    pub(crate) fn finish(&self, last: Option<Event<C>>, gone: bool, cx: &Context<'_>) {
        let mut inner = self.lock();
        if !inner.over {
            inner.last = last;
            inner.over = true;
        }
        rouse(&mut inner.reader, cx);
        if gone {
            inner.gone = true;
            inner.answer = None;
            rouse(&mut inner.writer, cx);
        }
    }

    /// The loop is about to look at everything.
    pub(crate) fn look(&self) {
        let mut inner = self.lock();
        inner.pump = None;
        inner.touched = false;
    }

    /// The loop goes to sleep: from now on it is woken by what the handler does. `false`: the handler (in a task
    /// of its own) did something since [`Exchange::look`].
    pub(crate) fn sleep(&self, cx: &Context<'_>) -> bool {
        let mut inner = self.lock();
        if !inner.touched {
            store(&mut inner.pump, cx);
        }
        !inner.touched
    }
}

fn store(place: &mut Option<Waker>, cx: &Context<'_>) {
    match place {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *place = Some(cx.waker().clone()),
    }
}

/// Wakes the handler, unless it is polled by this very task, which looks after it anyway.
fn rouse(place: &mut Option<Waker>, cx: &Context<'_>) {
    if let Some(waker) = place.take()
        && !waker.will_wake(cx.waker())
    {
        waker.wake();
    }
}
