//! Which recipients are under way: from being read until what became of them is committed.
//!
//! A look at the queue reads rows, and then puts those into the schedule that are not under way. Between the two a delivery may end:
//! its row was read as due, and it is not under way any more, yet it must not be sent again. So what ends while a look is at it is
//! remembered until the look is over.

use std::collections::HashSet;

use queue::QueueId;

/// A recipient: its message, and its number there.
pub(crate) type Recipient = (QueueId, i64);

/// See above. One look at a time.
#[derive(Debug, Default)]
pub(crate) struct Active {
    under_way: HashSet<Recipient>,
    /// What was settled since the look began that is at it.
    settled: Option<HashSet<Recipient>>,
}

impl Active {
    pub fn len(&self) -> usize {
        self.under_way.len()
    }

    /// What is read from now on, until [`Active::looked`], may be out of date when it is taken up.
    pub fn look(&mut self) {
        self.settled = Some(HashSet::new());
    }

    pub fn looked(&mut self) {
        self.settled = None;
    }

    /// True if it is to be delivered now; it is under way then.
    pub fn take_up(&mut self, recipient: Recipient) -> bool {
        let settled = self.settled.as_ref().is_some_and(|settled| settled.contains(&recipient));
        !settled && self.under_way.insert(recipient)
    }

    /// What became of it is committed.
    pub fn settle(&mut self, recipient: Recipient) {
        self.under_way.remove(&recipient);
        if let Some(settled) = &mut self.settled {
            settled.insert(recipient);
        }
    }

    /// Nothing was done about it: the next look may take it up.
    pub fn give_back(&mut self, recipient: Recipient) {
        self.under_way.remove(&recipient);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_while_a_look_reads_is_not_taken_up_again() {
        let (mut active, recipient) = (Active::default(), (QueueId::from_i64(7).expect("an id"), 0));
        active.look();
        assert!(active.take_up(recipient) && !active.take_up(recipient), "once");
        active.looked();
        // Another look has read the row as due, when the delivery ends.
        active.look();
        active.settle(recipient);
        assert!(!active.take_up(recipient), "it was sent");
        active.looked();
        // It was deferred, and is due again.
        active.look();
        assert!(active.take_up(recipient) && active.len() == 1);
        // What was not tried is not lost to the look that is at it.
        active.give_back(recipient);
        assert!(active.take_up(recipient));
    }
}
