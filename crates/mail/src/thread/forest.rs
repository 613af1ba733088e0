//! Trees of messages, and the walk that tells them.

use super::NONE;

/// Threads. A node that is no message (a dummy) is only at the top of a tree, and has two children at least.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Forest {
    /// How many nodes are messages: the first ones, by index.
    count: usize,
    /// The tops of the trees, in order.
    pub(super) tops: Vec<u32>,
    /// Where in `children` those of a node begin; they end where the next one's begin.
    pub(super) begins: Vec<u32>,
    children: Vec<u32>,
}

/// How a thread is told, from its top down: `thread-list` of RFC 5256 §5.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// A thread, or a branch of one, begins.
    Open,
    /// The next message, below the one before it in its branch.
    Message(u32),
    Close,
}

impl Forest {
    /// From parents, siblings in the order that their messages have in `order`; a dummy has the place of its first child.
    pub(super) fn new(count: usize, parents: &[u32], order: &[u32]) -> Forest {
        let mut begins = vec![0u32; parents.len() + 1];
        for &index in order {
            if parents[index as usize] != NONE {
                begins[parents[index as usize] as usize + 1] += 1;
            }
        }
        for node in 1..begins.len() {
            begins[node] += begins[node - 1];
        }
        let mut next = begins.clone();
        let mut children = vec![0; begins.last().copied().unwrap_or_default() as usize];
        let mut tops = Vec::new();
        for &index in order {
            let parent = parents[index as usize];
            if parent == NONE {
                tops.push(index);
                continue;
            }
            let at = &mut next[parent as usize];
            if parent as usize >= count && *at == begins[parent as usize] {
                tops.push(parent);
            }
            children[*at as usize] = index;
            *at += 1;
        }
        Forest { count, tops, begins, children }
    }

    pub fn is_empty(&self) -> bool {
        self.tops.is_empty()
    }

    pub(super) fn children(&self, node: u32) -> &[u32] {
        let node = node as usize;
        &self.children[self.begins[node] as usize..self.begins[node + 1] as usize]
    }

    /// Tells all threads. Messages are told by their index.
    pub fn walk(&self) -> Walk<'_> {
        Walk { forest: self, tops: self.tops.iter(), due: Vec::new() }
    }
}

/// See [`Forest::walk`].
pub struct Walk<'f> {
    forest: &'f Forest,
    tops: std::slice::Iter<'f, u32>,
    /// What is still to be told of the thread under way, the next one last.
    due: Vec<Due>,
}

#[derive(Clone, Copy)]
enum Due {
    /// A thread of its own.
    Thread(u32),
    /// Goes on in the thread under way.
    Next(u32),
    Close,
}

impl Iterator for Walk<'_> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        loop {
            let due = match self.due.pop() {
                Some(due) => due,
                None => Due::Thread(*self.tops.next()?),
            };
            match due {
                Due::Close => return Some(Step::Close),
                Due::Thread(node) => {
                    self.due.extend([Due::Close, Due::Next(node)]);
                    return Some(Step::Open);
                }
                Due::Next(node) => {
                    match self.forest.children(node) {
                        [] => {}
                        [only] => self.due.push(Due::Next(*only)),
                        several => self.due.extend(several.iter().rev().map(|child| Due::Thread(*child))),
                    }
                    if (node as usize) < self.forest.count {
                        return Some(Step::Message(node));
                    }
                }
            }
        }
    }
}
