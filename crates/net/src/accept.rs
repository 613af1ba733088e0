//! The accept loop: one task for each connection, as many as there are seats.

use crate::converse::{Broken, Session, Setup};
use crate::exchange::Conversation;
use crate::limits::{Full, Seat};
use crate::listen::{Connection, Listener, Socket};
use crate::peer::Peer;
use crate::tls::End;
use dialogue::Dialogue;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// How long to pause when the system has no descriptors or memory left, so that sessions can end and give theirs back.
const PAUSE: Duration = Duration::from_millis(200);

/// Serves what `listener` accepts, until the stop is requested and all sessions counted by `setup.caps` have ended or the
/// stop's grace is over. `make` gives the dialogue for a connection (after the handshake of implicit TLS), `handler` what talks with it.
/// A panic ends its session only.
pub async fn serve<D, M, H, F>(listener: Listener, setup: Setup, make: M, handler: H)
where
    D: Dialogue + Send + 'static,
    M: Fn(&Peer) -> D + Send + Sync + 'static,
    H: Fn(Conversation<D>) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let shared = Arc::new((make, handler));
    let stop = setup.stop.clone();
    let requested = stop.requested();
    tokio::pin!(requested);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut requested => break,
        };
        let connection = match accepted {
            Ok(connection) => connection,
            Err(error) => {
                pause(&listener, &error).await;
                continue;
            }
        };
        match setup.caps.enter(connection.peer.remote.ip()) {
            Ok(seat) => drop(tokio::spawn(session(connection, setup.clone(), shared.clone(), seat))),
            Err(full) => refuse(&connection, &setup, full),
        }
    }
    drop(listener);
    tokio::select! {
        () = setup.caps.emptied() => {}
        () = stop.overdue() => {}
    }
}

async fn session<D, M, H, F>(connection: Connection<Socket>, setup: Setup, shared: Arc<(M, H)>, _seat: Seat)
where
    D: Dialogue,
    M: Fn(&Peer) -> D,
    H: Fn(Conversation<D>) -> F,
    F: Future<Output = ()>,
{
    let Peer { remote, service, .. } = connection.peer;
    let tls = setup.tls.map(End::Server);
    let ended = match Box::pin(Session::begin(connection, tls, setup.implicit, setup.limits, setup.stop)).await {
        Ok(session) => {
            let dialogue = (shared.0)(session.peer());
            session.run(dialogue, &shared.1).await
        }
        Err(broken) => Err(broken),
    };
    match ended {
        Ok(()) => {}
        Err(panicked @ Broken::Panicked(_)) => tracing::error!(service, %remote, "{panicked}; only this session ends"),
        Err(broken) => tracing::info!(service, %remote, "{broken}"),
    }
}

/// Tells a peer that there is no room, if that can be done without waiting.
fn refuse(connection: &Connection<Socket>, setup: &Setup, full: Full) {
    let Peer { remote, service, .. } = connection.peer;
    tracing::warn!(service, %remote, sessions = setup.caps.sessions(), "refused: too many connections: {full}");
    if !setup.implicit {
        let text = setup.busy.as_bytes();
        let _ = match &connection.stream {
            Socket::Tcp(stream) => stream.try_write(text),
            Socket::Unix(stream) => stream.try_write(text),
        };
    }
}

/// A connection that went again before it was accepted is nothing; without descriptors, accepting at once again would only
/// turn the loop.
async fn pause(listener: &Listener, error: &io::Error) {
    let short = [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE, rustix::io::Errno::NOBUFS, rustix::io::Errno::NOMEM];
    if rustix::io::Errno::from_io_error(error).is_some_and(|errno| short.contains(&errno)) {
        tracing::error!(service = listener.service(), at = %listener, "cannot accept: {error}; raise the limit of open files (LimitNOFILE)");
        tokio::time::sleep(PAUSE).await;
    } else {
        tracing::debug!(service = listener.service(), "accept: {error}");
    }
}
