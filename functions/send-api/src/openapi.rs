//! `GET /openapi.json`: the contract, as an OpenAPI document.
//!
//! It is docs/openapi.json, written by hand and held against the code by tests: the routes and the errors here and in
//! `error`, and every answer of the end-to-end tests there.

use crate::response::Response;

/// The document. It is part of the program, and costs a start nothing.
pub(crate) const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

pub(crate) fn show() -> Response {
    Response::written(DOCUMENT)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use http::Method;
    use serde_json::Value;

    use super::*;
    use crate::route::Route;

    fn document() -> Value {
        serde_json::from_str(DOCUMENT).unwrap()
    }

    /// The document's operations, as `GET /emails/{id}`.
    fn operations() -> BTreeSet<String> {
        let document = document();
        let paths = document["paths"].as_object().unwrap();
        let operations = paths.iter().flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys().filter(|key| *key != "parameters");
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        });
        operations.collect()
    }

    #[test]
    fn has_the_version_of_the_program() {
        assert_eq!(document()["info"]["version"], env!("CARGO_PKG_VERSION"));
    }

    #[test]
    fn every_path_takes_the_methods_of_the_document_and_no_other() {
        let operations = operations();
        let document = document();
        for path in document["paths"].as_object().unwrap().keys() {
            for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
                let route = Route::of(&method.parse::<Method>().unwrap(), path);
                let operation = format!("{method} {path}");
                match route {
                    Ok(_) => assert!(operations.contains(&operation), "{operation} is missing"),
                    Err(error) => {
                        assert!(!operations.contains(&operation), "there is no {operation}");
                        assert_eq!(error.status, 405, "{operation}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_operation_of_the_code_is_in_the_document() {
        // The variants of `Route` name theirs, each in the first line of its documentation.
        let source = include_str!("route.rs");
        let (_, variants) = source.split_once("pub(crate) enum Route {").unwrap();
        let (variants, _) = variants.split_once("\n}").unwrap();
        let named = variants.lines().filter_map(|line| line.trim().strip_prefix("/// `"));
        let named: Vec<&str> = named.filter_map(|line| Some(line.split_once('`')?.0)).collect();
        let variants = variants.lines().filter(|line| line.ends_with(',')).count();
        assert_eq!(named.len(), variants, "a variant of Route does not name its operation");
        let operations = operations();
        for operation in named {
            assert!(
                operations.contains(operation),
                "{operation} is missing in docs/openapi.json"
            );
        }
    }
}
