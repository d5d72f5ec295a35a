//! Secret stores that declarations can refer to.

mod local_env;
mod local_file;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tandem_api_contract::{
    declaration::{Declaration, Fault, Faults, Resolved},
    options::Options,
    secret::SecretStore,
};

/// Whether the type is that of a secret store, be it known or not.
pub(crate) fn is_secret_store(kind: &str) -> bool {
    kind.starts_with("secretstores.")
}

pub(crate) fn build(
    declaration: &Declaration,
    resolved: &Resolved,
) -> Result<Arc<dyn SecretStore>, Faults> {
    let mut options = Options::new(resolved);
    let store: Arc<dyn SecretStore> = match declaration.kind.as_str() {
        "secretstores.local.env" => Arc::new(local_env::LocalEnv::new(&mut options)),
        "secretstores.local.file" => Arc::new(local_file::LocalFile::new(&mut options)),
        _ => return Err(Fault::from(declaration).into()),
    };
    options.finish()?;
    Ok(store)
}
