//! What a session tells its handler.

use crate::verb::{Auth, Client, Mail, Rcpt};
use crate::Reply;
use dialogue::Answer;

/// A command that may come now, and waits for the handler's answer. Positive or not, by its code the answer moves the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// HELO or EHLO; a transaction is over. `welcome` is what to answer a welcome client.
    Hello { client: Client, welcome: Reply },
    /// A transaction begins if welcome.
    Mail { client: Client, mail: Mail },
    Rcpt(Rcpt),
    /// `Go(`[`Reply::GO_AHEAD`]`)` asks for the body: `Body`… then `BodyEnd`, or a [`Decided`] in its place when the
    /// body was too big or ill formed. Either ends the transaction. `Done` refuses it, and the transaction goes on.
    ///
    /// In LMTP `BodyEnd` is answered by `Part` for each recipient but the last, in the order of their RCPTs; `Done` is the
    /// answer for all that have none yet.
    Data,
    /// RSET: a transaction is over. To be answered [`Reply::OK`].
    Reset,
    /// To be answered `Close(`[`Reply::BYE`]`)`.
    Quit,
    /// `Upgrade(`[`Reply::READY_FOR_TLS`]`)`; all that was learnt in clear is to be forgotten.
    StartTls,
    /// `Go(`[`Reply::challenge`]`)` asks for a `Line`, which comes as it stands there (base64, or `*` to give up), or a
    /// [`Decided`] in its place when it was no line; `Done` ends the exchange, with success if positive.
    Auth(Auth),
    /// The grammar knows the answer; the handler only passes it on ([`Decided::answer`]).
    Decided(Decided),
}

/// An answer that needed no one's judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The command it answers, as in the log.
    pub verb: &'static str,
    pub reply: Reply,
    /// The session is over with it.
    pub last: bool,
    /// A refusal that is not held against the peer (`smtpd_recipient_overshoot_limit`).
    pub forgiven: bool,
    /// What a peer of another protocol said, printable.
    pub said: Option<String>,
}

impl Decided {
    /// The answer to give.
    pub fn answer(self) -> Answer<Reply> {
        if self.last { Answer::Close(self.reply) } else { Answer::Done(self.reply) }
    }
}

impl Command {
    /// Its verb, as in the log: "EHLO".
    pub fn verb(&self) -> &'static str {
        match self {
            Command::Hello { client, .. } => client.verb(),
            Command::Mail { .. } => "MAIL",
            Command::Rcpt(_) => "RCPT",
            Command::Data => "DATA",
            Command::Reset => "RSET",
            Command::Quit => "QUIT",
            Command::StartTls => "STARTTLS",
            Command::Auth(_) => "AUTH",
            Command::Decided(decided) => decided.verb,
        }
    }
}
