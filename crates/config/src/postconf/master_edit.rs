//! `postconf -Me`, `-MX`, `-M#`, `-Fe`, `-Pe`, `-PX`: edits of master.cf.
//!
//! A service is written anew, folded, as `-Mf` shows it. Comments stay; those between its lines come before it, but after it where the whole service was given
//! (`-Me`), as the original does. Services that are only left out or commented out go line by line.

use super::Fatal;
use super::args::default_directory;
use super::master::{FIELDS, Part, Service, arguments, matches, print, words};
use crate::file;
use crate::source::{self, Physical, kind};
use std::io::Write;
use std::path::Path;

/// What is asked for.
pub(super) struct MasterEdit {
    pub directory: Option<String>,
    pub part: Part,
    pub requests: Vec<Request>,
}

/// One word of the command line.
pub(super) struct Request {
    /// `service/type[/name]`
    pattern: String,
    what: What,
    /// As it was typed, for messages.
    text: String,
}

enum What {
    Service(Service),
    Remove,
    Comment,
    Field(usize, String),
    Set(String, String),
    Unset(String),
}

/// Reads the words of the command line.
pub(super) fn requests(part: Part, mode: char, names: &[&str]) -> Result<Vec<Request>, Fatal> {
    if names.is_empty() {
        return Err(if mode == 'e' { "-e requires name=value argument" } else { "missing service argument" }.to_owned().into());
    }
    names.iter().map(|text| request(part, mode, text)).collect()
}

fn request(part: Part, mode: char, text: &str) -> Result<Request, Fatal> {
    if text.contains('\n') {
        return Err("-Me, -Fe, -Pe, -X, or -# accept no multi-line input".to_owned().into());
    }
    let text = text.trim_ascii();
    if text.starts_with('#') {
        return Err("-Me, -Fe, -Pe, -X, or -# accept no comment input".to_owned().into());
    }
    let (pattern, value) = match mode {
        'e' => source::split(text).map_err(|what| format!("{what}: \"{text}\""))?,
        _ => (text, ""),
    };
    let parts: Vec<&str> = pattern.split('/').collect();
    let named = parts.iter().all(|part| !part.is_empty());
    let what = match (part, parts.as_slice()) {
        (Part::Services, [_, _]) if named => match mode {
            'e' => What::Service(service(value, text.split_once('=').map_or(text, |(_, value)| value.trim_ascii()), text)?),
            'X' => What::Remove,
            _ => What::Comment,
        },
        (Part::Services, _) => return Err("-Me, -MX or -M# requires service_name/type".to_owned().into()),
        (Part::Fields, [_, _, name]) if named => field(name, value)?,
        (Part::Fields, _) => return Err("-Fe or -FX requires service_name/type/field_name".to_owned().into()),
        (Part::Parameters, [_, _, _]) if named && mode == 'e' && value.contains(|c: char| c.is_ascii_whitespace()) => {
            return Err("-Pe does not accept whitespace in parameter value".to_owned().into());
        }
        (Part::Parameters, [_, _, name]) if named && mode == 'e' => What::Set((*name).to_owned(), value.to_owned()),
        (Part::Parameters, [_, _, name]) if named => What::Unset((*name).to_owned()),
        (Part::Parameters, _) => return Err("-Pe or -PX requires service_name/type/parameter".to_owned().into()),
    };
    let pattern = parts.iter().take(2).copied().collect::<Vec<_>>().join("/");
    Ok(Request { pattern, what, text: text.to_owned() })
}

fn service(value: &str, shown: &str, whole: &str) -> Result<Service, Fatal> {
    let service = Service::parse(value).ok_or_else(|| format!("bad field count: \"{whole}\""))?;
    for at in 1..FIELDS.len() - 1 {
        check(at, &service.fields[at], shown)?;
    }
    Ok(service)
}

fn field(name: &str, value: &str) -> Result<What, Fatal> {
    let at = FIELDS.iter().position(|field| *field == name).ok_or_else(|| format!("invalid service attribute name: \"{name}\""))?;
    if at < FIELDS.len() - 1 {
        if value.contains(|c: char| c.is_ascii_whitespace()) {
            return Err("-Fe does not accept whitespace in non-command field".to_owned().into());
        }
        if !value.is_empty() {
            check(at, value, value)?;
        }
    } else if value.is_empty() {
        return Err("-Fe requires a command".to_owned().into()); // where the original dies
    }
    Ok(What::Field(at, value.to_owned()))
}

/// Whether a field is one; `shown` is what the message quotes.
fn check(at: usize, value: &str, shown: &str) -> Result<(), Fatal> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let right = match FIELDS[at] {
        "type" => ["inet", "unix", "fifo", "pass", "unix-dgram"].contains(&value),
        "private" | "unprivileged" | "chroot" => ["y", "n", "-"].contains(&value),
        "wakeup" => value == "-" || digits(value.strip_suffix('?').unwrap_or(value)),
        "process_limit" => value == "-" || digits(value),
        _ => true,
    };
    if right { Ok(()) } else { Err(format!("invalid {} field \"{value}\" in \"{shown}\"", FIELDS[at]).into()) }
}

/// Does it, and warns of what meets no service.
pub(super) fn edit(asked: &MasterEdit, err: &mut dyn Write) -> Result<(), Fatal> {
    let directory = asked.directory.clone().unwrap_or_else(default_directory);
    let path = Path::new(&directory).join("master.cf");
    let unmet = file::edit(&path, |text| {
        let edited = edited(&path.display().to_string(), text, asked);
        match edited {
            Ok((text, unmet)) => (text, Ok(unmet)),
            Err(fatal) => (text.to_owned(), Err(fatal)),
        }
    })??;
    for text in unmet {
        writeln!(err, "postconf: warning: unmatched service_name/type: \"{text}\"")?;
    }
    Ok(())
}

/// A service with the lines that it stands in; comments between them too.
#[derive(Default)]
struct Block<'t> {
    number: usize,
    lines: Vec<&'t str>,
}

fn edited(name: &str, text: &str, asked: &MasterEdit) -> Result<(String, Vec<String>), String> {
    let mut out = String::new();
    let mut met = vec![false; asked.requests.len()];
    let mut block: Option<Block<'_>> = None;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        match (kind(line.trim_end_matches('\n')), &mut block) {
            (Physical::Start, _) => {
                if let Some(done) = block.replace(Block { number, lines: vec![line] }) {
                    put(&mut out, name, &done, asked, &mut met)?;
                }
            }
            (_, Some(block)) => block.lines.push(line),
            (_, None) => out.push_str(line),
        }
    }
    if let Some(done) = block {
        put(&mut out, name, &done, asked, &mut met)?;
    }
    let mut unmet = Vec::new();
    for (request, met) in asked.requests.iter().zip(met) {
        match &request.what {
            What::Service(service) if !met => out.push_str(&(print(service, true) + "\n")),
            What::Field(..) | What::Set(..) | What::Unset(_) if !met => unmet.push(request.text.clone()),
            _ => {}
        }
    }
    Ok((out, unmet))
}

/// Writes a block as the requests that it meets want it.
fn put(out: &mut String, name: &str, block: &Block<'_>, asked: &MasterEdit, met: &mut [bool]) -> Result<(), String> {
    let is_comment = |line: &&&str| matches!(kind(line.trim_end_matches('\n')), Physical::Comment);
    let logical: Vec<&str> = block.lines.iter().filter(|line| !is_comment(line)).map(|line| line.trim_ascii()).collect();
    let comments = || block.lines.iter().filter(is_comment).copied().collect::<String>();
    let mut service = Service::parse(&logical.join(" ")).ok_or_else(|| format!("file {name}: line {}: bad field count", block.number))?;
    let own = service.fields[..2].join("/");
    let wants = |request: &Request| matches(&request.pattern, &own) || matches!(&request.what, What::Service(new) if new.fields[..2].join("/") == own);
    // of several words for whole services the last counts
    if asked.part == Part::Services {
        let Some((at, request)) = asked.requests.iter().enumerate().rfind(|(_, request)| wants(request)) else {
            out.extend(block.lines.iter().copied());
            return Ok(());
        };
        let before = met[at];
        for (request, met) in asked.requests.iter().zip(met.iter_mut()) {
            *met |= wants(request);
        }
        match &request.what {
            What::Service(new) if !before => out.push_str(&(print(new, true) + "\n" + &comments())),
            What::Comment => out.extend(block.lines.iter().map(|line| if is_comment(&line) { (*line).to_owned() } else { format!("#{line}") })),
            _ => out.push_str(&comments()),
        }
        return Ok(());
    }
    let mut changed = false;
    for (request, met) in asked.requests.iter().zip(met.iter_mut()).filter(|(request, _)| wants(request)) {
        (*met, changed) = (true, true);
        apply(&mut service, &request.what);
    }
    if changed {
        out.push_str(&(comments() + &print(&service, true) + "\n"));
    } else {
        out.extend(block.lines.iter().copied());
    }
    Ok(())
}

fn apply(service: &mut Service, what: &What) {
    match what {
        What::Field(at, value) if *at == FIELDS.len() - 1 => {
            let mut command = words(value).into_iter();
            service.fields[*at] = command.next().unwrap_or_default();
            service.arguments = arguments(command.collect());
        }
        What::Field(at, value) => service.fields[*at].clone_from(value),
        What::Set(name, value) => {
            let written = format!("{name}={value}");
            let places = places(service, name);
            for at in &places {
                service.arguments[*at].clone_from(&written);
            }
            if places.is_empty() {
                let end = service.options();
                service.arguments.splice(end..end, ["-o".to_owned(), written]);
            }
        }
        What::Unset(name) => {
            for at in places(service, name).into_iter().rev() {
                service.arguments.drain(at - 1..=at);
            }
        }
        What::Service(_) | What::Remove | What::Comment => {}
    }
}

/// Where values of that parameter stand, each behind its `-o`.
fn places(service: &Service, name: &str) -> Vec<usize> {
    let is = |at: &usize| service.arguments[at - 1] == "-o" && service.arguments[*at].split_once('=').is_some_and(|(own, _)| own == name);
    (1..service.options()).filter(is).collect()
}
