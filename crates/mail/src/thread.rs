//! Threads — RFC 5256 §3: ORDEREDSUBJECT and REFERENCES, over messages in the order of their mailbox.
//!
//! Messages come as numbers: who reads headers gives equal Message-IDs equal numbers, and equal base subjects too ([`ids`] finds
//! the one, [`crate::subject`] the other). So a mailbox of 100,000 messages is some arrays here.
//!
//! Nothing recurses, and no reference makes more work than the logarithm of all: a chain of 100,000 replies, or one knotted on
//! purpose, is threaded as fast as any other (see [`roots`]).

mod forest;
mod ids;
mod roots;

pub use forest::{Forest, Step};
pub use ids::{first_id, ids};

use roots::Roots;

/// What is known of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Message<'m> {
    /// Its Message-ID.
    pub id: Option<u32>,
    /// Those of its References; if there are none, the first of its In-Reply-To.
    pub references: &'m [u32],
    /// Its base subject; `None` for an empty one.
    pub subject: Option<u32>,
    /// Its subject is that of a reply or a forward.
    pub is_reply: bool,
    /// When it was sent: seconds since 1970, by its Date or else by its arrival (§2.2).
    pub sent: i64,
}

/// Numbers of Message-IDs and of subjects are below these.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Names {
    pub ids: usize,
    pub subjects: usize,
}

const NONE: u32 = u32::MAX;

/// ORDEREDSUBJECT: those of one base subject together, the others below the first of them.
pub fn ordered_subject(messages: &[Message<'_>], names: Names) -> Forest {
    let order = by_date(messages);
    let mut first = vec![NONE; names.subjects + 1];
    let mut parents = vec![NONE; messages.len()];
    for &index in &order {
        let subject = messages[index as usize].subject.map_or(names.subjects, |subject| subject as usize);
        match first[subject] {
            NONE => first[subject] = index,
            head => parents[index as usize] = head,
        }
    }
    Forest::new(messages.len(), &parents, &order)
}

/// REFERENCES: replies below what they reply to; what has no parent gathered by its subject.
pub fn references(messages: &[Message<'_>], names: Names) -> Forest {
    let order = by_date(messages);
    let mut threads = Threads::linked(messages, names); // (1), (2)
    threads.prune(messages.len()); // (3)
    let heads = threads.heads(&order); // (4)
    gather(&mut threads, messages, names, heads); // (5)
    Forest::new(messages.len(), &threads.parents, &order) // (6)
}

/// Indexes of the messages by sent date; of the same moment, as they stand in the mailbox.
fn by_date(messages: &[Message<'_>]) -> Vec<u32> {
    let mut order: Vec<(i64, u32)> = messages.iter().map(|message| message.sent).zip(0..).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, index)| index).collect()
}

/// Parents of all nodes: first the messages, then dummies, made for Message-IDs that no message has.
struct Threads {
    parents: Vec<u32>,
}

impl Threads {
    /// Step (1): links as the references have them.
    fn linked(messages: &[Message<'_>], names: Names) -> Threads {
        // The first of several messages with one Message-ID has it, the others have none.
        let mut node_of = vec![NONE; names.ids];
        for (message, index) in messages.iter().zip(0..) {
            if let Some(id) = message.id
                && node_of[id as usize] == NONE
            {
                node_of[id as usize] = index;
            }
        }
        let mut tree = Tree::new(messages.len());
        for (message, index) in messages.iter().zip(0..) {
            let mut above = NONE;
            for &id in message.references {
                let node = &mut node_of[id as usize];
                if *node == NONE {
                    *node = tree.add();
                }
                let node = *node;
                // (A): a link that is there already stays.
                if above != NONE && tree.parents[node as usize] == NONE {
                    tree.link(above, node);
                }
                above = node;
            }
            // (B): the message knows its own parent best.
            if tree.parents[index as usize] != NONE {
                tree.cut(index);
            }
            if above != NONE {
                tree.link(above, index);
            }
        }
        Threads { parents: tree.parents }
    }

    /// Step (3): dummies go; what was below them moves up. At the top one stays that holds several together.
    fn prune(&mut self, count: usize) {
        // The nearest message above each dummy, or else the topmost dummy.
        let mut above: Vec<u32> = (0..self.parents.len() as u32).collect();
        let mut settled = vec![false; self.parents.len()];
        let mut path = Vec::new();
        for node in count..self.parents.len() {
            let mut at = node;
            while at >= count && !settled[at] && self.parents[at] != NONE {
                path.push(at);
                at = self.parents[at] as usize;
            }
            let end = above[at];
            for passed in path.drain(..) {
                (above[passed], settled[passed]) = (end, true);
            }
        }
        let mut below = vec![0u32; self.parents.len()];
        for node in 0..count {
            if self.parents[node] != NONE {
                self.parents[node] = above[self.parents[node] as usize];
                below[self.parents[node] as usize] += 1;
            }
        }
        for node in 0..count {
            let parent = self.parents[node] as usize;
            if self.parents[node] != NONE && parent >= count && below[parent] == 1 {
                self.parents[node] = NONE;
            }
        }
        self.parents[count..].fill(NONE); // those that hold nobody are no node of the forest
    }

    /// Step (4): the top of each thread with its first message, by the date of that. (That is itself, or the first below a dummy.)
    fn heads(&self, order: &[u32]) -> Vec<Head> {
        let mut begun = vec![false; self.parents.len()];
        let mut heads = Vec::new();
        for &first in order {
            let top = match self.parents[first as usize] {
                NONE => first,
                parent if parent as usize >= order.len() => parent,
                _ => continue,
            };
            if !std::mem::replace(&mut begun[top as usize], true) {
                heads.push(Head { top, first });
            }
        }
        heads
    }
}

/// The top of a thread, and the message it is sorted and named by: itself, or a dummy's first child.
#[derive(Clone, Copy)]
struct Head {
    top: u32,
    first: u32,
}

/// Step (5): threads of one subject become one.
fn gather(threads: &mut Threads, messages: &[Message<'_>], names: Names, heads: Vec<Head>) {
    let count = messages.len();
    let is_dummy = |node: u32| node as usize >= count;
    let is_reply = |head: Head| !is_dummy(head.top) && messages[head.first as usize].is_reply;
    let subject_of = |head: &Head| messages[head.first as usize].subject.map(|subject| subject as usize);
    let mut table: Vec<Option<Head>> = vec![None; names.subjects];
    for head in &heads {
        let Some(subject) = subject_of(head) else { continue };
        let entry = &mut table[subject];
        let replaces = |known: Head| !is_dummy(known.top) && (is_dummy(head.top) || (is_reply(known) && !is_reply(*head)));
        if entry.is_none_or(replaces) {
            *entry = Some(*head);
        }
    }
    // Threads below a dummy that another has taken in: when all are known they are hung over, each once.
    let mut taken = vec![NONE; threads.parents.len()];
    for head in heads {
        let Some(subject) = subject_of(&head) else { continue };
        let Some(known) = table[subject].filter(|known| known.top != head.top) else { continue };
        if is_dummy(head.top) && is_dummy(known.top) {
            taken[head.top as usize] = known.top;
        } else if is_dummy(known.top) || (is_reply(head) && !is_reply(known)) {
            threads.parents[head.top as usize] = known.top;
        } else {
            let dummy = threads.parents.len() as u32;
            threads.parents.push(NONE);
            threads.parents[head.top as usize] = dummy;
            threads.parents[known.top as usize] = dummy;
            table[subject] = Some(Head { top: dummy, first: known.first });
        }
    }
    for node in 0..count {
        let parent = threads.parents[node] as usize;
        if let Some(&by) = taken.get(parent).filter(|by| **by != NONE) {
            threads.parents[node] = by;
        }
    }
}

/// Parents while they change.
struct Tree {
    parents: Vec<u32>,
    children: Vec<u32>,
    roots: Roots,
}

impl Tree {
    fn new(count: usize) -> Tree {
        Tree { parents: vec![NONE; count], children: vec![0; count], roots: Roots::new(count) }
    }

    fn add(&mut self) -> u32 {
        self.parents.push(NONE);
        self.children.push(0);
        self.roots.add();
        self.parents.len() as u32 - 1
    }

    /// Hangs `child`, which has no parent, below `parent`, unless it is above it.
    fn link(&mut self, parent: u32, child: u32) {
        // Only what has children can be above another, and nothing is above what has no parent.
        let may_loop = self.children[child as usize] > 0 && self.parents[parent as usize] != NONE;
        if parent == child || (may_loop && self.roots.of(parent) == child) {
            return;
        }
        self.parents[child as usize] = parent;
        self.children[parent as usize] += 1;
        self.roots.link(parent, child);
    }

    fn cut(&mut self, child: u32) {
        let parent = std::mem::replace(&mut self.parents[child as usize], NONE);
        self.children[parent as usize] -= 1;
        self.roots.cut(child);
    }
}

#[cfg(test)]
mod tests;
