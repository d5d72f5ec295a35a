//! Filters whose settings come by themselves.

use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3 as core;
use tandem_model::config_source::{ResourceKey, Subscribed};
use tandem_model::filter::discovery::{Discovery, Extension};

use super::{config, does_nothing};
use crate::cx::Cx;
use crate::{config_source, support, value};

const DISCOVERY: &str = "envoy.config.core.v3.ExtensionConfigSource";

/// Where the settings of filter `name` come from.
pub(super) fn discovery(
    cx: &Cx<'_>,
    name: &str,
    proto: &core::ExtensionConfigSource,
) -> Option<Discovery> {
    let source = config_source::source(&cx.field("config_source"), proto.config_source.as_ref());
    let types = cx.each("type_urls", &proto.type_urls, |cx, url| type_name(cx, url));
    let default = default_config(&cx.field("default_config"), proto, &types);
    if proto.apply_default_config_without_warming && default.is_none() {
        cx.field("apply_default_config_without_warming")
            .error("expected a default_config that could be applied");
    }
    let source = source?;
    Some(Discovery {
        need: Subscribed {
            key: ResourceKey {
                origin: source.origin,
                name: name.into(),
            },
            initial_fetch_timeout: source.initial_fetch_timeout,
        },
        default,
        apply_default_without_warming: proto.apply_default_config_without_warming,
        types,
    })
}

fn type_name(cx: &Cx<'_>, url: &str) -> Option<Arc<str>> {
    let name = url.rsplit('/').next().unwrap_or(url);
    if support::takes(DISCOVERY, "default_config", name) {
        return Some(name.into());
    }
    cx.error(format!("filter type '{name}' is not supported"));
    None
}

fn default_config(
    cx: &Cx<'_>,
    proto: &core::ExtensionConfigSource,
    types: &[Arc<str>],
) -> Option<Arc<Extension>> {
    let any = proto.default_config.as_ref()?;
    let type_name = value::type_name(any);
    if types.len() == proto.type_urls.len() && types.iter().all(|own| **own != *type_name) {
        cx.error(format!("expected one of the type_urls, got '{type_name}'"));
        return None;
    }
    let config = match does_nothing(any) {
        true => None,
        false => Some(config(cx, any)?),
    };
    Some(Arc::new(Extension {
        type_name: type_name.into(),
        config,
    }))
}
