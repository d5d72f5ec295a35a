//! What only one resource can have: a domain of a route configuration, the key of a scope.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;

/// A resource of an update, by what it claims.
pub(super) struct Claimant<'a, C> {
    pub(super) name: &'a str,
    /// What it has, and keeps if it is refused.
    pub(super) before: Vec<&'a C>,
    pub(super) now: Vec<&'a C>,
}

impl<C: Eq + Hash> Claimant<'_, C> {
    fn asks_for_more(&self) -> bool {
        self.now.iter().any(|claim| !self.before.contains(claim))
    }
}

/// A claim that is refused, and the name of who has what it asks for.
pub(super) type Taken<'a, C> = (&'a C, &'a str);

/// The claimants, by their place, that ask for what another has. `held` is what those have that
/// are not in the update.
///
/// Claims may move between the claimants. Where two ask for one thing, who has it already keeps
/// it; among newcomers the first gets it.
pub(super) fn refused<'a, C: Eq + Hash>(
    held: &[(&'a C, &'a str)],
    claimants: &[Claimant<'a, C>],
) -> BTreeMap<usize, Taken<'a, C>> {
    let mut order: Vec<usize> = (0..claimants.len()).collect();
    order.sort_by_key(|i| claimants[*i].asks_for_more());
    let mut refused = BTreeMap::new();
    loop {
        // Who is refused keeps what it had, so that there may be less for the others.
        refused.retain(|i: &usize, _| !claimants[*i].before.is_empty());
        let known = refused.len();
        let mut taken: HashMap<&C, &str> = held.iter().copied().collect();
        for one in refused.keys().map(|i| &claimants[*i]) {
            taken.extend(one.before.iter().map(|claim| (*claim, one.name)));
        }
        for &i in &order {
            if refused.contains_key(&i) {
                continue;
            }
            let one = &claimants[i];
            let mut own = HashSet::new();
            let twice = one.now.iter().find_map(|claim| {
                let again = (!own.insert(*claim)).then_some(one.name);
                Some((*claim, taken.get(*claim).copied().or(again)?))
            });
            match twice {
                Some(twice) => drop(refused.insert(i, twice)),
                None => taken.extend(own.into_iter().map(|claim| (claim, one.name))),
            }
        }
        let keeps = |i: &&usize| !claimants[**i].before.is_empty();
        if refused.keys().filter(keeps).count() == known {
            return refused;
        }
    }
}
