//! Responses that files and REST have.

use crate::{Source, read_response};

const CLUSTER: &str = "\"@type\": type.googleapis.com/envoy.config.cluster.v3.Cluster";

fn faults(text: &str) -> (usize, Vec<(usize, String)>) {
    let read = read_response(&Source::yaml("cds.yaml", text)).unwrap();
    (
        read.response.resources.len(),
        read.faults.into_iter().collect(),
    )
}

#[test]
fn what_cannot_be_written_is_a_fault_of_its_resource_alone() {
    let found = faults(&format!(
        "resources:\n- {{ {CLUSTER}, name: a }}\n- {CLUSTER}\n  name: b\n  nane: c\n  \
         connect_timeout: [1]\n- nonsense\n"
    ));
    let expected = [
        (
            1,
            "nane: envoy.config.cluster.v3.Cluster has no such field (cds.yaml:5:3); \
             connect_timeout: expected a duration like \"1.5s\", got a list (cds.yaml:6:20)"
                .to_owned(),
        ),
        (
            2,
            "expected a mapping, got the string \"nonsense\" (cds.yaml:7:3)".to_owned(),
        ),
    ];
    assert_eq!(found, (3, expected.to_vec()));
}

/// As over gRPC: whether it matters is seen when the resource is judged.
#[test]
fn a_type_that_nobody_knows_is_no_fault_yet() {
    let found = faults(&format!(
        "resources:\n- {CLUSTER}\n  name: a\n  transport_socket: {{ name: t, typed_config: {{ \
         \"@type\": type.googleapis.com/example.Unknown, x: 1 }} }}\n"
    ));
    assert_eq!(found, (1, Vec::new()));
}

#[test]
fn what_is_wrong_with_the_response_itself_is_an_error() {
    let read = read_response(&Source::yaml("cds.yaml", "resource: []\n"));
    let error = read.unwrap_err().to_string();
    assert!(error.starts_with("resource: "), "{error}");
}
