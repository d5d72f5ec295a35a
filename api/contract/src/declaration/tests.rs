use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::*;
use crate::{Error, options::Options, secret::SecretStore};

const REDIS: &str = "apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: orders
spec:
  type: state.redis
  version: v1
  initTimeout: 1m
  metadata:
  - name: redisHost
    value: localhost:6379
  - name: redisDB
    value: 3
  - name: enableTLS
    value: false
  - name: redisPassword
    secretKeyRef:
      name: redis
      key: password
auth:
  secretStore: vault
scopes: [shop, cart]
";

fn context() -> Context {
    Context {
        app_id: "shop".into(),
        pod_name: "pod-1".into(),
        ..Context::default()
    }
}

fn faults(text: &str) -> String {
    parse("x.yaml", text, &context()).unwrap_err().to_string()
}

fn one(text: &str) -> Declaration {
    parse("x.yaml", text, &context()).unwrap().remove(0)
}

fn component(metadata: &str) -> String {
    format!("kind: Component\nmetadata: {{name: a}}\nspec:\n  type: state.redis\n{metadata}")
}

struct Vault;

impl SecretStore for Vault {
    fn get(&self, name: &str) -> Result<BTreeMap<String, String>, Error> {
        match name {
            "redis" => Ok([("password".to_owned(), "s3cret".to_owned())].into()),
            _ => Err(Error::not_found(format!("no secret {name:?}"))),
        }
    }
}

#[test]
fn a_component_of_dapr_is_read_whole() {
    let declaration = one(REDIS);
    assert_eq!(
        (&*declaration.name, &*declaration.kind),
        ("orders", "state.redis")
    );
    assert_eq!(declaration.init_timeout, Duration::from_secs(60));
    let secrets = Secrets::from([("vault".to_owned(), Arc::new(Vault) as Arc<dyn SecretStore>)]);
    let resolved = declaration.resolve(&secrets).unwrap();
    let mut options = Options::new(&resolved);
    assert_eq!(options.required("redisHost"), "localhost:6379");
    assert_eq!(options.number("redisdb", 0..=15), Some(3));
    assert_eq!(options.boolean("enableTLS"), Some(false));
    assert_eq!(options.text("redisPassword"), Some("s3cret"));
    options.finish().unwrap();
    assert!(!format!("{resolved:?}").contains("s3cret"));
}

#[test]
fn scopes_and_namespaces_leave_out_what_is_not_meant() {
    let other = Context {
        app_id: "else".into(),
        ..Context::default()
    };
    assert!(parse("x.yaml", REDIS, &other).unwrap().is_empty());
    let text = REDIS.replace("  name: orders", "  name: orders\n  namespace: blue");
    let green = Context {
        namespace: Some("green".into()),
        ..context()
    };
    assert!(parse("x.yaml", &text, &green).unwrap().is_empty());
    assert_eq!(parse("x.yaml", &text, &context()).unwrap().len(), 1);
}

#[test]
fn several_documents_make_several_components() {
    let text = format!(
        "---\n{REDIS}---\n{}---\n",
        REDIS.replace("name: orders", "name: carts")
    );
    assert_eq!(parse("x.yaml", &text, &context()).unwrap().len(), 2);
}

#[test]
fn faults_name_file_line_and_field() {
    let unknown = faults(&REDIS.replace("version: v1", "vversion: v1"));
    assert_eq!(unknown, "x.yaml:7: field 'vversion' is not known in spec");
    assert!(faults("kind: Component\nspec: {type: a}").contains("'metadata.name' is missing"));
    assert!(faults("kind: Subscription\nroutes: 1").contains("kind 'Subscription'"));
    assert!(faults("kind: [").starts_with("x.yaml:"));
    let twice = component("  metadata:\n  - {name: x, value: 1}\n  - {name: X, value: 2}\n");
    assert_eq!(faults(&twice), "x.yaml:7: field 'X' is there twice");
    let both = component("  metadata:\n  - {name: x, value: 1, envRef: A}\n");
    assert!(faults(&both).contains("expected one of"));
}

#[test]
fn options_tell_missing_unknown_and_malformed_fields_at_once() {
    let text =
        component("  metadata:\n  - {name: redisDB, value: x}\n  - {name: oops, value: 2}\n");
    let resolved = one(&text).resolve(&Secrets::new()).unwrap();
    let mut options = Options::new(&resolved);
    options.required("redisHost");
    options.number("redisDB", 0..=15);
    let faults = options.finish().unwrap_err().to_string();
    let lines: Vec<_> = faults.lines().collect();
    assert_eq!(
        lines,
        [
            "x.yaml:1: field 'redisHost' is missing: state.redis cannot do without it",
            "x.yaml:6: field 'redisDB': expected a whole number from 0 to 15, found \"x\"",
            "x.yaml:7: field 'oops' is not known to state.redis",
        ]
    );
}

#[test]
fn what_a_reference_lacks_is_said() {
    let resolve =
        |text: &str, secrets: &Secrets| one(text).resolve(secrets).unwrap_err().to_string();
    let none = Secrets::new();
    let vault = Secrets::from([("vault".to_owned(), Arc::new(Vault) as Arc<dyn SecretStore>)]);
    assert!(resolve(REDIS, &none).contains("auth.secretStore 'vault' is not declared"));
    let no_auth = REDIS.replace("auth:\n  secretStore: vault\n", "");
    assert!(resolve(&no_auth, &none).contains("needs 'auth.secretStore'"));
    let no_key = REDIS.replace("key: password", "key: pass");
    assert!(resolve(&no_key, &vault).contains("secret 'redis' has no key 'pass'"));
    let env = component("  metadata:\n  - {name: x, envRef: TANDEM_SURELY_UNSET}\n");
    assert_eq!(
        resolve(&env, &none),
        "x.yaml:6: field 'x': the environment has no variable 'TANDEM_SURELY_UNSET'"
    );
}

#[test]
fn templates_are_filled_in() {
    let text =
        component("  metadata:\n  - {name: x, value: '{appID}-{podName}-{namespace}-{uuid}'}\n");
    let Value::Literal(text) = &one(&text).fields[0].value else {
        panic!("a literal")
    };
    assert!(text.starts_with("shop-pod-1-shop-"), "{text}");
    assert_eq!(text.len(), "shop-pod-1-shop-".len() + 36);
}

#[test]
fn folders_are_read_and_duplicates_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.yaml"), REDIS).unwrap();
    std::fs::write(folder.path().join("b.yml"), REDIS).unwrap();
    std::fs::write(folder.path().join("c.txt"), "not read").unwrap();
    let faults = read(&[folder.path().to_owned()], &context())
        .unwrap_err()
        .to_string();
    assert!(
        faults.contains("component 'orders' is declared already at"),
        "{faults}"
    );
    std::fs::remove_file(folder.path().join("b.yml")).unwrap();
    assert_eq!(
        read(&[folder.path().to_owned()], &context()).unwrap().len(),
        1
    );
    assert!(read(&["/surely/not/there".into()], &context()).is_err());
}

#[test]
fn deep_nesting_is_refused() {
    assert!(faults(&"[".repeat(5_000)).contains("x.yaml"));
}
