"""Mutual TLS between two sidecars, as both bootstraps say it."""

import json
import subprocess

TYPE = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."


def certificates(tool, directory):
    """An authority and a certificate for each side, as files."""
    place = directory / "certs"
    place.mkdir()
    subprocess.run([tool, "certs", "--out", place], check=True)
    return place


def client(place, alpn, resume=True):
    """The cluster's transport socket: TLS 1.3, the server's identity is checked."""
    context = {"sni": "bench.local", "common_tls_context": _common(place, "client", "server", alpn)}
    if not resume:
        context["max_session_keys"] = 0
    return "    " + _socket("UpstreamTlsContext", context)


def server(place, alpn):
    """The filter chain's: TLS 1.3, the client must have a certificate, its identity is checked."""
    context = {"require_client_certificate": True,
               "common_tls_context": _common(place, "server", "client", alpn)}
    return "      " + _socket("DownstreamTlsContext", context)


def _common(place, own, peer, alpn):
    common = {
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_3",
                       "tls_maximum_protocol_version": "TLSv1_3"},
        "tls_certificates": [{"certificate_chain": {"filename": f"{place}/{own}.pem"},
                              "private_key": {"filename": f"{place}/{own}.key"}}],
        "validation_context": {
            "trusted_ca": {"filename": f"{place}/ca.pem"},
            "match_typed_subject_alt_names": [
                {"san_type": "URI", "matcher": {"exact": f"spiffe://bench/{peer}"}}]},
    }
    return {**common, "alpn_protocols": alpn} if alpn else common


def _socket(message, context):
    # JSON is YAML.
    return "transport_socket: " + json.dumps({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {"@type": TYPE + message, **context}})
