//! `GET /openapi.json`: returns the API's contract as an OpenAPI document.
//!
//! It is docs/openapi.json, written by hand and held against the code by tests: the routes and the errors here and in
//! `error`, and every answer of the end-to-end tests there.

use crate::response::Response;

/// The text of docs/openapi.json. The compiler includes it in the program.
pub(crate) const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

pub(crate) fn show() -> Response {
    Response::written(DOCUMENT)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::route::OPERATIONS;

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
    fn the_document_lists_every_operation_and_no_others() {
        let known = OPERATIONS.map(|(method, path, _)| format!("{method} {path}"));
        assert_eq!(operations(), BTreeSet::from(known));
    }
}
