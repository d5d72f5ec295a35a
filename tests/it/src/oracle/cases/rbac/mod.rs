//! Access control: what matches, what is said of it, and paths that try to get around it.

mod connections;
mod levels;
mod logged;
mod matchers;
mod paths;

use crate::oracle::bootstrap::indent;

const PER_ROUTE: &str = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBACPerRoute";

/// The filter under this name, with these fields.
fn filter(name: &str, fields: &str) -> String {
    format!(
        "- name: {name}\n  typed_config:\n    \"@type\": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC\n{}",
        indent(fields, 4)
    )
}

/// Rules with one policy `p`.
fn rules(action: &str, permission: &str, principal: &str) -> String {
    format!(
        "{{action: {action}, policies: {{p: {{permissions: [{{{permission}}}], principals: [{{{principal}}}]}}}}}}"
    )
}

/// What a route says of the filter `rbac`.
fn of_route(rules: &str) -> String {
    format!(
        "typed_per_filter_config: {{rbac: {{\"@type\": {PER_ROUTE}, rbac: {{rules: {rules}}}}}}}"
    )
}
