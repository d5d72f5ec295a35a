//! The overload manager: nothing is limited, so only limits that nothing reaches are accepted.

use envoy_types::pb::envoy::config::overload::v3::{OverloadManager, resource_monitor::ConfigType};
use envoy_types::pb::envoy::extensions::resource_monitors::downstream_connections::v3::DownstreamConnectionsConfig;

use crate::cx::Cx;
use crate::value;

pub(super) fn check(cx: &Cx<'_>, proto: Option<&OverloadManager>) {
    let Some(proto) = proto else { return };
    let cx = &cx.field("overload_manager");
    cx.each(
        "resource_monitors",
        &proto.resource_monitors,
        |cx, proto| {
            let cx = &cx.field("typed_config");
            let Some(ConfigType::TypedConfig(any)) = &proto.config_type else {
                cx.error("expected a typed_config");
                return None;
            };
            let config: DownstreamConnectionsConfig = value::unpack(cx, any)?;
            // Mesh control planes write the largest number for "no limit".
            if config.max_active_downstream_connections < i64::from(i32::MAX) {
                cx.field("max_active_downstream_connections").error(format!(
                    "a limit is not supported: expected at least {}, got {}",
                    i32::MAX,
                    config.max_active_downstream_connections
                ));
            }
            Some(())
        },
    );
}
