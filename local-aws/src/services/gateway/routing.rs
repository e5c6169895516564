//! The route of a request, chosen as API Gateway chooses it.
//!
//! A route must match both the path and the method. Among those that do, the most specific path wins: text before a
//! variable, and a variable before a greedy one. Of two equal paths, a route for the method wins over `ANY`. The
//! `$default` route takes what is left.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html>

use std::cmp::Reverse;

use crate::template::{HttpRoute, PathSegment, RouteKey};

/// The route of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Match<'a> {
    pub(super) route: &'a HttpRoute,
    /// The names and values of the path's variables.
    pub(super) variables: Vec<(String, String)>,
}

/// The rank of a segment: a smaller one is more specific.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Literal,
    Variable,
    Greedy,
    /// The rank of a route without a path.
    Default,
}

/// Finds the route of a request. `path` is decoded.
pub(super) fn find<'a>(routes: &'a [HttpRoute], method: &str, path: &str) -> Option<Match<'a>> {
    let matching = routes.iter().filter_map(|route| {
        let (rank, variables) = match &route.key {
            RouteKey::Default => ((vec![Rank::Default], Reverse(false)), Vec::new()),
            RouteKey::Path { method: own, .. } if own.as_deref().is_some_and(|own| own != method) => return None,
            RouteKey::Path { method, path: pattern } => {
                let ranks = pattern.iter().map(rank).collect();
                ((ranks, Reverse(method.is_some())), variables(pattern, path)?)
            }
        };
        Some((rank, Match { route, variables }))
    });
    let best = matching.min_by(|(one, _), (other, _)| one.cmp(other));
    best.map(|(_, found)| found)
}

fn rank(segment: &PathSegment) -> Rank {
    match segment {
        PathSegment::Literal(_) => Rank::Literal,
        PathSegment::Variable(_) => Rank::Variable,
        PathSegment::Greedy(_) => Rank::Greedy,
    }
}

/// Returns the values of a pattern's variables in a path, or nothing if the path does not match.
fn variables(pattern: &[PathSegment], path: &str) -> Option<Vec<(String, String)>> {
    let mut rest = Some(path.strip_prefix('/')?);
    let mut found = Vec::new();
    for segment in pattern {
        let left = rest?;
        if let PathSegment::Greedy(name) = segment {
            found.push((name.clone(), left.to_owned()));
            return (!left.is_empty()).then_some(found);
        }
        let (text, after) = match left.split_once('/') {
            Some((text, after)) => (text, Some(after)),
            None => (left, None),
        };
        match segment {
            PathSegment::Literal(literal) if literal == text => {}
            PathSegment::Variable(name) if !text.is_empty() => found.push((name.clone(), text.to_owned())),
            _ => return None,
        }
        rest = after;
    }
    rest.is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::routes;
    use super::*;

    const TABLE: [(&str, &str); 9] = [
        ("$default", "/"),
        ("ANY", "/v2/email/{proxy+}"),
        ("POST", "/v2/email/{proxy+}"),
        ("ANY", "/v2/email/outbound-emails"),
        ("PUT", "/v2/email/outbound-emails"),
        ("GET", "/v2/email/{kind}"),
        ("POST", "/"),
        ("GET", "/v2/email/identities/{name}"),
        ("DELETE", "/v2/email/identities/x"),
    ];

    /// Returns the key of the chosen route and the values of its variables.
    fn chosen(method: &str, path: &str) -> (String, Vec<String>) {
        let table = routes(&TABLE);
        let found = find(&table, method, path).unwrap();
        let values = found.variables.into_iter().map(|(_, value)| value).collect();
        (found.route.key.to_string(), values)
    }

    #[test]
    fn prefers_the_more_specific_path_and_then_the_method() {
        for (method, path, key, values) in [
            ("POST", "/", "POST /", &[][..]),
            ("GET", "/", "$default", &[]),
            ("POST", "/emails", "$default", &[]),
            ("GET", "/v2/email/outbound-emails", "ANY /v2/email/outbound-emails", &[]),
            ("PUT", "/v2/email/outbound-emails", "PUT /v2/email/outbound-emails", &[]),
            ("GET", "/v2/email/account", "GET /v2/email/{kind}", &["account"]),
            ("PUT", "/v2/email/account", "ANY /v2/email/{proxy+}", &["account"]),
            ("POST", "/v2/email/a/b", "POST /v2/email/{proxy+}", &["a/b"]),
            (
                "GET",
                "/v2/email/identities/x",
                "GET /v2/email/identities/{name}",
                &["x"],
            ),
            ("DELETE", "/v2/email/identities/x", "DELETE /v2/email/identities/x", &[]),
            (
                "PUT",
                "/v2/email/identities/x",
                "ANY /v2/email/{proxy+}",
                &["identities/x"],
            ),
        ] {
            assert_eq!(chosen(method, path).0, key, "{method} {path}");
            assert_eq!(chosen(method, path).1, values, "{method} {path}");
        }
    }

    #[test]
    fn a_variable_is_never_empty_and_a_slash_at_the_end_counts() {
        for path in ["/v2/email", "/v2/email/", "/v2", "//", "", "v2/email/x", "/V2/email/x"] {
            assert_eq!(chosen("POST", path).0, "$default", "{path}");
        }
        assert_eq!(chosen("POST", "/v2/email/x/").1, ["x/"]);
        let slash = "/v2/email/outbound-emails/";
        assert_eq!(chosen("PUT", slash).0, "ANY /v2/email/{proxy+}");
    }

    #[test]
    fn has_no_route_for_what_no_key_matches() {
        let table = routes(&[("POST", "/"), ("GET", "/a/{b}")]);
        assert_eq!(find(&table, "GET", "/"), None);
        assert_eq!(find(&table, "POST", "/a/b"), None);
        assert_eq!(find(&table, "GET", "/a/b/c"), None);
        assert_eq!(find(&table, "GET", "/a/"), None);
    }

    proptest! {
        #[test]
        fn the_order_of_the_routes_does_not_matter(
            order in Just(TABLE.to_vec()).prop_shuffle(),
            method in prop::sample::select(vec!["GET", "POST", "PUT", "DELETE"]),
            path in "(/v2)?(/email)?(/outbound-emails|/identities)?(/x|/)?",
        ) {
            let (table, shuffled) = (routes(&TABLE), routes(&order));
            let key = |routes: &[HttpRoute]| find(routes, method, &path).map(|found| found.route.key.to_string());
            prop_assert_eq!(key(&table), key(&shuffled));
        }
    }
}
