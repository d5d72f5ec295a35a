//! The steps of the index: what each asks for, and what comes where nothing is asked for.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::cidr::Cidr;
use crate::listener::ServerName;

/// Ports. An exact one that is there is committed to.
#[derive(Clone, Debug)]
pub(super) struct Ports<T> {
    exact: HashMap<u16, T>,
    any: Option<T>,
}

/// Addresses: the longest prefix wins.
#[derive(Clone, Debug)]
pub(super) struct Prefixes<T> {
    ranges: HashMap<Cidr, T>,
    /// The prefix lengths that occur, longest first.
    lengths: Vec<u8>,
    any: Option<T>,
}

/// Server names: exact, then the longest suffix.
#[derive(Clone, Debug)]
pub(super) struct Names<T> {
    exact: HashMap<Box<str>, T>,
    suffixes: HashMap<Box<str>, T>,
    any: Option<T>,
}

/// Names of protocols: the first of the connection's that is asked for.
#[derive(Clone, Debug)]
pub(super) struct Words<T> {
    exact: HashMap<Box<str>, T>,
    any: Option<T>,
}

impl<T> Ports<T> {
    pub(super) fn find(&self, port: u16) -> Option<&T> {
        self.exact.get(&port).or(self.any.as_ref())
    }

    /// Takes a place that is free, or says whose it is.
    pub(super) fn insert(&mut self, port: Option<u16>, value: T) -> Result<(), T>
    where
        T: Copy,
    {
        let taken = match port {
            Some(port) => self.exact.insert(port, value),
            None => self.any.replace(value),
        };
        taken.map_or(Ok(()), Err)
    }
}

impl<T: Default> Ports<T> {
    pub(super) fn entry(&mut self, port: Option<u16>) -> &mut T {
        match port {
            Some(port) => self.exact.entry(port).or_default(),
            None => self.any.get_or_insert_default(),
        }
    }
}

impl<T> Prefixes<T> {
    pub(super) fn find(&self, address: IpAddr) -> Option<&T> {
        let most = if address.is_ipv4() { 32 } else { 128 };
        self.lengths
            .iter()
            .filter(|length| **length <= most)
            .find_map(|length| self.ranges.get(&Cidr::new(address, *length)))
            .or(self.any.as_ref())
    }
}

impl<T: Default> Prefixes<T> {
    pub(super) fn entry(&mut self, range: Option<Cidr>) -> &mut T {
        let Some(range) = range else {
            return self.any.get_or_insert_default();
        };
        if !self.lengths.contains(&range.bits()) {
            self.lengths.push(range.bits());
            self.lengths.sort_unstable_by(|a, b| b.cmp(a));
        }
        self.ranges.entry(range).or_default()
    }
}

impl<T> Names<T> {
    pub(super) fn find(&self, name: &str) -> Option<&T> {
        if let Some(exact) = self.exact.get(name) {
            return Some(exact);
        }
        if !self.suffixes.is_empty() {
            // a suffix begins with a dot, which is neither the first nor the last character
            let dots = name.match_indices('.').map(|(at, _)| at);
            let mut suffixes = dots
                .filter(|at| *at > 0 && at + 1 < name.len())
                .map(|at| &name[at..]);
            if let Some(found) = suffixes.find_map(|suffix| self.suffixes.get(suffix)) {
                return Some(found);
            }
        }
        self.any.as_ref()
    }
}

impl<T: Default> Names<T> {
    pub(super) fn entry(&mut self, name: Option<&ServerName>) -> &mut T {
        match name {
            Some(ServerName::Exact(name)) => self.exact.entry((**name).into()).or_default(),
            Some(ServerName::Suffix(name)) => self.suffixes.entry((**name).into()).or_default(),
            None => self.any.get_or_insert_default(),
        }
    }
}

impl<T> Words<T> {
    pub(super) fn find<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Option<&T> {
        let mut words = words.into_iter();
        let exact = match self.exact.is_empty() {
            true => None,
            false => words.find_map(|word| self.exact.get(word)),
        };
        exact.or(self.any.as_ref())
    }
}

impl<T: Default> Words<T> {
    pub(super) fn entry(&mut self, word: Option<&str>) -> &mut T {
        match word {
            Some(word) => self.exact.entry(word.into()).or_default(),
            None => self.any.get_or_insert_default(),
        }
    }
}

// Derived, they would ask for `T: Default`.
impl<T> Default for Ports<T> {
    fn default() -> Self {
        Self {
            exact: HashMap::new(),
            any: None,
        }
    }
}

impl<T> Default for Prefixes<T> {
    fn default() -> Self {
        Self {
            ranges: HashMap::new(),
            lengths: Vec::new(),
            any: None,
        }
    }
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self {
            exact: HashMap::new(),
            suffixes: HashMap::new(),
            any: None,
        }
    }
}

impl<T> Default for Words<T> {
    fn default() -> Self {
        Self {
            exact: HashMap::new(),
            any: None,
        }
    }
}
