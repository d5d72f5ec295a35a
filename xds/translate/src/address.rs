//! Addresses.

use std::net::{IpAddr, SocketAddr};

use envoy_types::pb::envoy::config::core::v3 as core;
use tandem_model::Address;
use tandem_model::cidr::Cidr;

use crate::cx::Cx;
use crate::value;

/// An IP address and port.
pub(crate) fn address(cx: &Cx<'_>, proto: Option<&core::Address>) -> Option<Address> {
    translate(cx, proto, false)
}

/// The same, or a name to be resolved.
pub(crate) fn address_or_name(cx: &Cx<'_>, proto: Option<&core::Address>) -> Option<Address> {
    translate(cx, proto, true)
}

fn translate(cx: &Cx<'_>, proto: Option<&core::Address>, names: bool) -> Option<Address> {
    use core::address::Address as Proto;
    match proto.and_then(|proto| proto.address.as_ref()) {
        Some(Proto::SocketAddress(socket)) => {
            socket_address(&cx.field("socket_address"), socket, names)
        }
        Some(Proto::Pipe(_)) => {
            cx.error("'pipe' is not supported");
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
