//! A session from its first octet to its last: handshake, loop and handler in one task.

use crate::exchange::{Conversation, Exchange};
use crate::limits::{Caps, Limits};
use crate::listen::Connection;
use crate::peer::{Peer, TlsInfo};
use crate::pump::Pump;
use crate::stop::Stop;
use crate::tls::{End, TlsClient, TlsServer};
use crate::wire::Wire;
use dialogue::Dialogue;
use futures_util::FutureExt;
use std::any::Any;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use tokio::io::{AsyncRead, AsyncWrite};

/// What a service's sessions have in common.
#[derive(Clone)]
pub struct Setup {
    /// Certificates; `None`: no TLS, so the dialogue must not offer any.
    pub tls: Option<TlsServer>,
    /// TLS from the first octet (465, 993, 995); then `tls` must be there.
    pub implicit: bool,
    /// Limits of one session.
    pub limits: Limits,
    /// When to stop.
    pub stop: Stop,
    /// How many sessions, for [`crate::serve`].
    pub caps: Caps,
    /// What [`crate::serve`] tells a peer for which there is no room, with CRLF ("421 4.3.2 …", "* BYE …"); only in clear.
    pub busy: &'static str,
}

/// Sessions of a service unless told otherwise. 1000: below the usual limit of 1024 descriptors, and at worst
/// (all buffers full) 200 MB.
const SESSIONS: usize = 1000;
/// Of them from one address: Postfix's `smtpd_client_connection_count_limit`.
const PER_ADDRESS: usize = 50;

impl Setup {
    /// In clear, with the default limits, and no word for those who find no room.
    pub fn new(stop: Stop) -> Setup {
        let caps = Caps::new(SESSIONS, PER_ADDRESS);
        Setup { tls: None, implicit: false, limits: Limits::default(), stop, caps, busy: "" }
    }
}

/// What a call needs.
#[derive(Clone)]
pub struct Call {
    /// What to believe; `None`: no TLS.
    pub tls: Option<TlsClient>,
    /// TLS from the first octet.
    pub implicit: bool,
    /// Limits of one session.
    pub limits: Limits,
    /// When to stop.
    pub stop: Stop,
}

/// Why a session has no outcome. What befell the connection once a handler ran is the handler's to see:
/// [`Conversation::failure`].
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The handshake of implicit TLS failed; no handler was called.
    #[error("TLS handshake failed: {0}")]
    Handshake(String),
    /// The handler panicked: a mistake of ours. The message it gave.
    #[error("the session's handler panicked: {0}")]
    Panicked(String),
    /// The grace of a stop was over; the handler was dropped.
    #[error("cut off by the end of the program")]
    Cut,
}

/// Serves one connection: pumps `dialogue` between `connection` and what `handler` makes of it, until the handler has
/// ended, its last answer is flushed and the connection is closed. The handler is one future, polled in this task and
/// dropped by nothing but the end of a stop's grace.
///
/// # Errors
/// See [`Broken`]; else the handler's own outcome.
pub async fn converse<S, D, H, F>(connection: Connection<S>, dialogue: D, setup: Setup, handler: H) -> Result<F::Output, Broken>
where
    S: AsyncRead + AsyncWrite + Unpin,
    D: Dialogue,
    H: FnOnce(Conversation<D>) -> F,
    F: Future,
{
    let session = Box::pin(Session::begin(connection, setup.tls.map(End::Server), setup.implicit, setup.limits, setup.stop)).await?;
    session.run(dialogue, handler).await
}

/// The same for a client's end.
///
/// # Errors
/// See [`Broken`]; else the handler's own outcome.
pub async fn call<S, D, H, F>(connection: Connection<S>, dialogue: D, call: Call, handler: H) -> Result<F::Output, Broken>
where
    S: AsyncRead + AsyncWrite + Unpin,
    D: Dialogue,
    H: FnOnce(Conversation<D>) -> F,
    F: Future,
{
    let session = Box::pin(Session::begin(connection, call.tls.map(End::Client), call.implicit, call.limits, call.stop)).await?;
    session.run(dialogue, handler).await
}

/// A connection ready to speak the protocol.
pub(crate) struct Session<S> {
    wire: Wire<S>,
    peer: Peer,
    info: Option<TlsInfo>,
    end: Option<End>,
    limits: Limits,
    stop: Stop,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// Does the handshake of implicit TLS.
    pub(crate) async fn begin(
        connection: Connection<S>,
        end: Option<End>,
        implicit: bool,
        limits: Limits,
        stop: Stop,
    ) -> Result<Session<S>, Broken> {
        let Connection { stream, peer } = connection;
        let mut wire = Wire::Plain(stream);
        let mut info = None;
        if implicit {
            let Some(end) = &end else {
                return Err(Broken::Handshake("no certificate is configured".into()));
            };
            wire.upgrade(end);
            let shaken = tokio::time::timeout(limits.handshake, poll_fn(|cx| wire.poll_shake(cx)));
            let shaken = tokio::select! {
                shaken = shaken => shaken.map_err(|_| Broken::Handshake("it took too long".into()))?,
                () = stop.requested() => return Err(Broken::Cut),
            };
            let mut shaken = shaken.map_err(|error| Broken::Handshake(error.to_string()))?;
            if let End::Client(client) = end {
                shaken.sni = Some(client.name());
            }
            info = Some(shaken);
        }
        Ok(Session { wire, peer, info, end, limits, stop })
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Pumps until both the handler and the connection have ended. A session waits here for hours, so what it is made of lies in boxes
    /// of its own: a future that takes a value and then moves it has room for it twice.
    pub(crate) fn run<D, H, F>(self, dialogue: D, handler: H) -> impl Future<Output = Result<F::Output, Broken>>
    where
        D: Dialogue,
        H: FnOnce(Conversation<D>) -> F,
        F: Future,
    {
        let exchange = Arc::new(Exchange::new(self.info));
        let conversation = Conversation::new(exchange.clone(), Arc::new(self.peer), self.stop.clone());
        let pump = Box::new(Pump::new(self.wire, dialogue, exchange, self.end, self.limits));
        let handler = Box::pin(AssertUnwindSafe(async move { handler(conversation).await }).catch_unwind());
        Session::<S>::pumped(pump, handler, self.stop)
    }

    async fn pumped<D, F, T>(mut pump: Box<Pump<S, D>>, mut handler: Pin<Box<F>>, stop: Stop) -> Result<T, Broken>
    where
        D: Dialogue,
        F: Future<Output = Result<T, Box<dyn Any + Send>>>,
    {
        let mut outcome = None;
        let mut requested = pin!(stop.requested());
        let mut overdue = None;
        poll_fn(|cx| {
            loop {
                if outcome.is_none()
                    && let Poll::Ready(ended) = handler.as_mut().poll(cx)
                {
                    match ended {
                        Ok(ended) => outcome = Some(Ok(ended)),
                        Err(panic) => {
                            pump.apologise();
                            outcome = Some(Err(Broken::Panicked(message(&*panic))));
                        }
                    }
                }
                match pump.poll(cx, overdue.is_some()) {
                    Poll::Ready(false) => continue,
                    Poll::Ready(true) => {
                        if let Some(outcome) = outcome.take() {
                            return Poll::Ready(outcome);
                        }
                    }
                    Poll::Pending => {}
                }
                match &mut overdue {
                    None => {
                        if requested.as_mut().poll(cx).is_pending() {
                            return Poll::Pending;
                        }
                        overdue = Some(Box::pin(stop.overdue()));
                    }
                    Some(overdue) => {
                        return match overdue.as_mut().poll(cx) {
                            Poll::Ready(()) => Poll::Ready(outcome.take().unwrap_or(Err(Broken::Cut))),
                            Poll::Pending => Poll::Pending,
                        };
                    }
                }
            }
        })
        .await
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}
