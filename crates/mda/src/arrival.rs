//! Whose sender wants to hear that a message arrived — RFC 3461 §5.2.3 (aliases), §5.2.6 (mailboxes), NOTIFY=SUCCESS.
//!
//! An address that stands for one other hands its wish on. Of one that stands for several, and of a list, its sender hears that, and no more: who is
//! behind it is its owner's affair.

use std::collections::HashMap;

use mail::{Address, Status};
use queue::message::Arrived;
use queue::{Notify, Route};

use crate::{Delivery, Destination, Recipient};

const OK: Status = Status(2, 0, 0);

/// Those who stand for several or are lists; the several lose the wish.
pub(crate) fn expanded(to: &mut [Delivery]) -> Vec<Recipient> {
    if !to.iter().any(|delivery| delivery.recipient.notify.has(Notify::SUCCESS)) {
        return Vec::new();
    }
    let mut behind: HashMap<Address, usize> = HashMap::new();
    to.iter().for_each(|delivery| *behind.entry(delivery.recipient.address.folded()).or_default() += 1);
    let mut told: Vec<Recipient> = Vec::new();
    for delivery in to {
        let recipient = &mut delivery.recipient;
        let several = delivery.owner.is_some() || behind.get(&recipient.address.folded()).is_some_and(|count| *count > 1);
        if several && recipient.notify.has(Notify::SUCCESS) {
            if !told.iter().any(|other| other.address.is_same(&recipient.address)) {
                told.push(recipient.clone());
            }
            recipient.notify = recipient.notify.without(Notify::SUCCESS);
        }
    }
    told
}

/// As the queue has them until their senders were told.
pub(crate) fn to_tell(expanded: &[Recipient], here: &[Delivery], now: i64) -> Vec<queue::Recipient> {
    let entry = |address: &Address, recipient: &Recipient, how, text: &str| queue::Recipient {
        original: recipient.address.clone(),
        orcpt: recipient.orcpt.clone(),
        notify: recipient.notify,
        reply: Some((OK, text.to_owned())),
        arrived: Some(how),
        ..queue::Recipient::new(address.clone(), Route::Local, now)
    };
    let stands_for = expanded.iter().map(|recipient| entry(&recipient.address, recipient, Arrived::Expanded, "alias expanded"));
    let lies_in = here.iter().filter(|delivery| delivery.recipient.notify.has(Notify::SUCCESS)).filter_map(|delivery| match &delivery.to {
        Destination::Mailbox { address, .. } => Some(entry(address, &delivery.recipient, Arrived::Delivered, "delivered to mailbox")),
        _ => None,
    });
    stands_for.chain(lies_in).collect()
}
