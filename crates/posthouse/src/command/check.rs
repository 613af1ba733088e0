//! `check`: what is wrong with configuration and store, where, and what to do.

use std::path::Path;

use config::{Config, Problem, Severity};
use serde_json::json;

use crate::cli::Json;
use crate::failure::{Code, Failure, of_store};
use crate::house::{self, House};
use crate::say::say;

/// Says everything; fails when anything is an error.
pub fn run(directory: &Path, Json { json }: Json) -> Result<(), Failure> {
    let mut problems = Config::check(directory);
    if directory.join("master.cf").exists() {
        let problem = Problem::new(Severity::Note, "master", "master.cf", "has no effect here");
        problems.push(problem.fix("services and SERVICE_listen say what is served, and where"));
    }
    if !problems.iter().any(|problem| problem.severity == Severity::Error) {
        let found = house::with(directory, async |house| of_house(house).await);
        problems.extend(found.unwrap_or_else(|failure| vec![Problem::new(Severity::Error, "store", "store", failure.to_string())]));
    }
    problems.iter().for_each(|problem| print(problem, json));
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    match errors {
        0 => Ok(()),
        count => Err(Failure::new(Code::Unsound, "check", format!("{count} found; mend them in the order above"))),
    }
}

fn print(problem: &Problem, as_json: bool) {
    if !as_json {
        return say(problem);
    }
    let line = json!({
        "severity": problem.severity.as_str(),
        "code": problem.code,
        "subject": problem.subject,
        "text": problem.text,
        "fix": problem.fix,
        "file": problem.file,
        "line": problem.line,
    });
    say(line);
}

/// The store, and what of the configuration needs it to be judged.
async fn of_house(house: &House) -> Result<Vec<Problem>, Failure> {
    let mut problems = Vec::new();
    let differences = store::check::rows(&house.store).await.map_err(|error| of_store("store", &error))?;
    let files = store::check::files(&house.store).await.map_err(|error| of_store("store", &error))?;
    for difference in differences {
        problems.push(Problem::new(Severity::Error, "store-rows", difference.subject, difference.text).fix("restore the database from a backup, and report this"));
    }
    for difference in files {
        problems.push(Problem::new(Severity::Warning, "store-files", difference.subject, difference.text).fix("a running server settles within a second; run check again"));
    }
    problems.extend(two_classes(house).await?);
    problems.extend(without_scram(house).await?);
    if rustix::process::geteuid().is_root() {
        let problem = Problem::new(Severity::Warning, "root", "serve", "started as root, everything runs as root: there is no privileged half yet");
        problems.push(problem.fix("start it as a user of its own with CAP_NET_BIND_SERVICE, as deploy/posthouse.service does"));
    }
    if house.config.path("tls_cert_file").is_none_or(|path| !path.exists()) {
        let problem = Problem::new(Severity::Warning, "no-certificate", "tls_cert_file", "there is no certificate: nobody can log in");
        problems.push(problem.fix("posthouse setup --self-signed makes one; or set tls_cert_file and tls_key_file"));
    }
    Ok(problems)
}

/// Accounts listed by name: as many as fit on a line or two.
const NAMED: usize = 10;

/// Accounts that keep SCRAM from being offered to all, where it is offered once everyone has keys for it.
async fn without_scram(house: &House) -> Result<Option<Problem>, Failure> {
    if house.config.text("scram") != "auto" {
        return Ok(None);
    }
    let logins = house.store.without_scram().await.map_err(|error| of_store("user", &error))?;
    if logins.is_empty() {
        return Ok(None);
    }
    let more = logins.len().checked_sub(NAMED).filter(|more| *more > 0).map_or_else(String::new, |more| format!(" and {more} more"));
    let named = logins.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
    let text = format!("not offered, since these accounts have no keys for it: {named}{more}");
    Ok(Some(Problem::new(Severity::Note, "no-scram-keys", "scram", text).fix("each gets them at its next login with its password, or by posthouse user passwd")))
}

/// Domains that are hosted and in `mydestination`: nobody could tell whose names count. They stop the start.
pub async fn two_classes(house: &House) -> Result<Vec<Problem>, Failure> {
    let domains = house.store.domains().await.map_err(|error| of_store("domain", &error))?;
    let aliased = house.config.domains("virtual_alias_domains");
    let lists = [("mydestination", house.config.mydestination()), ("virtual_alias_domains", &aliased)];
    let problem = |domain: &store::directory::Domain| {
        let (list, _) = lists.iter().find(|(_, list)| list.contains(&domain.name))?;
        let problem = Problem::new(Severity::Error, "two-classes", domain.name.clone(), format!("is a hosted domain and in {list}: a domain is of one class"));
        Some(problem.fix(format!("take it out of {list}, or posthouse domain remove it")))
    };
    Ok(domains.iter().filter_map(problem).collect())
}
