//! What a client may do. An action holds numbers, not messages: what they mean is found when it is done, so that any part of a
//! script is a script too.

use crate::dice::Dice;

/// Mailboxes that always are there, and those that come and go.
pub const KEPT: [&str; 3] = ["model-a", "model-b", "model-c"];
/// These may be deleted and renamed.
pub const FLEETING: [&str; 2] = ["model-x", "model-y"];
/// Flags that clients set.
pub const FLAGS: [&str; 8] = ["\\Seen", "\\Flagged", "\\Answered", "\\Deleted", "\\Draft", "Work", "$Forwarded", "Later"];

/// Which messages, of those that the client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// One.
    One(usize),
    /// From one to another, in either order.
    Range(usize, usize),
    /// Two.
    Two(usize, usize),
    /// All.
    All,
}

impl Pick {
    /// Places of `count` rows, ascending.
    pub fn places(self, count: usize) -> Vec<usize> {
        if count == 0 {
            return Vec::new();
        }
        match self {
            Pick::One(a) => vec![a % count],
            Pick::Range(a, b) => ((a % count).min(b % count)..=(a % count).max(b % count)).collect(),
            Pick::Two(a, b) if a % count == b % count => vec![a % count],
            Pick::Two(a, b) => vec![(a % count).min(b % count), (a % count).max(b % count)],
            Pick::All => (0..count).collect(),
        }
    }

    fn of(dice: &mut Dice) -> Pick {
        let (a, b) = (dice.roll(1000), dice.roll(1000));
        match dice.roll(7) {
            0 | 1 => Pick::One(a),
            2 | 3 => Pick::Range(a, b),
            4 | 5 => Pick::Two(a, b),
            _ => Pick::All,
        }
    }
}

/// What FETCH asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// `(FLAGS)`
    Flags,
    /// `(UID FLAGS RFC822.SIZE)`
    Sizes,
    /// `(BODY.PEEK[])`
    Peek,
    /// `(BODY[])`, which sets `\Seen`.
    Body,
}

/// How STORE changes flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// `+FLAGS`
    Add,
    /// `-FLAGS`
    Remove,
    /// `FLAGS`
    Replace,
}

/// What one client does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// SELECT or EXAMINE
    Select { mailbox: &'static str, read_only: bool },
    /// SELECT with QRESYNC: what it kept of the mailbox is brought up to date, and must then be all that is true.
    Resync { mailbox: &'static str },
    Close,
    Unselect,
    Noop,
    Check,
    /// Until it does something else.
    Idle,
    Fetch { by_uid: bool, pick: Pick, what: What },
    /// `FETCH 1:* (FLAGS) (CHANGEDSINCE n)` with what the client knows of.
    ChangedSince,
    Store { by_uid: bool, pick: Pick, how: How, silent: bool, flags: Vec<&'static str>, unchanged_since: bool },
    Copy { by_uid: bool, pick: Pick, to: &'static str },
    Move { by_uid: bool, pick: Pick, to: &'static str },
    Append { to: &'static str, flags: Vec<&'static str> },
    Expunge,
    UidExpunge { pick: Pick },
    Search { by_uid: bool, flag: &'static str, not: bool },
    Status { mailbox: &'static str },
    Create { mailbox: &'static str },
    Delete { mailbox: &'static str },
    Rename { from: &'static str, to: &'static str },
}

fn any(dice: &mut Dice) -> &'static str {
    if dice.once_in(5) { dice.pick(&FLEETING) } else { dice.pick(&KEPT) }
}

fn some_flags(dice: &mut Dice) -> Vec<&'static str> {
    let mut flags: Vec<_> = (0..1 + dice.roll(2)).map(|_| dice.pick(&FLAGS)).collect();
    flags.dedup();
    flags
}

impl Action {
    /// What comes to a client's mind.
    pub fn any(dice: &mut Dice) -> Action {
        let by_uid = dice.once_in(2);
        match dice.roll(100) {
            0..8 => Action::Select { mailbox: any(dice), read_only: dice.once_in(5) },
            8..10 => Action::Resync { mailbox: dice.pick(&KEPT) },
            10 => Action::Close,
            11 => Action::Unselect,
            12..20 => Action::Noop,
            20 => Action::Check,
            21..25 => Action::Idle,
            25..37 => Action::Fetch { by_uid, pick: Pick::of(dice), what: dice.pick(&[What::Flags, What::Sizes, What::Peek, What::Body]) },
            37..40 => Action::ChangedSince,
            40..62 => {
                let how = dice.pick(&[How::Add, How::Add, How::Remove, How::Replace]);
                Action::Store { by_uid, pick: Pick::of(dice), how, silent: dice.once_in(3), flags: some_flags(dice), unchanged_since: dice.once_in(5) }
            }
            62..67 => Action::Copy { by_uid, pick: Pick::of(dice), to: any(dice) },
            67..71 => Action::Move { by_uid, pick: Pick::of(dice), to: any(dice) },
            71..83 => Action::Append { to: any(dice), flags: if dice.once_in(2) { some_flags(dice) } else { Vec::new() } },
            83..87 => Action::Expunge,
            87..90 => Action::UidExpunge { pick: Pick::of(dice) },
            90..94 => Action::Search { by_uid, flag: dice.pick(&FLAGS), not: dice.once_in(2) },
            94..96 => Action::Status { mailbox: any(dice) },
            96 | 97 => Action::Create { mailbox: dice.pick(&FLEETING) },
            98 => Action::Delete { mailbox: dice.pick(&FLEETING) },
            _ => {
                let from = dice.roll(2);
                Action::Rename { from: FLEETING[from], to: FLEETING[1 - from] }
            }
        }
    }
}

/// An action and who does it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which of the connections.
    pub who: usize,
    /// And what.
    pub action: Action,
}

impl Step {
    /// A script of so many steps by so many clients.
    pub fn script(seed: u64, clients: usize, steps: usize) -> Vec<Step> {
        let mut dice = Dice::new(seed);
        // The first is always that something is selected.
        let select = |who| Step { who, action: Action::Select { mailbox: KEPT[0], read_only: false } };
        let mut script: Vec<Step> = (0..clients).map(select).collect();
        script.extend((0..steps).map(|_| Step { who: dice.roll(clients), action: Action::any(&mut dice) }));
        script
    }
}

#[test]
fn a_seed_gives_one_script() {
    assert_eq!(Step::script(7, 3, 100), Step::script(7, 3, 100));
    assert_ne!(Step::script(7, 3, 100), Step::script(8, 3, 100));
    assert_eq!(Pick::Range(7, 2).places(5), [2]);
    assert_eq!(Pick::Range(3, 1).places(5), [1, 2, 3]);
    assert!(Pick::All.places(0).is_empty());
}
