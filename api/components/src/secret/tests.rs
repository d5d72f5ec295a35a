use std::fs;

use tandem_api_contract::declaration::{Context, parse};

use crate::build;

fn faults(file: &str) -> String {
    let context = Context {
        app_id: "shop".into(),
        ..Context::default()
    };
    match build(&parse("x.yaml", file, &context).unwrap(), &context) {
        Ok(_) => String::new(),
        Err(faults) => faults.to_string(),
    }
}

fn with_file(secrets: &str, extra: &str, key: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secrets.json");
    fs::write(&file, secrets).unwrap();
    faults(&format!(
        "kind: Component
metadata: {{name: vault}}
spec:
  type: secretstores.local.file
  metadata:
  - {{name: secretsFile, value: '{}'}}
{extra}---
kind: Component
metadata: {{name: helloworld}}
spec:
  type: hello.helloworld
  metadata:
  - {{name: hello, secretKeyRef: {key}}}
auth: {{secretStore: vault}}
",
        file.display()
    ))
}

#[test]
fn a_file_of_nested_secrets_is_flattened() {
    assert_eq!(with_file(r#"{"a": {"b": "c"}}"#, "", "{name: 'a:b'}"), "");
    let multi = "  - {name: multiValued, value: true}\n";
    assert_eq!(
        with_file(
            r#"{"a": {"b": {"c": "d"}}}"#,
            multi,
            "{name: a, key: 'b:c'}"
        ),
        ""
    );
}

#[test]
fn what_is_wrong_with_a_secret_is_said() {
    assert!(with_file("{}", "", "{name: a}").contains("has no secret 'a'"));
    assert!(with_file("[", "", "{name: a}").contains("x.yaml:6: field 'secretsFile'"));
    let unset = "kind: Component
metadata: {name: env}
spec: {type: secretstores.local.env}
---
kind: Component
metadata: {name: helloworld}
spec:
  type: hello.helloworld
  metadata: [{name: hello, secretKeyRef: {name: TANDEM_SURELY_UNSET}}]
auth: {secretStore: env}
";
    assert!(faults(unset).contains("has no variable 'TANDEM_SURELY_UNSET'"));
    let unknown = unset.replace("local.env", "vault");
    assert!(faults(&unknown).contains("'secretstores.vault' is not known"));
}
