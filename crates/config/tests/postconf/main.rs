//! `postconf` beside the original: the same commands over the same files, and every word, exit code and edited file the same.
//!
//! A difference is a bug, or stands in `differences.txt`: `NAME<TAB>reason` for a parameter whose value differs (lines that
//! print it are left out on both sides). Runs where Debian's postfix is installed, and is skipped by name elsewhere.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

const ORIGINAL: &str = "/usr/sbin/postconf";
const AN_HOUR: Duration = Duration::from_secs(3600);

/// What a command leaves: what it said, and the files after it.
#[derive(PartialEq, Eq)]
struct Left {
    out: String,
    err: String,
    code: i32,
    main_cf: String,
    master_cf: String,
}

/// One group of `cases.txt`: the two files, and commands that each start from them.
#[derive(Default)]
struct Group {
    main_cf: String,
    master_cf: String,
    commands: Vec<Vec<String>>,
}

#[test]
fn says_and_does_what_the_original_does() {
    if !Path::new(ORIGINAL).exists() {
        eprintln!("skipped: postconf beside the original: no {ORIGINAL} (Debian's package postfix)");
        return;
    }
    let ours_alone = differing();
    let mut faults = Vec::new();
    let mut compared = 0;
    for group in groups(include_str!("cases.txt")) {
        for command in &group.commands {
            let theirs = in_directory(&group, |directory| original(directory, command));
            let ours = in_directory(&group, |directory| ours(directory, command));
            compared += 1;
            if !same(&theirs, &ours, &ours_alone) {
                faults.push(told(&group, command, &theirs, &ours, &ours_alone));
            }
        }
    }
    assert!(compared > 100, "only {compared} commands were compared");
    assert!(faults.is_empty(), "{} of {compared} commands differ:\n{}", faults.len(), faults.join("\n"));
}

/// The judge can turn red.
#[test]
fn a_difference_is_seen() {
    let left = |out: &str| Left { out: out.into(), err: String::new(), code: 0, main_cf: String::new(), master_cf: String::new() };
    let known = BTreeSet::from(["mail_name".to_owned()]);
    assert!(same(&left("mail_name = a\nx = 1\n"), &left("mail_name = b\nx = 1\n"), &known));
    assert!(!same(&left("x = 1\n"), &left("x = 2\n"), &known));
}

fn in_directory(group: &Group, run: impl FnOnce(&Path) -> (Vec<u8>, Vec<u8>, i32)) -> Left {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in [("main.cf", &group.main_cf), ("master.cf", &group.master_cf)] {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        // The original waits, and reads again, while a file is new.
        File::options().append(true).open(&path).unwrap().set_modified(SystemTime::now() - AN_HOUR).unwrap();
    }
    let (out, err, code) = run(directory.path());
    let name = directory.path().display().to_string();
    let plain = |octets: Vec<u8>| String::from_utf8_lossy(&octets).replace(&name, "DIR");
    let file = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap_or_default();
    Left { out: plain(out), err: plain(err), code, main_cf: file("main.cf"), master_cf: file("master.cf") }
}

fn original(directory: &Path, command: &[String]) -> (Vec<u8>, Vec<u8>, i32) {
    let output = Command::new(ORIGINAL).arg0("postconf").arg("-c").arg(directory).args(command).env_clear().output().unwrap();
    (output.stdout, output.stderr, output.status.code().unwrap_or(-1))
}

fn ours(directory: &Path, command: &[String]) -> (Vec<u8>, Vec<u8>, i32) {
    let args: Vec<String> = ["-c".to_owned(), directory.display().to_string()].into_iter().chain(command.iter().cloned()).collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = config::postconf::run(&args, &mut out, &mut err);
    (out, err, code)
}

/// What is printed about parameters of `ours_alone`, and what ours alone says, is left out.
fn compared(text: &str, ours_alone: &BTreeSet<String>) -> Vec<String> {
    let differs = |line: &&str| ours_alone.contains(line.split(" =").next().unwrap_or_default());
    let hint = |line: &&str| line.starts_with("postconf: hint: ");
    text.lines().filter(|line| !differs(line) && !hint(line)).map(str::to_owned).collect()
}

fn same(theirs: &Left, ours: &Left, ours_alone: &BTreeSet<String>) -> bool {
    let lines = |text: &str| compared(text, ours_alone);
    // The usage text names options of the original that are not here.
    let usage = |text: &str| text.contains("fatal: usage: ");
    // The original says some things twice, and in the order of a hash table.
    let said = |text: &str| lines(text).into_iter().collect::<BTreeSet<_>>();
    let spoken = said(&theirs.err) == said(&ours.err) || usage(&theirs.err) && usage(&ours.err);
    spoken && lines(&theirs.out) == lines(&ours.out) && (theirs.code, &theirs.main_cf, &theirs.master_cf) == (ours.code, &ours.main_cf, &ours.master_cf)
}

fn told(group: &Group, command: &[String], theirs: &Left, ours: &Left, ours_alone: &BTreeSet<String>) -> String {
    let mut text = format!("=== postconf {command:?} over main.cf {:?}\n", group.main_cf);
    for (what, theirs, ours) in
        [("stdout", &theirs.out, &ours.out), ("stderr", &theirs.err, &ours.err), ("main.cf", &theirs.main_cf, &ours.main_cf), ("master.cf", &theirs.master_cf, &ours.master_cf)]
    {
        let (theirs, ours) = (compared(theirs, ours_alone), compared(ours, ours_alone));
        let one_sided = |sign: char, these: &[String], those: &[String]| {
            let lines: Vec<_> = these.iter().filter(|line| !those.contains(line)).take(5).map(|line| format!("  {sign} {line}\n")).collect();
            lines.concat()
        };
        if theirs != ours {
            text += &format!(" {what}:\n{}{}", one_sided('<', &theirs, &ours), one_sided('>', &ours, &theirs));
        }
    }
    text + &format!(" codes: {} {}\n", theirs.code, ours.code)
}

/// Names of `differences.txt`.
fn differing() -> BTreeSet<String> {
    let lines = include_str!("differences.txt").lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let name = |line: &str| line.split_once('\t').map(|(name, _)| name.to_owned());
    lines.map(|line| name(line).unwrap_or_else(|| panic!("no reason: {line}"))).collect()
}

/// `=== main.cf` and `=== master.cf` start a file, `=== run` its commands, one a line; words in single quotes may hold blanks.
fn groups(text: &str) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut part = "";
    for line in text.split_inclusive('\n') {
        if let Some(name) = line.strip_prefix("=== ") {
            part = name.trim_ascii();
            if part == "main.cf" {
                groups.push(Group::default());
            }
            continue;
        }
        let Some(group) = groups.last_mut() else { continue };
        match part {
            "main.cf" => group.main_cf.push_str(line),
            "master.cf" => group.master_cf.push_str(line),
            _ if line.trim_ascii().is_empty() => {}
            _ => group.commands.push(words(line.trim_ascii())),
        }
    }
    groups
}

fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match (c, words.last_mut()) {
            ('\'', _) => quoted = !quoted,
            (' ', _) if !quoted => words.push(String::new()),
            (c, Some(word)) => word.push(c),
            _ => {}
        }
    }
    words
}
