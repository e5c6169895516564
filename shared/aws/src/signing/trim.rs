//! The parts of the SDK that are switched off: headers for AWS's statistics. Each mail makes five calls, and each call
//! would format and copy them.
//!
//! | header of the SDK | instead |
//! |---|---|
//! | `user-agent`, `x-amz-user-agent` (the SDK, its features, the system) | `user-agent: okite/<version>` |
//! | `amz-sdk-invocation-id` (one id for all attempts) | nothing: AWS's request ids identify calls |
//! | `amz-sdk-request` (the attempt, and how many there may be) | nothing |
//!
//! Retries and the correction of the clock use none of them.

use std::sync::Arc;
use std::time::SystemTime;

use aws_runtime::invocation_id::InvocationIdInterceptor;
use aws_runtime::request_info::RequestInfoInterceptor;
use aws_runtime::user_agent::UserAgentInterceptor;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeSerializationInterceptorContextRef,
    BeforeTransmitInterceptorContextMut, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, disable_interceptor};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};

use super::server_clock::ServerClock;

const USER_AGENT: &str = concat!("okite/", env!("CARGO_PKG_VERSION"));
const WHY: &str = "AWS needs no statistics of this call";

/// Switches parts of the SDK off, and measures the clock of the service by its answers.
#[derive(Debug)]
pub(super) struct Trim {
    clock: Arc<ServerClock>,
}

impl Trim {
    pub(super) fn new(clock: Arc<ServerClock>) -> Self {
        Self { clock }
    }
}

/// The local time at which an attempt was sent.
#[derive(Clone, Copy, Debug)]
struct Sent(SystemTime);

impl Storable for Sent {
    type Storer = StoreReplace<Self>;
}

fn now(components: &RuntimeComponents) -> SystemTime {
    components.time_source().unwrap_or_default().now()
}

impl Intercept for Trim {
    fn name(&self) -> &'static str {
        "Trim"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let state = config.interceptor_state();
        state.store_put(disable_interceptor::<UserAgentInterceptor>(WHY));
        state.store_put(disable_interceptor::<InvocationIdInterceptor>(WHY));
        state.store_put(disable_interceptor::<RequestInfoInterceptor>(WHY));
        Ok(())
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        context.request_mut().headers_mut().insert("user-agent", USER_AGENT);
        Ok(())
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(Sent(now(components)));
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answer = context.response();
        // A success proves that the time of its request was right. An answer of a cache has an old date.
        let measures = self.clock.is_corrected() || !answer.status().is_success();
        if measures
            && answer.headers().get("age").is_none()
            && let Some(date) = answer.headers().get("date")
            && let Some(Sent(sent)) = config.load::<Sent>()
        {
            self.clock.measure(date, *sent, now(components));
        }
        Ok(())
    }
}
