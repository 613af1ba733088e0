//! Which steps of a group run together. Pure.
//!
//! A *wave* is a set of steps in which each key is changed by one step, or by several of one kind that combine. Waves
//! run one after the other, so two changes of one key happen in the order they arrived; within a wave each kind is
//! one batch. Without waves, two clients' MOVE of one message would double it.

use std::any::TypeId;
use std::collections::HashMap;

use crate::Key;

/// What the planner needs to know of a step.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The step's kind.
    pub kind: TypeId,
    /// Whether its kind combines.
    pub combines: bool,
    /// The keys it changes.
    pub keys: Vec<Key>,
}

/// The steps of one kind in one wave, by their index in the group, in order of arrival.
pub type Batch = Vec<usize>;

/// The waves of a group: each a list of batches.
pub fn plan(steps: &[Asked]) -> Vec<Vec<Batch>> {
    let mut last: HashMap<Key, (usize, TypeId)> = HashMap::new();
    let mut waves: Vec<Vec<(TypeId, Batch)>> = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let wave = step.keys.iter().filter_map(|key| last.get(key).map(|seen| after(seen, step))).max().unwrap_or(0);
        for key in &step.keys {
            last.insert(*key, (wave, step.kind));
        }
        if waves.len() <= wave {
            waves.resize_with(wave + 1, Vec::new);
        }
        match waves[wave].iter_mut().find(|(kind, _)| *kind == step.kind) {
            Some((_, batch)) => batch.push(index),
            None => waves[wave].push((step.kind, vec![index])),
        }
    }
    waves.into_iter().map(|wave| wave.into_iter().map(|(_, batch)| batch).collect()).collect()
}

/// The first wave in which `step` may change a key last changed by `seen`.
fn after(&(wave, kind): &(usize, TypeId), step: &Asked) -> usize {
    if step.combines && kind == step.kind { wave } else { wave + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Deposit;
    struct Store;

    fn deposit(account: i64) -> Asked {
        Asked { kind: TypeId::of::<Deposit>(), combines: true, keys: vec![Key::Account(account)] }
    }
    fn store(account: i64) -> Asked {
        Asked { kind: TypeId::of::<Store>(), combines: false, keys: vec![Key::Account(account)] }
    }

    #[test]
    fn steps_that_combine_share_a_wave() {
        assert_eq!(plan(&[deposit(1), deposit(1), deposit(2)]), vec![vec![vec![0, 1, 2]]]);
    }

    #[test]
    fn steps_that_do_not_combine_wait_for_each_other() {
        assert_eq!(plan(&[store(1), store(1), store(2)]), vec![vec![vec![0, 2]], vec![vec![1]]]);
    }

    #[test]
    fn arrival_order_per_key_is_kept_across_kinds() {
        assert_eq!(plan(&[deposit(1), store(1), deposit(1)]), vec![vec![vec![0]], vec![vec![1]], vec![vec![2]]]);
    }

    #[test]
    fn a_step_of_two_keys_comes_after_both() {
        let both = Asked { kind: TypeId::of::<Store>(), combines: false, keys: vec![Key::Account(1), Key::Account(2)] };
        assert_eq!(plan(&[store(1), store(1), both, deposit(2)]), vec![vec![vec![0]], vec![vec![1]], vec![vec![2]], vec![vec![3]]]);
    }

    proptest::proptest! {
        /// The promise of the module's first paragraph, for any group.
        #[test]
        fn every_key_sees_its_changes_in_order(group in proptest::collection::vec((0..4i64, proptest::bool::ANY), 0..40)) {
            let steps: Vec<Asked> = group.iter().map(|&(key, combines)| if combines { deposit(key) } else { store(key) }).collect();
            let mut place = vec![(0, TypeId::of::<()>()); steps.len()];
            let mut seen = 0;
            for (wave, batches) in plan(&steps).into_iter().enumerate() {
                for index in batches.into_iter().flatten() {
                    place[index] = (wave, steps[index].kind);
                    seen += 1;
                }
            }
            proptest::prop_assert_eq!(seen, steps.len());
            for later in 0..steps.len() {
                for earlier in (0..later).filter(|&earlier| steps[earlier].keys == steps[later].keys) {
                    let together = place[earlier] == place[later] && steps[later].combines;
                    proptest::prop_assert!(place[earlier].0 < place[later].0 || together);
                }
            }
        }
    }
}
