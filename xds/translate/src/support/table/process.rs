//! The process: bootstrap, node, admin.

use crate::support::area::{Area, types};

pub(super) const AREA: Area = Area {
    title: "Process",
    types: types! {
        "envoy.config.bootstrap.v3.Bootstrap" {
            node, static_resources, admin;
            stats_flush_interval: "metrics are read when they are asked for, never flushed",
            enable_dispatcher_stats: "there is no dispatcher",
        }
        "envoy.config.bootstrap.v3.Bootstrap.StaticResources" {
            listeners, clusters, secrets,
        }
        "envoy.config.core.v3.Node" {
            id, cluster, locality;
            metadata: "only a control plane reads it",
            user_agent_name: "only a control plane reads it",
            user_agent_version: "only a control plane reads it",
            user_agent_build_version: "only a control plane reads it",
            extensions: "only a control plane reads it",
            client_features: "only a control plane reads it",
        }
        "envoy.config.core.v3.Locality" { region, zone, sub_zone }
        "envoy.config.bootstrap.v3.Admin" {
            address, access_log_path;
            profile_path: "there is no profiler to write there",
        }
    },
};
