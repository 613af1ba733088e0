//! The conversation with one client, in the words commands use.

use std::net::IpAddr;

use bytes::Bytes;
use dialogue::{Answer, Event};
use imap::{Command, Response};
use net::{Conversation, Gone};

/// Lines in one answer: each answer crosses to the loop, and no answer may fill much memory.
const LINES: usize = 500;

pub(crate) struct Talk(Conversation<imap::Session>);

impl Talk {
    pub(crate) fn new(conversation: Conversation<imap::Session>) -> Talk {
        Talk(conversation)
    }

    /// What the client says next; `None`: nothing any more.
    pub(crate) async fn next(&mut self) -> Option<Event<Command>> {
        self.0.next().await
    }

    /// One untagged response (or several, as a batch).
    pub(crate) async fn say(&mut self, response: impl Into<Response>) -> Result<(), Gone> {
        self.0.answer(Answer::Part(response.into())).await
    }

    /// Many untagged responses, some at a time.
    pub(crate) async fn say_all(&mut self, mut lines: Vec<Response>) -> Result<(), Gone> {
        while lines.len() > LINES {
            let rest = lines.split_off(LINES);
            self.say(Response::Batch(std::mem::replace(&mut lines, rest))).await?;
        }
        match lines.len() {
            0 => Ok(()),
            _ => self.say(Response::Batch(lines)).await,
        }
    }

    /// Octets of a literal.
    pub(crate) async fn chunk(&mut self, octets: Bytes) -> Result<(), Gone> {
        self.0.answer(Answer::Chunk(octets)).await
    }

    /// Any other answer.
    pub(crate) async fn answer(&mut self, answer: Answer<Response>) -> Result<(), Gone> {
        self.0.answer(answer).await
    }

    pub(crate) fn address(&self) -> IpAddr {
        self.0.peer().remote.ip()
    }

    /// As `auth` knows it.
    pub(crate) fn client(&self) -> auth::Client {
        auth::Client { address: self.address(), service: auth::Service::Imap }
    }

    /// What a login can be bound to.
    pub(crate) fn binding(&self) -> Option<[u8; 32]> {
        self.0.binding()
    }

    /// Both ends are this machine's.
    pub(crate) fn is_loopback(&self) -> bool {
        self.0.peer().remote.ip().is_loopback() && self.0.peer().local.ip().is_loopback()
    }

    pub(crate) fn is_secured(&self) -> bool {
        self.0.secured()
    }

    pub(crate) fn is_compressed(&self) -> bool {
        self.0.compressed()
    }

    /// For the log: octets of the protocol, in and out.
    pub(crate) fn octets(&self) -> net::Octets {
        self.0.octets()
    }

    /// For the log.
    pub(crate) fn origin(&self) -> auth::Origin {
        let peer = self.0.peer();
        let tls = self.0.tls().map(|tls| tls.in_log());
        auth::Origin { remote: peer.remote.ip(), local: peer.local.ip(), tls, session: peer.session() }
    }

    /// Why the connection broke, if it did.
    pub(crate) fn failure(&self) -> Option<String> {
        self.0.failure().map(|failure| failure.to_string())
    }

    /// The server stops: long work ends.
    pub(crate) fn is_stopping(&self) -> bool {
        self.0.stopping().is_requested()
    }
}
