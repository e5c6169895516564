//! What a message costs in write and read units, as DynamoDB would bill it.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::sync::{Arc, Mutex};

use aws::{Messages, NewMessage};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::operation::batch_write_item::{BatchWriteItemInput, BatchWriteItemOutput};
use aws_sdk_dynamodb::operation::get_item::{GetItemInput, GetItemOutput};
use aws_sdk_dynamodb::operation::put_item::{PutItemInput, PutItemOutput};
use aws_sdk_dynamodb::operation::update_item::{UpdateItemInput, UpdateItemOutput};
use aws_sdk_dynamodb::types::{ConsumedCapacity, ReturnConsumedCapacity};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextMut, FinalizerInterceptorContextRef,
};
use domain::address::{EmailAddress, Mailbox};
use domain::feedback::MessageEvent;
use domain::message::{EmailParts, Tag};
use domain::recipient::{RecipientOutcome, RecipientStatus};

use super::events::event;
use super::rows::{ID, SES_ID, attempt, sending};
use crate::support::{Store, at, mail, mailboxes, parts};

/// Asks every write and every read of an item for the capacity that it consumes, and adds it up.
#[derive(Clone, Debug, Default)]
struct Meter(Arc<Mutex<Consumed>>);

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Consumed {
    writes: u32,
    units: f64,
    reads: u32,
    read_units: f64,
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
        } else if let Some(get) = input.downcast_mut::<GetItemInput>() {
            get.return_consumed_capacity = total;
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
        let units = |consumed: &ConsumedCapacity| consumed.capacity_units().unwrap();
        if let Some(get) = output.downcast_ref::<GetItemOutput>() {
            let mut sum = self.0.lock().unwrap();
            sum.reads += 1;
            sum.read_units += units(get.consumed_capacity().unwrap());
            return Ok(());
        }
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
        sum.units += consumed.into_iter().map(units).sum::<f64>();
        Ok(())
    }
}

/// The table, through a client that counts.
fn metered(store: &Store) -> (Messages, Meter) {
    let meter = Meter::default();
    let config = store.client().config().to_builder().interceptor(meter.clone());
    let client = aws_sdk_dynamodb::Client::from_conf(config.build());
    (Messages::new(client, store.table("MessagesTable")), meter)
}

const fn written(writes: u32, units: f64) -> Consumed {
    Consumed {
        writes,
        units,
        reads: 0,
        read_units: 0.0,
    }
}

/// A read of a row of up to 4 KB that is not consistent.
const fn after_a_read(written: Consumed) -> Consumed {
    Consumed {
        reads: 1,
        read_units: 0.5,
        ..written
    }
}

#[tokio::test]
async fn a_usual_mail_costs_five_write_units_beside_its_permit() {
    let store = Store::start().await;
    let (messages, meter) = metered(&store);
    let address = "anna.lindqvist-johansson@customers.example.org";
    let tag = |name: &str, value: &str| Tag::new(name, value).unwrap();
    let mail = mail(EmailParts {
        from: Mailbox::parse("The Team of Example <notifications@mail.example.com>").unwrap(),
        to: mailboxes(&[&format!("Anna Lindqvist-Johansson <{address}>")]),
        reply_to: mailboxes(&["support@example.com"]),
        subject: "Your order 1234-5678 was sent and will arrive on Wednesday".to_owned(),
        tags: vec![tag("campaign", "order-sent"), tag("customer", "cus_0123456789")],
        ..parts()
    });
    let outcomes = [RecipientOutcome {
        address: EmailAddress::parse(address).unwrap(),
        status: RecipientStatus::Accepted,
    }];
    let message = NewMessage {
        outcomes: &outcomes,
        key_id: "0123456789abcdef",
        ..attempt(&mail)
    };
    messages.put(&message).await.unwrap();
    // The row, and an entry of `by-recipient`.
    assert_eq!(meter.take(), written(1, 2.0));
    let ses_id = "0100019b0a1b2c3d-00000000-0000-0000-0000-000000000000-000000";
    messages.accepted(ID, ses_id, at(0)).await.unwrap();
    assert_eq!(meter.take(), written(1, 1.0));
    let of_ses = |event: MessageEvent| MessageEvent {
        ses_id: ses_id.to_owned(),
        subtype: None,
        ..event
    };
    messages
        .add_event(&of_ses(event("Send", "", &[])), at(0))
        .await
        .unwrap();
    assert_eq!(meter.take(), after_a_read(written(0, 0.0)));
    let delivery = of_ses(event("Delivery", "", &[address]));
    messages.add_event(&delivery, at(0)).await.unwrap();
    assert_eq!(meter.take(), after_a_read(written(1, 1.0)));
}

#[tokio::test]
async fn an_event_that_settles_a_mail_costs_the_row_once_more() {
    let store = sending().await;
    let (messages, meter) = metered(&store);
    for (person, expected) in [("anna", written(2, 2.0)), ("carol", written(1, 1.0))] {
        let delivery = event("Delivery", "", &[&format!("{person}@example.org")]);
        messages.add_event(&delivery, at(0)).await.unwrap();
        assert_eq!(meter.take(), after_a_read(expected), "{person}");
    }
}

#[tokio::test]
async fn a_mail_to_50_people_costs_one_unit_for_each_delivery() {
    let store = Store::start().await;
    let (messages, meter) = metered(&store);

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
    messages.accepted(ID, SES_ID, at(0)).await.unwrap();
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
    // The row and SES's id in it, 4 KB each time; 50 entries of the index, which are two units each.
    assert_eq!(sent, written(4, 4.0 + 4.0 + 100.0));
    // The row says it already.
    assert_eq!(of_send, after_a_read(written(0, 0.0)));
    let reads = Consumed {
        reads: 50,
        read_units: 25.0,
        ..written(50, 50.0)
    };
    assert_eq!(deliveries, reads);
}
