//! The maildrop as one session sees it: frozen at login, numbers for good, deletions only marked (RFC 1939 §5).

use crate::Number;

/// Sizes and marks of the messages of a session, in order. 9 bytes a message.
#[derive(Clone, Debug, Default)]
pub struct Maildrop {
    octets: Vec<u64>,
    deleted: Vec<bool>,
    left: u64,
    left_octets: u64,
}

/// Why a number names no message now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Absent {
    /// There never was one in this session.
    Never,
    /// It is marked deleted, and so may no longer be named (RFC 1939 §5 DELE).
    Deleted,
}

impl Maildrop {
    /// A maildrop of messages of these sizes, in octets with CRLF line ends.
    pub fn new(octets: Vec<u64>) -> Maildrop {
        let mut maildrop = Maildrop { deleted: vec![false; octets.len()], octets, left: 0, left_octets: 0 };
        maildrop.count();
        maildrop
    }

    /// Messages not marked deleted.
    pub fn messages(&self) -> u64 {
        self.left
    }

    /// Their octets.
    pub fn octets(&self) -> u64 {
        self.left_octets
    }

    /// The octets of one message not marked deleted.
    pub fn message(&self, number: Number) -> Result<u64, Absent> {
        match (self.octets.get(number.index()), self.deleted.get(number.index())) {
            (Some(octets), Some(false)) => Ok(*octets),
            (Some(_), Some(true)) => Err(Absent::Deleted),
            _ => Err(Absent::Never),
        }
    }

    /// All messages not marked deleted, with their octets.
    pub fn listing(&self) -> impl Iterator<Item = (Number, u64)> {
        self.marked(false)
    }

    /// All messages marked deleted: what QUIT has to remove.
    pub fn deleted(&self) -> impl Iterator<Item = Number> {
        self.marked(true).map(|(number, _)| number)
    }

    /// Marks a message deleted.
    pub fn delete(&mut self, number: Number) -> Result<(), Absent> {
        let octets = self.message(number)?;
        if let Some(mark) = self.deleted.get_mut(number.index()) {
            *mark = true;
        }
        self.left -= 1; // it was counted: `message` found it
        self.left_octets = self.left_octets.saturating_sub(octets);
        Ok(())
    }

    /// Takes all marks away.
    pub fn reset(&mut self) {
        self.deleted.fill(false);
        self.count();
    }

    fn count(&mut self) {
        self.left = self.octets.len() as u64;
        self.left_octets = self.octets.iter().fold(0, |sum, octets| sum.saturating_add(*octets));
    }

    fn marked(&self, deleted: bool) -> impl Iterator<Item = (Number, u64)> {
        let messages = self.octets.iter().zip(&self.deleted).enumerate();
        messages
            .filter(move |(_, (_, mark))| **mark == deleted)
            .filter_map(|(index, (octets, _))| Some((Number::of_index(index)?, *octets)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn n(number: u32) -> Number {
        Number::new(number).expect("from 1")
    }

    #[test]
    fn a_deleted_message_cannot_be_named_until_reset_and_the_others_keep_their_numbers() {
        let mut maildrop = Maildrop::new(vec![120, 200, 300]);
        assert_eq!(maildrop.delete(n(2)), Ok(()));
        assert_eq!((maildrop.messages(), maildrop.octets()), (2, 420));
        assert_eq!(maildrop.listing().collect::<Vec<_>>(), [(n(1), 120), (n(3), 300)]);
        assert_eq!(maildrop.message(n(2)), Err(Absent::Deleted));
        assert_eq!(maildrop.delete(n(2)), Err(Absent::Deleted));
        assert_eq!(maildrop.delete(n(4)), Err(Absent::Never));
        assert_eq!(maildrop.deleted().collect::<Vec<_>>(), [n(2)]);
        maildrop.reset();
        assert_eq!((maildrop.messages(), maildrop.octets()), (3, 620));
        assert_eq!(maildrop.message(n(2)), Ok(200));
    }

    #[test]
    fn an_empty_maildrop_has_nothing() {
        let maildrop = Maildrop::default();
        assert_eq!((maildrop.messages(), maildrop.octets(), maildrop.listing().count()), (0, 0, 0));
        assert_eq!(maildrop.message(n(1)), Err(Absent::Never));
    }

    proptest! {
        #[test]
        fn counts_are_always_those_of_the_listing(octets in prop::collection::vec(0u64..1 << 40, 0..20), deletes in prop::collection::vec(1u32..25, 0..30)) {
            let mut maildrop = Maildrop::new(octets.clone());
            for number in deletes {
                let before = maildrop.messages();
                let named = maildrop.message(n(number)).is_ok();
                prop_assert_eq!(maildrop.delete(n(number)).is_ok(), named);
                prop_assert_eq!(maildrop.messages(), before - u64::from(named));
                prop_assert_eq!(maildrop.messages(), maildrop.listing().count() as u64);
                prop_assert_eq!(maildrop.octets(), maildrop.listing().map(|(_, octets)| octets).sum::<u64>());
                prop_assert_eq!(maildrop.listing().count() + maildrop.deleted().count(), octets.len());
            }
        }
    }
}
