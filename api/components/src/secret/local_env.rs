//! `secretstores.local.env`: secrets are environment variables, with an optional `prefix`.

use std::{collections::BTreeMap, env};

use tandem_api_contract::{Error, options::Options, secret::SecretStore};

pub(super) struct LocalEnv {
    prefix: String,
}

impl LocalEnv {
    pub(super) fn new(options: &mut Options<'_>) -> Self {
        Self {
            prefix: options.text("prefix").unwrap_or_default().to_owned(),
        }
    }
}

impl SecretStore for LocalEnv {
    fn get(&self, name: &str) -> Result<BTreeMap<String, String>, Error> {
        let variable = format!("{}{name}", self.prefix);
        // The runtime's own tokens are not for handing out.
        let upper = variable.to_uppercase();
        if upper == "APP_API_TOKEN" || upper.starts_with("DAPR_") {
            return Err(Error::not_found(format!(
                "variable '{variable}' is not given out"
            )));
        }
        match env::var(&variable) {
            Ok(value) => Ok([(name.to_owned(), value)].into()),
            Err(_) => Err(Error::not_found(format!(
                "the environment has no variable '{variable}'"
            ))),
        }
    }
}
