//! The fields that say where Redis is and how long to wait for it: Dapr's and Layotto's names.

use std::time::Duration;

use redis::{ConnectionAddr, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo};
use tandem_api_contract::options::Options;

/// Port of a `redisHost` that names none.
const PORT: u16 = 6379;

/// What has no meaning for one pipelined connection a worker.
const POOL_FIELDS: [&str; 8] = [
    "poolSize",
    "minIdleConns",
    "poolTimeout",
    "idleTimeout",
    "idleCheckFrequency",
    "maxConnAge",
    "writeTimeout",
    "redisMinRetryInterval",
];

/// How to reach a server.
pub(super) struct Config {
    /// Host and port, for people.
    pub(super) address: String,
    /// Speaks RESP3, in which the client tells when the connection is closed.
    pub(super) client: Option<redis::Client>,
    /// Speaks RESP2, for servers before Redis 6.
    pub(super) old_client: Option<redis::Client>,
    pub(super) connect_timeout: Duration,
    pub(super) response_timeout: Duration,
    /// How often a read is tried again on a new connection.
    pub(super) retries: u32,
    /// The longest pause between attempts to connect.
    pub(super) pause: Duration,
}

pub(super) fn read(options: &mut Options<'_>) -> Config {
    let address = options.required("redisHost").to_owned();
    let (host, port) = split(&address).unwrap_or_else(|| {
        options.refuse("redisHost", "expected host:port");
        (String::new(), PORT)
    });
    let mut login = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP3);
    if let Some(user) = options.text("redisUsername") {
        login = login.set_username(user);
    }
    if let Some(password) = options.text("redisPassword") {
        login = login.set_password(password);
    }
    let (database, other) = ["redisDB", "db"]
        .map(|name| options.number(name, 0..=i64::from(i32::MAX)))
        .into();
    login = login.set_db(database.or(other).unwrap_or(0));
    refuse_what_is_not_here(options);
    options.without_effect(&POOL_FIELDS);
    let millisecond = Duration::from_millis(1);
    // Both are read, so that neither is unknown where both stand.
    let (retries, other) = ["redisMaxRetries", "maxRetries"]
        .map(|name| options.number(name, -1..=100))
        .into();
    let retries = retries.or(other).unwrap_or(3);
    let (pause, other) = ["redisMaxRetryInterval", "maxRetryBackoff"]
        .map(|name| options.duration(name, millisecond))
        .into();
    let pause = pause.or(other);
    let open = |login: RedisConnectionInfo| {
        let info = ConnectionAddr::Tcp(host.clone(), port).into_connection_info()?;
        redis::Client::open(info.set_redis_settings(login))
    };
    let old_client = open(login.clone().set_protocol(ProtocolVersion::RESP2)).ok();
    let client = open(login);
    let client = client
        .map_err(|error| options.refuse("redisHost", &error.to_string()))
        .ok();
    let second = Duration::from_secs(1);
    Config {
        address,
        client,
        old_client,
        connect_timeout: options
            .duration("dialTimeout", second)
            .unwrap_or(3 * second),
        response_timeout: options
            .duration("readTimeout", second)
            .unwrap_or(3 * second),
        retries: u32::try_from(retries).unwrap_or(0),
        pause: pause.filter(|pause| !pause.is_zero()).unwrap_or(2 * second),
    }
}

fn refuse_what_is_not_here(options: &mut Options<'_>) {
    for (field, what) in [
        ("enableTLS", "TLS to Redis"),
        ("failover", "Redis Sentinel"),
        ("useEntraID", "Microsoft Entra ID"),
    ] {
        if options.boolean(field) == Some(true) {
            options.refuse(field, &format!("{what} is not supported"));
        }
    }
    for field in [
        "clientCert",
        "clientKey",
        "sentinelMasterName",
        "redisHosts",
    ] {
        if options.text(field).is_some() {
            options.refuse(field, "is not supported");
        }
    }
    if let Some(kind) = options.text("redisType").filter(|kind| *kind != "node") {
        options.refuse(
            "redisType",
            &format!("'{kind}' is not supported: expected 'node'"),
        );
    }
}

fn split(address: &str) -> Option<(String, u16)> {
    if address.is_empty() {
        // Refused as missing already.
        return Some((String::new(), PORT));
    }
    if address.contains("://") || address.contains(',') {
        return None;
    }
    if let Some(rest) = address.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        let port = port
            .strip_prefix(':')
            .map_or(Some(PORT), |port| port.parse().ok())?;
        return Some((host.to_owned(), port));
    }
    match address.rsplit_once(':') {
        Some((host, port)) => Some((host.to_owned(), port.parse().ok()?)),
        None => Some((address.to_owned(), PORT)),
    }
}
