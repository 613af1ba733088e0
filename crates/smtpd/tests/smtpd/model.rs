//! Random sessions against a simple idea of the same: a message goes to exactly those accepted since its MAIL, once each.

use crate::house::{Client, House};
use proptest::prelude::*;
use smtpd::Role;

#[derive(Clone, Copy, Debug)]
enum Act {
    Mail,
    Rcpt(&'static str),
    /// A whole body that says its number.
    Data,
    /// A body that is refused at its end.
    Circle,
    /// A body that is cut off with the connection.
    Half,
    Rset,
    Ehlo,
    Junk,
    Reconnect,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let rcpt = prop::sample::select(vec!["alice", "bob", "both", "info", "nobody"]).prop_map(Act::Rcpt);
    let rare = prop::sample::select(vec![Act::Rset, Act::Ehlo, Act::Junk, Act::Circle, Act::Half, Act::Reconnect]);
    prop::collection::vec(prop_oneof![4 => Just(Act::Mail), 6 => rcpt, 4 => Just(Act::Data), 3 => rare], 5..60)
}

#[derive(Default)]
struct Model {
    /// Accepted recipients, once there is a sender.
    transaction: Option<Vec<&'static str>>,
    alice: Vec<usize>,
    bob: Vec<usize>,
}

impl Model {
    /// The reply to MAIL, RCPT or DATA.
    fn answers(&mut self, act: Act) -> &'static str {
        match (act, &mut self.transaction) {
            (Act::Mail, Some(_)) | (Act::Rcpt(_), None) => "503 ",
            (Act::Mail, None) => {
                self.transaction = Some(Vec::new());
                "250 2.1.0 "
            }
            (Act::Rcpt("nobody"), _) => "550 5.1.1 ",
            (Act::Rcpt(name), Some(to)) => {
                to.push(name);
                "250 2.1.5 "
            }
            (_, None) => "503 ",
            (_, Some(to)) if to.is_empty() => "554 5.5.1 ",
            (_, Some(_)) => "354 ",
        }
    }

    fn accepted(&mut self, number: usize) {
        let to = self.transaction.take().unwrap_or_default();
        let reaches = |names: &[&str]| to.iter().any(|name| names.contains(name));
        if reaches(&["alice", "both", "info"]) {
            self.alice.push(number);
        }
        if reaches(&["bob", "both"]) {
            self.bob.push(number);
        }
    }
}

/// A client whose errors are forgiven: counting them is another test's.
async fn client(house: &House) -> Client {
    let mut settings = House::settings(Role::Relay);
    settings.smtp.limits.errors = u32::MAX;
    house.client_of(settings, "127.0.0.1:4711").await
}

async fn run(house: &House, acts: &[Act]) -> Model {
    let mut model = Model::default();
    let mut client = client(house).await;
    client.says("EHLO c", "250").await;
    for (number, &act) in acts.iter().enumerate() {
        match act {
            Act::Mail => client.says("MAIL FROM:<x@far.test>", model.answers(act)).await,
            Act::Rcpt(name) => client.says(&format!("RCPT TO:<{name}@example.test>"), model.answers(act)).await,
            Act::Data | Act::Circle | Act::Half => {
                let answer = model.answers(act);
                client.says("DATA", answer).await;
                if answer != "354 " {
                    continue;
                }
                match act {
                    Act::Circle => {
                        client.send("Received: x\r\n".repeat(51).as_bytes()).await;
                        client.says("\r\n.", "554 5.4.0 ").await;
                        model.transaction = None;
                    }
                    Act::Half => {
                        client.send(format!("Subject: {number}\r\n\r\n.\r").as_bytes()).await;
                        client.vanish().await;
                        model.transaction = None;
                        client = self::client(house).await;
                    }
                    _ => {
                        client.says(&format!("Subject: {number}\r\n\r\n."), "250 2.0.0 Ok: queued as ").await;
                        model.accepted(number);
                    }
                }
            }
            Act::Rset | Act::Ehlo => {
                client.says(if matches!(act, Act::Rset) { "RSET" } else { "EHLO again" }, "250").await;
                model.transaction = None;
            }
            Act::Junk => client.says("XXXX", "500 ").await,
            Act::Reconnect => {
                client.vanish().await;
                model.transaction = None;
                client = self::client(house).await;
            }
        }
    }
    client.vanish().await;
    model
}

fn numbers(inbox: &[String]) -> Vec<usize> {
    let number = |message: &String| message.split("Subject: ").nth(1)?.lines().next()?.parse().ok();
    inbox.iter().map(|message| number(message).expect("a number")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 50, ..ProptestConfig::default() })]
    #[test]
    fn each_message_reaches_those_it_was_accepted_for(acts in acts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let house = House::new().await;
            let model = run(&house, &acts).await;
            assert_eq!(numbers(&house.inbox(house.alice).await), model.alice);
            assert_eq!(numbers(&house.inbox(house.bob).await), model.bob);
            assert_eq!(store::check::rows(&house.store).await.expect("checked"), []);
        });
    }
}
