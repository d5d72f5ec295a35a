//! The options of `tandem explain`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

/// A question, and whom to ask.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("whom").required(true))]
pub(crate) struct ExplainOptions {
    /// Ask a bootstrap: YAML, or JSON if the name ends in .json. What control planes and DNS
    /// say is not known then, and named as such.
    #[arg(short = 'c', long = "config-path", value_name = "FILE", group = "whom")]
    pub(crate) config_path: Option<PathBuf>,
    /// Ask the running process whose admin server listens there: HOST:PORT.
    #[arg(long, value_name = "ADDR", group = "whom")]
    pub(crate) admin: Option<String>,
    /// The method (default GET), then the URL: http, https, or tcp for bytes that are not HTTP.
    #[arg(value_name = "[METHOD] URL", required = true, num_args = 1..=2)]
    pub(crate) request: Vec<String>,
    /// A header of the request; `host` stands in place of the URL's.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<String>,
    /// Which door it takes, outbound (from the application) or inbound; default outbound.
    #[arg(long, value_name = "DIRECTION")]
    pub(crate) direction: Option<String>,
    /// The listener that it reaches; default: found by direction and destination.
    #[arg(long, value_name = "NAME")]
    pub(crate) listener: Option<String>,
    /// The address that it connects to, where the URL has a name: IP.
    #[arg(long, value_name = "IP")]
    pub(crate) to: Option<String>,
    /// Where it comes from, IP or IP:PORT; default 127.0.0.1.
    #[arg(long, value_name = "IP")]
    pub(crate) source: Option<String>,
    /// The connection is encrypted, as with https.
    #[arg(long)]
    pub(crate) tls: bool,
    /// The server name asked for by TLS; default: the URL's host, unless it is an address.
    #[arg(long, value_name = "NAME")]
    pub(crate) sni: Option<String>,
    /// The application protocols offered by TLS, with commas; default h2,http/1.1 or http/1.1.
    #[arg(long, value_name = "LIST")]
    pub(crate) alpn: Option<String>,
    /// The URI in the client's certificate, such as spiffe://cluster.local/ns/a/sa/b.
    #[arg(long, value_name = "URI")]
    pub(crate) identity: Option<String>,
    /// Over HTTP/2.
    #[arg(long)]
    pub(crate) http2: bool,
    /// The whole answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Name everything that was not chosen, however much it is.
    #[arg(long)]
    pub(crate) all: bool,
}

impl ExplainOptions {
    /// The question, as name and value: what `/explain` of the admin server is asked too.
    pub(crate) fn pairs(&self) -> Vec<(String, String)> {
        let (method, url) = match &*self.request {
            [method, url] => (Some(method), url.clone()),
            [url] => (None, url.clone()),
            _ => (None, String::new()),
        };
        let flag = |given: bool| given.then(|| "true".to_owned());
        let mut pairs = vec![("url".to_owned(), url)];
        let mut add = |name: &str, value: Option<String>| {
            pairs.extend(value.map(|value| (name.to_owned(), value)));
        };
        add("method", method.cloned());
        add("direction", self.direction.clone());
        add("listener", self.listener.clone());
        add("to", self.to.clone());
        add("source", self.source.clone());
        add("tls", flag(self.tls));
        add("sni", self.sni.clone());
        add("alpn", self.alpn.clone());
        add("identity", self.identity.clone());
        add("http2", flag(self.http2));
        for header in &self.headers {
            add("header", Some(header.clone()));
        }
        pairs
    }
}
