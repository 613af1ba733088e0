//! `mailq`, `postqueue`, `postsuper`, `postcat` on a queue whose mail waits for a host that is down.

use std::os::unix::process::CommandExt;
use std::process::Command;

use house_tests::client::run_command;
use house_tests::program::{self, Configured};
use house_tests::server::Server;
use house_tests::until::{SOON, within};

use crate::outbound::{hosts, inbox, send};

/// What the queue holds, an object a message.
fn queued(at: &Configured) -> Vec<serde_json::Value> {
    let out = at.tool("postqueue", &["-j"], "").ok();
    out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}

/// The id of the message to `address`, once an attempt on it has failed.
fn deferred(at: &Configured, address: &str) -> String {
    within(SOON, "a deferred message", || {
        let waits = |message: &serde_json::Value| {
            let recipient = &message["recipients"][0];
            message["queue_name"] == "deferred" && recipient["address"] == address && recipient["delay_reason"].is_string()
        };
        queued(at).into_iter().find(waits).and_then(|message| message["queue_id"].as_str().map(str::to_owned))
    })
}

#[test]
fn what_waits_is_listed_shown_held_released_and_sent() {
    let hosts = hosts();
    hosts.near.set("minimal_backoff_time = 1h");
    hosts.near.set("maximal_backoff_time = 1h");
    let near = Server::serve(&hosts.near, &[]);
    let tool = |name: &str, arguments: &[&str]| hosts.near.tool(name, arguments, "");
    assert_eq!(tool("mailq", &[]).ok(), "Mail queue is empty\n");
    assert_eq!(tool("postqueue", &["-j"]).ok(), "");
    send(near.address("smtp"), "user@near.test", &["user@far.test"], "late");
    let id = deferred(&hosts.near, "user@far.test");

    let list = tool("postqueue", &["-p"]).ok();
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines[0], "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------");
    assert!(lines[1].starts_with(&format!("{id}  ")) && lines[1].ends_with(" user@near.test"), "{list}");
    assert_eq!(lines[2].trim_start(), format!("(connect to mail.far.test[127.0.0.2]:{}: Connection refused)", hosts.port));
    assert_eq!(lines[3..], [format!("{:47}user@far.test", "").as_str(), "", "-- 0 Kbytes in 1 Request."], "{list}");
    assert_eq!(tool("mailq", &[]).ok(), list);

    // by the clock on the wall
    let arrived = format!("@{}", queued(&hosts.near)[0]["arrival_time"]);
    for zone in ["UTC", "Asia/Shanghai", "America/New_York", "CET-1CEST,M3.5.0,M10.5.0/3"] {
        let date = run_command(Command::new("date").args(["-d", &arrived, "+%a %b %e %H:%M:%S"]).envs([("TZ", zone), ("LC_ALL", "C")])).ok();
        let mut mailq = Command::new(program::path());
        let list = run_command(mailq.arg0("mailq").env("MAIL_CONFIG", &hosts.near.directory).env("TZ", zone)).ok();
        assert!(list.contains(&format!(" {} user@near.test\n", date.trim_end())), "{zone} {date} {list}");
    }

    let shown = tool("postcat", &["-q", &id]).ok();
    assert!(shown.starts_with(&format!("*** ENVELOPE RECORDS deferred/{id} ***\nmessage_size: ")), "{shown}");
    assert!(shown.contains(&format!("\nsender: user@near.test\n*** MESSAGE CONTENTS deferred/{id} ***\nReceived: ")), "{shown}");
    assert!(shown.ends_with(&format!("\nrecipient: user@far.test\n*** MESSAGE FILE END deferred/{id} ***\n")), "{shown}");
    assert_eq!(tool("postcat", &["-bq", &id]).ok(), "Hello.\n.dots\n");
    let message = tool("postcat", &["-bhq", &id]).ok();
    assert!(message.contains("Subject: late\n\nHello.\n.dots\n") && !message.contains("***"), "{message}");
    assert_eq!(tool("postcat", &["-hq", &id]).ok() + "Hello.\n.dots\n", message);
    let none = tool("postcat", &["-q", "0000000000000"]);
    assert_eq!((none.code, none.err.as_str()), (Some(1), "postcat: fatal: open queue file 0000000000000: No such file or directory\n"));

    let said = |arguments: &[&str], input: &str| {
        let said = hosts.near.tool("postsuper", arguments, input);
        assert_eq!((said.code, said.out.as_str()), (Some(0), ""), "{said:#?}");
        said.err
    };
    assert_eq!(said(&["-h", &id], ""), format!("postsuper: {id}: placed on hold\npostsuper: Placed on hold: 1 message\n"));
    assert!(tool("mailq", &[]).ok().contains(&format!("{id}! ")));
    assert_eq!(said(&["-h", "ALL"], ""), "postsuper: Placed on hold: 0 messages\n");
    assert_eq!(said(&["-d", "ALL", "deferred"], ""), "postsuper: Deleted: 0 messages\n", "it is held, not deferred");
    assert_eq!(said(&["-d", "0000000000000", "-d", "no-id"], ""), "postsuper: warning: invalid mail queue id: no-id\npostsuper: Deleted: 0 messages\n");
    let wrong = tool("postsuper", &["-d", "ALL", "nosuch"]);
    assert_eq!((wrong.code, wrong.err.as_str()), (Some(1), "postsuper: fatal: invalid directory name: nosuch\n"));

    // A second one, which is thrown away by way of the recipe of everyone's notes.
    send(near.address("smtp"), "user@near.test", &["other@far.test"], "unwanted");
    let other = deferred(&hosts.near, "other@far.test");
    assert_eq!(said(&["-d", "-"], &format!("{other}\n")), format!("postsuper: {other}: removed\npostsuper: Deleted: 1 message\n"));
    assert_eq!(queued(&hosts.near).len(), 1);

    // Released while the host is still down, it waits again; then it is sent at a word.
    assert_eq!(said(&["-H", "ALL"], ""), "postsuper: Released from hold: 1 message\n");
    assert_eq!(deferred(&hosts.near, "user@far.test"), id);
    let far = Server::serve(&hosts.far, &[]);
    tool("postqueue", &["-f"]).ok();
    assert!(inbox(&far, "user@far.test", 1)[0].contains("Subject: late"));
    within(SOON, "the queue to be empty", || (tool("mailq", &[]).ok() == "Mail queue is empty\n").then_some(()));
    near.stop();
    far.stop();
}

#[test]
fn wrong_command_lines_end_as_postfix_ends_them() {
    let directory = tempfile::tempdir().expect("a directory");
    let configured = Configured::setup(directory.path(), &[]);
    let usage = "postqueue: fatal: usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | postqueue -s site\n";
    let cases = [
        ("postqueue", &["-p", "-f"][..], 69, usage),
        ("postqueue", &[], 69, usage),
        ("postqueue", &["-i", "../x"], 69, "postqueue: fatal: Cannot flush queue ID - invalid name: \"../x\"\n"),
        ("postqueue", &["-s", "a b"], 69, "postqueue: fatal: Cannot flush mail queue - invalid destination: \"a b\"\n"),
        ("postcat", &["-q", "../x"], 1, "postcat: fatal: bad mail queue ID: ../x\n"),
    ];
    for (name, arguments, code, err) in cases {
        let said = configured.tool(name, arguments, "");
        assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (Some(code), "", err), "{name} {arguments:?}");
    }
}

#[test]
fn a_flush_tries_even_what_counts_as_dead() {
    let hosts = hosts();
    for line in ["minimal_backoff_time = 1h", "maximal_backoff_time = 1h", "smtp_initial_destination_concurrency = 1"] {
        hosts.near.set(line);
    }
    let near = Server::serve(&hosts.near, &[]);
    send(near.address("smtp"), "user@near.test", &["user@far.test"], "first");
    within(SOON, "a refused connection", || near.log().contains(": Connection refused)").then_some(()));
    send(near.address("smtp"), "user@near.test", &["user@far.test"], "second");
    within(SOON, "a host that is left alone", || near.log().contains("status=deferred (delivery temporarily suspended: connect to ").then_some(()));
    let far = Server::serve(&hosts.far, &[]);
    hosts.near.tool("postqueue", &["-f"], "").ok();
    inbox(&far, "user@far.test", 2);
    near.stop();
    far.stop();
}
