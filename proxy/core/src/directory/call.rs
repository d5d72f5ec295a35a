//! A call of another application: what it names, and the service that it takes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, LazyLock};

use tandem_model::matching::{RouteTable, strip_port};

use super::NotFound;
use crate::HttpService;

/// What [`Call::protocol`] may be.
pub(super) static HTTP_11: LazyLock<Arc<str>> = LazyLock::new(|| "http/1.1".into());
static H2C: LazyLock<Arc<str>> = LazyLock::new(|| "h2c".into());

/// A call, as the application itself would make it.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Whom it calls: a name or an address, with a port or without.
    pub id: &'a str,
    /// The port if the id has none.
    pub default_port: u16,
    /// Whether it is gRPC, hence HTTP/2.
    pub is_grpc: bool,
    /// The application's own address.
    pub client: Option<SocketAddr>,
}

/// The way of a call.
#[derive(Clone, Debug)]
pub struct Way {
    /// What it runs through.
    pub service: HttpService,
    /// Where the application's own connection would have gone, if that is known.
    pub destination: Option<SocketAddr>,
    /// Whether its virtual host is only known with the port, which the id does not have.
    pub needs_port: bool,
}

/// A call's id, taken apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    pub(super) id: &'a str,
    /// Without the port; an IPv6 address without its brackets.
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) has_port: bool,
    pub(super) address: Option<IpAddr>,
    pub(super) protocols: &'a [Arc<str>],
    pub(super) client: SocketAddr,
}

impl<'a> Call<'a> {
    pub(super) fn target(&self) -> Result<Target<'a>, NotFound> {
        let wrong = || NotFound::NoDestination(self.id.to_owned());
        let host = strip_port(self.id);
        let port = match self.id.get(host.len() + 1..) {
            Some(digits) => digits.parse().ok().filter(|port| *port > 0),
            None => Some(self.default_port),
        };
        let port = port.ok_or_else(wrong)?;
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let address = match bare {
            Some(bare) => Some(IpAddr::V6(bare.parse().map_err(|_| wrong())?)),
            None => host.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        };
        let name = bare.unwrap_or(host);
        if name.is_empty() || (bare.is_none() && name.contains([':', '[', ']'])) {
            return Err(wrong());
        }
        Ok(Target {
            id: self.id,
            host: name,
            port,
            has_port: host.len() < self.id.len(),
            address,
            protocols: std::slice::from_ref(if self.is_grpc { &*H2C } else { &*HTTP_11 }),
            client: self
                .client
                .unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 0).into()),
        })
    }
}

/// How a route table knows a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// The number of the virtual host.
    pub(super) host: usize,
    pub(super) needs_port: bool,
}

impl Target<'_> {
    /// The virtual host that names it, by more than `*`.
    pub(super) fn known(&self, routes: &RouteTable) -> Option<Known> {
        let (ports_matter, id) = (!routes.config().ignore_port_in_host_matching, self.id);
        if let Some(host) = routes.named_virtual_host(id) {
            return Some(Known {
                host,
                needs_port: false,
            });
        }
        if self.has_port || !ports_matter {
            return None;
        }
        let host = routes.named_virtual_host(&format!("{id}:{}", self.port))?;
        Some(Known {
            host,
            needs_port: true,
        })
    }

    /// Whether a virtual host for everything that goes to one address is this one's by its own
    /// name, as istiod names them: `echo.default.svc.cluster.local:9000`. A name may be as short
    /// as the application may write it.
    pub(super) fn is_meant(&self, virtual_host: &str) -> bool {
        let host = strip_port(virtual_host);
        let port = virtual_host.get(host.len() + 1..);
        let rest = host.get(self.host.len()..);
        port.and_then(|port| port.parse().ok()) == Some(self.port)
            && host
                .get(..self.host.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(self.host))
            && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// All addresses of its port.
    pub(super) fn anywhere(&self) -> [SocketAddr; 2] {
        let v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, self.port));
        let v6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, self.port));
        match self.address {
            Some(IpAddr::V6(_)) => [v6, v6],
            Some(IpAddr::V4(_)) => [v4, v4],
            None => [v4, v6],
        }
    }
}
