//! Filters whose settings come by themselves (`config.core.v3.ExtensionConfigSource`).

use std::sync::Arc;

use super::FilterConfig;
use crate::config_source::Subscribed;

/// What a filter's settings may be, and who says them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// Who is asked for them.
    pub need: Subscribed,
    /// What holds until they come, and when they are taken back.
    pub default: Option<Arc<Extension>>,
    /// Whether the default holds at once, so that nobody waits for them.
    pub apply_default_without_warming: bool,
    /// Message names of the types they may have.
    pub types: Vec<Arc<str>>,
}

/// A filter's settings as they come by themselves (`config.core.v3.TypedExtensionConfig`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// The message name of their type.
    pub type_name: Arc<str>,
    /// The filter; `None`: one that no request meets.
    pub config: Option<FilterConfig>,
}

impl Discovery {
    /// Whether settings may be of this type.
    pub fn takes(&self, type_name: &str) -> bool {
        self.types.iter().any(|own| **own == *type_name)
    }

    /// What holds when `published` came.
    pub fn chosen<'a>(
        &'a self,
        published: Option<&'a Arc<Extension>>,
    ) -> Option<&'a Arc<Extension>> {
        published
            .filter(|extension| self.takes(&extension.type_name))
            .or(self.default.as_ref())
    }
}
