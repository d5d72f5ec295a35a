//! From a declaration to a component: every type there is.

use std::sync::Arc;

use tandem_api_contract::{
    component::Building,
    declaration::{Context, Declaration, Fault, Faults, Resolved},
    key::{Family, KeyPrefix},
    options::Options,
};

use crate::{hello::HelloWorld, in_memory};

/// Builds components; holds what several of them share.
pub(crate) struct Factory<'a> {
    context: &'a Context,
    /// The embedded store, or that it could not be opened, once it was tried.
    #[cfg(feature = "embedded")]
    database: Option<Option<Arc<crate::embedded::Database>>>,
}

impl<'a> Factory<'a> {
    pub(crate) fn new(context: &'a Context) -> Self {
        Self {
            context,
            #[cfg(feature = "embedded")]
            database: None,
        }
    }

    /// The component, and what goes before its keys.
    pub(crate) fn build(
        &mut self,
        declaration: &Declaration,
        resolved: &Resolved,
    ) -> Result<(KeyPrefix, Building), Faults> {
        let mut options = Options::new(resolved);
        let (block, back_end) = declaration.kind.split_once('.').unwrap_or_default();
        let keys = match block {
            "state" => {
                // Dapr's own default file has it; actors are not served here.
                options.without_effect(&["actorStateStore"]);
                self.keys(Family::State, declaration, &mut options)
            }
            "lock" => self.keys(Family::Lock, declaration, &mut options),
            "sequencer" => self.keys(Family::Sequencer, declaration, &mut options),
            _ => KeyPrefix::default(),
        };
        let building = match back_end {
            "in-memory" => in_memory::build(block, &mut options, self.context),
            #[cfg(feature = "embedded")]
            "embedded" => self.embedded(block, &mut options, resolved)?,
            #[cfg(feature = "redis")]
            "redis" => crate::redis::build(block, &mut options, self.context, resolved),
            "helloworld" if block == "hello" => {
                let greeting = options.text("hello").unwrap_or("hello");
                Some(Building::Hello(Arc::new(HelloWorld::new(greeting))))
            }
            _ => None,
        };
        let building = building.ok_or_else(|| Faults::from(Fault::from(declaration)))?;
        options.finish()?;
        Ok((keys, building))
    }

    fn keys(
        &self,
        family: Family,
        declaration: &Declaration,
        options: &mut Options<'_>,
    ) -> KeyPrefix {
        let strategy = options.text("keyPrefix");
        KeyPrefix::new(family, strategy, declaration, self.context).unwrap_or_else(|error| {
            options.refuse("keyPrefix", error.message());
            KeyPrefix::default()
        })
    }

    #[cfg(feature = "embedded")]
    fn embedded(
        &mut self,
        block: &str,
        options: &mut Options<'_>,
        resolved: &Resolved,
    ) -> Result<Option<Building>, Faults> {
        let database = match &self.database {
            Some(Some(database)) => database.clone(),
            // Why is told once, not for each component.
            Some(None) => return Err(Faults(Vec::new())),
            None => {
                let opened = crate::embedded::Database::open(&self.context.data_dir);
                self.database = Some(opened.as_ref().ok().cloned());
                opened.map_err(|error| resolved.place.fault(error.to_string()))?
            }
        };
        Ok(crate::embedded::build(
            block,
            options,
            self.context,
            resolved,
            database,
        ))
    }
}
