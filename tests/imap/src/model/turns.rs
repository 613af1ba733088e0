//! Clients that take turns: one command at a time, so that a script is the same each time.

use super::action::{Action, FLEETING, KEPT, Step};
use super::client::{Broken, Client};
use super::truth::Truth;
use super::{Failure, Ident, Quirk};
use crate::server::Server;

/// Lines that a failure shows.
const SHOWN: usize = 200;

/// Plays a script with so many clients; the mailboxes named [`KEPT`] and [`FLEETING`] are made anew for it.
pub fn play(server: &dyn Server, clients: usize, script: &[Step], quirks: &[Quirk]) -> Result<(), Failure> {
    let mut play = Play::begin(server, clients, quirks).map_err(|why| Failure { why, transcript: Vec::new() })?;
    let result = play.all(script);
    result.map_err(|why| Failure { why, transcript: play.transcript })
}

/// Removes what an earlier play left, and creates what this one needs.
pub fn prepare(server: &dyn Server) -> Result<(), Broken> {
    let broken = |error: std::io::Error| format!("preparing: {error}");
    let mut connection = server.connect().map_err(broken)?;
    for name in KEPT.iter().chain(&FLEETING) {
        // Usually it is not there.
        connection.ask(format!("DELETE {name}").as_bytes()).map_err(broken)?;
    }
    for name in KEPT {
        let answer = connection.ask(format!("CREATE {name}").as_bytes()).map_err(broken)?;
        if !answer.tagged.is_ok() {
            return Err(format!("CREATE {name}: {:?}", answer.tagged));
        }
    }
    Ok(())
}

struct Play {
    truth: Truth,
    clients: Vec<Client>,
    next: Ident,
    /// Of all clients, in the order of their turns.
    transcript: Vec<String>,
}

impl Play {
    fn begin(server: &dyn Server, clients: usize, quirks: &[Quirk]) -> Result<Play, Broken> {
        prepare(server)?;
        let truth = Truth::new(server, &KEPT, quirks)?;
        let clients = (0..clients).map(|number| Client::connect(server, number)).collect::<Result<_, _>>()?;
        Ok(Play { truth, clients, next: 0, transcript: Vec::new() })
    }

    fn all(&mut self, script: &[Step]) -> Result<(), Broken> {
        for step in script {
            self.turn(step.who, &step.action)?;
        }
        // At the end all know the truth.
        for who in 0..self.clients.len() {
            self.turn(who, &Action::Noop)?;
        }
        Ok(())
    }

    fn turn(&mut self, who: usize, action: &Action) -> Result<(), Broken> {
        let selected = |name: &str, clients: &[Client]| clients.iter().any(|client| client.view.as_ref().is_some_and(|view| view.mailbox == name));
        let action = match action {
            // What becomes of a mailbox under those who have it selected is tested elsewhere.
            Action::Delete { mailbox: name } | Action::Rename { from: name, .. } if selected(name, &self.clients) => &Action::Noop,
            action => action,
        };
        let Some(client) = self.clients.get_mut(who) else { return Ok(()) };
        let (next, truth) = (&mut self.next, &mut self.truth);
        let mut one = || {
            let awake = client.wake()?;
            truth.judge(client, &awake)?;
            let outcome = client.perform(action, &mut || {
                *next += 1;
                *next
            })?;
            truth.judge(client, &outcome)
        };
        let result = one();
        self.transcript.extend(client.connection.transcript.drain(..).map(|line| format!("{who} {line}")));
        let surplus = self.transcript.len().saturating_sub(SHOWN);
        self.transcript.drain(..surplus);
        result
    }
}
