//! Access logs and their formats.

use crate::support::area::{Area, types};

pub(super) const AREA: Area = Area {
    title: "Access logs",
    types: types! {
        "envoy.config.accesslog.v3.AccessLog" {
            name,
            typed_config =
                "envoy.extensions.access_loggers.file.v3.FileAccessLog"
                | "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog"
                | "envoy.extensions.access_loggers.stream.v3.StderrAccessLog",
        }
        "envoy.extensions.access_loggers.file.v3.FileAccessLog" {
            path, format, json_format, typed_json_format, log_format,
        }
        "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog" { log_format }
        "envoy.extensions.access_loggers.stream.v3.StderrAccessLog" { log_format }
        "envoy.config.core.v3.SubstitutionFormatString" {
            text_format, text_format_source, json_format, omit_empty_values,
        }
    },
};
