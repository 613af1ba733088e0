//! Listening sockets, TCP and Unix, and the connections they give.

use crate::peer::{Peer, User};
use rustix::net::sockopt;
use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::str::FromStr;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};

/// Connections that may wait to be accepted. 1024: a second's worth at full speed.
const BACKLOG: u32 = 1024;
/// After this long in silence the kernel asks whether the peer is still there: shorter than what NAT boxes remember.
const KEEPALIVE: Duration = Duration::from_secs(120);
/// Who may connect to a Unix socket unless told otherwise: every local user; the protocol decides then.
const MODE: u32 = 0o666;

/// Where to listen: `192.0.2.1:25`, `[::1]:25`, `unix:/path`. Port 0 takes a free one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// An address and port. `[::]` means IPv6 only; `0.0.0.0` is listed beside it.
    Tcp(SocketAddr),
    /// A socket file and its permissions.
    Unix { path: PathBuf, mode: u32 },
}

/// Not a place to listen at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no place to listen at: ADDRESS:PORT, [ADDRESS]:PORT or unix:PATH is needed")]
pub struct BadAt(pub String);

/// Why a place could not be listened at; the text says where, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen at {at}: {cause}{advice}", advice = advice(at, cause, service))]
pub struct ListenError {
    /// Where.
    pub at: At,
    /// Why.
    pub cause: io::Error,
    /// For which service.
    pub service: &'static str,
}

/// A socket that listens. Dropped, it stops, and a socket file of its own goes.
#[derive(Debug)]
pub struct Listener {
    socket: Listening,
    at: At,
    service: &'static str,
}

#[derive(Debug)]
enum Listening {
    Tcp(TcpListener),
    Unix { socket: UnixListener, _file: SocketFile },
}

/// An accepted (or made) connection.
#[derive(Debug)]
pub struct Connection<S> {
    /// The byte stream.
    pub stream: S,
    /// Who is at its ends.
    pub peer: Peer,
}

/// A stream of either kind.
#[derive(Debug)]
pub enum Socket {
    /// TCP.
    Tcp(TcpStream),
    /// Unix.
    Unix(UnixStream),
}

impl Listener {
    /// Listens for `service`; within a runtime.
    ///
    /// # Errors
    /// The address is in use or not ours, the port is privileged, the directory is missing; a Unix socket is in use only if
    /// somebody answers there: a file left by a crash is replaced.
    pub fn bind(at: &At, service: &'static str) -> Result<Listener, ListenError> {
        let fault = |cause| ListenError { at: at.clone(), cause, service };
        match at {
            At::Tcp(address) => Listener::tcp(tcp(*address).map_err(fault)?, service).map_err(fault),
            At::Unix { path, mode } => {
                let (socket, file) = unix(path, *mode).map_err(fault)?;
                Ok(Listener { socket: Listening::Unix { socket, _file: file }, at: at.clone(), service })
            }
        }
    }

    /// Takes a TCP socket that somebody else bound and listens on (the privileged half).
    ///
    /// # Errors
    /// It is not a listening socket.
    pub fn adopt(socket: std::net::TcpListener, service: &'static str) -> io::Result<Listener> {
        socket.set_nonblocking(true)?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        keepalive(&socket)?;
        Listener::tcp(TcpListener::from_std(socket)?, service)
    }

    fn tcp(socket: TcpListener, service: &'static str) -> io::Result<Listener> {
        let at = At::Tcp(socket.local_addr()?);
        Ok(Listener { socket: Listening::Tcp(socket), at, service })
    }

    /// Where it listens, with the port it really has.
    pub fn at(&self) -> &At {
        &self.at
    }

    /// Its service.
    pub fn service(&self) -> &'static str {
        self.service
    }

    /// The next connection. May be dropped and called again.
    ///
    /// # Errors
    /// As accept(2): a connection that went again, or no descriptors left.
    pub async fn accept(&self) -> io::Result<Connection<Socket>> {
        match &self.socket {
            Listening::Tcp(socket) => {
                let (stream, remote) = socket.accept().await?;
                let local = match self.at {
                    At::Tcp(at) if !at.ip().is_unspecified() => at,
                    _ => stream.local_addr()?,
                };
                let peer = Peer::new(canonical(remote), canonical(local), self.service);
                Ok(Connection { stream: Socket::Tcp(stream), peer })
            }
            Listening::Unix { socket, .. } => {
                let (stream, _) = socket.accept().await?;
                let cred = stream.peer_cred()?;
                let user = User { uid: cred.uid(), gid: cred.gid(), pid: cred.pid() };
                Ok(Connection { stream: Socket::Unix(stream), peer: Peer::local(self.service, Some(user)) })
            }
        }
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.at.fmt(f)
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Tcp(address) => address.fmt(f),
            At::Unix { path, .. } => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for At {
    type Err = BadAt;
    fn from_str(text: &str) -> Result<At, BadAt> {
        let bad = || BadAt(text.to_owned());
        match text.strip_prefix("unix:") {
            Some(path) if path.starts_with('/') => Ok(At::Unix { path: path.into(), mode: MODE }),
            Some(_) => Err(bad()),
            None => text.parse().map(At::Tcp).map_err(|_| bad()),
        }
    }
}

fn advice(at: &At, cause: &io::Error, service: &str) -> String {
    match (cause.kind(), at) {
        (io::ErrorKind::AddrInUse, At::Tcp(_)) => {
            format!("; another process listens there (`ss -ltnp` shows which): stop it, or change {service}_listen or port_offset")
        }
        (io::ErrorKind::AddrInUse, At::Unix { .. }) => format!("; another process listens there: stop it, or change {service}_listen"),
        (io::ErrorKind::AddrNotAvailable, _) => format!("; this machine has no such address: correct inet_interfaces or {service}_listen"),
        (io::ErrorKind::PermissionDenied, At::Tcp(_)) => {
            "; ports below 1024 need root (or CAP_NET_BIND_SERVICE): start as root, or set port_offset".to_owned()
        }
        (io::ErrorKind::PermissionDenied, At::Unix { .. }) => "; the directory must be writable for the service's user".to_owned(),
        (io::ErrorKind::NotFound, _) => "; make the directory first".to_owned(),
        _ => String::new(),
    }
}

/// Options set on a listening socket are inherited by what it accepts, which saves three calls for each connection.
fn tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?; // a restart need not wait for the TIME_WAIT of old sessions
    socket.set_nodelay(true)?;
    keepalive(&socket)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?; // so that 0.0.0.0 and [::] can stand side by side
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn keepalive(socket: impl AsFd) -> io::Result<()> {
    sockopt::set_socket_keepalive(&socket, true)?;
    Ok(sockopt::set_tcp_keepidle(&socket, KEEPALIVE)?)
}

fn unix(path: &Path, mode: u32) -> io::Result<(UnixListener, SocketFile)> {
    remove_stale(path)?;
    let socket = UnixListener::bind(path)?;
    let file = SocketFile { path: path.to_owned(), id: identity(path)? };
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    Ok((socket, file))
}

/// Removes a socket nobody listens at any more; anything else there is not ours to remove.
fn remove_stale(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(file) if !file.file_type().is_socket() => Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file that is no socket lies there")),
        Ok(_) => match std::os::unix::net::UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Err(io::ErrorKind::AddrInUse.into()),
        },
    }
}

/// Our socket's file; removed when dropped, unless another process has put its own there.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    id: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|id| id == self.id) {
            let _ = fs::remove_file(&self.path); // left behind, it is replaced at the next start
        }
    }
}

/// What tells one file from another of the same name.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let file = fs::symlink_metadata(path)?;
    Ok((file.dev(), file.ino()))
}

fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::from((ip, address.port())),
        IpAddr::V6(_) => address,
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Socket::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Socket::Tcp(stream) => Pin::new(stream).poll_write(cx, octets),
            Socket::Unix(stream) => Pin::new(stream).poll_write(cx, octets),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Socket::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Socket::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
