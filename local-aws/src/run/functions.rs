//! The settings of the stack's functions.

use super::settings::RunSettings;
use crate::application::REGION;
use crate::data_dir::DataDir;
use crate::services::lambda::FunctionSettings;
use crate::template::Function;

/// Returns the settings of functions. The variables of each are those of the template, of Lambda, the `endpoints` of
/// the services, and the run's own; a later one replaces an earlier one.
pub(super) fn function_settings(
    functions: Vec<Function>,
    endpoints: &[(&str, String)],
    run: &RunSettings,
) -> Vec<FunctionSettings> {
    let logs = run.data_dir.as_ref().map(DataDir::logs);
    let settings = |function: Function| {
        let mut environment = function.environment;
        let of_lambda = [
            ("AWS_REGION", REGION),
            ("AWS_DEFAULT_REGION", REGION),
            // The name as the access key identifies the function in every request to a service.
            ("AWS_ACCESS_KEY_ID", function.name.as_str()),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ];
        environment.extend(of_lambda.map(|(name, value)| (name.to_owned(), value.to_owned())));
        environment.extend(endpoints.iter().map(|(name, url)| ((*name).to_owned(), url.clone())));
        environment.extend(run.environment.clone());
        FunctionSettings {
            log_file: logs.as_ref().map(|logs| logs.join(format!("{}.log", function.name))),
            name: function.name,
            arn: function.arn,
            environment,
            timeout: run.timeout.unwrap_or(function.timeout),
            memory_mb: function.memory_mb,
        }
    };
    functions.into_iter().map(settings).collect()
}
