//! What watches the stack: its alarms and dashboards, with the metrics that they look at.
//!
//! Nothing is watched on one machine. Tests hold the metrics against what there is in the stack: one that is misspelt, or of
//! a function that is gone, is no error in AWS but an alarm that never goes off.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::error::TemplateError;
use super::names;
use super::resource::{self, Resource};
use super::scope::Scope;
use super::value::{Map, Value};
use super::yaml::Node;
use super::{Surroundings, section};

/// The alarms and dashboards of a template, in its order.
#[derive(Debug, Clone, PartialEq)]
pub struct Monitoring {
    /// The alarms.
    pub alarms: Vec<Alarm>,
    /// The dashboards.
    pub dashboards: Vec<Dashboard>,
}

/// A `CloudWatch` alarm of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Name of the resource in the template: `FeedbackGivenUpAlarm`.
    pub logical_id: String,
    /// ARN of the alarm.
    pub arn: String,
    /// The metrics that it watches; each of them is billed.
    pub metrics: Vec<Metric>,
    /// What it makes of periods without a datapoint: `missing`, `ignore`, `breaching` or `notBreaching`.
    pub missing_data: String,
    /// ARNs of the topics that are told when it goes off.
    pub actions: Vec<String>,
}

/// A `CloudWatch` dashboard of the template.
#[derive(Debug, Clone, PartialEq)]
pub struct Dashboard {
    /// Name of the resource in the template: `AccountDashboard`.
    pub logical_id: String,
    /// The metrics of all its graphs.
    pub metrics: Vec<Metric>,
    /// ARNs of the alarms that it shows.
    pub alarms: Vec<String>,
}

/// A metric of `CloudWatch`: the three together name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Metric {
    /// Namespace: `AWS/Lambda`.
    pub namespace: String,
    /// Name: `Errors`.
    pub name: String,
    /// Dimensions: `FunctionName` and the function's name.
    pub dimensions: BTreeMap<String, String>,
}

/// Reads all alarms and dashboards.
pub(super) fn read_all<'t>(scope: &'t Scope<'t>, root: &'t Node) -> Result<Monitoring, TemplateError> {
    let resources = section(scope, root, "Resources")?;
    Ok(Monitoring {
        alarms: resource::of_type(scope, &resources, names::ALARM)?
            .iter()
            .map(|alarm| read_alarm(alarm, scope.surroundings))
            .collect::<Result<_, _>>()?,
        dashboards: resource::of_type(scope, &resources, names::DASHBOARD)?
            .iter()
            .map(read_dashboard)
            .collect::<Result<_, _>>()?,
    })
}

fn read_alarm(resource: &Resource<'_>, surroundings: &Surroundings) -> Result<Alarm, TemplateError> {
    let properties = &resource.properties;
    // Every value is evaluated, so that a reference to nothing is found in those too that are not used here.
    properties.all()?;
    let metrics = match properties.optional("Metrics")? {
        Some(queries) => read_queries(queries)?,
        None => vec![read_metric(properties)?],
    };
    let missing_data = match properties.optional("TreatMissingData")? {
        Some(treatment) => treatment.text()?,
        None => "missing".to_owned(),
    };
    let actions = match properties.optional("AlarmActions")? {
        Some(actions) => actions.list()?.into_iter().map(Value::text).collect::<Result<_, _>>()?,
        None => Vec::new(),
    };
    Ok(Alarm {
        logical_id: resource.logical_id.to_owned(),
        arn: names::alarm_arn(surroundings, resource.logical_id),
        metrics,
        missing_data,
        actions,
    })
}

/// Reads the metrics out of metric math; its expressions name them by their ids.
fn read_queries(queries: Value<'_>) -> Result<Vec<Metric>, TemplateError> {
    let mut metrics = Vec::new();
    for query in queries.list()? {
        let query = query.map()?;
        query.only(&["Expression", "Id", "MetricStat"], &["Label", "ReturnData"])?;
        if let Some(stat) = query.optional("MetricStat")? {
            metrics.push(read_metric(&stat.map()?.required("Metric")?.map()?)?);
        } else {
            query.required("Expression")?.text()?;
        }
    }
    Ok(metrics)
}

fn read_metric(metric: &Map<'_>) -> Result<Metric, TemplateError> {
    let mut dimensions = BTreeMap::new();
    if let Some(written) = metric.optional("Dimensions")? {
        for dimension in written.list()? {
            let dimension = dimension.map()?;
            dimension.only(&["Name", "Value"], &[])?;
            dimensions.insert(
                dimension.required("Name")?.text()?,
                dimension.required("Value")?.text()?,
            );
        }
    }
    Ok(Metric {
        namespace: metric.required("Namespace")?.text()?,
        name: metric.required("MetricName")?.text()?,
        dimensions,
    })
}

fn read_dashboard(resource: &Resource<'_>) -> Result<Dashboard, TemplateError> {
    resource.properties.only(&["DashboardBody"], &["DashboardName"])?;
    let written = resource.properties.required("DashboardBody")?;
    let body: Json = serde_json::from_str(&written.clone().text()?)
        .map_err(|error| written.unfit(format!("is no JSON: {error}")))?;
    let widgets = body["widgets"].as_array();
    let mut dashboard = Dashboard {
        logical_id: resource.logical_id.to_owned(),
        metrics: Vec::new(),
        alarms: Vec::new(),
    };
    for widget in widgets.ok_or_else(|| written.unfit("has no list of `widgets`"))? {
        let properties = &widget["properties"];
        match widget["type"].as_str() {
            Some("metric") => {
                for row in properties["metrics"].as_array().into_iter().flatten() {
                    match metric_of_row(row) {
                        Row::Metric(metric) => dashboard.metrics.push(metric),
                        Row::Expression => {}
                        Row::Other => return Err(written.unfit(format!("has {row}, which names no metric"))),
                    }
                }
            }
            Some("alarm") => {
                let arns = properties["alarms"].as_array().into_iter().flatten();
                dashboard
                    .alarms
                    .extend(arns.filter_map(Json::as_str).map(str::to_owned));
            }
            Some("text") => {}
            _ => return Err(written.unfit(format!("has {widget}, which is no widget that is understood here"))),
        }
    }
    Ok(dashboard)
}

/// A row of a graph.
enum Row {
    Metric(Metric),
    Expression,
    Other,
}

/// Reads `["AWS/Lambda", "Errors", "FunctionName", "okite-It", {…}]` or `[{"expression": …}]`.
fn metric_of_row(row: &Json) -> Row {
    let Some(items) = row.as_array() else {
        return Row::Other;
    };
    let (texts, options) = match items.split_last() {
        Some((options @ Json::Object(_), texts)) => (texts, Some(options)),
        _ => (items.as_slice(), None),
    };
    if texts.is_empty() {
        return match options {
            Some(options) if options["expression"].is_string() => Row::Expression,
            _ => Row::Other,
        };
    }
    // `.` and `...` stand for what the row before has; whoever reads a template should not have to look there.
    let texts: Option<Vec<&str>> = texts
        .iter()
        .map(|item| item.as_str().filter(|text| !text.starts_with('.')))
        .collect();
    match texts.as_deref() {
        Some([namespace, name, dimensions @ ..]) if dimensions.len() % 2 == 0 => Row::Metric(Metric {
            namespace: (*namespace).to_owned(),
            name: (*name).to_owned(),
            dimensions: dimensions
                .chunks_exact(2)
                .map(|pair| (pair[0].to_owned(), pair[1].to_owned()))
                .collect(),
        }),
        _ => Row::Other,
    }
}

#[cfg(test)]
mod tests;
