//! `-bs`: SMTP on standard input and output, for programs that would rather speak it. As by `sendmail`, everybody may send to everybody.

use std::io::{Read, Write};
use std::sync::Arc;

use bytes::BytesMut;
use dialogue::{Answer, Encoder, Ended, Event};
use mail::{ForwardPath, ReversePath, Status};
use net::{Connection, Conversation, Gone, Peer, Setup, Stopper};
use smtp::{BodyType, Command, Mail, Reply, Session, Settings};
use smtpd::letter::Letter;

use super::hand_in::{HandIn, Refused};
use super::{Fatal, fatal};

/// Speaks it until QUIT or the end of the input.
pub fn run(hand_in: &HandIn, directory: &str) -> Result<(), Fatal> {
    let parameter = |name| super::super::parameter(directory, name).map_err(fatal);
    let mut settings = Settings { origin: parameter("myorigin")?, forbid_early_talk: false, ..Settings::new(parameter("myhostname")?) };
    settings.limits.message = parameter("message_size_limit")?.parse().ok().filter(|most| *most > 0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(fatal)?;
    runtime.block_on(async {
        let (stream, printer) = standard_streams().map_err(fatal)?;
        let connection = Connection { stream, peer: Peer::local("submit", None) };
        let stopper = Stopper::new();
        let (settings, setup) = (Arc::new(settings), Setup::new(stopper.stop()));
        let session = Session::new(settings.clone(), false, tokio::time::Instant::now().into_std());
        let served = net::converse(connection, session, setup, |conversation| {
            let visit = Visit { conversation, hand_in, host: &settings.host };
            visit.run()
        });
        let served = served.await;
        // what was said last is printed before the process ends
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || printer.join()).await.map(|joined| joined.unwrap_or(Ok(()))) {
            return Err(fatal(error));
        }
        // whoever went has what it asked for
        served.map(drop).map_err(fatal)
    })
}

/// Standard input and output as one stream, and the thread that prints: both may be files or terminals, which cannot be waited for.
fn standard_streams() -> std::io::Result<(tokio::net::UnixStream, std::thread::JoinHandle<std::io::Result<()>>)> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    let (mut said, mut heard) = (theirs.try_clone()?, theirs);
    std::thread::spawn(move || {
        let copied = std::io::copy(&mut std::io::stdin().lock(), &mut said);
        // the end of the input is the end of the session, however it came about
        copied.and_then(|_| said.shutdown(std::net::Shutdown::Write))
    });
    let printer = std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        loop {
            match heard.read(&mut buffer)? {
                0 => return Ok(()),
                n => {
                    let mut out = std::io::stdout().lock();
                    out.write_all(buffer.get(..n).unwrap_or_default())?;
                    out.flush()?;
                }
            }
        }
    });
    ours.set_nonblocking(true)?;
    Ok((tokio::net::UnixStream::from_std(ours)?, printer))
}

struct Visit<'h> {
    conversation: Conversation<Session>,
    hand_in: &'h HandIn,
    host: &'h str,
}

type Outside = Option<Event<Command>>;

impl Visit<'_> {
    async fn run(mut self) -> Result<(), Gone> {
        self.say(Answer::Done(Reply::greeting(&format!("{} ESMTP", self.host)))).await?;
        let mut event = self.conversation.next().await;
        while let Some(now) = event {
            event = match now {
                Event::Command(Command::Mail { mail, .. }) => self.transaction(mail).await?,
                Event::Command(command) => {
                    self.between(command).await?;
                    self.conversation.next().await
                }
                Event::Ended(Ended::Timeout) => {
                    let late = Reply::closing(Status(4, 4, 2), self.host, "Error: timeout exceeded");
                    return self.say(Answer::Close(late)).await;
                }
                Event::Ended(_) => return Ok(()),
                Event::Body(_) | Event::BodyEnd | Event::Line(_) => self.conversation.next().await,
            };
        }
        Ok(())
    }

    async fn between(&mut self, command: Command) -> Result<(), Gone> {
        let answer = match command {
            Command::Hello { welcome, .. } => Answer::Done(welcome),
            Command::Reset => Answer::Done(Reply::OK),
            Command::Quit => Answer::Close(Reply::BYE),
            Command::Decided(decided) => decided.answer(),
            // the language offers none of these, or does not let them come here
            Command::StartTls | Command::Auth(_) | Command::Mail { .. } | Command::Rcpt(_) | Command::Data => {
                Answer::Done(Reply::fixed(503, Status(5, 5, 1), "Error: bad sequence of commands"))
            }
        };
        self.say(answer).await
    }

    /// From MAIL to the end of its message; gives what comes after it.
    async fn transaction(&mut self, mail: Mail) -> Result<Outside, Gone> {
        let mut letter = Letter { sender: path(&mail.from), eight_bit: mail.body == BodyType::EightBitMime, ..Letter::default() };
        self.say(Answer::Done(Reply::SENDER_OK)).await?;
        loop {
            match self.conversation.next().await {
                Some(Event::Command(Command::Rcpt(rcpt))) => {
                    letter.recipients.push(match rcpt.to {
                        ForwardPath::Postmaster => "postmaster".to_owned(),
                        ForwardPath::Address(address) => address.to_string(),
                    });
                    self.say(Answer::Done(Reply::RECIPIENT_OK)).await?;
                }
                Some(Event::Command(Command::Data)) => return self.data(letter).await,
                Some(Event::Command(Command::Decided(decided))) => self.say(decided.answer()).await?,
                outside => return Ok(outside),
            }
        }
    }

    async fn data(&mut self, letter: Letter) -> Result<Outside, Gone> {
        let (mut whole, mut encoder) = (BytesMut::from(letter.to_string().as_bytes()), Encoder::strict());
        self.say(Answer::Go(Reply::GO_AHEAD)).await?;
        loop {
            match self.conversation.next().await {
                Some(Event::Body(chunk)) => encoder.push(&chunk, &mut whole),
                Some(Event::BodyEnd) => break,
                Some(Event::Command(Command::Decided(decided))) => {
                    self.say(decided.answer()).await?;
                    return Ok(self.conversation.next().await);
                }
                outside => return Ok(outside),
            }
        }
        encoder.finish(&mut whole);
        // nobody else is served by this process, so it may wait
        let reply = match self.hand_in.letter(&whole) {
            Ok(()) => Reply::fixed(250, Status(2, 0, 0), "Ok: handed in"),
            Err(Refused::ForGood(said)) => Reply::new(554, Status(5, 0, 0), format!("Error: {said}")),
            Err(error @ Refused::Nowhere { .. }) => Reply::new(451, Status(4, 3, 0), format!("Error: {error}")),
        };
        self.say(Answer::Done(reply)).await?;
        Ok(self.conversation.next().await)
    }

    async fn say(&mut self, answer: Answer<Reply>) -> Result<(), Gone> {
        self.conversation.answer(answer).await
    }
}

fn path(from: &ReversePath) -> String {
    match from {
        ReversePath::Null => String::new(),
        ReversePath::Address(address) => address.to_string(),
    }
}
