use crate::{Source, read_bootstrap};

fn lines(clusters: &str) -> Vec<String> {
    let text = format!("static_resources: {{clusters: [{clusters}]}}");
    match read_bootstrap(&[Source::yaml("t", text)]) {
        Ok(_) => Vec::new(),
        Err(errors) => errors
            .iter()
            .map(|e| format!("{}: {}", e.path(), e.reason()))
            .collect(),
    }
}

#[test]
fn the_rules_of_the_proto_files_hold() {
    for (cluster, expected) in [
        ("{}", "name: expected a value, it must not be empty"),
        (
            "{name: a, connect_timeout: 0s}",
            "connect_timeout: expected more than 0ns",
        ),
        (
            "{name: a, dns_refresh_rate: 0.0001s}",
            "dns_refresh_rate: expected more than 1ms",
        ),
        (
            "{name: a, load_assignment: {endpoints: [{priority: 200}]}}",
            "load_assignment.endpoints[0].priority: expected at most 128, got 200",
        ),
        (
            "{name: a, load_assignment: {endpoints: [{lb_endpoints: [{endpoint: {address: {}}}]}]}}",
            "endpoint.address: expected one of socket_address, pipe, envoy_internal_address",
        ),
        (
            "{name: a, outlier_detection: {max_ejection_percent: 101}}",
            "max_ejection_percent: expected at most 100, got 101",
        ),
        (
            "{name: a, least_request_lb_config: {choice_count: 1}}",
            "choice_count: expected at least 2, got 1",
        ),
        (
            "{name: a, load_assignment: {cluster_name: a, endpoints: [{lb_endpoints: [{endpoint: \
          {address: {socket_address: {address: x}}}}]}]}}",
            "socket_address: expected one of port_value, named_port",
        ),
    ] {
        let found = lines(cluster);
        assert!(
            found.iter().any(|line| line.contains(expected)),
            "{cluster}: {found:#?}"
        );
    }
}

#[test]
fn a_message_that_keeps_the_rules_passes() {
    let found =
        lines("{name: a, connect_timeout: 1s, outlier_detection: {max_ejection_percent: 0}}");
    assert_eq!(found, Vec::<String>::new());
}
