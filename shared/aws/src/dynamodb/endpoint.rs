//! The endpoint of DynamoDB, resolved once and not for each table.
//!
//! The SDK keeps the endpoint of the last call, and the name of the table is among the parameters that must be the
//! same. The tables of a mail take turns, so each call would run all rules anew. They read the name only if it is an
//! ARN.

use std::sync::{PoisonError, RwLock};

use aws_sdk_dynamodb::config::endpoint::{DefaultResolver, Endpoint, EndpointFuture, Params, ResolveEndpoint};
use futures_util::FutureExt;

/// How many endpoints are kept: one for calls of one table, and one for calls of several.
const KEPT_MAX: usize = 4;

/// The SDK's own resolver, which is asked once for each kind of parameters.
#[derive(Debug, Default)]
pub(crate) struct KeptEndpoint {
    resolver: DefaultResolver,
    kept: RwLock<Vec<(Params, Endpoint)>>,
}

impl KeptEndpoint {
    fn kept(&self, params: &Params) -> Option<Endpoint> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().find(|(kept, _)| is_same(kept, params));
        found.map(|(_, endpoint)| endpoint.clone())
    }

    fn keep(&self, params: &Params, endpoint: &Endpoint) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT_MAX {
            kept.push((params.clone(), endpoint.clone()));
        }
    }
}

impl ResolveEndpoint for KeptEndpoint {
    fn resolve_endpoint<'a>(&'a self, params: &'a Params) -> EndpointFuture<'a> {
        if names_arn(params) {
            return self.resolver.resolve_endpoint(params);
        }
        if let Some(endpoint) = self.kept(params) {
            return EndpointFuture::ready(Ok(endpoint));
        }
        // The SDK's resolver waits for nothing.
        match self.resolver.resolve_endpoint(params).now_or_never() {
            Some(Ok(endpoint)) => {
                self.keep(params, &endpoint);
                EndpointFuture::ready(Ok(endpoint))
            }
            Some(Err(error)) => EndpointFuture::ready(Err(error)),
            None => self.resolver.resolve_endpoint(params),
        }
    }
}

/// Returns whether a table is named by its ARN, which can lead to the endpoint of an account.
fn names_arn(params: &Params) -> bool {
    let is_arn = |name: &str| name.starts_with("arn:");
    params.resource_arn().is_some_and(is_arn)
        || params
            .resource_arn_list()
            .is_some_and(|names| names.iter().any(|name| is_arn(name)))
}

/// Returns whether the rules have the same result for both, neither of which names an ARN.
fn is_same(one: &Params, other: &Params) -> bool {
    // The names do not matter, but whether there are any does.
    let counts = |params: &Params| {
        (
            params.resource_arn().is_some(),
            params.resource_arn_list().map(<[String]>::is_empty),
        )
    };
    one.region() == other.region()
        && one.use_dual_stack() == other.use_dual_stack()
        && one.use_fips() == other.use_fips()
        && one.endpoint() == other.endpoint()
        && one.account_id() == other.account_id()
        && one.account_id_endpoint_mode() == other.account_id_endpoint_mode()
        && one.is_search_operation() == other.is_search_operation()
        && counts(one) == counts(other)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn a_name() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-zA-Z0-9_.-]{3,12}",
            "arn:aws:dynamodb:(us-east-1|eu-west-1):[0-9]{12}:table/t",
            "[ -~]{0,8}",
        ]
    }

    prop_compose! {
        fn some_params()(
            region in prop_oneof![
                Just("us-east-1"), Just("eu-west-1"), Just("cn-north-1"), Just("us-gov-west-1"), Just("us-iso-east-1"),
                Just("eusc-de-east-1"), Just("local"), Just("mars-1")
            ],
            use_dual_stack in any::<bool>(),
            use_fips in any::<bool>(),
            endpoint in prop::option::weighted(0.2, Just("https://127.0.0.1:8000".to_owned())),
            account_id in prop::option::weighted(0.3, "[0-9]{12}"),
            mode in prop::option::of(prop_oneof![Just("preferred"), Just("required"), Just("disabled")]),
            table in prop::option::of(a_name()),
            tables in prop::option::of(prop::collection::vec(a_name(), 0..3)),
        ) -> Params {
            Params::builder()
                .region(region)
                .use_dual_stack(use_dual_stack)
                .use_fips(use_fips)
                .set_endpoint(endpoint)
                .set_account_id(account_id)
                .set_account_id_endpoint_mode(mode.map(str::to_owned))
                .set_resource_arn(table)
                .set_resource_arn_list(tables)
                .build()
                .unwrap()
        }
    }

    /// Returns the endpoint, or the text of the error.
    fn resolved(resolver: &impl ResolveEndpoint, params: &Params) -> Result<Endpoint, String> {
        let result = resolver.resolve_endpoint(params).now_or_never().unwrap();
        result.map_err(|error| error.to_string())
    }

    proptest! {
        #[test]
        fn resolves_as_the_sdk_does(
            calls in prop::collection::vec(some_params(), 1..6),
            tables in prop::collection::vec(a_name(), 3),
        ) {
            let ours = KeptEndpoint::default();
            // Each call comes again with other tables.
            let again = calls.iter().flat_map(|params| {
                let same = |builder: aws_sdk_dynamodb::config::endpoint::ParamsBuilder| {
                    builder
                        .set_region(params.region().map(str::to_owned))
                        .set_use_dual_stack(params.use_dual_stack())
                        .set_use_fips(params.use_fips())
                        .set_endpoint(params.endpoint().map(str::to_owned))
                        .set_account_id(params.account_id().map(str::to_owned))
                        .set_account_id_endpoint_mode(params.account_id_endpoint_mode().map(str::to_owned))
                };
                [
                    same(Params::builder()).build().unwrap(),
                    same(Params::builder()).resource_arn(&tables[0]).build().unwrap(),
                    same(Params::builder()).resource_arn(&tables[1]).build().unwrap(),
                    same(Params::builder()).resource_arn_list(tables.clone()).build().unwrap(),
                    same(Params::builder()).resource_arn_list(vec![tables[2].clone()]).build().unwrap(),
                ]
            });
            for params in calls.iter().cloned().chain(again) {
                prop_assert_eq!(resolved(&ours, &params), resolved(&DefaultResolver::new(), &params), "{:?}", params);
            }
        }
    }

    #[test]
    fn keeps_the_endpoint_for_other_tables() {
        let resolver = KeptEndpoint::default();
        for table in ["one", "two", "three"] {
            let params = Params::builder()
                .region("eu-west-1")
                .resource_arn(table)
                .build()
                .unwrap();
            resolved(&resolver, &params).unwrap();
        }
        assert_eq!(resolver.kept.read().unwrap().len(), 1);
    }
}
