//! aliases(5): names of the local class that stand for addresses, and the files that they include.
//!
//! Files and programs as targets are not delivered to: an alias that has one is refused with the reason, so that no mail is lost in silence.

use std::collections::VecDeque;
use std::path::Path;

use mail::{Address, Status};

use crate::explain::Trace;
use crate::follow::Applied;
use crate::lookup::Found;
use crate::rewrite::Place;
use crate::router::{Alias, Next, Router};
use crate::settings::Settings;
use crate::targets::Target;

/// Files that one alias may include, one from another too.
pub const INCLUDE_LIMIT: usize = 100;

/// The owner of a list, who is told when a message to it can't be delivered.
fn owner_of(settings: &Settings, name: &str) -> Option<Address> {
    let owner = format!("owner-{name}");
    settings.aliases.get(&owner)?;
    settings.complete(&owner).ok()
}

impl Router {
    /// What alias_maps has for `address`; with `recipient_delimiter` the name alone is looked for last.
    pub(crate) async fn alias(&self, address: &Address, trace: &Trace) -> Option<Next> {
        let settings = self.settings();
        let bare = settings.without_extension(address);
        let whole = settings.aliases.get(address.local()).map(|value| (address.local(), Found { value, extension: None }));
        let (name, found) = whole.or_else(|| {
            let (base, extension) = bare.as_ref()?;
            let value = settings.aliases.get(base.local())?;
            Some((base.local(), Found { value, extension: Some(extension.clone()) }))
        })?;
        trace.tell("alias", address, || (found.value.clone(), format!("alias_maps has {name}")));
        let mut alias = Alias { owner: owner_of(settings, name), own: Applied::ALL, ..Alias::default() };
        if let Err(refused) = self.collect(found, address, &mut alias).await {
            trace.tell("refused", address, || match &refused {
                Next::Refused(status, text) => (format!("{status} {text}"), "see aliases(5)".to_owned()),
                _ => Default::default(),
            });
            return Some(refused);
        }
        Some(Next::Alias(alias))
    }

    /// Every target of an alias, those of files that it includes in their place.
    async fn collect(&self, found: Found, address: &Address, alias: &mut Alias) -> Result<(), Next> {
        let settings = self.settings();
        let mut ahead = VecDeque::from(self.targets(&found, address)?);
        let mut files = 0;
        while let Some(target) = ahead.pop_front() {
            match target {
                Target::Address(target) => alias.targets.push(settings.rewritten(&target, Place::EnvelopeRecipient)),
                Target::User(target) => alias.users.push(target),
                Target::Program(program) => return Err(not_built(&format!("mail to programs is not delivered yet: {program}"))),
                Target::File(file) => return Err(not_built(&format!("mail to files is not delivered yet: {file}"))),
                Target::Include(file) => {
                    files += 1;
                    if files > INCLUDE_LIMIT {
                        return Err(Next::Refused(Status(5, 4, 6), format!("alias of {address} includes more than {INCLUDE_LIMIT} files")));
                    }
                    for line in included(&file).await.map_err(|error| Next::Refused(Status(4, 3, 0), format!("cannot open include file {file}: {error}")))? {
                        ahead.extend(self.targets(&Found { value: line, extension: found.extension.clone() }, address)?);
                    }
                }
            }
            if alias.targets.len() + alias.users.len() + ahead.len() > settings.limits.expansion {
                return Err(Next::Refused(Status(5, 4, 6), format!("alias of {address} stands for too many addresses")));
            }
        }
        match alias.targets.is_empty() && alias.users.is_empty() {
            true => Err(Next::Refused(Status(4, 3, 0), format!("no recipient in alias lookup result for {}", address.local()))),
            false => Ok(()),
        }
    }

    fn targets(&self, found: &Found, address: &Address) -> Result<Vec<Target>, Next> {
        self.settings().targets(found, address).map_err(|what| Next::Refused(Status(4, 3, 0), format!("alias of {address}: {what}")))
    }
}

fn not_built(why: &str) -> Next {
    Next::Refused(Status(5, 3, 3), why.to_owned())
}

/// The lines of an included file. Read each time, as Postfix does: lists change without a word to the server.
async fn included(file: &str) -> Result<Vec<String>, String> {
    let path = Path::new(file).to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let about = std::fs::metadata(&path).map_err(|error| error.to_string())?;
        if !path.is_absolute() || !about.is_file() {
            return Err("not the full path of a plain file".to_owned()); // a pipe would block for ever
        }
        config::file::read_table(&path)
    });
    let text = read.await.map_err(|error| error.to_string())??;
    let lines = text.lines().map(str::trim_ascii).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(str::to_owned).collect())
}
