//! The route table: from a request to its virtual host and route, without scanning what
//! cannot match.

use std::sync::Arc;

use ahash::AHashMap;

use super::request::LastHeader;
use super::{RequestView, Unmet};
use crate::route::{PathMatch, Route, RouteConfiguration, RouteMatch, VirtualHost};

/// A route configuration with its indexes; built once when the configuration lands.
#[derive(Debug)]
pub struct RouteTable {
    config: Arc<RouteConfiguration>,
    exact: AHashMap<Box<str>, usize>,
    /// `*.suffix` without the star, longest first.
    suffixes: Vec<(Box<str>, usize)>,
    /// `prefix.*` without the star, longest first.
    prefixes: Vec<(Box<str>, usize)>,
    any: Option<usize>,
    hosts: Vec<HostIndex>,
}

/// A virtual host's routes by what their path condition needs.
///
/// The first route in file order wins, so every index yields route numbers and the smallest
/// one that matches is taken.
#[derive(Debug, Default)]
struct HostIndex {
    /// Exact, case-sensitive paths: all routes with this path, in order.
    exact: AHashMap<Box<str>, Vec<u32>>,
    /// Case-sensitive prefixes, by the whole prefix; the lengths that exist, longest last.
    prefix: AHashMap<Box<str>, Vec<u32>>,
    prefix_lengths: Vec<usize>,
    /// Everything else, in order.
    rest: Vec<u32>,
}

/// Where a request goes: indexes into the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Found {
    /// The virtual host's number.
    pub host: usize,
    /// The route's number; `None`: the virtual host has no route for it.
    pub route: Option<usize>,
}

impl RouteTable {
    /// Builds the indexes.
    pub fn new(config: Arc<RouteConfiguration>) -> Self {
        let (mut exact, mut suffixes, mut prefixes) = (AHashMap::new(), Vec::new(), Vec::new());
        let mut any = None;
        for (index, host) in config.virtual_hosts.iter().enumerate() {
            for domain in &host.domains {
                if &**domain == "*" {
                    any = Some(index);
                } else if let Some(suffix) = domain.strip_prefix('*') {
                    suffixes.push((suffix.into(), index));
                } else if let Some(prefix) = domain.strip_suffix('*') {
                    prefixes.push((prefix.into(), index));
                } else {
                    exact.insert((&**domain).into(), index);
                }
            }
        }
        suffixes.sort_by_key(|(text, _): &(Box<str>, usize)| std::cmp::Reverse(text.len()));
        prefixes.sort_by_key(|(text, _): &(Box<str>, usize)| std::cmp::Reverse(text.len()));
        let hosts = config
            .virtual_hosts
            .iter()
            .map(|host| HostIndex::new(host))
            .collect();
        Self {
            config,
            exact,
            suffixes,
            prefixes,
            any,
            hosts,
        }
    }

    /// The configuration it was built from.
    pub fn config(&self) -> &Arc<RouteConfiguration> {
        &self.config
    }

    /// The virtual host for an authority.
    pub fn virtual_host(&self, authority: &str) -> Option<usize> {
        self.named_virtual_host(authority).or(self.any)
    }

    /// The same, if one of its domains says more than `*`.
    pub fn named_virtual_host(&self, authority: &str) -> Option<usize> {
        let host = match self.config.ignore_port_in_host_matching {
            true => strip_port(authority),
            false => authority,
        };
        if self.exact.is_empty() && self.suffixes.is_empty() && self.prefixes.is_empty() {
            return None;
        }
        let lower;
        let host = if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            lower = host.to_ascii_lowercase();
            &lower
        } else {
            host
        };
        // A wildcard stands for at least one character.
        let longer = |text: &str| host.len() > text.len();
        self.exact
            .get(host)
            .or_else(|| {
                let found = self
                    .suffixes
                    .iter()
                    .find(|(text, _)| longer(text) && host.ends_with(&**text));
                found.map(|(_, index)| index)
            })
            .or_else(|| {
                let found = self
                    .prefixes
                    .iter()
                    .find(|(text, _)| longer(text) && host.starts_with(&**text));
                found.map(|(_, index)| index)
            })
            .copied()
    }

    /// The virtual host and route for a request; `None`: no virtual host takes it.
    pub fn find(&self, request: &RequestView<'_>) -> Option<Found> {
        let host = self.virtual_host(request.authority)?;
        Some(Found {
            host,
            route: self.route(host, request),
        })
    }

    /// The path that routes look at.
    fn path<'a>(&self, request: &RequestView<'a>) -> &'a str {
        match self.config.ignore_path_parameters {
            true => request.path().split(';').next().unwrap_or_default(),
            false => request.path(),
        }
    }

    /// The first condition of a route that says no to a request.
    pub fn unmet<'a>(&self, route: &'a Route, request: &RequestView<'a>) -> Option<Unmet<'a>> {
        let mut last = LastHeader::default();
        route.matches.unmet(request, self.path(request), &mut last)
    }

    /// The route of a virtual host for a request.
    pub fn route(&self, host: usize, request: &RequestView<'_>) -> Option<usize> {
        let path = self.path(request);
        let routes = &self.config.virtual_hosts[host].routes;
        let mut last = LastHeader::default();
        self.hosts[host].find(path, |number| {
            let matches = &routes[number].matches;
            matches.unmet(request, path, &mut last).is_none()
        })
    }
}

impl HostIndex {
    fn new(host: &VirtualHost) -> Self {
        let mut index = Self::default();
        for (number, route) in host.routes.iter().enumerate() {
            let Ok(number) = u32::try_from(number) else {
                break;
            };
            match &route.matches {
                RouteMatch {
                    path: PathMatch::Exact(path),
                    case_sensitive: true,
                    ..
                } => {
                    index
                        .exact
                        .entry((&**path).into())
                        .or_default()
                        .push(number);
                }
                RouteMatch {
                    path: PathMatch::Prefix(prefix),
                    case_sensitive: true,
                    ..
                } => {
                    index
                        .prefix
                        .entry((&**prefix).into())
                        .or_default()
                        .push(number);
                    index.prefix_lengths.push(prefix.len());
                }
                _ => index.rest.push(number),
            }
        }
        index.prefix_lengths.sort_unstable();
        index.prefix_lengths.dedup();
        index
    }

    /// The smallest route number whose path could match and for which `holds` says yes.
    fn find(&self, path: &str, mut holds: impl FnMut(usize) -> bool) -> Option<usize> {
        let mut best: Option<u32> = None;
        let mut consider = |numbers: &[u32]| {
            for &number in numbers {
                if best.is_some_and(|best| best <= number) {
                    return;
                }
                if holds(number as usize) {
                    best = Some(number);
                    return;
                }
            }
        };
        if let Some(numbers) = self.exact.get(path) {
            consider(numbers);
        }
        for &length in &self.prefix_lengths {
            let Some(head) = path.get(..length) else {
                // Past the end, or inside a character: a longer prefix may still fit.
                if length > path.len() {
                    break;
                }
                continue;
            };
            if let Some(numbers) = self.prefix.get(head) {
                consider(numbers);
            }
        }
        consider(&self.rest);
        best.map(|number| number as usize)
    }
}

/// The host without its port; an IPv6 address keeps its brackets.
pub fn strip_port(authority: &str) -> &str {
    match authority.rfind(':') {
        Some(colon)
            if colon + 1 < authority.len()
                && !authority[colon..].contains(']')
                && authority[colon + 1..]
                    .bytes()
                    .all(|byte| byte.is_ascii_digit()) =>
        {
            &authority[..colon]
        }
        _ => authority,
    }
}

impl Route {
    /// How much of the path the route's prefix (or exact path) covers, for rewrites.
    pub fn matched_len(&self) -> Option<usize> {
        match &self.matches.path {
            PathMatch::Prefix(text)
            | PathMatch::Exact(text)
            | PathMatch::PathSeparatedPrefix(text) => Some(text.len()),
            PathMatch::Regex(_) => None,
        }
    }
}
