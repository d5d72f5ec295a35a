//! The names of one subscription, and the two ways to ask for everything.

use std::collections::BTreeSet;

const WILDCARD: &str = "*";

/// Names asked for. A stream that has only ever asked for everything does so by an empty list,
/// which control planes older than the explicit `*` understand; next to names it is `*`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    names: BTreeSet<String>,
    /// Once a name was asked for, an empty list means nothing, so `*` must be said.
    explicit: bool,
}

impl Names {
    pub(crate) fn new(wildcard: bool) -> Self {
        Self {
            names: wildcard.then(|| WILDCARD.to_owned()).into_iter().collect(),
            explicit: false,
        }
    }

    /// Adds names and returns those that are new.
    pub(crate) fn insert<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let new: Vec<String> = names
            .into_iter()
            .filter(|name| self.names.insert((*name).to_owned()))
            .map(str::to_owned)
            .collect();
        self.explicit |= new.iter().any(|name| name != WILDCARD);
        new
    }

    /// Removes names and returns those that were there.
    pub(crate) fn remove<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let gone: Vec<String> = names
            .into_iter()
            .filter(|name| self.names.remove(*name))
            .map(str::to_owned)
            .collect();
        self.explicit |= !gone.is_empty();
        gone
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    pub(crate) fn is_wildcard(&self) -> bool {
        self.names.contains(WILDCARD)
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.names.is_empty()
    }

    /// The names that are not in `there`; none where everything is asked for.
    pub(crate) fn without(&self, there: &BTreeSet<&str>) -> Vec<String> {
        if self.is_wildcard() {
            return Vec::new();
        }
        let names = self.names.iter();
        names
            .filter(|name| !there.contains(&***name))
            .cloned()
            .collect()
    }

    /// The list as a first request says it.
    pub(crate) fn request(&self) -> Vec<String> {
        if self.is_wildcard() && !self.explicit {
            return Vec::new();
        }
        self.names.iter().cloned().collect()
    }
}
