//! Helpers for the tests of this module.

use crate::template::testing::stack;
use crate::template::{HttpApi, HttpRoute};

/// Reads an API whose routes go to one function. `$default` in place of a method ignores the path.
pub(super) fn api(routes: &[(&str, &str)]) -> HttpApi {
    let event = |(index, (method, path)): (usize, &(&str, &str))| {
        let key = match *method {
            "$default" => String::new(),
            method => format!("Method: {method}, Path: '{path}', "),
        };
        format!("        E{index}: {{ Type: HttpApi, Properties: {{ {key}ApiId: !Ref Api }} }}\n")
    };
    let events: String = routes.iter().enumerate().map(event).collect();
    let template = format!(
        "\
Resources:
  Api: {{ Type: AWS::Serverless::HttpApi }}
  It:
    Type: AWS::Serverless::Function
    Metadata: {{ BuildProperties: {{ Binary: it }} }}
    Properties:
      Events:
{events}"
    );
    stack(&template).http_api.unwrap()
}

/// Reads routes; see [`api`].
pub(super) fn routes(routes: &[(&str, &str)]) -> Vec<HttpRoute> {
    api(routes).routes
}
