//! From files, or from nothing, to a registry of components.

use std::{collections::HashSet, path::PathBuf};

use tandem_api_contract::{
    declaration::{self, Context, Declaration, Fault, Faults, Secrets},
    registry::Registry,
};

use crate::{factory::Factory, secret};

/// Reads the declarations in `paths` and builds their components. Without paths, the
/// [`defaults`] are built. No back-end is waited for.
///
/// # Errors
/// Everything that is wrong with the files, one fault a line; an embedded store that cannot be
/// opened.
pub fn load(paths: &[PathBuf], context: &Context) -> Result<Registry, Faults> {
    if paths.is_empty() {
        return build(&defaults(), context);
    }
    build(&declaration::read(paths, context)?, context)
}

/// What there is if nothing is declared: embedded stores and a greeter.
pub fn defaults() -> Vec<Declaration> {
    let back_end = if cfg!(feature = "embedded") {
        "embedded"
    } else {
        "in-memory"
    };
    let mut declarations: Vec<_> = [
        ("statestore", "state"),
        ("lockstore", "lock"),
        ("sequencer", "sequencer"),
        ("pubsub", "pubsub"),
    ]
    .into_iter()
    .map(|(name, block)| Declaration::embedded(name, &format!("{block}.{back_end}")))
    .collect();
    declarations.push(Declaration::embedded("helloworld", "hello.helloworld"));
    declarations
}

/// Builds declared components; the secret stores among them first, since others refer to them.
///
/// # Errors
/// As [`load`].
pub fn build(declarations: &[Declaration], context: &Context) -> Result<Registry, Faults> {
    let mut faults = Vec::new();
    let secrets = secrets(declarations, &mut faults);
    let mut factory = Factory::new(context);
    let mut registry = Registry::default();
    let mut names = HashSet::new();
    for declaration in declarations {
        if !names.insert(&declaration.name) {
            let message = format!("component '{}' is declared twice", declaration.name);
            faults.push(declaration.place.fault(message));
        }
        if secret::is_secret_store(&declaration.kind) {
            continue;
        }
        let built = declaration
            .resolve(&secrets)
            .and_then(|resolved| factory.build(declaration, &resolved));
        match built {
            Ok((keys, building)) => {
                registry.insert(&declaration.name, &declaration.kind, keys, building);
            }
            Err(found) if declaration.ignore_errors => {
                let component = &*declaration.name;
                tracing::warn!(component, %found, "left out, since ignoreErrors is set");
            }
            Err(found) => faults.extend(found.0),
        }
    }
    if faults.is_empty() {
        Ok(registry)
    } else {
        Err(Faults(faults))
    }
}

fn secrets(declarations: &[Declaration], faults: &mut Vec<Fault>) -> Secrets {
    let mut secrets = Secrets::new();
    let stores = declarations
        .iter()
        .filter(|store| secret::is_secret_store(&store.kind));
    for declaration in stores {
        let store = declaration
            .resolve(&Secrets::new())
            .and_then(|resolved| secret::build(declaration, &resolved));
        match store {
            Ok(store) => {
                secrets.insert(declaration.name.clone(), store);
            }
            Err(found) => faults.extend(found.0),
        }
    }
    secrets
}
