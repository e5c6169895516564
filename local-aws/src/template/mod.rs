//! The deployment template, read for a run on one machine.
//!
//! A run here uses the same tables, environment variables, routes, subscriptions and schedules as the deployment,
//! because it reads them from the same template. [`Stack::read`] works in three steps. `yaml` makes a tree whose nodes
//! have line numbers. `scope` evaluates references and conditions when a caller asks for their value. One module for
//! each kind of resource (`table`, `function`, `http_api`, `events`, `queue`, `schedule`, `alarm`) turns properties
//! into plain data.
//!
//! A module reads its resource completely. A function, property or value that it does not support is an error with its
//! line, and never ignored. Resources without an effect on one machine (roles, log groups, policies, outputs) are not
//! read.

mod alarm;
mod context;
mod error;
mod events;
mod function;
mod http_api;
mod metric_filter;
mod monitoring;
mod names;
mod parameters;
mod policy;
mod queue;
mod resource;
mod schedule;
mod scope;
mod table;
mod value;
mod yaml;

use std::collections::BTreeMap;

pub use self::alarm::{Alarm, WatchedMetric};
pub use self::context::StackContext;
pub use self::error::{TemplateError, TemplateFault};
pub use self::events::{ConfigurationSet, EventDestination, SnsTopic, Subscription, SubscriptionEndpoint};
pub use self::function::Function;
pub use self::http_api::{HttpApi, HttpRoute, PathSegment, RouteKey};
pub use self::metric_filter::{MetricFilter, MetricFilterTerm};
pub use self::monitoring::{Dashboard, Monitoring};
pub use self::policy::Permission;
pub use self::queue::{AsynchronousEvents, Mapping, Queue, Redrive};
pub use self::schedule::Schedule;
pub use self::table::Table;

use self::scope::Scope;
use self::value::{Evaluate, Map};
use self::yaml::Node;

/// The resources of a template that a run on one machine needs, each kind in the order of the template.
#[derive(Debug, Clone, PartialEq)]
pub struct Stack {
    /// DynamoDB tables.
    pub tables: Vec<Table>,
    /// Lambda functions.
    pub functions: Vec<Function>,
    /// Schedules that invoke a function.
    pub schedules: Vec<Schedule>,
    /// SNS topics with their subscribers.
    pub topics: Vec<SnsTopic>,
    /// SQS queues.
    pub queues: Vec<Queue>,
    /// Event source mappings.
    pub mappings: Vec<Mapping>,
    /// Settings of functions' asynchronous events.
    pub asynchronous_events: Vec<AsynchronousEvents>,
    /// CloudWatch alarms.
    pub alarms: Vec<Alarm>,
    /// SES configuration sets with their event destinations.
    pub configuration_sets: Vec<ConfigurationSet>,
    /// The HTTP API, if there is one.
    pub http_api: Option<HttpApi>,
}

impl Stack {
    /// Reads the text of a template.
    ///
    /// # Errors
    /// Returns an error if the text is not a template, if a parameter is unknown or outside its limits, or if a
    /// property is missing, of the wrong type or not supported. The error has the line.
    pub fn read(template: &str, context: &StackContext) -> Result<Self, TemplateError> {
        evaluate(template, context, Self::declared)
    }

    /// Reads the permissions in each function's role, by the function's name. A run on one machine does not need them.
    ///
    /// # Errors
    /// As for [`Self::read`], and if a policy is not a list of allowed actions.
    pub fn permissions(
        template: &str,
        context: &StackContext,
    ) -> Result<BTreeMap<String, Vec<Permission>>, TemplateError> {
        evaluate(template, context, policy::read_all)
    }

    /// Reads the alarms, metric filters and dashboards of the stack. A run on one machine does not need them.
    ///
    /// # Errors
    /// As for [`Self::read`], and if a dashboard has a form that is not supported.
    pub fn monitoring(template: &str, context: &StackContext) -> Result<Monitoring, TemplateError> {
        evaluate(template, context, monitoring::read_all)
    }

    fn declared<'t>(scope: &'t Scope<'t>, root: &'t Node) -> Result<Self, TemplateError> {
        let context = scope.context;
        let resources = section(scope, root, "Resources")?;
        let all = |kind| resource::of_type(scope, &resources, kind);
        let globals = section(scope, root, "Globals")?.map("Function")?;

        let apis = all(names::HTTP_API)?;
        for api in &apis {
            // Nothing throttles requests on one machine.
            api.properties
                .only(&[], &["DefaultRouteSettings", "Description", "RouteSettings", "Tags"])?;
        }
        let mut http_api = None;
        let mut functions = Vec::new();
        for resource in &all(names::FUNCTION)? {
            let function = function::read(resource, &globals, context)?;
            http_api::add_routes(&mut http_api, resource, &function, &apis, context)?;
            functions.push(function);
        }

        let queues = all(names::QUEUE)?;
        let queue_arns: Vec<String> = queues
            .iter()
            .map(|queue| names::queue_arn(context, queue.logical_id))
            .collect();
        let mut topics = all(names::TOPIC)?
            .iter()
            .map(|topic| events::topic(topic, context))
            .collect::<Result<Vec<_>, _>>()?;
        for subscription in &all(names::SUBSCRIPTION)? {
            events::subscribe(subscription, &mut topics, &functions, &queue_arns)?;
        }
        let mut configuration_sets = all(names::CONFIGURATION_SET)?
            .iter()
            .map(|set| events::configuration_set(set, context))
            .collect::<Result<Vec<_>, _>>()?;
        for destination in &all(names::EVENT_DESTINATION)? {
            events::publish(destination, &mut configuration_sets, &topics)?;
        }

        Ok(Self {
            tables: all(names::TABLE)?
                .iter()
                .map(|table| table::read(table, context))
                .collect::<Result<_, _>>()?,
            schedules: all(names::SCHEDULE)?
                .iter()
                .map(|schedule| schedule::read(schedule, &functions))
                .collect::<Result<_, _>>()?,
            queues: queues
                .iter()
                .map(|queue| queue::read(queue, &queue_arns, context))
                .collect::<Result<_, _>>()?,
            mappings: all(names::EVENT_SOURCE_MAPPING)?
                .iter()
                .map(|mapping| queue::mapping(mapping, &queue_arns, &functions))
                .collect::<Result<_, _>>()?,
            asynchronous_events: all(names::EVENT_INVOKE_CONFIG)?
                .iter()
                .map(|config| queue::asynchronous_events(config, &queue_arns, &functions))
                .collect::<Result<_, _>>()?,
            alarms: all(names::ALARM)?
                .iter()
                .map(|alarm| alarm::read(alarm, context))
                .collect::<Result<_, _>>()?,
            functions,
            topics,
            configuration_sets,
            http_api,
        })
    }
}

/// Parses a template and reads a part of it, with all names of the template in scope.
fn evaluate<T>(
    template: &str,
    context: &StackContext,
    read: impl for<'t> FnOnce(&'t Scope<'t>, &'t Node) -> Result<T, TemplateError>,
) -> Result<T, TemplateError> {
    let root = yaml::parse(template)?;

    let bare = Scope::of(context);
    let parameters = parameters::read(&section(&bare, &root, "Parameters")?, &context.parameters)?;
    let conditions = section(&bare, &root, "Conditions")?
        .entries()
        .iter()
        .map(|entry| (entry.key.as_str(), &entry.value))
        .collect();
    let conditional = Scope {
        parameters,
        conditions,
        ..Scope::of(context)
    };
    let resources = resource::types(&conditional, &section(&conditional, &root, "Resources")?)?;
    let scope = Scope {
        resources,
        ..conditional.clone()
    };
    read(&scope, &root)
}

/// Returns a section of the template, such as `Resources`, or an empty map if it is left out.
fn section<'t>(scope: &'t Scope<'t>, root: &'t Node, name: &str) -> Result<Map<'t>, TemplateError> {
    let sections = match scope.evaluate(root, "the template")? {
        Some(sections) => sections.map()?.called(""),
        None => Map::empty(scope, root.line, ""),
    };
    match sections.optional(name)? {
        // Paths in messages begin at the name of a parameter or a resource.
        Some(section) if matches!(name, "Parameters" | "Resources") => Ok(section.map()?.called("")),
        Some(section) => section.map(),
        None => Ok(Map::empty(scope, 1, name)),
    }
}

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests;
