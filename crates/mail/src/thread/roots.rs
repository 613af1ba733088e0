//! Which tree a node belongs to, while trees are linked and cut: link-cut trees (Sleator and Tarjan, 1983), each step in the
//! logarithm of all, whatever an enemy's references are.
//!
//! Every tree is a set of *paths* from some node towards its root. A path is a splay tree ordered by depth; its root's `up` leads
//! to the node above the path, which does not know of it.

use super::NONE;

pub(super) struct Roots {
    nodes: Vec<Node>,
}

#[derive(Clone, Copy)]
struct Node {
    up: u32,
    /// On its path: those above it, those below it.
    sides: [u32; 2],
}

const ALONE: Node = Node { up: NONE, sides: [NONE; 2] };
const ABOVE: usize = 0;
const BELOW: usize = 1;

impl Roots {
    pub(super) fn new(count: usize) -> Roots {
        Roots { nodes: vec![ALONE; count] }
    }

    pub(super) fn add(&mut self) {
        self.nodes.push(ALONE);
    }

    /// The root of the node's tree.
    pub(super) fn of(&mut self, node: u32) -> u32 {
        self.expose(node);
        let mut top = node;
        while self.side(top, ABOVE) != NONE {
            top = self.side(top, ABOVE);
        }
        self.splay(top); // so that the way paid for is not there the next time
        top
    }

    /// `child` is a root, and not that of `parent`.
    pub(super) fn link(&mut self, parent: u32, child: u32) {
        self.expose(child);
        self.expose(parent);
        self.nodes[child as usize].up = parent;
    }

    /// `child` becomes a root.
    pub(super) fn cut(&mut self, child: u32) {
        self.expose(child);
        let above = std::mem::replace(&mut self.nodes[child as usize].sides[ABOVE], NONE);
        if above != NONE {
            self.nodes[above as usize].up = NONE;
        }
    }

    /// Makes one path of all from the root down to `node`, with it as the root of the path's splay tree.
    fn expose(&mut self, node: u32) {
        self.splay(node);
        self.nodes[node as usize].sides[BELOW] = NONE;
        while self.nodes[node as usize].up != NONE {
            let above = self.nodes[node as usize].up;
            self.splay(above);
            self.nodes[above as usize].sides[BELOW] = node;
            self.splay(node);
        }
    }

    fn side(&self, node: u32, side: usize) -> u32 {
        self.nodes[node as usize].sides[side]
    }

    /// Which side of its parent in the splay tree a node is; `None` for the root of one.
    fn place(&self, node: u32) -> Option<usize> {
        let up = self.nodes[node as usize].up;
        if up == NONE {
            return None;
        }
        (0..2).find(|side| self.side(up, *side) == node)
    }

    fn splay(&mut self, node: u32) {
        while let Some(place) = self.place(node) {
            let up = self.nodes[node as usize].up;
            match self.place(up) {
                None => {}
                Some(upper) if upper == place => self.rotate(up),
                Some(_) => self.rotate(node),
            }
            self.rotate(node);
        }
    }

    /// Exchanges a node with its parent.
    fn rotate(&mut self, node: u32) {
        let up = self.nodes[node as usize].up;
        let Some(place) = self.place(node) else { return };
        let upper = self.place(up);
        let inner = self.side(node, 1 - place);
        let over = self.nodes[up as usize].up;
        self.nodes[up as usize].sides[place] = inner;
        if inner != NONE {
            self.nodes[inner as usize].up = up;
        }
        self.nodes[node as usize].sides[1 - place] = up;
        self.nodes[up as usize].up = node;
        self.nodes[node as usize].up = over;
        if let Some(side) = upper {
            self.nodes[over as usize].sides[side] = node;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_root_is_what_walking_up_finds(steps in proptest::collection::vec((0..24u32, 0..24u32, 0..4u8), 0..200)) {
            let mut roots = Roots::new(24);
            let mut parents = [NONE; 24];
            let walk = |parents: &[u32; 24], mut node: u32| {
                while parents[node as usize] != NONE {
                    node = parents[node as usize];
                }
                node
            };
            for (a, b, kind) in steps {
                match kind {
                    0 if parents[b as usize] != NONE => {
                        roots.cut(b);
                        parents[b as usize] = NONE;
                    }
                    1 | 2 if parents[b as usize] == NONE && walk(&parents, a) != b => {
                        roots.link(a, b);
                        parents[b as usize] = a;
                    }
                    _ => {}
                }
                prop_assert_eq!(roots.of(a), walk(&parents, a));
            }
        }
    }
}
