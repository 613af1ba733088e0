//! The command line of postconf: options may be bundled, the first name ends them.

use super::Fatal;
use super::master::{Master, Part};
use super::master_edit::{self, MasterEdit};
use crate::edit::Edit;
use crate::source;
use std::io::Write;

/// What is asked for.
pub(super) enum Request {
    /// `-l`
    Locks,
    /// `-m`
    Maps,
    /// `-a`, `-A`: what `smtpd_sasl_type` and `smtp_sasl_type` may name
    SaslTypes { server: bool },
    /// `-T`
    Tls(String),
    /// `-M`, `-F`, `-P`
    Master(Master),
    /// `-M`, `-F`, `-P` with `-e`, `-X`, `-#`
    MasterEdit(MasterEdit),
    /// `-e`, `-X`, `-#`
    Change(Change),
    Show(Show),
}

pub(super) struct Change {
    pub directory: String,
    pub edit: Edit,
}

/// Which parameters, and how they are printed.
#[derive(Default)]
pub(super) struct Show {
    /// Given by `-c`; then `-n` prints it.
    pub directory: Option<String>,
    pub defaults: bool,
    pub only_set: bool,
    pub no_names: bool,
    pub no_values: bool,
    pub expand: bool,
    pub fold: bool,
    /// An object a line (Postfix 3.11).
    pub json: bool,
    pub overrides: Vec<(String, String)>,
    pub builtin: bool,
    pub user: bool,
    /// Those of transports.
    pub service: bool,
    pub names: Vec<String>,
}

const USAGE: &str = "usage: postconf [-a (server SASL types)] [-A (client SASL types)] [-c config_dir] [-C param_class] [-d (parameter defaults)] [-e (edit configuration)] [-f (fold lines)] [-F (master.cf fields)] \
    [-h (no names)] [-H (no values)] [-j (JSON)] [-l (lock types)] [-m (map types)] [-M (master.cf)] [-n (non-default parameters)] [-o name=value (override parameter value)] \
    [-p (main.cf, default)] [-P (master.cf parameters)] [-q (quiet)] [-T compile-version|run-version|public-key-algorithms] [-v (verbose)] [-x (expand parameter values)] [-X (exclude)] [-# (comment-out)] [name...]";

/// Options that take a value.
const WITH_VALUE: &str = "cCoT";
/// Options that exclude one another, unless a pair stands in `TOGETHER`; in the order in which messages name them.
const MODES: &str = "defhHnoxX#";
/// What may be combined when something is shown.
const TOGETHER: [(char, char); 14] = [
    ('d', 'f'), ('d', 'h'), ('d', 'H'), ('d', 'x'), ('f', 'h'), ('f', 'H'), ('f', 'n'), ('f', 'o'), ('f', 'x'), ('h', 'n'), ('h', 'o'),
    ('H', 'n'), ('H', 'o'), ('n', 'o'),
];

/// Reads the command line; usage errors are told on `err` too.
pub(super) fn parse(args: &[&str], err: &mut dyn Write) -> Result<Request, Fatal> {
    let (options, names) = split(args, err)?;
    let mut show = Show { builtin: true, user: true, service: true, ..Show::default() };
    let mut modes: Vec<char> = Vec::new();
    let mut list = None;
    let mut parts = Vec::new();
    let mut tls = None;
    for (option, value) in options {
        match option {
            'c' => show.directory = Some(value.to_owned()),
            'C' => classes(value, &mut show)?,
            'o' => show.overrides.push(over(value)?),
            'd' => show.defaults = true,
            'n' => show.only_set = true,
            'h' => show.no_names = true,
            'H' => show.no_values = true,
            'x' => show.expand = true,
            'f' => show.fold = true,
            'j' => show.json = true,
            'T' => tls = Some(value.to_owned()),
            'a' | 'A' | 'l' | 'm' => list = Some(option),
            // -q (Postfix 3.9) silences words about what goes out of use; there are none
            'e' | 'X' | '#' | 'p' | 'q' | 'v' => {}
            'M' => parts.push(('M', Part::Services)),
            'F' => parts.push(('F', Part::Fields)),
            'P' => parts.push(('P', Part::Parameters)),
            _ => return Err(format!("-{option} is not supported here").into()),
        }
        if MODES.contains(option) && !modes.contains(&option) {
            modes.push(option);
        }
    }
    if names.iter().any(|name| name.contains('=')) && !modes.contains(&'e') {
        modes.push('e');
    }
    if let Some((list, mode)) = modes.first().zip(list).map(|(mode, list)| (list, mode)) {
        return Err(format!("with option -{list}, do not specify -{mode}").into());
    }
    conflicts(&mut modes)?;
    match list {
        Some('l') => return Ok(Request::Locks),
        Some('m') => return Ok(Request::Maps),
        Some(other) => return Ok(Request::SaslTypes { server: other == 'a' }),
        None => {}
    }
    if let Some(mode) = tls {
        return Ok(Request::Tls(mode));
    }
    parts.sort_by_key(|(option, _)| *option);
    parts.dedup_by_key(|(option, _)| *option);
    if parts.len() > 1 {
        let options: String = parts.iter().map(|(option, _)| format!(" -{option}")).collect();
        return Err(format!("specify one of{options}").into());
    }
    if let Some((option, part)) = parts.pop() {
        let with = match part {
            Part::Services => "efoxX#v",
            Part::Fields => "efhHox",
            Part::Parameters => "efhHoxX",
        };
        if let Some(mode) = modes.iter().find(|mode| !with.contains(**mode)) {
            return Err(format!("with option -{option}, do not specify -{mode}").into());
        }
        if let Some(mode) = modes.iter().copied().find(|mode| "eX#".contains(*mode)) {
            let requests = master_edit::requests(part, mode, &names)?;
            return Ok(Request::MasterEdit(MasterEdit { directory: show.directory, part, requests }));
        }
        let patterns = names.iter().map(|name| (*name).to_owned()).collect();
        let Show { directory, fold, no_names, no_values, .. } = show;
        return Ok(Request::Master(Master { directory, part, fold, no_names, no_values, patterns }));
    }
    match modes.iter().copied().find(|mode| "eX#".contains(*mode)) {
        Some(mode) => {
            let edit = edit(mode, &names, err)?;
            let directory = show.directory.unwrap_or_else(default_directory);
            Ok(Request::Change(Change { directory, edit }))
        }
        None => {
            show.names = names.iter().map(|name| (*name).to_owned()).collect();
            Ok(Request::Show(show))
        }
    }
}

/// Where main.cf is if nobody says otherwise.
pub(super) fn default_directory() -> String {
    crate::table::parameter("config_directory").map_or("", |p| p.default).to_owned()
}

type Options<'a> = Vec<(char, &'a str)>;

fn split<'a>(args: &[&'a str], err: &mut dyn Write) -> Result<(Options<'a>, Vec<&'a str>), Fatal> {
    let mut options = Vec::new();
    let mut rest = args.iter().copied();
    while let Some(arg) = rest.next() {
        if arg == "--" {
            return Ok((options, rest.collect()));
        }
        let Some(letters) = arg.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            return Ok((options, std::iter::once(arg).chain(rest).collect()));
        };
        for (at, letter) in letters.char_indices() {
            if !"aAbcCdeEfFhHjlmMnopPqtTvxX#".contains(letter) {
                writeln!(err, "postconf: invalid option -- '{letter}'")?;
                return Err(USAGE.to_owned().into());
            }
            if !WITH_VALUE.contains(letter) {
                options.push((letter, ""));
                continue;
            }
            let attached = &letters[at + letter.len_utf8()..];
            let value = if attached.is_empty() { rest.next() } else { Some(attached) };
            let Some(value) = value else {
                writeln!(err, "postconf: option requires an argument -- '{letter}'")?;
                return Err(USAGE.to_owned().into());
            };
            options.push((letter, value));
            break;
        }
    }
    Ok((options, Vec::new()))
}

fn conflicts(modes: &mut [char]) -> Result<(), Fatal> {
    modes.sort_by_key(|mode| MODES.find(*mode));
    for (at, a) in modes.iter().enumerate() {
        for b in &modes[at + 1..] {
            let shown_together = TOGETHER.contains(&(*a, *b)) || *b == 'x' && !"eX#".contains(*a);
            if !shown_together {
                return Err(format!("specify one of -{a} -{b}").into());
            }
        }
    }
    Ok(())
}

fn classes(value: &str, show: &mut Show) -> Result<(), Fatal> {
    (show.builtin, show.user, show.service) = (false, false, false);
    for class in value.split([',', ' ']).filter(|class| !class.is_empty()) {
        match class {
            "builtin" => show.builtin = true,
            "user" => show.user = true,
            "service" => show.service = true,
            "all" => (show.builtin, show.user, show.service) = (true, true, true),
            _ => return Err(format!("unknown -C option value \"{class}\" in \"{value}\"").into()),
        }
    }
    Ok(())
}

fn over(value: &str) -> Result<(String, String), Fatal> {
    match source::split(value) {
        Ok((name, text)) => Ok((name.to_owned(), source::squeeze(text))),
        Err(what) => Err(format!("invalid parameter override: {value}: {what}").into()),
    }
}

fn edit(mode: char, names: &[&str], err: &mut dyn Write) -> Result<Edit, Fatal> {
    if names.is_empty() {
        let missing = if mode == 'e' { "-e requires name=value argument" } else { "missing service argument" };
        return Err(missing.to_owned().into());
    }
    let mut values: Vec<(String, String)> = Vec::new();
    for text in names {
        if text.contains('\n') {
            return Err("-e, -X, or -# accepts no multi-line input".to_owned().into());
        }
        let text = text.trim_ascii();
        if text.starts_with('#') {
            return Err("-e, -X, or -# accepts no comment input".to_owned().into());
        }
        if mode != 'e' {
            if text.is_empty() {
                return Err("-X or -# requires non-blank parameter names".to_owned().into());
            }
            values.push((text.to_owned(), String::new()));
            continue;
        }
        let (name, value) = source::split(text).map_err(|what| format!("{what}: \"{text}\""))?;
        if let Some(at) = values.iter().position(|(n, _)| n == name) {
            let (name, value) = values.remove(at);
            writeln!(err, "postconf: warning: ignoring earlier request: '{name} = {value}'")?;
        }
        values.push((name.to_owned(), value.to_owned()));
    }
    Ok(match mode {
        'e' => Edit::Set(values),
        'X' => Edit::Remove(values.into_iter().map(|(name, _)| name).collect()),
        _ => Edit::Comment(values.into_iter().map(|(name, _)| name).collect()),
    })
}
