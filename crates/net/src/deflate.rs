//! Compression of a session, both ways: raw DEFLATE (RFC 1951) as RFC 4978 §3 wants it, below the protocol and above TLS.
//!
//! * Each flush of the loop ends in a sync flush, so that the peer can read everything that was said.
//! * Reading gives at most as much as is asked for, and reads nothing more from the socket meanwhile: what a few octets
//!   unfold to is taken by the protocol piece by piece, and judged by its limits. A long unfolding lets other sessions run.
//! * At rest ([`Deflate::rest`]) a session keeps 32 KiB for what the peer may refer back to, and no compressor: that weighs 250 KiB,
//!   and a new one may begin wherever a flush ended (it just refers to nothing before).

use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::wire::Wire;

/// How hard it tries. 3: a third of the octets of IMAP's answers remain; harder costs twice the time for some hundredths.
const LEVEL: Compression = Compression::new(3);
/// Octets compressed or read at once.
const PIECE: usize = 16 << 10;

/// What the peer sent is no DEFLATE stream, or one that has ended.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Garbled(&'static str);

/// A compressed session's two streams.
pub(crate) struct Deflate {
    reading: Decompress,
    /// Read from the wire, not yet decompressed.
    input: BytesMut,
    /// The decompressor may hold more: it filled all it was given.
    holds_more: bool,
    /// None at rest.
    writing: Option<Compress>,
    /// Compressed, not yet written.
    output: BytesMut,
    /// Something was compressed since the last sync flush.
    unsynced: bool,
}

impl Deflate {
    pub(crate) fn new() -> Deflate {
        Deflate {
            reading: Decompress::new(false),
            input: BytesMut::new(),
            holds_more: false,
            writing: None,
            output: BytesMut::new(),
            unsynced: false,
        }
    }

    /// Nothing is being said: keeps only what must be kept. After a flush only.
    pub(crate) fn rest(&mut self) {
        if !self.unsynced && self.output.is_empty() {
            self.writing = None;
            self.output = BytesMut::new();
        }
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
    }

    /// Whether [`Deflate::rest`] would give memory back.
    pub(crate) fn is_at_work(&self) -> bool {
        self.writing.is_some()
    }

    pub(crate) fn poll_read<S>(&mut self, wire: &mut Wire<S>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        loop {
            if self.holds_more || !self.input.is_empty() {
                // No socket is asked, so nothing else would count this against the task's turn.
                let turn = ready!(tokio::task::coop::poll_proceed(cx));
                if self.decompress(buf)? > 0 {
                    turn.made_progress();
                    return Poll::Ready(Ok(()));
                }
            }
            let mut piece = [0; PIECE];
            let mut piece = ReadBuf::new(&mut piece);
            match ready!(wire.poll_read(cx, &mut piece)) {
                Ok(()) if piece.filled().is_empty() => return Poll::Ready(Ok(())),
                Ok(()) => self.input.extend_from_slice(piece.filled()),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Into what is free of `buf`; how much it was.
    fn decompress(&mut self, buf: &mut ReadBuf<'_>) -> io::Result<usize> {
        let garbled = |why| io::Error::new(io::ErrorKind::InvalidData, Garbled(why));
        let room = buf.initialize_unfilled();
        let (size, before) = (room.len(), (self.reading.total_in(), self.reading.total_out()));
        let status = self.reading.decompress(&self.input, room, FlushDecompress::None);
        let count = |now: u64, before: u64| usize::try_from(now - before).unwrap_or(usize::MAX);
        let (taken, made) = (count(self.reading.total_in(), before.0), count(self.reading.total_out(), before.1));
        self.input.advance(taken.min(self.input.len()));
        buf.advance(made.min(size));
        self.holds_more = made == size;
        match status {
            Err(_) => Err(garbled("it is no DEFLATE stream")),
            // What came before the end is given first; then this is asked again, and gives the end alone.
            Ok(Status::StreamEnd) if made == 0 => Err(garbled("its DEFLATE stream has ended")),
            Ok(Status::StreamEnd) => {
                self.holds_more = true;
                Ok(made)
            }
            Ok(Status::Ok | Status::BufError) => Ok(made),
        }
    }

    /// Takes some of `octets`, once what it took before is written.
    pub(crate) fn poll_write<S>(&mut self, wire: &mut Wire<S>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        ready!(self.poll_drain(wire, cx))?;
        let octets = &octets[..octets.len().min(PIECE)];
        self.unsynced = true;
        self.compress(octets, FlushCompress::None)?;
        Poll::Ready(Ok(octets.len()))
    }

    /// Everything said reaches the peer, and can be read by it.
    pub(crate) fn poll_flush<S>(&mut self, wire: &mut Wire<S>, cx: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if std::mem::take(&mut self.unsynced) {
            self.compress(&[], FlushCompress::Sync)?;
        }
        ready!(self.poll_drain(wire, cx))?;
        wire.poll_flush(cx)
    }

    fn compress(&mut self, mut octets: &[u8], flush: FlushCompress) -> io::Result<()> {
        let writing = self.writing.get_or_insert_with(|| Compress::new(LEVEL, false));
        let mut piece = [0; PIECE];
        loop {
            let before = (writing.total_in(), writing.total_out());
            writing.compress(octets, &mut piece, flush).map_err(io::Error::other)?;
            let taken = usize::try_from(writing.total_in() - before.0).unwrap_or(usize::MAX);
            let made = usize::try_from(writing.total_out() - before.1).unwrap_or(usize::MAX);
            octets = octets.get(taken..).unwrap_or_default();
            self.output.extend_from_slice(piece.get(..made).unwrap_or(&piece));
            if octets.is_empty() && made < PIECE {
                return Ok(());
            }
        }
    }

    fn poll_drain<S>(&mut self, wire: &mut Wire<S>, cx: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        while !self.output.is_empty() {
            match ready!(wire.poll_write(cx, &self.output))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                size => self.output.advance(size),
            }
        }
        Poll::Ready(Ok(()))
    }
}
