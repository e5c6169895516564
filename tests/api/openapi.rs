//! Compares docs/openapi.json with the API: every answer in these tests must match the document, and so must every
//! successful request. The tests of this module cover operations that other tests may leave out.
//!
//! Answers are compared more strictly than the document requires: they must not have unlisted fields.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use boon::{Compiler, Format, SchemaIndex, Schemas};
use reqwest::Method;
use serde_json::{Value, json};

use crate::api::webhooks::put_event;
use crate::support::{Answer, KEY, Okite, email};

const WEBHOOK: &str = "/webhooks/{webhook_id}";
const EVENT: &str = "/webhooks/{webhook_id}/events/{event_id}";

const DOCUMENT: &str = include_str!("../../docs/openapi.json");
/// Where the document is for the validator: as it is, and with every object closed.
const OPEN: &str = "https://okite.example/open.json";
const CLOSED: &str = "https://okite.example/closed.json";

static CONTRACT: LazyLock<Contract> = LazyLock::new(Contract::read);

/// The document, ready to hold exchanges against.
struct Contract {
    document: Value,
    schemas: Schemas,
    operations: BTreeMap<String, Operation>,
    /// The errors of whatever is no operation.
    errors: BTreeMap<u16, SchemaIndex>,
}

struct Operation {
    /// The segments of its path.
    path: Vec<String>,
    request: Option<SchemaIndex>,
    /// By status; an answer to `HEAD` has no schema.
    responses: BTreeMap<u16, Option<SchemaIndex>>,
}

/// Compares an exchange with the document.
#[track_caller]
pub(crate) fn check(method: &Method, path: &str, request: Option<&[u8]>, status: u16, answer: &Value) {
    if let Some(problem) = CONTRACT.problem(method, path, request, status, answer) {
        panic!("{method} {path} differs from docs/openapi.json, answered with {status}: {problem}\n{answer}");
    }
}

impl Contract {
    fn read() -> Self {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        let mut compiler = Compiler::new();
        // What is an address the code decides: validators differ.
        for name in ["email", "idn-email"] {
            compiler.register_format(Format { name, func: |_| Ok(()) });
        }
        compiler.enable_format_assertions();
        compiler.add_resource(OPEN, document.clone()).unwrap();
        compiler.add_resource(CLOSED, closed(document.clone())).unwrap();
        let mut schemas = Schemas::new();
        let mut compile = |resource: &str, pointer: &str| {
            // A page for people has no schema, and neither has a form.
            document.pointer(&format!("{pointer}/content/application~1json"))?;
            let schema = format!("{resource}#{pointer}/content/application~1json/schema");
            Some(
                compiler
                    .compile(&schema, &mut schemas)
                    .unwrap_or_else(|error| panic!("{error}")),
            )
        };
        let mut operations = BTreeMap::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let Some(responses) = operation["responses"].as_object() else {
                    continue;
                };
                let at = format!("/paths/{}/{method}", path.replace('/', "~1"));
                let responses = responses.iter().map(|(status, response)| {
                    let here = format!("{at}/responses/{status}");
                    let pointer = response["$ref"].as_str().map_or(here.as_str(), |to| &to[1..]);
                    (status.parse().unwrap(), compile(CLOSED, pointer))
                });
                let responses = responses.collect();
                let operation = Operation {
                    path: segments(path),
                    request: compile(OPEN, &format!("{at}/requestBody")),
                    responses,
                };
                operations.insert(format!("{} {path}", method.to_uppercase()), operation);
            }
        }
        let errors = document["components"]["responses"].as_object().unwrap().keys();
        let errors = errors.map(|name| {
            let status = name.trim_start_matches("Error").parse().unwrap();
            (
                status,
                compile(CLOSED, &format!("/components/responses/{name}")).unwrap(),
            )
        });
        let errors = errors.collect();
        Self {
            document,
            schemas,
            operations,
            errors,
        }
    }

    /// Finds an operation; a path that is written out goes before one with a parameter.
    fn operation(&self, method: &Method, path: &str) -> Option<&Operation> {
        let asked = segments(path);
        let fits = |segment: &String, asked: &String| segment == asked || segment.starts_with('{');
        let found = self.operations.iter().filter(|(name, operation)| {
            name.starts_with(&format!("{method} "))
                && operation.path.len() == asked.len()
                && operation
                    .path
                    .iter()
                    .zip(&asked)
                    .all(|(segment, asked)| fits(segment, asked))
        });
        let found =
            found.min_by_key(|(_, operation)| operation.path.iter().filter(|segment| segment.starts_with('{')).count());
        found.map(|(_, operation)| operation)
    }

    /// Returns how an exchange differs from the document.
    fn problem(
        &self,
        method: &Method,
        path: &str,
        request: Option<&[u8]>,
        status: u16,
        answer: &Value,
    ) -> Option<String> {
        let operation = self.operation(method, path);
        let schema = match operation {
            Some(operation) => match operation.responses.get(&status) {
                Some(schema) => *schema,
                None => return Some("the operation has no such status".to_owned()),
            },
            None => match self.errors.get(&status) {
                Some(schema) => Some(*schema),
                None => return Some("there is no such operation".to_owned()),
            },
        };
        let answered = schema.and_then(|schema| self.invalid(answer, schema));
        let asked = || {
            // A batch may be carried out in part.
            if status >= 300 || answer.get("errors").is_some() {
                return None;
            }
            let schema = operation?.request?;
            let request: Value = serde_json::from_slice(request?).unwrap();
            self.invalid(&request, schema)
                .map(|problem| format!("this request was carried out: {problem}"))
        };
        answered.or_else(asked)
    }

    fn invalid(&self, value: &Value, schema: SchemaIndex) -> Option<String> {
        self.schemas
            .validate(value, schema)
            .err()
            .map(|error| format!("{error:#}"))
    }

    /// The operations and the statuses with which they succeed.
    fn successes(&self) -> BTreeSet<(String, u16)> {
        // The pages for people have tests of their own.
        let operations = self
            .operations
            .iter()
            .filter(|(name, _)| !name.contains(" /unsubscribe/"));
        let successes = operations.flat_map(|(name, operation)| {
            let statuses = operation.responses.keys().filter(|status| **status < 300);
            statuses.map(move |status| (name.clone(), *status))
        });
        successes.collect()
    }
}

/// The parts of a path, without its query and whatever slashes surround it.
fn segments(path: &str) -> Vec<String> {
    let path = path.split('?').next().unwrap();
    path.trim_matches('/').split('/').map(str::to_owned).collect()
}

/// The document with every object closed to properties that it does not name, but for those that others build upon.
fn closed(mut document: Value) -> Value {
    fn close(value: &mut Value, built_upon: bool) {
        match value {
            Value::Array(values) => values.iter_mut().for_each(|value| close(value, false)),
            Value::Object(map) => {
                for (key, value) in map.iter_mut() {
                    match (key.as_str(), value.as_array_mut()) {
                        ("allOf", Some(parts)) => parts.iter_mut().for_each(|part| close(part, true)),
                        _ => close(value, key == "Error" || key == "EmailFields"),
                    }
                }
                if !built_upon && ["properties", "allOf"].iter().any(|key| map.contains_key(*key)) {
                    map.insert("unevaluatedProperties".to_owned(), json!(false));
                }
            }
            _ => {}
        }
    }
    close(&mut document, false);
    document
}

#[test]
fn an_answer_that_is_not_as_in_the_document_is_noticed() {
    let problem = |method, path, status, answer: Value| CONTRACT.problem(&method, path, None, status, &answer);
    let created = json!({ "id": "01a20241-0e0c-7bd3-b32f-8c1b8a0d6a53", "recipients": [] });
    assert_eq!(problem(Method::POST, "//emails/", 200, created.clone()), None);
    let mut more = created.clone();
    more["more"] = json!(1);
    let mut less = created.clone();
    less.as_object_mut().unwrap().remove("recipients");
    let error = json!({ "statusCode": 403, "name": "not_found", "message": "x" });
    for (method, path, status, answer) in [
        (Method::POST, "/emails", 200, more),
        (Method::POST, "/emails", 200, less),
        (Method::POST, "/emails", 201, created.clone()),
        (Method::POST, "/letters", 200, created.clone()),
        (Method::POST, "/emails", 200, json!({ "id": "7", "recipients": [] })),
        (
            Method::POST,
            "/emails",
            200,
            json!({ "id": created["id"], "recipients": [{ "email": "a", "status": "lost" }] }),
        ),
        (Method::POST, "/emails", 403, error.clone()),
        (Method::GET, "/letters", 403, error),
    ] {
        assert!(
            problem(method, path, status, answer.clone()).is_some(),
            "{path} {status} {answer}"
        );
    }
    let refused = CONTRACT.problem(
        &Method::POST,
        "/emails",
        Some(br#"{"from":"a@example.com"}"#),
        200,
        &created,
    );
    assert!(refused.is_some_and(|problem| problem.contains("carried out")));
}

#[tokio::test]
async fn serves_the_document_to_anybody_and_reads_no_table_for_it() {
    let okite = Okite::start().await;
    for operation in ["GetItem", "BatchGetItem", "Query"] {
        okite
            .fault(json!({ "operation": operation, "for_ms": 600_000, "error": "ThrottlingException" }))
            .await;
    }
    let answer = Answer::of(okite.request(Method::GET, "/openapi.json")).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("application/json"))
    );
    assert_eq!(answer.body, CONTRACT.document);
    let answer = Answer::of(okite.request(Method::POST, "/openapi.json")).await;
    answer.refused(405, "method_not_allowed");
    assert_eq!(answer.header("allow"), Some("GET"));
}

#[tokio::test]
async fn every_operation_succeeds_as_the_document_says() {
    let okite = Okite::start().await;
    okite.report().await;
    let mut seen = BTreeSet::new();
    let mut call = async |method: Method, operation: &str, path: &str, body: Value| {
        let request = okite.request(method.clone(), path).bearer_auth(KEY);
        let answer = Answer::of(if body.is_null() { request } else { request.json(&body) }).await;
        assert!(answer.status < 300, "{operation}: {answer:?}");
        seen.insert((format!("{method} {operation}"), answer.status));
        answer.body
    };
    let sent = call(Method::POST, "/emails", "/emails", email("anna@example.net")).await;
    let path = format!("/emails/{}", sent["id"].as_str().unwrap());
    call(Method::GET, "/emails/{id}", &path, Value::Null).await;
    let scheduled = json!({ "scheduled_at": "in 1 hour" });
    let mut later = email("anna@example.net");
    later["scheduled_at"] = scheduled["scheduled_at"].clone();
    let waiting = call(Method::POST, "/emails", "/emails", later).await;
    let path = format!("/emails/{}", waiting["id"].as_str().unwrap());
    call(Method::PATCH, "/emails/{id}", &path, scheduled).await;
    let path = format!("{path}/cancel");
    call(Method::POST, "/emails/{id}/cancel", &path, Value::Null).await;
    for query in ["?to=anna@example.net", "", "?limit=100"] {
        call(Method::GET, "/emails", &format!("/emails{query}"), Value::Null).await;
    }
    call(
        Method::POST,
        "/emails/batch",
        "/emails/batch",
        json!([email("anna@example.net")]),
    )
    .await;
    let listed = json!({ "email": "Anna@Example.net", "note": "asked", "expires_at": "2199-01-01T00:00:00Z" });
    let suppressed = call(Method::POST, "/suppressions", "/suppressions", listed).await;
    let path = format!("/suppressions/{}", suppressed["id"].as_str().unwrap());
    call(Method::GET, "/suppressions/{id_or_email}", &path, Value::Null).await;
    call(
        Method::GET,
        "/suppressions",
        "/suppressions?limit=1&origin=manual",
        Value::Null,
    )
    .await;
    call(Method::DELETE, "/suppressions/{id_or_email}", &path, Value::Null).await;
    let emails = json!({ "emails": ["bob@example.net"] });
    call(
        Method::POST,
        "/suppressions/batch/add",
        "/suppressions/batch/add",
        emails.clone(),
    )
    .await;
    call(
        Method::POST,
        "/suppressions/batch/remove",
        "/suppressions/batch/remove",
        emails,
    )
    .await;
    let webhook = json!({ "endpoint": "http://127.0.0.1:1/hook", "events": ["email.sent", "email.bounced"] });
    let webhook = call(Method::POST, "/webhooks", "/webhooks", webhook).await;
    let id = webhook["id"].as_str().unwrap();
    let event = put_event(&okite, id, 0).await;
    let change = json!({ "status": "enabled" });
    for (method, operation, body) in [
        (Method::GET, "/webhooks".to_owned(), Value::Null),
        (Method::GET, WEBHOOK.to_owned(), Value::Null),
        (Method::PATCH, WEBHOOK.to_owned(), change),
        (Method::POST, format!("{WEBHOOK}/signing-secret/rotate"), Value::Null),
        (Method::GET, format!("{WEBHOOK}/events"), Value::Null),
        (Method::GET, EVENT.to_owned(), Value::Null),
        (Method::GET, format!("{EVENT}/attempts"), Value::Null),
        (Method::POST, format!("{EVENT}/replay"), Value::Null),
        (Method::DELETE, WEBHOOK.to_owned(), Value::Null),
    ] {
        let path = operation.replace("{webhook_id}", id).replace("{event_id}", &event);
        call(method, &operation, &path, body).await;
    }
    for path in ["/quota", "/health", "/openapi.json"] {
        call(Method::GET, path, path, Value::Null).await;
    }
    call(Method::HEAD, "/health", "/health", Value::Null).await;
    assert_eq!(seen, CONTRACT.successes());
}

#[tokio::test]
async fn every_example_is_valid_and_every_request_among_them_works() {
    let okite = Okite::start().await;
    let mut later = email("anna@example.net");
    later["scheduled_at"] = json!("in 1 hour");
    let waiting = okite.send(&later).await;
    let webhook = json!({ "endpoint": "http://127.0.0.1:1/hook", "events": ["email.sent"] });
    let webhook = Answer::of(okite.request(Method::POST, "/webhooks").bearer_auth(KEY).json(&webhook)).await;
    for (path, item) in CONTRACT.document["paths"].as_object().unwrap() {
        // The email that waits and the webhook are those that an example changes.
        let path = path.replace("{id}", waiting["id"].as_str().unwrap());
        let path = path.replace("{webhook_id}", webhook.body["id"].as_str().unwrap());
        let operations = item
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, _)| *name != "parameters");
        for (method, operation) in operations {
            let method: Method = method.to_uppercase().parse().unwrap();
            let example = |of: &Value| of["content"]["application/json"]["example"].clone();
            let responses = operation["responses"].as_object().into_iter().flatten();
            for (status, response) in responses.filter(|(_, response)| !example(response).is_null()) {
                let status = status.parse().unwrap();
                assert_eq!(
                    CONTRACT.problem(&method, &path, None, status, &example(response)),
                    None,
                    "{path}"
                );
            }
            let with_json = |body: &&Value| !example(body).is_null();
            if let Some(body) = operation.get("requestBody").filter(with_json) {
                let answer = Answer::of(okite.request(method, &path).bearer_auth(KEY).json(&example(body))).await;
                assert!(answer.status < 300, "{path}: {answer:?}");
            }
        }
    }
}
