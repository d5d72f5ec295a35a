use super::{markdown, table};
use crate::schema::{Kind, Message};
use crate::{Source, read_bootstrap};

fn lines(yaml: &str) -> Vec<String> {
    match read_bootstrap(&[Source::yaml("t", yaml)]) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

/// A misspelt entry would refuse or accept the wrong thing.
#[test]
fn the_tables_name_only_what_exists() {
    for ty in table::AREAS.iter().flat_map(|area| area.types) {
        let message = Message::named(ty.name).unwrap_or_else(|| panic!("no message {}", ty.name));
        let ignored = ty.ignored.iter().map(|(name, _)| *name);
        let named = ty.supported.iter().map(|s| s.field).chain(ignored);
        for name in named {
            let field = message.fields().find(|field| field.name() == name);
            assert!(field.is_some(), "{} has no field {name}", ty.name);
        }
        for supported in ty.supported {
            let field = message.field_named(supported.field).unwrap();
            for only in supported.only {
                match field.kind() {
                    Kind::Enum(e) => assert!(e.values().any(|(name, _)| name == *only), "{only}"),
                    _ => assert!(Message::named(only).is_some(), "{only}"),
                }
            }
        }
    }
}

#[test]
fn the_documentation_lists_every_message() {
    let page = markdown();
    for ty in table::AREAS.iter().flat_map(|area| area.types) {
        assert!(page.contains(&format!("### `{}`", ty.name)));
    }
}

#[test]
fn unsupported_fields_are_refused_all_at_once() {
    let found = lines(
        "hds_config: {}\nstatic_resources:\n  clusters:\n  - name: a\n    lb_policy: MAGLEV\n\
         \x20   lb_subset_config: {}\n    transport_socket:\n      name: tls\n      typed_config:\n\
         \x20       '@type': type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret\n\
         \x20 - name: b\n    transport_socket: {name: x, typed_config: {'@type': a.b/c.D}}\n",
    );
    assert_eq!(
        found,
        [
            "'hds_config' is not supported (t:1:1)",
            "static_resources.clusters[0].lb_policy: 'MAGLEV' is not supported (t:5:5)",
            "static_resources.clusters[0]: 'lb_subset_config' is not supported (t:6:5)",
            "static_resources.clusters[0].transport_socket.typed_config: type \
             'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret' is \
             not supported (t:9:7)",
            "static_resources.clusters[1].transport_socket.typed_config: type 'a.b/c.D' is not \
             supported (t:12:48)",
        ]
    );
}

/// Filters that nobody has a message of are known by their names and by what they carry.
#[test]
fn a_filter_that_is_not_supported_is_named() {
    let filters = "static_resources: {listeners: [{filter_chains: [{filters: [{name: istio.stats, \
        typed_config: {'@type': type.googleapis.com/udpa.type.v1.TypedStruct, \
        type_url: type.googleapis.com/stats.PluginConfig}}]}]}]}";
    let filters = lines(filters);
    assert!(
        filters.contains(
            &"static_resources.listeners[0].filter_chains[0].filters[0].typed_config: filter \
              'istio.stats' of type 'type.googleapis.com/stats.PluginConfig' is not supported \
              (t:1:80)"
                .to_owned()
        ),
        "{filters:#?}"
    );
}

#[test]
fn ignored_fields_are_accepted() {
    let text = "node: {id: a, metadata: {x: 1}}\nstats_flush_interval: 5s\nstatic_resources: {}\n";
    assert_eq!(lines(text), Vec::<String>::new());
}

#[test]
fn later_sources_are_merged_over_earlier_ones() {
    let sources = [
        Source::file("a.json", "{\"node\": {\"id\": \"a\", \"cluster\": \"c\"}}"),
        Source::yaml("--config-yaml", "node: {id: b}"),
    ];
    let node = read_bootstrap(&sources).unwrap().node.unwrap();
    assert_eq!((node.id.as_str(), node.cluster.as_str()), ("b", "c"));
}
