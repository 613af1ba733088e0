//! The ledger of what was sent, and the verdict over what is found. No server in sight, so that it can be tried itself.

use std::collections::BTreeMap;

/// What the sender knows of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Accounts it was addressed to.
    pub to: Vec<&'static str>,
    /// Whether 250 came, or the OK to an APPEND.
    pub acknowledged: bool,
    /// What is known of its \Flagged.
    pub flagged: Flagged,
}

/// What is known of a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flagged {
    /// Nobody asked for it.
    No,
    /// It was asked for, and no answer came: it may be there.
    Perhaps,
    /// It was asked for, and OK came.
    Yes,
}

/// Every message that was begun, by its id.
pub type Ledger = BTreeMap<String, Sent>;

/// A message that was found: its id, and whether it is all there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// What its header says.
    pub id: String,
    /// Whether it ends as it was sent.
    pub whole: bool,
    /// Whether it is \Flagged.
    pub flagged: bool,
}

/// Everything that is wrong with what was found in `place`, where each account has a list.
pub fn judge(ledger: &Ledger, place: &str, found: &BTreeMap<&'static str, Vec<Found>>) -> Vec<String> {
    let mut faults = Vec::new();
    for (account, messages) in found {
        for message in messages {
            if !ledger.get(&message.id).is_some_and(|sent| sent.to.contains(account)) {
                faults.push(format!("{place}: {account} has {}, which nobody sent there", message.id));
            }
            let asked = ledger.get(&message.id).map_or(Flagged::Perhaps, |sent| sent.flagged);
            if matches!((asked, message.flagged), (Flagged::No, true) | (Flagged::Yes, false)) {
                faults.push(format!("{place}: {account}'s {} is flagged: {}, and asked for: {asked:?}", message.id, message.flagged));
            }
            if !message.whole {
                faults.push(format!("{place}: {account}'s {} is not whole", message.id));
            }
        }
    }
    for (id, sent) in ledger {
        let times = |account: &&str| found.get(*account).map_or(0, |messages| messages.iter().filter(|message| message.id == *id).count());
        let counts: Vec<usize> = sent.to.iter().map(times).collect();
        for (account, count) in sent.to.iter().zip(&counts) {
            match (sent.acknowledged, *count) {
                (_, 1) | (false, 0) => {}
                (true, 0) => faults.push(format!("{place}: {account} lost {id}, which was acknowledged")),
                (_, many) => faults.push(format!("{place}: {account} has {id} {many} times")),
            }
        }
        if counts.iter().any(|count| *count != counts[0]) {
            faults.push(format!("{place}: {id} is in some mailboxes of its recipients and not in others: {counts:?}"));
        }
    }
    faults
}

#[test]
fn every_fault_is_found_and_nothing_else() {
    let found = |ids: &[&str]| -> Vec<Found> { ids.iter().map(|id| Found { id: (*id).into(), whole: true, flagged: false }).collect() };
    let ledger: Ledger = [
        ("told", Sent { to: vec!["carol"], acknowledged: true, flagged: Flagged::No }),
        ("both", Sent { to: vec!["carol", "dave"], acknowledged: true, flagged: Flagged::No }),
        ("open", Sent { to: vec!["carol", "dave"], acknowledged: false, flagged: Flagged::No }),
    ]
    .map(|(id, sent)| (id.to_owned(), sent))
    .into();
    let verdict = |carol: &[&str], dave: &[&str]| judge(&ledger, "here", &[("carol", found(carol)), ("dave", found(dave))].into());
    assert_eq!(verdict(&["told", "both"], &["both"]), Vec::<String>::new());
    assert_eq!(verdict(&["both", "open", "told"], &["open", "both"]), Vec::<String>::new());
    assert_eq!(verdict(&["both"], &["both"]), ["here: carol lost told, which was acknowledged"]);
    assert_eq!(verdict(&["told", "told", "both"], &["both"]), ["here: carol has told 2 times"]);
    assert_eq!(verdict(&["told", "both", "open"], &["both"]), ["here: open is in some mailboxes of its recipients and not in others: [1, 0]"]);
    assert_eq!(verdict(&["told", "both"], &["both", "told"]), ["here: dave has told, which nobody sent there"]);
    assert_eq!(verdict(&["told", "both", "open", "open"], &["both", "open", "open"]).len(), 2);
    let torn = judge(&ledger, "here", &[("carol", vec![Found { id: "told".into(), whole: false, flagged: false }]), ("dave", found(&["both"]))].into());
    assert!(torn.contains(&"here: carol's told is not whole".to_owned()), "{torn:?}");

    let flags = |asked: Flagged, flagged: bool| {
        let ledger = [("told".to_owned(), Sent { to: vec!["carol"], acknowledged: true, flagged: asked })].into();
        judge(&ledger, "here", &[("carol", vec![Found { id: "told".into(), whole: true, flagged }])].into()).len()
    };
    for (asked, absent, present) in [(Flagged::No, 0, 1), (Flagged::Perhaps, 0, 0), (Flagged::Yes, 1, 0)] {
        assert_eq!((flags(asked, false), flags(asked, true)), (absent, present), "{asked:?}");
    }
}
