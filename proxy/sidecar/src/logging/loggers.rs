//! The names under which single parts of the process can log more or less: Envoy's, and those of
//! this project's crates.

/// A part of the process that has a level of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Logger {
    /// What it is called.
    pub(crate) name: &'static str,
    /// Where its lines come from: the beginnings of module paths. None: nothing here logs what
    /// Envoy logs under that name.
    pub(crate) targets: &'static [&'static str],
}

impl Logger {
    /// The one of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::all().find(|logger| logger.name == name)
    }

    /// All names that are accepted.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let known = MEANT.iter().copied();
        let known = known.chain(WITHOUT_MEANING.iter().map(|name| (*name, [].as_slice())));
        known.map(|(name, targets)| Self { name, targets })
    }
}

/// How the module paths of this project's crates begin.
pub(super) const OWN: &str = "tandem";

/// Those that have a meaning. Where one is within another, what is set for the inner one holds.
const MEANT: &[(&str, &[&str])] = &[
    ("admin", &["tandem::admin"]),
    ("compression", &["tandem_filters::compressor"]),
    (
        "config",
        &[
            "tandem::config",
            "tandem::mesh",
            "tandem_xds_client",
            "tandem_xds_translate",
        ],
    ),
    ("conn_handler", &["tandem_stack::listeners"]),
    ("connection", &["tandem_transport"]),
    ("dns", &["tandem_upstream::dns", "hickory_"]),
    ("file", &["tandem_stack::access_log"]),
    ("filter", &["tandem_filters"]),
    ("grpc", &["tonic", "tandem::als"]),
    ("http", &["tandem_stack::hcm", "hyper"]),
    ("http2", &["h2"]),
    ("main", &["tandem::"]),
    ("pool", &["tandem_upstream::pool", "hyper_util::client"]),
    ("rbac", &["tandem_filters::rbac"]),
    (
        "router",
        &["tandem_stack::router", "tandem_upstream::retry"],
    ),
    ("runtime", &["tandem::layers"]),
    ("secret", &["tandem_transport::tls::secrets"]),
    ("upstream", &["tandem_upstream"]),
    // Those that Envoy does not have.
    ("api_components", &["tandem_api_components"]),
    ("api_contract", &["tandem_api_contract"]),
    ("api_server", &["tandem_api_server"]),
    ("stack", &["tandem_stack"]),
];

/// The rest of Envoy's.
const WITHOUT_MEANING: &[&str] = &[
    "a2a",
    "ai_protocol_manager",
    "alternate_protocols_cache",
    "assert",
    "aws",
    "backtrace",
    "basic_auth",
    "cache_filter",
    "client",
    "credential_injector",
    "decompression",
    "dubbo",
    "dynamic_modules",
    "envoy_bug",
    "ext_authz",
    "ext_proc",
    "forward_proxy",
    "geolocation",
    "golang",
    "happy_eyeballs",
    "hc",
    "health_checker",
    "hystrix",
    "init",
    "io",
    "ip_tagging",
    "json_rpc",
    "jwt",
    "kafka",
    "key_value_store",
    "local_rate_limit",
    "lua",
    "matcher",
    "mcp",
    "misc",
    "mongo",
    "multi_connection",
    "notification",
    "oauth2",
    "quic",
    "quic_stream",
    "rate_limit_quota",
    "rds",
    "redis",
    "rocketmq",
    "sse",
    "stats",
    "stats_sinks",
    "tap",
    "testing",
    "thrift",
    "tracing",
    "udp",
    "wasm",
    "websocket",
];
