//! Scoped routes: a key made of a request's headers says which route configuration it takes
//! (`ScopedRoutes`, `config.route.v3.ScopedRouteConfiguration`).

use std::borrow::Cow;
use std::sync::Arc;

use crate::config_source::{ConfigSource, ResourceKey, Subscribed};
use crate::headers::MatchedHeader;
use crate::matching::RequestView;
use crate::route::RouteConfiguration;

/// A connection manager's scoped routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopedRoutes {
    /// Its name, which only dumps show.
    pub name: Arc<str>,
    /// What a request's key is made of.
    pub key: KeyBuilder,
    /// The scopes.
    pub scopes: ScopeSource,
    /// Where route configurations come from that scopes name.
    pub rds: Option<ConfigSource>,
}

/// Where scopes come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScopeSource {
    /// `scoped_route_configurations_list`.
    Inline(Vec<Arc<Scope>>),
    /// `scoped_rds`: all scopes of a source.
    Srds(Subscribed),
}

/// One scope (`ScopedRouteConfiguration`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Its name.
    pub name: Arc<str>,
    /// The key of the requests that take it.
    pub key: ScopeKey,
    /// Their routes.
    pub routes: ScopeRoutes,
}

/// Where a scope's routes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScopeRoutes {
    /// `route_configuration`.
    Inline(Arc<RouteConfiguration>),
    /// `route_configuration_name`: they come by RDS.
    Named(Arc<str>),
}

/// Scopes as one connection manager sees them: the same ones may be served with route
/// configurations of different sources.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ScopesKey {
    /// Where the scopes come from.
    pub scopes: ResourceKey,
    /// Where their route configurations come from.
    pub rds: Option<ConfigSource>,
}

impl ScopedRoutes {
    /// Whose scopes are followed; `None`: they are inline.
    pub fn followed(&self) -> Option<(ScopesKey, &Subscribed)> {
        match &self.scopes {
            ScopeSource::Inline(_) => None,
            ScopeSource::Srds(need) => {
                let key = ScopesKey {
                    scopes: need.key.clone(),
                    rds: self.rds.clone(),
                };
                Some((key, need))
            }
        }
    }
}

impl Scope {
    /// The route configuration to ask for, if it comes by itself.
    pub fn wanted(&self, rds: Option<&ConfigSource>) -> Option<Subscribed> {
        self.routes.wanted(rds)
    }
}

impl ScopeRoutes {
    /// The route configuration to ask for, if it comes by itself.
    pub fn wanted(&self, rds: Option<&ConfigSource>) -> Option<Subscribed> {
        let (Self::Named(name), Some(source)) = (self, rds) else {
            return None;
        };
        Some(Subscribed {
            key: ResourceKey {
                origin: source.origin.clone(),
                name: Arc::clone(name),
            },
            initial_fetch_timeout: source.initial_fetch_timeout,
        })
    }
}

/// A scope's key: fragments in one text, so that a request's key needs no list to be looked up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ScopeKey(Arc<str>);

/// Stands between fragments. No header's value can hold it.
const BETWEEN: char = '\0';

impl ScopeKey {
    /// The key of these fragments; `None` if one cannot be in any request.
    pub fn new<'a>(fragments: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut text = String::new();
        for (i, fragment) in fragments.into_iter().enumerate() {
            if fragment.contains(BETWEEN) {
                return None;
            }
            if i > 0 {
                text.push(BETWEEN);
            }
            text.push_str(fragment);
        }
        Some(Self(text.into()))
    }

    /// What a request's key is compared with.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The fragments.
    pub fn fragments(&self) -> impl Iterator<Item = &str> {
        self.0.split(BETWEEN)
    }
}

/// Makes a request's key (`scope_key_builder`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyBuilder {
    /// A fragment each.
    pub fragments: Vec<FragmentBuilder>,
}

/// Makes one fragment of a header (`header_value_extractor`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FragmentBuilder {
    /// The header; of several with this name the first counts, since they may be anybody's.
    pub header: MatchedHeader,
    /// Cuts the value into elements; empty: the value is the only one.
    pub element_separator: Arc<str>,
    /// Which element is taken.
    pub extract: Extract,
}

/// Which element of a header's value is a fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extract {
    /// The one at this place.
    Index(usize),
    /// The first with this key, from what follows the separator.
    Element {
        /// Parts key and value; not empty.
        separator: Arc<str>,
        /// The key.
        key: Arc<str>,
    },
}

impl KeyBuilder {
    /// A request's key; `None` if a fragment is not in it.
    pub fn key<'a>(&self, request: &RequestView<'a>) -> Option<Cow<'a, str>> {
        let (first, others) = self.fragments.split_first()?;
        let mut key = Cow::Borrowed(first.fragment(request)?);
        for other in others {
            let text = key.to_mut();
            text.push(BETWEEN);
            text.push_str(other.fragment(request)?);
        }
        Some(key)
    }
}

impl FragmentBuilder {
    fn fragment<'a>(&self, request: &RequestView<'a>) -> Option<&'a str> {
        let value = match &self.header {
            MatchedHeader::Name(name) => {
                std::str::from_utf8(request.headers.get(name)?.as_bytes()).ok()?
            }
            MatchedHeader::Method => request.method.as_str(),
            MatchedHeader::Path => request.path_and_query,
            MatchedHeader::Authority => request.authority,
            MatchedHeader::Scheme => request.scheme(),
        };
        if self.element_separator.is_empty() {
            return self.extract.of(std::iter::once(value));
        }
        self.extract.of(value.split(&*self.element_separator))
    }
}

impl Extract {
    fn of<'a>(&self, mut elements: impl Iterator<Item = &'a str>) -> Option<&'a str> {
        match self {
            Self::Index(index) => elements.nth(*index),
            Self::Element { separator, key } => elements.find_map(|element| {
                let (name, value) = element.split_once(&**separator).unwrap_or((element, ""));
                (name == &**key).then_some(value)
            }),
        }
    }
}

#[cfg(test)]
mod tests;
