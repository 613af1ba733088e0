//! `sendmail`: what every program of a Unix machine sends its mail by. Options and their meaning are those of Postfix's command.
//!
//! It runs with the rights of whoever calls it: it reads `main.cf`, and hands the whole letter to the server or leaves it in `maildrop/`
//! ([`hand_in`], docs/decisions/0011). Every failure ends with 75, as Postfix's: whoever called it should try again.

mod hand_in;
mod message;
mod session;
mod user;

use std::path::PathBuf;

use mail::envelope::EnvelopeAddress;
use mail::Address;
use smtpd::letter::{self, Letter};

use super::{Fatal, options, postmap, postqueue};
use hand_in::HandIn;
use message::Message;
use user::User;

/// What all failures end with.
const EX_TEMPFAIL: u8 = 75;

/// The default of `store_directory`.
const USUAL_STORE: &str = "/var/lib/posthouse";

/// The full stops of Chinese and Japanese, which a keyboard with an input method gives for a dot.
const OTHER_DOTS: [char; 3] = ['\u{3002}', '\u{ff0e}', '\u{ff61}'];

/// Letters that are known; many do nothing here, as in Postfix.
const OPTIONS: &str = "A:B:C:F:GIL:N:O:R:UV:X:b:ce:f:h:imno:p:r:q:tvx";

/// What the command is to do.
#[derive(Debug, Default, PartialEq, Eq)]
enum Mode {
    /// Take a message in (`-bm`, and without a word).
    #[default]
    Mail,
    /// Speak SMTP on standard input and output (`-bs`).
    Smtp,
    /// List the queue (`-bp`).
    List,
    /// Check the aliases (`-bi`, `-I`).
    Aliases,
    /// Try what waits (`-q`), one message (`-qI`), a site (`-qR`); the arguments of postqueue.
    Flush(Vec<String>),
    /// `-q30m` without `-bd`: to be a server is somebody else's work.
    Nothing,
}

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    mode: Mode,
    directory: Option<String>,
    /// `-f`; none: the user's name.
    sender: Option<String>,
    full_name: Option<String>,
    /// `-t`
    from_header: bool,
    /// `-i`
    ignore_dots: bool,
    /// `-v`, `-bv`: a report of the delivery
    report: bool,
    letter: Letter,
    words: Vec<String>,
    /// Said before the work begins.
    warnings: Vec<String>,
}

/// Under the name of `sendmail`, or of one that stands for a mode of it: `mailq`, `newaliases`.
pub(super) fn run(name: &str, arguments: &[String]) -> Result<(), Fatal> {
    let asked = read(name, arguments)?;
    for warning in &asked.warnings {
        eprintln!("{name}: warning: {warning}");
    }
    let directory = asked.directory.clone().unwrap_or_else(super::directory);
    let in_directory = |mut words: Vec<String>| {
        words.splice(0..0, ["-c".to_owned(), directory.clone()]);
        words
    };
    let words = if asked.words.is_empty() { None } else { Some("requires no recipient") };
    match (&asked.mode, words) {
        (Mode::List, Some(fault)) => return Err(fatal(format!("display queue mode {fault}"))),
        (Mode::Aliases, Some(fault)) => return Err(fatal(format!("alias initialization mode {fault}"))),
        (Mode::Smtp, Some(fault)) => return Err(fatal(format!("stand-alone SMTP mode {fault}"))),
        _ => {}
    }
    match &asked.mode {
        Mode::Mail => mail(asked, &directory),
        Mode::Smtp => session::run(&hand_in(&directory)?, &directory),
        Mode::List => postqueue::mailq(&directory),
        Mode::Aliases => postmap::newaliases(&directory),
        Mode::Flush(words) => postqueue::run(&in_directory(words.clone())),
        Mode::Nothing => Ok(()),
    }
}

fn fatal(text: impl std::fmt::Display) -> Fatal {
    Fatal::new(EX_TEMPFAIL, text)
}

/// A main.cf that is closed to users, since it holds a password, leaves them the usual store.
fn hand_in(directory: &str) -> Result<HandIn, Fatal> {
    let closed = std::fs::File::open(PathBuf::from(directory).join("main.cf")).is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied);
    let store = if closed { USUAL_STORE.to_owned() } else { super::parameter(directory, "store_directory").map_err(fatal)? };
    Ok(HandIn::new(&PathBuf::from(store)))
}

/// The command line.
fn read(name: &str, arguments: &[String]) -> Result<Asked, Fatal> {
    let mode = match name {
        "mailq" => Mode::List,
        "newaliases" => Mode::Aliases,
        _ => Mode::Mail,
    };
    let mut asked = Asked { mode, ..Asked::default() };
    let arguments = without_q(arguments, &mut asked);
    let (given, words) = options::read(name, &arguments, OPTIONS).map_err(|_| fatal(format!("usage: {name} [options]")))?;
    asked.words = words;
    for (letter, value) in given {
        asked.take(letter, value)?;
    }
    Ok(asked)
}

/// `-q` may stand alone, which getopt(3) does not understand.
fn without_q(arguments: &[String], asked: &mut Asked) -> Vec<String> {
    let end = arguments.iter().position(|word| word == "--" || !word.starts_with('-')).unwrap_or(arguments.len());
    let (before, after) = arguments.split_at(end);
    if before.iter().any(|word| word == "-q") {
        asked.mode = Mode::Flush(vec!["-f".into()]);
    }
    before.iter().filter(|word| *word != "-q").chain(after).cloned().collect()
}

impl Asked {
    fn take(&mut self, letter: char, value: String) -> Result<(), Fatal> {
        match letter {
            'C' => self.directory = Some(directory_of(value)),
            'F' => self.full_name = Some(value),
            'f' | 'r' => self.sender = Some(value),
            't' => self.from_header = true,
            'i' => self.ignore_dots = true,
            'v' => self.report = true,
            'I' => self.mode = Mode::Aliases,
            'n' => return Err(fatal("-n option not supported")),
            'B' => self.body(&value)?,
            'b' => self.mode = self.way(&value)?,
            'o' => self.old(&value),
            'q' => self.mode = queue(&value)?,
            'N' => self.notify(&value),
            'R' => self.returns(&value),
            'V' => self.letter.envid = Some(xtext(&value)),
            'X' => return Err(fatal(format!("unsupported: -X{}", value.chars().next().unwrap_or('?')))),
            // of other programs of that name, and of no meaning here
            _ => {}
        }
        Ok(())
    }

    fn way(&mut self, value: &str) -> Result<Mode, Fatal> {
        Ok(match value.chars().next() {
            Some('m') => Mode::Mail,
            Some('s') => Mode::Smtp,
            Some('p') => Mode::List,
            Some('i') => Mode::Aliases,
            Some('d' | 'l') => return Err(fatal("the server is started by: posthouse serve")),
            other => return Err(fatal(format!("unsupported: -b{}", other.unwrap_or('?')))),
        })
    }

    /// `-o`: of the old configuration's letters only these mean something on a command line.
    fn old(&mut self, value: &str) {
        match value.chars().next() {
            Some('i') => self.ignore_dots = true,
            Some('8') => self.letter.eight_bit = true,
            _ => {}
        }
    }

    fn body(&mut self, value: &str) -> Result<(), Fatal> {
        match value {
            "8BITMIME" => self.letter.eight_bit = true,
            "7BIT" => self.letter.eight_bit = false,
            _ => return Err(fatal("-B option needs 8BITMIME or 7BIT")),
        }
        Ok(())
    }

    fn notify(&mut self, value: &str) {
        match letter::notify(value) {
            Some(notify) => self.letter.notify = Some(notify),
            None => self.warnings.push("bad -N option value -- ignored".into()),
        }
    }

    fn returns(&mut self, value: &str) {
        match value.to_ascii_lowercase().as_str() {
            "hdrs" => self.letter.headers_only = true,
            "full" => self.letter.headers_only = false,
            _ => self.warnings.push("bad -R option value -- ignored".into()),
        }
    }
}

/// `-C` names a directory, or a file in it, as old scripts do.
fn directory_of(value: String) -> String {
    match value.strip_suffix("/main.cf") {
        Some(directory) => directory.to_owned(),
        None => value,
    }
}

fn queue(value: &str) -> Result<Mode, Fatal> {
    let rest: String = value.chars().skip(1).collect();
    match value.chars().next() {
        Some('I') => Ok(Mode::Flush(vec!["-i".into(), rest])),
        Some('R') => Ok(Mode::Flush(vec!["-s".into(), rest])),
        Some(digit) if digit.is_ascii_digit() => Ok(Mode::Nothing),
        other => Err(fatal(format!("-q{} is not implemented", other.unwrap_or('?')))),
    }
}

/// As RFC 3461 §4 encodes what a parameter may not hold.
fn xtext(text: &str) -> String {
    let put = |byte: u8| if matches!(byte, b'!'..=b'~') && !matches!(byte, b'+' | b'=') { char::from(byte).to_string() } else { format!("+{byte:02X}") };
    text.bytes().map(put).collect()
}

/// Takes a message from standard input.
fn mail(asked: Asked, directory: &str) -> Result<(), Fatal> {
    let me = User::this();
    let mine = |error: &dyn std::fmt::Display| fatal(format!("{me}: {error}"));
    if asked.words.is_empty() && !asked.from_header {
        return Err(mine(&"Recipient addresses must be specified on the command line or via the -t option"));
    }
    let most = super::parameter(directory, "message_size_limit").ok().and_then(|text| text.parse().ok()).filter(|most| *most > 0);
    let message = Message::read(&mut std::io::stdin().lock(), asked.ignore_dots, most).map_err(|error| mine(&error))?;
    let mut letter = asked.letter;
    letter.sender = match &asked.sender {
        Some(sender) => sender_of(sender).map_err(|error| mine(&error))?,
        None => me.login.clone().ok_or_else(|| fatal(format!("no login name found for user ID {}", me.uid)))?,
    };
    for word in &asked.words {
        letter.recipients.extend(recipients(word).map_err(|error| mine(&error))?);
    }
    if asked.from_header {
        for field in message.recipients() {
            letter.recipients.extend(recipients(&String::from_utf8_lossy(field)).map_err(|error| mine(&error))?);
        }
        if letter.recipients.is_empty() {
            return Err(mine(&"No recipient addresses found in message header"));
        }
    }
    if letter.recipients.is_empty() {
        return Err(mine(&"Recipient addresses must be specified on the command line or via the -t option"));
    }
    if asked.report {
        letter.notify = letter.notify.or_else(|| letter::notify("SUCCESS,FAILURE,DELAY"));
    }
    let full_name = asked.full_name.or_else(|| me.full_name());
    let whole = message.letter(&letter, full_name.as_deref());
    hand_in(directory)?.letter(&whole).map_err(|error| mine(&error))
}

/// The sender on the command line: an address, or nobody.
fn sender_of(text: &str) -> Result<String, String> {
    match text.trim_ascii() {
        "" | "<>" => Ok(String::new()),
        text => match recipients(text)?.as_slice() {
            [one] => Ok(one.clone()),
            _ => Err(format!("-f option specified malformed sender: {}", text.escape_debug())),
        },
    }
}

/// The addresses of a list as in a header field, as a letter names them.
fn recipients(list: &str) -> Result<Vec<String>, String> {
    let one = |address: &EnvelopeAddress| -> Option<Result<String, String>> {
        let (local, host) = (address.mailbox.as_ref()?, address.host.as_ref()?);
        let (local, host) = (String::from_utf8_lossy(local), String::from_utf8_lossy(host));
        Some(written(&local, &host).map_err(|error| format!("{}: {error}", format!("{local}@{host}").escape_debug())))
    };
    mail::envelope::addresses(list.as_bytes()).iter().filter_map(one).collect()
}

/// What an input method puts for the dot of a host's name (RFC 3490 §3.1), and what was probably meant.
fn other_dot(local: &str, host: &str) -> Option<String> {
    let dot = host.chars().find(|c| OTHER_DOTS.contains(c))?;
    Some(format!("{dot} is not a dot; did you mean {local}@{}?", host.replace(OTHER_DOTS, ".")))
}

/// `local@host`, or the local part alone, in quotes if it needs them.
fn written(local: &str, host: &str) -> Result<String, String> {
    if local.is_empty() {
        return Err(mail::BadAddress::Local.to_string());
    }
    if let Some(meant) = other_dot(local, host) {
        return Err(meant);
    }
    let written = match host {
        "" => Address::new(local, "x").map(|address| address.quoted_local()),
        host => Address::new(local, host).map(|address| address.to_string()),
    };
    written.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Asked {
        read("sendmail", &line.split(' ').map(str::to_owned).collect::<Vec<_>>()).unwrap_or_else(|error| panic!("{line}: {error:?}"))
    }

    #[test]
    fn the_command_lines_of_real_programs_are_understood() {
        let cron = asked("-FCronDaemon -i -B8BITMIME -oem root");
        assert_eq!((cron.full_name.as_deref(), cron.ignore_dots, cron.letter.eight_bit, cron.words), (Some("CronDaemon"), true, true, vec!["root".to_owned()]));
        let php = asked("-t -i -fenv@y.test");
        assert_eq!((php.from_header, php.sender.as_deref()), (true, Some("env@y.test")));
        let mutt = asked("-oem -oi -f me@x -N failure,delay -R hdrs -- a@b c@d");
        assert_eq!((mutt.ignore_dots, mutt.letter.headers_only, mutt.words.len()), (true, true, 2));
        assert_eq!(mutt.letter.notify, letter::notify("FAILURE,DELAY"));
        assert!(asked("-i -t -v").report && asked("-bm -oQ/tmp -odb -oee x").mode == Mode::Mail);
    }

    #[test]
    fn modes() {
        for (line, mode) in [
            ("-bp", Mode::List),
            ("-bi", Mode::Aliases),
            ("-I", Mode::Aliases),
            ("-bs", Mode::Smtp),
            ("-q", Mode::Flush(vec!["-f".into()])),
            ("-v -q", Mode::Flush(vec!["-f".into()])),
            ("-qIABC", Mode::Flush(vec!["-i".into(), "ABC".into()])),
            ("-qRx.test", Mode::Flush(vec!["-s".into(), "x.test".into()])),
            ("-q30m", Mode::Nothing),
        ] {
            assert_eq!(asked(line).mode, mode, "{line}");
        }
        for (line, text) in [
            ("-n", "-n option not supported"),
            ("-qS", "-qS is not implemented"),
            ("-bx", "unsupported: -bx"),
            ("-B7", "-B option needs 8BITMIME or 7BIT"),
            ("-Xfoo", "unsupported: -Xf"),
            ("-y", "usage: sendmail [options]"),
        ] {
            assert_eq!(read("sendmail", &[line.to_owned()]), Err(fatal(text)), "{line}");
        }
    }

    #[test]
    fn a_word_is_a_list_of_addresses() {
        let told = |list: &str| recipients(list).map(|all| all.join(" "));
        assert_eq!(told("a b <c@d.test>, e, g: h@i.test, \"j k\";").as_deref(), Ok("c@d.test e h@i.test \"j k\""));
        assert_eq!(told("\"a\\\" -oQ/tmp -X/x.php b\"@d.test").as_deref(), Ok("\"a\\\" -oQ/tmp -X/x.php b\"@d.test"));
        assert!(told("a@b\nc").is_err() || told("a@b\nc").is_ok_and(|all| !all.contains('\n')));
        assert_eq!((sender_of("<>"), sender_of("x"), sender_of("A <a@b.test>")), (Ok(String::new()), Ok("x".into()), Ok("a@b.test".into())));
        assert!(sender_of("a, b").is_err());
        assert_eq!(told("a@b\u{3002}c.test").unwrap_err(), "a@b\u{3002}c.test: \u{3002} is not a dot; did you mean a@b.c.test?");
    }
}
