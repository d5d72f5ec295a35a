//! Addresses.

use std::net::{IpAddr, SocketAddr};

use envoy_types::pb::envoy::config::core::v3 as core;
use tandem_model::address::{Address, MAX_PIPE_PATH, Pipe};
use tandem_model::cidr::Cidr;

use crate::cx::Cx;
use crate::value;

/// What else than an IP address and port an address may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beside {
    /// Nothing.
    Nothing,
    /// A Unix socket.
    Pipe,
    /// A name to be resolved.
    Name,
}

/// An address.
pub(crate) fn address(
    cx: &Cx<'_>,
    proto: Option<&core::Address>,
    beside: Beside,
) -> Option<Address> {
    use core::address::Address as Proto;
    let names = beside == Beside::Name;
    match proto.and_then(|proto| proto.address.as_ref()) {
        Some(Proto::SocketAddress(socket)) => {
            socket_address(&cx.field("socket_address"), socket, names)
        }
        Some(Proto::Pipe(proto)) if beside == Beside::Pipe => {
            pipe(&cx.field("pipe"), proto).map(Address::Pipe)
        }
        Some(Proto::Pipe(_)) => {
            cx.error("'pipe' is not supported here: expected a socket_address");
            None
        }
        Some(Proto::EnvoyInternalAddress(_)) => {
            cx.error("'envoy_internal_address' is not supported");
            None
        }
        None => {
            cx.error("expected an address");
            None
        }
    }
}

fn socket_address(cx: &Cx<'_>, proto: &core::SocketAddress, names: bool) -> Option<Address> {
    use core::socket_address::PortSpecifier;
    let port = match proto.port_specifier {
        Some(PortSpecifier::PortValue(port)) => value::port(&cx.field("port_value"), port)?,
        _ => {
            cx.error("expected a port_value");
            return None;
        }
    };
    match proto.address.parse::<IpAddr>() {
        Ok(ip) => Some(Address::Socket(SocketAddr::new(ip, port))),
        Err(_) if names => Some(Address::Name {
            host: proto.address.as_str().into(),
            port,
        }),
        Err(_) => {
            let reason = format!(
                "expected an IP address, got {:?} (names are resolved in clusters of type \
                 STRICT_DNS and LOGICAL_DNS)",
                proto.address
            );
            cx.field("address").error(reason);
            None
        }
    }
}

fn pipe(cx: &Cx<'_>, proto: &core::Pipe) -> Option<Pipe> {
    let path = &cx.field("path");
    if proto.path.len() >= MAX_PIPE_PATH {
        path.error(format!(
            "expected less than {MAX_PIPE_PATH} bytes, got {}",
            proto.path.len()
        ));
        return None;
    }
    if proto.path.contains('\0') {
        path.error("expected no NUL: a path in the abstract namespace begins with '@'");
        return None;
    }
    if proto.mode != 0 && proto.path.starts_with('@') {
        let reason = "expected none, since a socket of the abstract namespace has no file";
        cx.field("mode").error(reason);
        return None;
    }
    Some(Pipe {
        path: proto.path.as_str().into(),
        mode: proto.mode,
    })
}

/// An IP address and port, of a message of its own.
pub(crate) fn ip(cx: &Cx<'_>, proto: &core::SocketAddress) -> Option<SocketAddr> {
    socket_address(cx, proto, false)?.socket()
}

/// An address and a prefix length.
pub(crate) fn cidr(cx: &Cx<'_>, proto: &core::CidrRange) -> Option<(IpAddr, u8)> {
    let Ok(ip) = proto.address_prefix.parse::<IpAddr>() else {
        let reason = format!("expected an IP address, got {:?}", proto.address_prefix);
        cx.field("address_prefix").error(reason);
        return None;
    };
    let most = if ip.is_ipv4() { 32 } else { 128 };
    let length = value::u32_or(proto.prefix_len.as_ref(), 0);
    match u8::try_from(length).ok().filter(|length| *length <= most) {
        Some(length) => Some((ip, length)),
        None => {
            cx.field("prefix_len")
                .error(format!("expected at most {most}, got {length}"));
            None
        }
    }
}

/// An address range; a prefix that is longer than the address is all of it, as in Envoy.
pub(crate) fn range(cx: &Cx<'_>, proto: &core::CidrRange) -> Option<Cidr> {
    let Ok(address) = proto.address_prefix.parse::<IpAddr>() else {
        let reason = format!("expected an IP address, got {:?}", proto.address_prefix);
        cx.field("address_prefix").error(reason);
        return None;
    };
    let bits = value::u32_or(proto.prefix_len.as_ref(), 0);
    Some(Cidr::new(address, u8::try_from(bits).unwrap_or(u8::MAX)))
}
