//! An HTTP API in front of two functions.

use reqwest::Method;
use serde_json::json;

use crate::run::{Run, within};

const TEMPLATE: &str = "\
Resources:
  Api: { Type: AWS::Serverless::HttpApi }
  Worker:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: worker } }
    Properties:
      Events: { Any: { Type: HttpApi, Properties: { ApiId: !Ref Api } } }
  Poster:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: poster } }
    Properties:
      Timeout: 30
      Events:
        Root: { Type: HttpApi, Properties: { ApiId: !Ref Api, Path: /, Method: POST } }
        Tree: { Type: HttpApi, Properties: { ApiId: !Ref Api, Path: '/v2/email/{proxy+}', Method: ANY } }
";

#[tokio::test]
async fn each_request_goes_to_the_function_of_its_route() {
    let mut run = Run::start_with(|settings| settings.application.template = TEMPLATE).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for (method, path, function, route) in [
        (Method::GET, "/", "worker", "$default"),
        (Method::POST, "/", "poster", "POST /"),
        (Method::POST, "/emails", "worker", "$default"),
        (
            Method::DELETE,
            "/v2/email/suppression/addresses/a%2Bb%40example.net",
            "poster",
            "ANY /v2/email/{proxy+}",
        ),
        (Method::GET, "/v2/email", "worker", "$default"),
    ] {
        let url = format!("{}{path}", run.local.url);
        let request = http.request(method.clone(), url);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answered = tokio::spawn(request.body("Action=A&B=%2B").send());
        let invocation = run.invoked().await;
        assert_eq!(invocation.function, function, "{method} {path}");
        assert_eq!(invocation.event["routeKey"], route);
        assert_eq!(invocation.event["body"], "QWN0aW9uPUEmQj0lMkI=");
        assert_eq!(invocation.event["isBase64Encoded"], true);
        if path.contains('%') {
            let address = "suppression/addresses/a+b@example.net";
            assert_eq!(invocation.event["rawPath"], format!("/v2/email/{address}"));
            assert_eq!(invocation.event["pathParameters"], json!({ "proxy": address }));
        }
        invocation.answer(json!({ "statusCode": 202, "body": function }));
        let answer = within(answered).await.unwrap().unwrap();
        assert_eq!(answer.status(), 202);
        assert_eq!(answer.text().await.unwrap(), function);
    }
    run.local.stop().await;
}
