//! The monitoring of a stack: its alarms and dashboards, with their metrics.
//!
//! Nothing is monitored on one machine. Tests compare the metrics with the stack, because AWS accepts a metric that is
//! misspelt or belongs to a function that is gone, and its alarm never goes off.

use serde_json::Value as Json;

use super::alarm::{self, Alarm, WatchedMetric};
use super::error::TemplateError;
use super::metric_filter::{self, MetricFilter};
use super::resource::{self, Resource};
use super::scope::Scope;
use super::yaml::Node;
use super::{names, section};

/// The alarms, metric filters and dashboards of a template, in its order.
#[derive(Debug, Clone, PartialEq)]
pub struct Monitoring {
    /// The alarms.
    pub alarms: Vec<Alarm>,
    /// The metric filters, whose metrics alarms watch.
    pub metric_filters: Vec<MetricFilter>,
    /// The dashboards.
    pub dashboards: Vec<Dashboard>,
}

/// A CloudWatch dashboard of the template.
#[derive(Debug, Clone, PartialEq)]
pub struct Dashboard {
    /// Logical id of the resource: `AccountDashboard`.
    pub logical_id: String,
    /// The metrics of all graphs.
    pub metrics: Vec<WatchedMetric>,
    /// ARNs of the alarms on it.
    pub alarms: Vec<String>,
}

/// Reads all alarms, metric filters and dashboards.
pub(super) fn read_all<'t>(scope: &'t Scope<'t>, root: &'t Node) -> Result<Monitoring, TemplateError> {
    let resources = section(scope, root, "Resources")?;
    Ok(Monitoring {
        alarms: resource::of_type(scope, &resources, names::ALARM)?
            .iter()
            .map(|alarm| alarm::read(alarm, scope.context))
            .collect::<Result<_, _>>()?,
        metric_filters: resource::of_type(scope, &resources, names::METRIC_FILTER)?
            .iter()
            .map(metric_filter::read)
            .collect::<Result<_, _>>()?,
        dashboards: resource::of_type(scope, &resources, names::DASHBOARD)?
            .iter()
            .map(read_dashboard)
            .collect::<Result<_, _>>()?,
    })
}

fn read_dashboard(resource: &Resource<'_>) -> Result<Dashboard, TemplateError> {
    resource.properties.only(&["DashboardBody"], &["DashboardName"])?;
    let written = resource.properties.required("DashboardBody")?;
    let body: Json = serde_json::from_str(&written.clone().text()?)
        .map_err(|error| written.unfit(format!("is not JSON: {error}")))?;
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
                        Row::Other => return Err(written.unfit(format!("has {row}, which is not a metric"))),
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
            _ => return Err(written.unfit(format!("has {widget}, which is not a supported widget"))),
        }
    }
    Ok(dashboard)
}

/// A row of a graph.
enum Row {
    Metric(WatchedMetric),
    Expression,
    Other,
}

/// Reads `["AWS/Lambda", "Errors", "FunctionName", "shop-It", {…}]` or `[{"expression": …}]`.
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
    // `.` and `...` repeat the row before. They are rejected, so that every row can be read by itself.
    let texts: Option<Vec<&str>> = texts
        .iter()
        .map(|item| item.as_str().filter(|text| !text.starts_with('.')))
        .collect();
    match texts.as_deref() {
        Some([namespace, name, dimensions @ ..]) if dimensions.len() % 2 == 0 => Row::Metric(WatchedMetric {
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
