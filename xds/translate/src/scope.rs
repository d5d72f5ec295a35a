//! Scoped routes.

use std::collections::HashMap;
use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3 as route;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3;
use route::scoped_route_configuration::key::fragment::Type as KeyType;
use tandem_model::config_source::{ResourceKey, Subscribed};
use tandem_model::hcm::RouteSource;
use tandem_model::scope::{
    Extract, FragmentBuilder, KeyBuilder, Scope, ScopeKey, ScopeRoutes, ScopeSource, ScopedRoutes,
};
use v3::scoped_routes as proto;
use v3::scoped_routes::scope_key_builder::fragment_builder as builder;

use crate::cx::Cx;
use crate::{config_source, matcher, route as routes};

/// `scoped_routes` of a connection manager.
pub(crate) fn source(
    cx: &Cx<'_>,
    proto: &v3::ScopedRoutes,
    scope: &routes::Scope<'_>,
) -> Option<RouteSource> {
    let key = cx.field("scope_key_builder");
    let fragments = proto.scope_key_builder.as_ref();
    let fragments = fragments.map_or(&[][..], |builder| &builder.fragments);
    let key = KeyBuilder {
        fragments: key.each("fragments", fragments, fragment),
    };
    let rds = match &proto.rds_config_source {
        Some(proto) => Some(config_source::source(
            &cx.field("rds_config_source"),
            Some(proto),
        )?),
        None => None,
    };
    let scopes = match &proto.config_specifier {
        Some(proto::ConfigSpecifier::ScopedRouteConfigurationsList(list)) => {
            let cx = &cx.field("scoped_route_configurations_list");
            let protos = &list.scoped_route_configurations;
            let scopes = cx.each("scoped_route_configurations", protos, |cx, proto| {
                inline(cx, proto, rds.is_some(), scope)
            });
            once_each(cx, &scopes);
            ScopeSource::Inline(scopes)
        }
        Some(proto::ConfigSpecifier::ScopedRds(proto)) => {
            let cx = cx.field("scoped_rds");
            let source = proto.scoped_rds_config_source.as_ref();
            let source = config_source::source(&cx.field("scoped_rds_config_source"), source)?;
            ScopeSource::Srds(Subscribed {
                key: ResourceKey {
                    origin: source.origin,
                    name: "*".into(),
                },
                initial_fetch_timeout: source.initial_fetch_timeout,
            })
        }
        None => {
            cx.error("expected one of scoped_route_configurations_list, scoped_rds");
            return None;
        }
    };
    Some(RouteSource::Scoped(Arc::new(ScopedRoutes {
        name: proto.name.as_str().into(),
        key,
        scopes,
        rds,
    })))
}

fn fragment(
    cx: &Cx<'_>,
    proto: &proto::scope_key_builder::FragmentBuilder,
) -> Option<FragmentBuilder> {
    let Some(builder::Type::HeaderValueExtractor(proto)) = &proto.r#type else {
        cx.error("expected a header_value_extractor");
        return None;
    };
    let cx = &cx.field("header_value_extractor");
    let extract = match &proto.extract_type {
        Some(builder::header_value_extractor::ExtractType::Index(index)) => {
            if *index != 0 && proto.element_separator.is_empty() {
                cx.field("index")
                    .error("expected 0, without an element_separator there is one element");
                return None;
            }
            Extract::Index(*index as usize)
        }
        Some(builder::header_value_extractor::ExtractType::Element(element)) => Extract::Element {
            separator: element.separator.as_str().into(),
            key: element.key.as_str().into(),
        },
        None => {
            cx.error("expected one of element, index");
            return None;
        }
    };
    Some(FragmentBuilder {
        header: matcher::matched_header(&cx.field("name"), &proto.name)?,
        element_separator: proto.element_separator.as_str().into(),
        extract,
    })
}

fn inline(
    cx: &Cx<'_>,
    proto: &route::ScopedRouteConfiguration,
    named: bool,
    scope: &routes::Scope<'_>,
) -> Option<Arc<Scope>> {
    let translated = translate(cx, proto, |cx, proto| {
        routes::configuration(cx, proto, scope)
    })?;
    if !named && matches!(translated.routes, ScopeRoutes::Named(_)) {
        cx.field("route_configuration_name")
            .error("expected an rds_config_source beside it, to ask for them");
        return None;
    }
    Some(Arc::new(translated))
}

/// A scope that came by itself.
pub(crate) fn alone(
    cx: &Cx<'_>,
    proto: &route::ScopedRouteConfiguration,
    scope: &routes::Scope<'_>,
) -> Option<Scope> {
    translate(cx, proto, |cx, proto| routes::in_scope(cx, proto, scope))
}

fn translate(
    cx: &Cx<'_>,
    proto: &route::ScopedRouteConfiguration,
    configuration: impl Fn(
        &Cx<'_>,
        &route::RouteConfiguration,
    ) -> tandem_model::route::RouteConfiguration,
) -> Option<Scope> {
    let routes = match (&proto.route_configuration, &*proto.route_configuration_name) {
        (Some(_), name) if !name.is_empty() => {
            cx.error("expected either route_configuration or route_configuration_name");
            return None;
        }
        (Some(own), _) => ScopeRoutes::Inline(Arc::new(configuration(
            &cx.field("route_configuration"),
            own,
        ))),
        (None, "") => {
            cx.error("expected one of route_configuration, route_configuration_name");
            return None;
        }
        (None, name) => ScopeRoutes::Named(name.into()),
    };
    let fragments = proto.key.as_ref().map_or(&[][..], |key| &key.fragments);
    let text = |fragment: &route::scoped_route_configuration::key::Fragment| {
        let Some(KeyType::StringKey(text)) = fragment.r#type.clone() else {
            return String::new();
        };
        text
    };
    let texts: Vec<String> = fragments.iter().map(text).collect();
    let Some(key) = ScopeKey::new(texts.iter().map(String::as_str)) else {
        cx.field("key")
            .error("expected fragments that a header can have, got one with a NUL");
        return None;
    };
    Some(Scope {
        name: proto.name.as_str().into(),
        key,
        routes,
    })
}

/// No two scopes have one name or one key: which of them a request takes would be chance.
fn once_each(cx: &Cx<'_>, scopes: &[Arc<Scope>]) {
    let (mut names, mut keys) = (HashMap::new(), HashMap::new());
    let list = &cx.field("scoped_route_configurations");
    for (i, scope) in scopes.iter().enumerate() {
        if names.insert(&scope.name, i).is_some() {
            let again = format!("expected every name once, got '{}' again", scope.name);
            list.index(i).field("name").error(again);
        } else if let Some(other) = keys.insert(&scope.key, i) {
            let taken = format!(
                "expected every key once, '{}' has it already",
                scopes[other].name
            );
            list.index(i).field("key").error(taken);
        }
    }
}
