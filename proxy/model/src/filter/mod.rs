//! The settings of every HTTP filter that a user can configure, one file each.

pub mod compressor;
pub mod discovery;
pub mod fault;
pub mod rbac;
pub mod router;
pub mod runtime;

use std::sync::Arc;

/// One HTTP filter of a connection manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpFilter {
    /// The name in the list; per-route settings are found by it.
    pub name: Arc<str>,
    /// Skip it unless a route's settings enable it.
    pub disabled: bool,
    /// What it is.
    pub config: FilterSource,
}

/// Where a filter's settings come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilterSource {
    /// `typed_config`.
    Inline(FilterConfig),
    /// `config_discovery`: they come by themselves and may be replaced.
    Discovered(Arc<discovery::Discovery>),
}

impl FilterSource {
    /// The settings, if they stand in the list.
    pub fn inline(&self) -> Option<&FilterConfig> {
        match self {
            Self::Inline(config) => Some(config),
            Self::Discovered(_) => None,
        }
    }
}

/// All filters that exist, with their settings. The registry that builds them matches on this
/// exhaustively.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilterConfig {
    /// `envoy.filters.http.compressor`.
    Compressor(Arc<compressor::Compressor>),
    /// `envoy.filters.http.fault`.
    Fault(Arc<fault::Fault>),
    /// `envoy.filters.http.rbac`.
    Rbac(Arc<rbac::Rbac>),
    /// The runtime APIs.
    Runtime(Arc<runtime::Runtime>),
}

impl FilterConfig {
    /// What a route's settings make of these; settings of another type change nothing, as in
    /// Envoy: a filter that guards access is not replaced by one that does not.
    #[must_use]
    pub fn overridden(&self, by: &Self) -> Self {
        match (self, by) {
            (Self::Rbac(listed), Self::Rbac(own)) => Self::Rbac(Arc::new(own.counted_as(listed))),
            (Self::Compressor(_), Self::Compressor(_))
            | (Self::Fault(_), Self::Fault(_))
            | (Self::Runtime(_), Self::Runtime(_)) => by.clone(),
            (Self::Compressor(_) | Self::Rbac(_) | Self::Fault(_) | Self::Runtime(_), _) => {
                self.clone()
            }
        }
    }
}

/// Settings of one filter at a route, virtual host or route configuration
/// (`typed_per_filter_config`), by the filter's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerRouteFilter {
    /// The name of the filter in the connection manager's list.
    pub name: Arc<str>,
    /// What changes.
    pub config: PerRouteConfig,
}

/// What a route may say of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PerRouteConfig {
    /// `FilterConfig.disabled`.
    Disabled,
    /// Enabled with the settings of the list.
    Enabled,
    /// Other settings.
    Override(FilterConfig),
}
