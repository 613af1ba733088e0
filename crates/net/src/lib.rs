//! The wire: listeners, TLS, stopping, and the one loop that pumps a dialogue.
//!
//! Start at [`converse`]: it joins a socket, a `dialogue::Dialogue` (the protocol, without a socket) and a *handler* (what a
//! daemon does with commands). [`serve`] accepts connections and calls it for each; [`call`] is the same for a client's
//! end, over a connection that [`dial`] made.
//!
//! ```text
//!  Listener ─► serve ─► converse ┬ Pump: read, receive, answer, flush, upgrade, close; deadlines
//!                                └ handler(Conversation): next().await, answer().await       one task, no locks held
//! ```
//!
//! Implements what several protocols share and none owns: RFC 3207 §4.2, RFC 9051 §6.2.1 (input from before a TLS handshake
//! is thrown away); RFC 4978 §3 (DEFLATE both ways, below the protocol and above TLS); RFC 8446 and 5246 through
//! rustls; SNI (RFC 6066 §3); `tls-exporter` (RFC 9266), for logins bound to the connection; a lingering close, so that a last reply arrives.
//! Leaves out: the PROXY protocol, client certificates, TLS 1.0 and 1.1 (rustls has none).
//!
//! Limits: [`Limits`] for a session (buffers, writing, handshake) and [`Caps`] for a service (sessions in all and per address).
//! It never reads configuration, and knows no protocol: texts to a refused peer come with [`Setup`].

#![forbid(unsafe_code)]

mod accept;
mod converse;
mod deflate;
mod dial;
pub mod dns;
mod exchange;
mod limits;
mod listen;
mod peer;
mod pump;
mod stop;
mod tls;
mod wire;

pub use accept::serve;
pub use converse::{Broken, Call, Setup, call, converse};
pub use dial::dial;
pub use exchange::{Conversation, Failure, Gone, Octets};
pub use limits::{Caps, Limits};
pub use listen::{At, BadAt, Connection, ListenError, Listener, Socket};
pub use peer::{Binding, Peer, TlsInfo, User};
pub use stop::{Stop, Stopper};
pub use tls::{TlsClient, TlsError, TlsFiles, TlsServer};
