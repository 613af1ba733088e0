//! The one loop: moves octets between a socket and a dialogue, and events and answers between the dialogue and its handler.
//!
//! It runs in the session's own task, is polled with the handler, and holds everything by value. Each step does the first
//! thing that can be done, in this order: handshake, answers, close, upgrade, stop, events, flush, read. When nothing can be
//! done, everything that could change this has a waker: socket, handler, alarm, stop signal.
//!
//! * Output is flushed before input is waited for. While an answer is still due it is held back for `Limits::hold` at most or
//!   until [`HELD`] octets are together: the answers to pipelined commands leave as one packet.
//! * Input is read only when the dialogue wants it and the handler has taken the last event: a slow disk slows the peer
//!   down, not our memory up. No deadline counts meanwhile.
//! * Reading and writing octets never touches the handler: what happens to the socket becomes an event or nothing.

use crate::deflate::Garbled;
use crate::exchange::{Exchange, Failure};
use crate::limits::Limits;
use crate::tls::End;
use crate::wire::{Stream, Wire};
use bytes::{Buf, BytesMut};
use dialogue::{Answer, Dialogue, Ended, Event};
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// Octets read at once. 16 KiB is a TLS record.
const READ: usize = 16 << 10;
/// Output worth a write of its own while more is being made.
const HELD: usize = 16 << 10;
/// How long, and for how many octets, a close waits for what the peer still sends: closing over unread input makes the kernel
/// send RST, which can overtake our last reply.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_OCTETS: usize = 256 << 10;
/// How long a compressed session says nothing before its compressor goes: two commands of one conversation share it, and a client in
/// IDLE has none.
const REST: Duration = Duration::from_secs(3);

pub(crate) struct Pump<S, D: Dialogue> {
    stream: Stream<S>,
    dialogue: D,
    exchange: Arc<Exchange<D::Command, D::Answer>>,
    end: Option<End>,
    limits: Limits,
    input: BytesMut,
    output: BytesMut,
    /// The wire holds octets written but not flushed (TLS).
    unflushed: bool,
    /// `receive` may find something it did not find last time.
    fresh: bool,
    /// Events are over.
    ended: bool,
    closing: Closing,
    stall: Option<Stall>,
    /// When the last answer was made, and how long after that the peer had taken it.
    answered: Instant,
    lag: Duration,
    holding: Option<Instant>,
    shaking: Option<Instant>,
    /// Since when nothing was read or answered.
    still: Option<Instant>,
    /// The next instant at which a step may do something more.
    alarm: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

/// Since when the peer takes no output, and how much it took in this window.
struct Stall {
    since: Instant,
    written: u64,
}

enum Closing {
    No,
    Flush,
    Shutdown,
    Linger { until: Instant, octets: usize },
    Closed,
}

/// What one step came to.
enum Step {
    /// Something was done: look again.
    Moved,
    /// The same, and the handler may have something to do.
    Handler,
    /// Nothing can be done now.
    Nothing,
}

impl<S: AsyncRead + AsyncWrite + Unpin, D: Dialogue> Pump<S, D> {
    pub(crate) fn new(
        wire: Wire<S>,
        dialogue: D,
        exchange: Arc<Exchange<D::Command, D::Answer>>,
        end: Option<End>,
        limits: Limits,
    ) -> Pump<S, D> {
        Pump {
            stream: Stream::new(wire),
            dialogue,
            exchange,
            end,
            limits,
            input: BytesMut::new(),
            output: BytesMut::new(),
            unflushed: false,
            fresh: true,
            ended: false,
            closing: Closing::No,
            stall: None,
            answered: tokio::time::Instant::now().into_std(),
            lag: Duration::ZERO,
            holding: None,
            shaking: None,
            still: None,
            alarm: None,
            timer: None,
        }
    }

    /// Does what can be done. `Ready(true)`: the connection is closed; `Ready(false)`: the handler is to be polled.
    /// `Pending`: all wakers are set. `stopping`: the server was asked to stop.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, stopping: bool) -> Poll<bool> {
        loop {
            self.exchange.look();
            self.alarm = None;
            let now = tokio::time::Instant::now().into_std();
            match self.step(cx, stopping, now) {
                Step::Moved => {}
                Step::Handler => return Poll::Ready(false),
                Step::Nothing if matches!(self.closing, Closing::Closed) => return Poll::Ready(true),
                Step::Nothing => {
                    if self.exchange.sleep(cx) && self.poll_alarm(cx).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// The handler fell over: the peer is told, if it waits for an answer. The connection is closed then as after any handler's end.
    pub(crate) fn apologise(&mut self) {
        if self.dialogue.wants().answers
            && let Some(apology) = self.dialogue.apology()
        {
            let now = tokio::time::Instant::now().into_std();
            self.dialogue.answer(Answer::Close(apology), &mut self.output, now);
        }
    }

    fn step(&mut self, cx: &mut Context<'_>, stopping: bool, now: Instant) -> Step {
        if matches!(self.closing, Closing::Closed) {
            return Step::Nothing;
        }
        if self.stream.wire.is_shaking() {
            return self.shake(cx, now);
        }
        let mut wants = self.dialogue.wants();
        if wants.answers && self.output.len() < self.limits.output {
            if let Some(answer) = self.exchange.take(cx) {
                let before = self.output.len();
                self.dialogue.answer(answer, &mut self.output, now);
                self.exchange.lock().octets.written += (self.output.len() - before) as u64;
                self.still = None;
                self.fresh = true;
                self.answered = now;
                self.lag = Duration::ZERO;
                return Step::Handler;
            }
            wants = self.dialogue.wants();
        }
        if wants.close || self.exchange.left() {
            return self.close(cx, now);
        }
        if wants.upgrade {
            return self.upgrade(cx, now);
        }
        if wants.compress {
            return self.compress(cx, now);
        }
        if wants.input && !self.ended && self.exchange.has_room() {
            return self.listen(cx, stopping, now);
        }
        self.flush_held(cx, wants.input, now)
    }

    // ── input ────────────────────────────────────────────────────────────────────────────────────

    /// The dialogue wants input, and the handler can take an event.
    fn listen(&mut self, cx: &mut Context<'_>, stopping: bool, now: Instant) -> Step {
        if stopping
            && let Some(event) = self.dialogue.ended(Ended::Stop, now)
        {
            return self.over(Some(event), cx);
        }
        if self.fresh {
            let before = self.input.len();
            if let Some(event) = self.dialogue.receive(&mut self.input, now) {
                self.exchange.put(event, cx);
                self.lag = Duration::ZERO;
                return Step::Handler;
            }
            self.fresh = false;
            if self.input.len() != before {
                return Step::Moved; // skipped something: its wishes may have changed
            }
        }
        match self.poll_flush(cx, now) {
            Poll::Ready(Ok(())) => self.read(cx, now),
            Poll::Ready(Err(failure)) => self.fail(failure, cx, now),
            Poll::Pending => Step::Nothing,
        }
    }

    fn read(&mut self, cx: &mut Context<'_>, now: Instant) -> Step {
        if self.input.len() >= self.limits.input {
            return self.fail(Failure::Flooded, cx, now);
        }
        let mut scratch = [MaybeUninit::uninit(); READ];
        let mut scratch = ReadBuf::uninit(&mut scratch);
        match self.stream.poll_read(cx, &mut scratch) {
            Poll::Ready(Ok(())) if scratch.filled().is_empty() => self.fail(Failure::Closed, cx, now),
            Poll::Ready(Ok(())) => {
                self.input.extend_from_slice(scratch.filled());
                self.exchange.lock().octets.read += scratch.filled().len() as u64;
                self.still = None;
                self.fresh = true;
                Step::Moved
            }
            Poll::Ready(Err(error)) if error.get_ref().is_some_and(|cause| cause.is::<Garbled>()) => self.garbled(&error, cx, now),
            Poll::Ready(Err(error)) => self.fail(failure(&error), cx, now),
            Poll::Pending => self.wait(cx, now),
        }
    }

    /// Nothing came. An idle session keeps no buffers.
    fn wait(&mut self, cx: &Context<'_>, now: Instant) -> Step {
        // Whoever takes long to read an answer has as long to think about it as anybody.
        if let Some(deadline) = self.dialogue.deadline().map(|deadline| deadline + self.lag) {
            if now >= deadline {
                let event = self.dialogue.ended(Ended::Timeout, now);
                return self.over(event, cx);
            }
            self.set_alarm(deadline);
        }
        if self.input.is_empty() && self.input.capacity() > 0 {
            self.input = BytesMut::new();
        }
        if self.output.capacity() > 0 {
            self.output = BytesMut::new();
        }
        if self.stream.is_at_work() {
            let rest = *self.still.get_or_insert(now) + REST;
            if now < rest {
                self.set_alarm(rest);
            } else {
                self.stream.rest();
            }
        }
        Step::Nothing
    }

    /// No event will follow `last`.
    fn over(&mut self, last: Option<Event<D::Command>>, cx: &Context<'_>) -> Step {
        self.ended = true;
        self.exchange.finish(last, !self.dialogue.wants().answers, cx);
        Step::Handler
    }

    /// What the peer sends means nothing any more; it is told, if the dialogue will.
    fn garbled(&mut self, error: &io::Error, cx: &Context<'_>, now: Instant) -> Step {
        self.exchange.lock().failure.get_or_insert(Failure::Garbled(error.to_string()));
        let last = self.dialogue.ended(Ended::Garbled, now);
        self.over(last, cx)
    }

    /// The peer is gone. If it only closed its own direction, what was answered is still flushed when the handler ends.
    fn fail(&mut self, failure: Failure, cx: &Context<'_>, now: Instant) -> Step {
        let half_open = failure == Failure::Closed;
        self.exchange.lock().failure.get_or_insert(failure);
        let last = if self.ended { None } else { self.dialogue.ended(Ended::Peer, now) };
        self.ended = true;
        if !half_open {
            self.closed();
        }
        let answers = half_open && self.dialogue.wants().answers;
        self.exchange.finish(last, !answers, cx);
        Step::Handler
    }

    // ── output ───────────────────────────────────────────────────────────────────────────────────

    /// An answer is being made, or the handler is busy with the last event.
    fn flush_held(&mut self, cx: &mut Context<'_>, at_once: bool, now: Instant) -> Step {
        if self.output.is_empty() && !self.unflushed {
            return Step::Nothing;
        }
        if !at_once && self.output.len() < HELD && self.stall.is_none() {
            let until = *self.holding.get_or_insert(now + self.limits.hold);
            if now < until {
                self.set_alarm(until);
                return Step::Nothing;
            }
        }
        let before = self.output.len();
        match self.poll_flush(cx, now) {
            Poll::Ready(Ok(())) => Step::Moved,
            Poll::Ready(Err(failure)) => self.fail(failure, cx, now),
            Poll::Pending if self.output.len() < before => Step::Moved,
            Poll::Pending => Step::Nothing,
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<Result<(), Failure>> {
        self.holding = None;
        if self.output.is_empty() && !self.unflushed {
            return Poll::Ready(Ok(()));
        }
        while !self.output.is_empty() {
            match self.stream.poll_write(cx, &self.output) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(Failure::Io("nothing could be written".into()))),
                Poll::Ready(Ok(size)) => self.written(size),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(failure(&error))),
                Poll::Pending => return self.stalled(now),
            }
        }
        if self.unflushed {
            match self.stream.poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(failure(&error))),
                Poll::Pending => return self.stalled(now),
            }
        }
        self.stall = None;
        self.lag = now.saturating_duration_since(self.answered);
        Poll::Ready(Ok(()))
    }

    fn written(&mut self, size: usize) {
        self.output.advance(size);
        self.unflushed = true;
        if let Some(stall) = &mut self.stall {
            stall.written += size as u64;
        }
    }

    /// The peer takes nothing now; at the end of each window its rate is judged.
    fn stalled(&mut self, now: Instant) -> Poll<Result<(), Failure>> {
        let window = self.limits.write_window;
        let least = window.as_secs().saturating_mul(u64::from(self.limits.write_rate)).max(1);
        let stall = self.stall.get_or_insert(Stall { since: now, written: 0 });
        if now.saturating_duration_since(stall.since) >= window {
            if stall.written < least {
                return Poll::Ready(Err(Failure::TooSlow));
            }
            *stall = Stall { since: now, written: 0 };
        }
        let end = stall.since + window;
        self.set_alarm(end);
        Poll::Pending
    }

    // ── upgrade ──────────────────────────────────────────────────────────────────────────────────

    fn upgrade(&mut self, cx: &mut Context<'_>, now: Instant) -> Step {
        match self.poll_flush(cx, now) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(failure)) => return self.fail(failure, cx, now),
            Poll::Pending => return Step::Nothing,
        }
        // What the peer sent in clear behind its STARTTLS may be anybody's: never obeyed.
        self.input.clear();
        let Some(end) = &self.end else {
            return self.fail(Failure::NoTls, cx, now);
        };
        if self.stream.is_compressed() || !self.stream.wire.upgrade(end) {
            return self.fail(Failure::Handshake("the session is under TLS already".into()), cx, now);
        }
        self.shaking = Some(now + self.limits.handshake);
        Step::Moved
    }

    /// RFC 4978 §3: the client sends nothing behind its COMPRESS until it has its answer, so what lies there is nothing.
    fn compress(&mut self, cx: &mut Context<'_>, now: Instant) -> Step {
        match self.poll_flush(cx, now) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(failure)) => return self.fail(failure, cx, now),
            Poll::Pending => return Step::Nothing,
        }
        self.input.clear();
        self.stream.compress();
        self.exchange.lock().compressed = true;
        self.dialogue.upgraded(now);
        Step::Moved
    }

    fn shake(&mut self, cx: &mut Context<'_>, now: Instant) -> Step {
        match self.stream.wire.poll_shake(cx) {
            Poll::Ready(Ok(mut info)) => {
                if let Some(End::Client(client)) = &self.end {
                    info.sni = Some(client.name());
                }
                self.exchange.lock().tls = Some(Arc::new(info));
                self.dialogue.upgraded(now);
                self.fresh = true;
                self.shaking = None;
                self.unflushed = true;
                Step::Handler
            }
            Poll::Ready(Err(error)) => self.fail(Failure::Handshake(error.to_string()), cx, now),
            Poll::Pending => {
                let until = *self.shaking.get_or_insert(now + self.limits.handshake);
                if now >= until {
                    return self.fail(Failure::Handshake("it took too long".into()), cx, now);
                }
                self.set_alarm(until);
                Step::Nothing
            }
        }
    }

    // ── the end ──────────────────────────────────────────────────────────────────────────────────

    /// Everything was said: flush, tell the peer, and let its last octets run out.
    fn close(&mut self, cx: &mut Context<'_>, now: Instant) -> Step {
        match self.closing {
            Closing::No => {
                self.ended = true;
                self.exchange.finish(None, true, cx);
                self.closing = Closing::Flush;
                return Step::Handler;
            }
            Closing::Flush => match self.poll_flush(cx, now) {
                Poll::Ready(Ok(())) => self.closing = Closing::Shutdown,
                Poll::Ready(Err(failure)) => return self.fail(failure, cx, now),
                Poll::Pending => return Step::Nothing,
            },
            Closing::Shutdown => match self.stream.wire.poll_shutdown(cx) {
                Poll::Ready(Ok(())) => self.closing = Closing::Linger { until: now + LINGER, octets: 0 },
                Poll::Ready(Err(_)) => return self.closed(),
                Poll::Pending => match self.stalled(now) {
                    Poll::Ready(_) => return self.closed(),
                    Poll::Pending => return Step::Nothing,
                },
            },
            Closing::Linger { until, octets } => return self.linger(cx, now, until, octets),
            Closing::Closed => return Step::Nothing,
        }
        Step::Moved
    }

    fn linger(&mut self, cx: &mut Context<'_>, now: Instant, until: Instant, octets: usize) -> Step {
        let mut scratch = [MaybeUninit::uninit(); READ];
        let mut scratch = ReadBuf::uninit(&mut scratch);
        match self.stream.wire.poll_read(cx, &mut scratch) {
            Poll::Ready(Ok(())) if !scratch.filled().is_empty() && octets < LINGER_OCTETS && now < until => {
                self.closing = Closing::Linger { until, octets: octets + scratch.filled().len() };
                Step::Moved
            }
            Poll::Pending if now < until && (octets > 0 || !self.input.is_empty()) => {
                self.set_alarm(until);
                Step::Nothing
            }
            _ => self.closed(),
        }
    }

    fn closed(&mut self) -> Step {
        self.stream.end();
        self.closing = Closing::Closed;
        self.input = BytesMut::new();
        self.output = BytesMut::new();
        Step::Moved
    }

    // ── time ─────────────────────────────────────────────────────────────────────────────────────

    fn set_alarm(&mut self, at: Instant) {
        self.alarm = Some(self.alarm.map_or(at, |alarm| alarm.min(at)));
    }

    /// One timer for all deadlines. It is moved only when it is too late or has run out, since most deadlines are set
    /// again before they pass.
    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(alarm) = self.alarm else {
            return Poll::Pending;
        };
        let at = tokio::time::Instant::from_std(alarm);
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        if timer.deadline() > at || timer.is_elapsed() {
            timer.as_mut().reset(at);
        }
        timer.as_mut().poll(cx)
    }
}

fn failure(error: &io::Error) -> Failure {
    match error.kind() {
        // TLS without close_notify: the way half of all clients leave.
        io::ErrorKind::UnexpectedEof => Failure::Closed,
        _ => Failure::Io(error.to_string()),
    }
}
