//! What is asked for by name on behalf of clusters and listeners: endpoints and secrets.

use serde_json::{Map, Value, json};

use super::super::Cascade;
use super::{Dump, Kind, add_error, resource, state};

impl Cascade {
    /// The endpoints of every cluster that does not have them in the bootstrap, as they came.
    pub(super) fn dump_endpoints(&self, dump: &mut Dump) {
        let mut all: Vec<_> = self.endpoints.dump().collect();
        all.sort_by_key(|(cluster, ..)| *cluster);
        for (cluster, key, received, refused) in all {
            let mut entry = match received {
                Some(received) => state("endpoint_config", Kind::Endpoints, received),
                None => nothing(
                    "endpoint_config",
                    Kind::Endpoints,
                    "cluster_name",
                    &key.name,
                ),
            };
            add_error(&mut entry, Kind::Endpoints, refused);
            match self.clusters.is_from_bootstrap(cluster) {
                true => dump.static_endpoints.push(entry.into()),
                false => dump.endpoints.push(entry.into()),
            }
        }
        let mut clusters: Vec<_> = self.clusters.dump().collect();
        clusters.sort_by_key(|(name, active, _)| (*name, !active));
        for (_, _, received) in clusters {
            let assignment = &resource(Kind::Cluster, received)["load_assignment"];
            if let Some(assignment) = assignment.as_object() {
                let mut typed = Map::new();
                typed.insert("@type".to_owned(), Kind::Endpoints.type_url().into());
                typed.extend(assignment.clone());
                dump.endpoints.push(json!({ "endpoint_config": typed }));
            }
        }
    }

    /// A secret that has not come is shown by its name alone.
    pub(super) fn dump_secrets(&self, dump: &mut Dump) {
        let mut all: Vec<_> = self.secrets.dump().collect();
        all.sort_by(|(a, ..), (b, ..)| a.name.cmp(&b.name));
        for (key, received, refused) in all {
            let mut entry = match received {
                Some(received) => state("secret", Kind::Secret, received),
                None => nothing("secret", Kind::Secret, "name", &key.name),
            };
            entry.insert("name".to_owned(), (*key.name).into());
            add_error(&mut entry, Kind::Secret, refused);
            match received {
                Some(_) => dump.active_secrets.push(entry.into()),
                None => dump.warming_secrets.push(entry.into()),
            }
        }
    }
}

/// What stands for a resource that has not come, as Envoy shows it.
fn nothing(field: &str, kind: Kind, name_field: &str, name: &str) -> Map<String, Value> {
    let shown = json!({ "@type": kind.type_url(), name_field: name });
    let mut entry = Map::new();
    if kind == Kind::Secret {
        entry.insert("version_info".to_owned(), "uninitialized".into());
    }
    entry.insert(field.to_owned(), shown);
    entry
}
