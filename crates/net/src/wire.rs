//! The byte stream of a session: in clear, in a handshake, under TLS, or gone; and [`Stream`], which may compress what goes over it.

use crate::deflate::Deflate;
use crate::peer::{Binding, TlsInfo};
use crate::tls::End;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::{Accept, Connect, TlsStream};

pub(crate) enum Wire<S> {
    Plain(S),
    Accepting(Box<Accept<S>>),
    Connecting(Box<Connect<S>>),
    Tls(Box<TlsStream<S>>),
    Gone,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Begins a handshake on a stream in clear; `false` if it is not in clear.
    pub(crate) fn upgrade(&mut self, end: &End) -> bool {
        *self = match std::mem::replace(self, Wire::Gone) {
            Wire::Plain(stream) => match end {
                End::Server(tls) => Wire::Accepting(Box::new(tls.acceptor().accept(stream))),
                End::Client(tls) => Wire::Connecting(Box::new(tls.connect(stream))),
            },
            _ => return false,
        };
        true
    }

    pub(crate) fn is_shaking(&self) -> bool {
        matches!(self, Wire::Accepting(_) | Wire::Connecting(_))
    }

    /// Goes on with the handshake.
    pub(crate) fn poll_shake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<TlsInfo>> {
        let (stream, info) = match self {
            Wire::Accepting(accept) => {
                let stream = ready!(Pin::new(accept).poll(cx))?;
                let connection = stream.get_ref().1;
                let info = TlsInfo { binding: Binding::of(connection), ..TlsInfo::of(connection, connection.server_name()) };
                (TlsStream::Server(stream), info)
            }
            Wire::Connecting(connect) => {
                let stream = ready!(Pin::new(connect).poll(cx))?;
                let connection = stream.get_ref().1;
                let info = TlsInfo { binding: Binding::of(connection), ..TlsInfo::of(connection, None) };
                (TlsStream::Client(stream), info)
            }
            _ => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        };
        *self = Wire::Tls(Box::new(stream));
        Poll::Ready(Ok(info))
    }

    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Wire::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Wire::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
            _ => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Wire::Plain(stream) => Pin::new(stream).poll_write(cx, octets),
            Wire::Tls(stream) => Pin::new(stream).poll_write(cx, octets),
            _ => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Wire::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Wire::Tls(stream) => Pin::new(stream).poll_flush(cx),
            _ => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Wire::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Wire::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            _ => Poll::Ready(Ok(())),
        }
    }
}

/// What the loop reads and writes: a wire, and compression once it was wanted (RFC 4978: compressed first, then encrypted).
pub(crate) struct Stream<S> {
    pub(crate) wire: Wire<S>,
    deflate: Option<Box<Deflate>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream<S> {
    pub(crate) fn new(wire: Wire<S>) -> Stream<S> {
        Stream { wire, deflate: None }
    }

    /// From now on, both ways. Once only.
    pub(crate) fn compress(&mut self) {
        self.deflate.get_or_insert_with(|| Box::new(Deflate::new()));
    }

    pub(crate) fn is_compressed(&self) -> bool {
        self.deflate.is_some()
    }

    /// Whether [`Stream::rest`] would give memory back.
    pub(crate) fn is_at_work(&self) -> bool {
        self.deflate.as_ref().is_some_and(|deflate| deflate.is_at_work())
    }

    /// Nothing was said for a while.
    pub(crate) fn rest(&mut self) {
        if let Some(deflate) = &mut self.deflate {
            deflate.rest();
        }
    }

    /// Nothing can be read or written any more.
    pub(crate) fn end(&mut self) {
        *self = Stream::new(Wire::Gone);
    }

    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.deflate {
            Some(deflate) => deflate.poll_read(&mut self.wire, cx, buf),
            None => self.wire.poll_read(cx, buf),
        }
    }

    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.deflate {
            Some(deflate) => deflate.poll_write(&mut self.wire, cx, octets),
            None => self.wire.poll_write(cx, octets),
        }
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.deflate {
            Some(deflate) => deflate.poll_flush(&mut self.wire, cx),
            None => self.wire.poll_flush(cx),
        }
    }
}
