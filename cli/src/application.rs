//! Okite as `local-aws` runs it: the template and the names that are Okite's own.

use local_aws::{Application, OperatorTopic};

/// The template that is deployed.
pub const TEMPLATE: &str = include_str!("../../template.yaml");
/// The name of the stack on one machine.
pub const STACK_NAME: &str = "okite";
/// The topic on one machine to which alarms and the reporter's messages go.
pub const ALARM_TOPIC_ARN: &str = "arn:aws:sns:us-east-1:000000000000:okite-alarms";

/// Okite, for `local-aws`.
pub const APPLICATION: Application = Application {
    template: TEMPLATE,
    stack_name: STACK_NAME,
    readiness_path: "/health",
    operator_topic: Some(OperatorTopic {
        parameter: "AlarmTopicArn",
        arn: ALARM_TOPIC_ARN,
    }),
    mail_id_tag: Some("okite_id"),
    watched_schedule: Some("QuotaReporterSchedule"),
    page: Some(include_str!("../page/index.html")),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_one_script_and_one_style_and_refers_to_no_other_server() {
        let page = APPLICATION.page.unwrap();
        for (text, times) in [
            ("<script", 1),
            ("<style", 1),
            (" style=\"", 0),
            (" onclick=\"", 0),
            ("innerHTML", 0),
        ] {
            assert_eq!(page.matches(text).count(), times, "{text}");
        }
        // The name of SVG's namespace is an address that no browser requests, and so is the webhook in a command that
        // the page shows.
        let addresses = page.match_indices("//").filter(|(at, _)| page[..*at].ends_with(':'));
        for (at, _) in addresses {
            let is_text = ["//www.w3.org/2000/svg", "//127.0.0.1:8000/hook"]
                .iter()
                .any(|text| page[at..].starts_with(text));
            assert!(is_text);
        }
    }
}
