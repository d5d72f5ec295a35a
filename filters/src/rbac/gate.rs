//! The network filter.

use std::sync::Arc;

use tandem_core::ext::ConnectionInfo;
use tandem_core::filter::{Gate, Refused};
use tandem_core::stats::Registry;
use tandem_model::filter::rbac::ConnectionRbac as Config;

use super::facts;
use super::stats::Stats;

/// Lets connections pass, or refuses them.
#[derive(Debug)]
pub struct RbacGate {
    config: Arc<Config>,
    stats: Stats,
}

impl RbacGate {
    /// Guards by what `config` says.
    pub fn new(config: Arc<Config>, stats: &Registry) -> Self {
        // The dot at its end is the user's or ours.
        let scope = stats.plain(config.stat_prefix.trim_end_matches('.'));
        Self {
            stats: Stats::new(&config.rbac, &scope),
            config,
        }
    }
}

impl Gate for RbacGate {
    fn admit(&self, connection: &ConnectionInfo) -> Result<(), Refused> {
        let facts = facts::of_connection(connection);
        let decided = self.stats.decide(&self.config.rbac, &facts);
        decided.map_err(|details| Refused {
            details,
            delay: self.config.delay_deny,
        })
    }
}
