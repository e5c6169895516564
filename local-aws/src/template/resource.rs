//! The resources of the template, by type.

use std::collections::BTreeMap;

use super::error::TemplateError;
use super::scope::Scope;
use super::value::Map;

/// Attributes that order or protect a deployment and have no effect on one machine.
const DEPLOYMENT_ONLY: &[&str] = &[
    "CreationPolicy",
    "DeletionPolicy",
    "DependsOn",
    "UpdatePolicy",
    "UpdateReplacePolicy",
];

/// A resource of the template.
#[derive(Debug)]
pub(super) struct Resource<'t> {
    pub(super) logical_id: &'t str,
    pub(super) metadata: Map<'t>,
    pub(super) properties: Map<'t>,
}

/// Finds the type of every resource whose condition holds.
pub(super) fn types<'t>(scope: &'t Scope<'t>, resources: &Map<'t>) -> Result<BTreeMap<&'t str, String>, TemplateError> {
    let mut types = BTreeMap::new();
    for (logical_id, resource) in resources.all()? {
        let resource = resource.map()?;
        let exists = match resource.optional("Condition")? {
            Some(condition) => {
                let line = condition.line;
                scope.condition(&condition.text()?, line, 0)?
            }
            None => true,
        };
        if exists {
            types.insert(logical_id, resource.required("Type")?.text()?);
        }
    }
    Ok(types)
}

/// Finds the resources of one type, in the order of the template.
pub(super) fn of_type<'t>(
    scope: &'t Scope<'t>,
    resources: &Map<'t>,
    kind: &str,
) -> Result<Vec<Resource<'t>>, TemplateError> {
    let mut found = Vec::new();
    for (logical_id, resource) in resources.all()? {
        if scope.resources.get(logical_id).is_none_or(|other| other != kind) {
            continue;
        }
        let line = resource.line;
        let resource = resource.map()?;
        resource.only(&["Condition", "Metadata", "Properties", "Type"], DEPLOYMENT_ONLY)?;
        let properties = match resource.optional("Properties")? {
            Some(properties) => properties.map()?.called(logical_id),
            None => Map::empty(scope, line, logical_id),
        };
        found.push(Resource {
            logical_id,
            metadata: resource.map("Metadata")?,
            properties,
        });
    }
    Ok(found)
}
