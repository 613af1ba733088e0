//! The account's keywords: names for bits 16 to 62 of the flags.

use db::{BoxFuture, Error, Failed, Locks, Step, Tx};
use mail::{Flags, Keyword};

use crate::refused::culprit;
use crate::{AccountId, Refused, Store};

/// The first bit the account names itself.
const FIRST: i64 = 16;
/// Keywords an account may name: bits 16 to 62 of a signed 64-bit number.
pub const MOST: usize = 47;

/// An account's keywords by bit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keywords(Vec<(u8, Keyword)>);

impl Keywords {
    /// How many there are. None is ever unnamed, so as many are the same.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The names of the bits of `flags` that the account named.
    pub fn names(&self, flags: Flags) -> impl Iterator<Item = &Keyword> {
        self.0.iter().filter(move |(bit, _)| flags.bits() & (1 << bit) != 0).map(|(_, name)| name)
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Keyword> {
        self.0.iter().map(|(_, name)| name)
    }

    /// The flag of a name, well known or the account's, in any case; None when nobody named it.
    pub fn flag(&self, name: &Keyword) -> Option<Flags> {
        let of_account = || {
            let found = self.0.iter().find(|(_, known)| known.as_str().eq_ignore_ascii_case(name.as_str()));
            found.map(|(bit, _)| Flags::from_bits(1 << bit))
        };
        Flags::of_name(name.as_str()).or_else(of_account)
    }
}

pub(crate) async fn load(tx: &mut Tx, account: AccountId) -> Result<Keywords, Error> {
    let rows = tx.query("SELECT bit, name FROM keyword WHERE account_id = ?1 ORDER BY bit", &[account.into()]).await?;
    let known = rows.iter().filter_map(|row| {
        let bit = u8::try_from(row.int(0)).ok().filter(|bit| *bit < 63)?;
        Some((bit, Keyword::new(row.text(1)).ok()?))
    });
    Ok(Keywords(known.collect()))
}

impl Store {
    /// The account's keywords.
    pub async fn keywords(&self, account: AccountId) -> Result<Keywords, Error> {
        let mut tx = self.db().read().await?;
        load(&mut tx, account).await
    }

    /// The flags of these names; those nobody named yet are named now. Refused when the account has [`MOST`].
    pub async fn keyword_flags(&self, account: AccountId, names: &[Keyword]) -> Result<Flags, Error> {
        let well_known = names.iter().map(|name| Flags::of_name(name.as_str()));
        if let Some(flags) = well_known.collect::<Option<Vec<Flags>>>() {
            return Ok(flags.into_iter().fold(Flags::EMPTY, |all, flag| all | flag));
        }
        let known = self.keywords(account).await?;
        match names.iter().map(|name| known.flag(name)).collect::<Option<Vec<Flags>>>() {
            Some(flags) => Ok(flags.into_iter().fold(Flags::EMPTY, |all, flag| all | flag)),
            None => self.db().commit(Name { account, names: names.to_vec() }).await,
        }
    }
}

/// Names keywords.
struct Name {
    account: AccountId,
    names: Vec<Keyword>,
}

impl Step for Name {
    type Done = Flags;
    fn locks(&self, locks: &mut Locks) {
        locks.take(self.account.key());
    }
    fn run<'t>(batch: &'t [&'t Self], tx: &'t mut Tx) -> BoxFuture<'t, Result<Vec<Flags>, Failed>> {
        Box::pin(async move {
            let mut done = Vec::new();
            for (index, step) in batch.iter().enumerate() {
                match step.name(tx).await? {
                    Some(flags) => done.push(flags),
                    None => return Err(Failed::Steps(vec![culprit(index, Refused::Limit("keywords of the account"))])),
                }
            }
            Ok(done)
        })
    }
}

impl Name {
    async fn name(&self, tx: &mut Tx) -> Result<Option<Flags>, Error> {
        let mut known = load(tx, self.account).await?;
        let mut flags = Flags::EMPTY;
        for name in &self.names {
            if let Some(flag) = known.flag(name) {
                flags |= flag;
                continue;
            }
            let taken = |bit: &i64| known.0.iter().any(|(known, _)| i64::from(*known) == *bit);
            let Some(bit) = (FIRST..FIRST + MOST as i64).find(|bit| !taken(bit)) else { return Ok(None) };
            let sql = "INSERT INTO keyword (account_id, bit, name, folded) VALUES (?1, ?2, ?3, ?4)";
            tx.execute(sql, &[self.account.into(), bit.into(), name.as_str().into(), name.as_str().to_ascii_lowercase().into()]).await?;
            known.0.push((bit as u8, name.clone()));
            flags |= Flags::from_bits(1 << bit);
        }
        Ok(Some(flags))
    }
}
