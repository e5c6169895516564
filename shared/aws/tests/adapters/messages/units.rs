//! What a message costs in write units, as DynamoDB would bill it.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::sync::{Arc, Mutex};

use aws::{Messages, NewMessage};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::operation::batch_write_item::{BatchWriteItemInput, BatchWriteItemOutput};
use aws_sdk_dynamodb::operation::put_item::{PutItemInput, PutItemOutput};
use aws_sdk_dynamodb::operation::update_item::{UpdateItemInput, UpdateItemOutput};
use aws_sdk_dynamodb::types::{ConsumedCapacity, ReturnConsumedCapacity};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextMut, FinalizerInterceptorContextRef,
};
use domain::address::EmailAddress;
use domain::feedback::MessageEvent;
use domain::message::EmailParts;
use domain::recipient::{RecipientOutcome, RecipientStatus};

use super::events::event;
use super::rows::{ID, attempt};
use crate::support::{Store, at, mail, mailboxes, parts};

/// Asks every write for the capacity that it consumes, and adds it up.
#[derive(Clone, Debug, Default)]
struct Meter(Arc<Mutex<Consumed>>);

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Consumed {
    writes: u32,
    units: f64,
}

impl Meter {
    /// Returns what was consumed since the last call.
    fn take(&self) -> Consumed {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Intercept for Meter {
    fn name(&self) -> &'static str {
        "Meter"
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let total = Some(ReturnConsumedCapacity::Total);
        let input = context.input_mut();
        if let Some(put) = input.downcast_mut::<PutItemInput>() {
            put.return_consumed_capacity = total;
        } else if let Some(update) = input.downcast_mut::<UpdateItemInput>() {
            update.return_consumed_capacity = total;
        } else if let Some(batch) = input.downcast_mut::<BatchWriteItemInput>() {
            batch.return_consumed_capacity = total;
        }
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(Ok(output)) = context.output_or_error() else {
            return Ok(());
        };
        let consumed: Vec<&ConsumedCapacity> = if let Some(put) = output.downcast_ref::<PutItemOutput>() {
            put.consumed_capacity().into_iter().collect()
        } else if let Some(update) = output.downcast_ref::<UpdateItemOutput>() {
            update.consumed_capacity().into_iter().collect()
        } else if let Some(batch) = output.downcast_ref::<BatchWriteItemOutput>() {
            batch.consumed_capacity().iter().collect()
        } else {
            return Ok(());
        };
        let mut sum = self.0.lock().unwrap();
        sum.writes += 1;
        sum.units += consumed
            .iter()
            .map(|consumed| consumed.capacity_units().unwrap())
            .sum::<f64>();
        Ok(())
    }
}

#[tokio::test]
async fn a_mail_to_50_people_costs_one_unit_for_each_delivery() {
    let store = Store::start().await;
    let meter = Meter::default();
    let config = store.client().config().to_builder().interceptor(meter.clone());
    let client = aws_sdk_dynamodb::Client::from_conf(config.build());
    let messages = Messages::new(client, store.table("MessagesTable"));

    let people: Vec<String> = (0..50)
        .map(|number| format!("person-{number:02}@example.org"))
        .collect();
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let mail = mail(EmailParts {
        to: mailboxes(&people),
        ..parts()
    });
    let outcomes: Vec<RecipientOutcome> = people
        .iter()
        .map(|address| RecipientOutcome {
            address: EmailAddress::parse(address).unwrap(),
            status: RecipientStatus::Accepted,
        })
        .collect();
    let message = NewMessage {
        outcomes: &outcomes,
        ..attempt(&mail)
    };
    messages.put(&message).await.unwrap();
    messages.accepted(ID, "s-1").await.unwrap();
    let sent = meter.take();

    messages.add_event(&event("Send", "", &[]), at(0)).await.unwrap();
    let of_send = meter.take();
    for person in &people {
        let delivery = MessageEvent {
            subtype: None,
            ..event("Delivery", "", &[person])
        };
        messages.add_event(&delivery, at(0)).await.unwrap();
    }
    let deliveries = meter.take();
    let consumed = |writes, units| Consumed { writes, units };
    // The row and SES's id in it, 4 KB each time; 50 entries of the index, which are two units each; one entry of
    // `newest` and one of `by-ses-id`.
    assert_eq!(sent, consumed(4, 4.0 + 4.0 + 100.0 + 1.0 + 1.0));
    // The event, and SES's id once more: the only event that rewrites the row.
    assert_eq!(of_send, consumed(2, 1.0 + 4.0));
    assert_eq!(deliveries, consumed(50, 50.0));
}
