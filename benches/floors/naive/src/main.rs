//! Sends the same mail as a typical tutorial would: it uses default features, starts a thread for each core, and makes
//! clients that connect at their first call. It looks up suppressed recipients, calls SES and answers.

use std::collections::HashMap;
use std::env;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let dynamodb = aws_sdk_dynamodb::Client::new(&config);
    let ses = aws_sdk_sesv2::Client::new(&config);
    let table = env::var("SUPPRESSIONS_TABLE")?;
    let (dynamodb, ses, table) = (&dynamodb, &ses, &table);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        send(dynamodb, ses, table, &event.payload).await
    }))
    .await
}

async fn send(
    dynamodb: &aws_sdk_dynamodb::Client,
    ses: &aws_sdk_sesv2::Client,
    table: &str,
    event: &Value,
) -> Result<Value, Error> {
    let email: Value = serde_json::from_str(event["body"].as_str().unwrap_or_default())?;
    let recipients: Vec<String> = serde_json::from_value(email["to"].clone())?;
    let text = |name: &str| email[name].as_str().unwrap_or_default().to_owned();

    // The stand-in of DynamoDB answers any key. Okite's is a hash.
    let keys = recipients
        .iter()
        .map(|recipient| HashMap::from([("address_hash".to_owned(), AttributeValue::S(recipient.to_lowercase()))]))
        .collect();
    let asked = KeysAndAttributes::builder().set_keys(Some(keys)).build()?;
    let found = dynamodb.batch_get_item().request_items(table, asked).send().await?;
    let suppressed = found
        .responses
        .and_then(|mut tables| tables.remove(table))
        .unwrap_or_default();
    if !suppressed.is_empty() {
        return Ok(json!({ "statusCode": 200, "body": "suppressed" }));
    }

    let content = |data: String| Content::builder().data(data).build();
    let body = Body::builder()
        .text(content(text("text"))?)
        .html(content(text("html"))?)
        .build();
    let message = Message::builder().subject(content(text("subject"))?).body(body).build();
    let sent = ses
        .send_email()
        .from_email_address(text("from"))
        .destination(Destination::builder().set_to_addresses(Some(recipients)).build())
        .content(EmailContent::builder().simple(message).build())
        .send()
        .await?;
    Ok(json!({ "statusCode": 200, "body": json!({ "id": sent.message_id }).to_string() }))
}
