//! A course of Postfix as it is typed, on two hosts: `docs/seed-lab.md` is run, line by line, in the hosts of `tests/lab`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use house_tests::lab::Lab;
use house_tests::until::SOON;

/// What tells that a command is to be given again until it says what it should.
const SOON_TOLD: [&str; 2] = ["# in a moment", "# 稍候"];
/// Between two looks: a command on a host is some processes.
const AGAIN: Duration = Duration::from_millis(200);
/// The first words of a prompt.
const PROMPTS: [&str; 2] = ["mail# ", "training# "];

/// A command of the document, and what it answers.
#[derive(Clone, Debug, Default, PartialEq)]
struct Step {
    host: &'static str,
    command: String,
    soon: bool,
    typed: String,
    answer: Vec<String>,
    /// Of the document.
    line: usize,
}

#[test]
fn the_lab_works_as_it_is_typed() {
    let name = "the_lab_works_as_it_is_typed";
    let Some(lab) = Lab::up(name, env!("CARGO_BIN_EXE_lab-dns"), &["s-nail", "bsd-mailx", "curl"]) else { return };
    for step in steps(&document("seed-lab.md")) {
        follow(&lab, &step);
    }
}

#[test]
fn the_chinese_says_the_same() {
    let told = |name: &str| {
        let steps = steps(&document(name));
        steps.into_iter().map(|step| Step { line: 0, ..step }).collect::<Vec<_>>()
    };
    let (english, chinese) = (told("seed-lab.md"), told("seed-lab.zh.md"));
    for (one, other) in english.iter().zip(&chinese) {
        assert_eq!(one, other);
    }
    assert_eq!(english.len(), chinese.len());
}

/// What the course's notes have one type is in the document, the slips too.
#[test]
fn nothing_of_the_course_is_left_out() {
    let document = document("seed-lab.md");
    for typed in [
        r#"postconf -e "inet_interfaces = all""#,
        r#"postconf -e  "myhostname = mail.linuxcast.net""#,
        r#"postconf -e  "mydomain = linuxcast.net""#,
        "mydestination = $myhostname,localhost.$mydimain,localhost",
        r#"postconf -e "myorigin=$mydomain""#,
        r#"postconf -e "masquerade_exceptions = root""#,
        "mynetworks = 127.0.0.0/8\t无需认证的地址",
        "mail -vs \"test mail from linuxcast\" root@training。linuxcast.net",
        "postconf -d",
        "postconf -n",
        "postqueue -p",
        "postqueue -f",
        "/var/log/maillig",
    ] {
        assert!(document.contains(typed), "{typed}");
    }
}

#[test]
fn answers_are_matched_with_what_is_left_out() {
    let matched = |wanted: &[&str], got: &str| answers(&wanted.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>(), &got.lines().collect::<Vec<_>>());
    assert!(matched(&["a", "…", "d"], "a\nb\nc\nd") && matched(&["a", "…", "d"], "a\nd") && matched(&["…"], ""));
    assert!(!matched(&["a", "…", "d"], "a\nb\nc") && !matched(&["a"], "a\nb") && !matched(&["a"], ""));
    assert!(matched(&["to=<…>, …=sent (…)"], "to=<x@y>, delay=1, status=sent (250)") && !matched(&["…ab"], "abc"));
    assert!(matched(&["…ab"], "abcab") && matched(&["ab…"], "abc") && !matched(&["a…b…"], "ac"));
}

/// Gives a command until it says what is wanted, or once.
#[track_caller]
fn follow(lab: &Lab, step: &Step) {
    let begun = Instant::now();
    loop {
        let said = lab.on(step.host, &step.command, &step.typed);
        let lines: Vec<&str> = said.lines().collect();
        if answers(&step.answer, &lines) {
            return;
        }
        let wanted = step.answer.join("\n");
        let told = format!("docs/seed-lab.md:{}: {}# {}\n--- wanted\n{wanted}\n--- got\n{said}", step.line, step.host, step.command);
        assert!(step.soon && begun.elapsed() < SOON, "{told}\n--- the logs\n{}{}", lab.log("mail"), lab.log("training"));
        std::thread::sleep(AGAIN);
    }
}

fn document(name: &str) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../docs", name].iter().collect();
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The commands in its blocks of `console`, in order.
fn steps(document: &str) -> Vec<Step> {
    let (mut steps, mut inside) = (Vec::<Step>::new(), false);
    for (number, line) in document.lines().enumerate() {
        if let Some(fence) = line.strip_prefix("```") {
            inside = fence == "console";
            continue;
        }
        if !inside {
            continue;
        }
        if let Some((prompt, command)) = PROMPTS.iter().find_map(|prompt| Some((prompt, line.strip_prefix(prompt)?))) {
            let told = SOON_TOLD.iter().find_map(|told| command.strip_suffix(told));
            let (host, command) = (prompt.trim_end_matches("# "), told.unwrap_or(command).trim_end().to_owned());
            steps.push(Step { host, command, soon: told.is_some(), line: number + 1, ..Step::default() });
            continue;
        }
        let step = steps.last_mut().unwrap_or_else(|| panic!("line {}: an answer before a command", number + 1));
        match line.strip_prefix("> ") {
            Some(typed) => step.typed.extend([typed, "\n"]),
            None => step.answer.push(line.to_owned()),
        }
    }
    steps
}

/// Whether these lines are what is wanted; a line `…` stands for any lines, or none, and `…` in a line for any text.
fn answers(wanted: &[String], got: &[&str]) -> bool {
    match (wanted, got) {
        ([], []) => true,
        ([first, rest @ ..], _) if first == "…" => (0..=got.len()).any(|left_out| answers(rest, &got[left_out..])),
        ([first, rest @ ..], [line, more @ ..]) => fits(first, line.trim_end()) && answers(rest, more),
        _ => false,
    }
}

fn fits(wanted: &str, line: &str) -> bool {
    match wanted.split_once('…') {
        None => wanted == line,
        Some((start, rest)) => line.strip_prefix(start).is_some_and(|after| {
            let ends = after.char_indices().map(|(at, _)| at).chain([after.len()]);
            ends.into_iter().any(|at| fits(rest, &after[at..]))
        }),
    }
}
