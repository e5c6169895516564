//! Tables: the requests of `CreateTable` and `UpdateTimeToLive`.

use serde_json::{Value as Json, json};

use super::StackContext;
use super::error::TemplateError;
use super::names;
use super::resource::Resource;
use super::value::{Map, Value};

/// A DynamoDB table of the template.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Logical id of the resource: `OrdersTable`.
    pub logical_id: String,
    /// The table's name: `shop-OrdersTable`.
    pub name: String,
    /// ARN of the table.
    pub arn: String,
    /// Body of the [`CreateTable`] request that makes the table.
    ///
    /// [`CreateTable`]: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
    pub create: Json,
    /// Attribute with the time, in seconds since 1970, at which an item expires.
    pub time_to_live: Option<String>,
}

pub(super) fn read(resource: &Resource<'_>, context: &StackContext) -> Result<Table, TemplateError> {
    let properties = &resource.properties;
    properties.only(
        &[
            "AttributeDefinitions",
            "BillingMode",
            "GlobalSecondaryIndexes",
            "KeySchema",
            "TimeToLiveSpecification",
        ],
        &[
            "ContributorInsightsSpecification",
            "DeletionProtectionEnabled",
            "PointInTimeRecoverySpecification",
            "SSESpecification",
            "Tags",
            "WarmThroughput",
        ],
    )?;
    let billing = properties.required("BillingMode")?;
    if billing.clone().text()? != "PAY_PER_REQUEST" {
        return Err(billing.unfit("must be PAY_PER_REQUEST"));
    }

    let name = names::physical(context, resource.logical_id);
    let mut create = json!({
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": each(properties.required("AttributeDefinitions")?, |attribute| {
            texts(attribute, ["AttributeName", "AttributeType"])
        })?,
        "KeySchema": key_schema(properties)?,
    });
    if let Some(indexes) = properties.optional("GlobalSecondaryIndexes")? {
        create["GlobalSecondaryIndexes"] = each(indexes, index)?;
    }
    Ok(Table {
        logical_id: resource.logical_id.to_owned(),
        name,
        arn: names::table_arn(context, resource.logical_id),
        create,
        time_to_live: time_to_live(properties)?,
    })
}

fn index(index: &Map<'_>) -> Result<Json, TemplateError> {
    index.only(
        &["IndexName", "KeySchema", "Projection"],
        &["ContributorInsightsSpecification"],
    )?;
    let projection = index.required("Projection")?.map()?;
    projection.only(&["NonKeyAttributes", "ProjectionType"], &[])?;
    let mut projected = json!({"ProjectionType": projection.required("ProjectionType")?.text()?});
    if let Some(attributes) = projection.optional("NonKeyAttributes")? {
        let attributes = attributes.list()?.into_iter().map(Value::text);
        projected["NonKeyAttributes"] = Json::from(attributes.collect::<Result<Vec<_>, _>>()?);
    }
    Ok(json!({
        "IndexName": index.required("IndexName")?.text()?,
        "KeySchema": key_schema(index)?,
        "Projection": projected,
    }))
}

fn key_schema(owner: &Map<'_>) -> Result<Json, TemplateError> {
    each(owner.required("KeySchema")?, |key| {
        texts(key, ["AttributeName", "KeyType"])
    })
}

fn time_to_live(properties: &Map<'_>) -> Result<Option<String>, TemplateError> {
    let Some(specification) = properties.optional("TimeToLiveSpecification")? else {
        return Ok(None);
    };
    let specification = specification.map()?;
    specification.only(&["AttributeName", "Enabled"], &[])?;
    if specification.required("Enabled")?.boolean()? {
        Ok(Some(specification.required("AttributeName")?.text()?))
    } else {
        Ok(None)
    }
}

fn each(list: Value<'_>, read: impl Fn(&Map<'_>) -> Result<Json, TemplateError>) -> Result<Json, TemplateError> {
    list.list()?
        .into_iter()
        .map(|item| read(&item.map()?))
        .collect::<Result<Vec<_>, _>>()
        .map(Json::from)
}

/// Copies a map of texts that has exactly these keys.
fn texts<const N: usize>(map: &Map<'_>, keys: [&str; N]) -> Result<Json, TemplateError> {
    map.only(&keys, &[])?;
    keys.into_iter()
        .map(|key| Ok((key.to_owned(), Json::from(map.required(key)?.text()?))))
        .collect::<Result<serde_json::Map<_, _>, _>>()
        .map(Json::from)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{error_of, stack};
    use super::*;

    const TABLE: &str = "\
Resources:
  Marks:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: Retain
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions:
        - { AttributeName: pk, AttributeType: S }
        - AttributeName: at
          AttributeType: N
      KeySchema:
        - { AttributeName: pk, KeyType: HASH }
      TimeToLiveSpecification: { AttributeName: expires_at, Enabled: true }
      GlobalSecondaryIndexes:
        - IndexName: by-time
          KeySchema:
            - { AttributeName: at, KeyType: HASH }
          Projection:
            ProjectionType: INCLUDE
            NonKeyAttributes: [kind]
";

    #[test]
    fn makes_the_body_of_create_table() {
        let table = stack(TABLE).tables.remove(0);
        assert_eq!(table.logical_id, "Marks");
        assert_eq!(table.name, "shop-Marks");
        assert_eq!(table.time_to_live.as_deref(), Some("expires_at"));
        assert_eq!(
            table.create,
            json!({
                "TableName": "shop-Marks",
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [
                    {"AttributeName": "pk", "AttributeType": "S"},
                    {"AttributeName": "at", "AttributeType": "N"},
                ],
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                "GlobalSecondaryIndexes": [{
                    "IndexName": "by-time",
                    "KeySchema": [{"AttributeName": "at", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["kind"]},
                }],
            })
        );
    }

    #[test]
    fn has_no_time_to_live_when_that_is_off() {
        let stack = stack(&TABLE.replace("Enabled: true", "Enabled: false"));
        assert_eq!(stack.tables[0].time_to_live, None);
    }

    #[test]
    fn names_the_line_of_an_invalid_value() {
        for (good, bad, error) in [
            (
                "BillingMode: PAY_PER_REQUEST",
                "BillingMode: PROVISIONED",
                "6: Marks.BillingMode must be PAY_PER_REQUEST",
            ),
            (
                "      BillingMode: PAY_PER_REQUEST\n",
                "",
                "6: Marks has no `BillingMode`",
            ),
            (
                "AttributeType: N",
                "Type: N",
                "10: `Marks.AttributeDefinitions[1].Type` is not supported here",
            ),
            (
                "{ AttributeName: pk, KeyType: HASH }",
                "{ AttributeName: pk }",
                "12: Marks.KeySchema[0] has no `KeyType`",
            ),
            (
                "NonKeyAttributes: [kind]",
                "NonKeyAttributes: kind",
                "20: Marks.GlobalSecondaryIndexes[0].Projection.NonKeyAttributes must be a list, but is text",
            ),
            (
                "Enabled: true",
                "Enabled: 1",
                "13: Marks.TimeToLiveSpecification.Enabled must be true or false, but is a number",
            ),
            (
                "DeletionPolicy: Retain",
                "TableName: marks",
                "4: `Marks.TableName` is not supported here",
            ),
        ] {
            assert!(TABLE.contains(good));
            assert_eq!(error_of(&TABLE.replace(good, bad)), format!("template.yaml:{error}"));
        }
    }
}
