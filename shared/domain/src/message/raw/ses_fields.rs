//! The header fields that are instructions to SES: `X-SES-…`.
//! <https://docs.aws.amazon.com/ses/latest/dg/send-email-raw.html>
//!
//! SES obeys them and leaves them out of the mail. Okite takes them out before it sends, because the request says the
//! same, with Okite's own tags and configuration set.

use super::error::InvalidRaw;
use super::fields::Field;
use crate::message::Tag;

const TAGS: &str = "X-SES-MESSAGE-TAGS";
const CONFIGURATION_SET: &str = "X-SES-CONFIGURATION-SET";
const TENANT: &str = "X-SES-TENANT-NAME";
const LIST_MANAGEMENT: &str = "X-SES-LIST-MANAGEMENT-OPTIONS";
/// The beginning of the name of every instruction.
const PREFIX: &str = "x-ses-";

/// The contact list of SES that a mail belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListManagement {
    /// The name of the contact list.
    pub contact_list_name: String,
    /// The topic within the list.
    pub topic_name: Option<String>,
}

/// The instructions in the header of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Instructions {
    pub(super) tags: Vec<Tag>,
    pub(super) configuration_set: Option<String>,
    pub(super) tenant: Option<String>,
    pub(super) list_management: Option<ListManagement>,
}

/// Returns whether a field is an instruction to SES.
pub(super) fn is_instruction(field: &Field<'_>) -> bool {
    let name = field.name.as_bytes();
    name.len() >= PREFIX.len() && name[..PREFIX.len()].eq_ignore_ascii_case(PREFIX.as_bytes())
}

/// Reads the instructions. Those that SES does not know are ignored, as SES does.
pub(super) fn instructions(fields: &[Field<'_>]) -> Result<Instructions, InvalidRaw> {
    let mut found = Instructions::default();
    for field in fields.iter().filter(|field| is_instruction(field)) {
        let name = field.name.to_ascii_uppercase();
        match name.as_str() {
            TAGS => found.tags.extend(tags(&field.value())?),
            CONFIGURATION_SET => set(&mut found.configuration_set, CONFIGURATION_SET, field)?,
            TENANT => set(&mut found.tenant, TENANT, field)?,
            LIST_MANAGEMENT => {
                let options = list_management(&field.value())?;
                if found.list_management.replace(options).is_some() {
                    return Err(InvalidRaw::DuplicateField(LIST_MANAGEMENT));
                }
            }
            _ if name.ends_with("-ARN") => return Err(InvalidRaw::NotSupported(name)),
            _ => {}
        }
    }
    Ok(found)
}

fn set(place: &mut Option<String>, name: &'static str, field: &Field<'_>) -> Result<(), InvalidRaw> {
    match place.replace(field.value()) {
        Some(_) => Err(InvalidRaw::DuplicateField(name)),
        None => Ok(()),
    }
}

/// Reads `name=value, name=value`.
fn tags(value: &str) -> Result<Vec<Tag>, InvalidRaw> {
    let invalid = |problem: String| InvalidRaw::InvalidInstruction { field: TAGS, problem };
    let pairs = value.split([',', ';']).map(str::trim).filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair
                .split_once('=')
                .ok_or_else(|| invalid("it must have the form name=value, name=value".to_owned()))?;
            Tag::new(name.trim(), value.trim())
                .map_err(|error| invalid(error.to_string().trim_end_matches('.').to_owned()))
        })
        .collect()
}

/// Reads `list; topic=topic` or `contactListName=list; topicName=topic`.
fn list_management(value: &str) -> Result<ListManagement, InvalidRaw> {
    let (mut list, mut topic) = (None, None);
    for part in value.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or(("contactListName", part));
        match name.trim().to_ascii_lowercase().as_str() {
            "contactlistname" => list = Some(value.trim().to_owned()),
            "topic" | "topicname" => topic = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    let contact_list_name = list.filter(|list| !list.is_empty());
    Ok(ListManagement {
        contact_list_name: contact_list_name.ok_or_else(|| InvalidRaw::InvalidInstruction {
            field: LIST_MANAGEMENT,
            problem: "it must name a contact list".to_owned(),
        })?,
        topic_name: topic.filter(|topic| !topic.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use super::super::fields::fields;
    use super::*;

    fn read(header: &str) -> Result<Instructions, InvalidRaw> {
        instructions(&fields(header.as_bytes()).unwrap())
    }

    #[test]
    fn reads_the_instructions_in_any_case() {
        let found = read(
            "x-ses-message-tags: shop=17, Campaign=spring\nX-SES-Configuration-Set: main\nX-SES-TENANT-NAME: t\n\
             X-SES-LIST-MANAGEMENT-OPTIONS: contactListName=news; topicName=offers\nX-SES-OTHER: 1\n",
        )
        .unwrap();
        let tags: Vec<_> = found.tags.iter().map(|tag| (tag.name(), tag.value())).collect();
        assert_eq!(tags, [("shop", "17"), ("Campaign", "spring")]);
        assert_eq!(found.configuration_set.as_deref(), Some("main"));
        assert_eq!(found.tenant.as_deref(), Some("t"));
        let list = found.list_management.unwrap();
        assert_eq!(
            (list.contact_list_name.as_str(), list.topic_name.as_deref()),
            ("news", Some("offers"))
        );
        let list = read("X-SES-LIST-MANAGEMENT-OPTIONS: news; topic=offers\n").unwrap();
        assert_eq!(list.list_management.unwrap().contact_list_name, "news");
    }

    #[test]
    fn refuses_instructions_that_it_cannot_follow() {
        for header in [
            "X-SES-MESSAGE-TAGS: shop\n",
            "X-SES-MESSAGE-TAGS: shop=a b\n",
            "X-SES-MESSAGE-TAGS: okite_id=1\n",
            "X-SES-CONFIGURATION-SET: a\nX-SES-CONFIGURATION-SET: b\n",
            "X-SES-LIST-MANAGEMENT-OPTIONS: topic=a\n",
            "X-SES-SOURCE-ARN: arn:aws:ses:1\n",
            "x-ses-return-path-arn: arn:aws:ses:1\n",
        ] {
            assert!(read(header).is_err(), "{header}");
        }
        assert!(
            read("X-SES-SOURCE-ARN: arn\n")
                .unwrap_err()
                .to_string()
                .contains("X-SES-SOURCE-ARN")
        );
    }
}
